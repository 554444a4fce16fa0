"""Audits: what is removed, what is counted, how it is decided; and folders, through kills and broken files."""

import html.parser
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import nothing_changes, raises_one_line
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

import saliency_lib as sl
from saliency_lib.auditing import folder as folders
from saliency_lib.auditing.control import elsewhere
from saliency_lib.auditing.examination import examine
from saliency_lib.auditing.removal import WAYS
from saliency_lib.auditing.summary import summarize
from saliency_lib.cli import main

# --- removal ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def masks() -> Tensor:
    found = torch.zeros(2, 24, 32, dtype=torch.bool)
    found[0, 5:12, 8:20] = True
    found[1, 15:, :9] = True
    return found


@pytest.mark.parametrize("way", WAYS)
def test_only_the_region_changes_and_nothing_of_the_callers(masks: Tensor, way: str) -> None:
    images = torch.rand(2, 3, 24, 32)
    with nothing_changes(nn.Identity(), images, masks):
        less = sl.removed(images, masks, way)
    outside = ~masks[:, None].expand_as(images)
    assert torch.equal(less[outside], images[outside])
    assert not torch.equal(less, images)
    assert 0 <= less.min() <= less.max() <= 1


def test_the_blur_is_gaussian(masks: Tensor) -> None:
    images = torch.rand(2, 3, 24, 32)
    less = sl.removed(images, masks, "blur")
    same = gaussian_blur(images, [25, 25], [3.0, 3.0])
    inside = masks[:, None].expand_as(images)
    torch.testing.assert_close(less[inside], same[inside], atol=2e-4, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_inpainting_continues_what_is_around(masks: Tensor, channels: int) -> None:
    """A square of noise on a plain ground is gone, but for a few steps of 8 bits."""
    ground = torch.full((2, channels, 24, 32), 0.6)
    images = torch.where(masks[:, None], torch.rand(2, channels, 24, 32), ground)
    torch.testing.assert_close(sl.removed(images, masks, "inpainting"), ground, atol=0.02, rtol=0)


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_image_can_be_removed(way: str) -> None:
    less = sl.removed(torch.rand(1, 3, 16, 16), torch.ones(1, 16, 16, dtype=torch.bool), way)
    assert less.isfinite().all()


# --- what is counted -------------------------------------------------------------------------------------------------


class Weighted(nn.Module):
    """S = sum of weights (3, H, W) times pixels, as one number an image."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, images: Tensor) -> Tensor:
        return (images * self.weights).sum((1, 2, 3))


def planted(on_object: float, on_shortcut: float) -> tuple[sl.Model, dict[str, Tensor]]:
    """A linear network with these weights on two disjoint squares of 6 x 6, for images of 20 x 20."""
    regions = {"object": torch.zeros(20, 20, dtype=torch.bool), "shortcut": torch.zeros(20, 20, dtype=torch.bool)}
    regions["object"][2:8, 2:8] = True
    regions["shortcut"][12:18, 12:18] = True
    weights = on_object * regions["object"].float() + on_shortcut * regions["shortcut"].float()
    model = sl.as_model(Weighted(weights.expand(3, -1, -1)), size=20, head=sl.Head("numbers"))
    return model, {name: mask.expand(30, -1, -1) for name, mask in regions.items()}


@pytest.mark.parametrize(
    ("weights", "verdict"), [((1.0, 0.0), "not shown"), ((0.0, 1.0), "relies on it"), ((1.0, 1.0), "partly")]
)
def test_a_network_that_looks_at_one_thing_is_found_out(weights: tuple[float, float], verdict: str) -> None:
    model, regions = planted(*weights)
    images = torch.rand(30, 3, 20, 20)
    with nothing_changes(model, images):
        found = sl.audit(model, images, regions=regions)
    assert found.verdict == verdict
    R = weights[1] / sum(weights)
    assert found.opinion.mean == pytest.approx(R)
    assert found.reliance.mean == pytest.approx(R, abs=0.15)
    assert found.images == 30
    assert found.regions["object"].flips is None


def test_shares_changes_and_reliance_are_those_of_a_slow_count() -> None:
    """A network with weights everywhere: every number once more, by loops."""
    weights = torch.randn(3, 20, 20)
    model = sl.as_model(Weighted(weights), size=20, head=sl.Head("numbers"))
    _, regions = planted(1, 1)
    images = torch.rand(30, 3, 20, 20)
    found = sl.audit(model, images, regions=regions)
    M = weights.abs().amax(0)
    sizes: dict[str, dict[str, float]] = {}
    for name, masks in regions.items():
        assert found.regions[name].area.mean == pytest.approx(36 / 400)
        assert found.regions[name].saliency.mean == pytest.approx((M[masks[0]].sum() / M.sum()).item())
        sizes[name] = {}
        for way in WAYS:
            changes = [((sl.removed(images, masks, way)[i] - images[i]) * weights).sum().item() for i in range(30)]
            assert found.regions[name].changes[way].mean == pytest.approx(np.mean(changes), abs=1e-4)
            sizes[name][way] = float(np.mean(np.abs(changes)))
    R = sorted(sizes["shortcut"][way] / (sizes["shortcut"][way] + sizes["object"][way]) for way in WAYS)
    assert found.reliance.mean == pytest.approx(R[1], abs=1e-5)
    rest = found.regions["rest"]
    assert rest.area.mean == pytest.approx(1 - 72 / 400)
    assert rest.changes == {}


class TwoClasses(nn.Module):
    """The score of a linear network, and 0 for another class."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.linear = Weighted(weights)

    def forward(self, images: Tensor) -> Tensor:
        S = self.linear(images)
        return torch.stack([S, torch.zeros_like(S)], 1)


@pytest.mark.parametrize(("sign", "R"), [(1.0, 0.5), (-1.0, 0.0)])
def test_what_distracts_from_a_class_does_not_support_it(sign: float, R: float) -> None:
    """Bright squares on black: without the shortcut the score falls by as much as without the object, or rises."""
    _, regions = planted(1, 1)
    weights = regions["object"][0].float() + sign * regions["shortcut"][0].float()
    model = sl.as_model(TwoClasses(weights.expand(3, -1, -1)), size=20)
    images = torch.zeros(30, 3, 20, 20)
    images[:, :, regions["object"][0] | regions["shortcut"][0]] = 0.8
    found = sl.audit(model, images, 0, regions=regions)
    assert found.reliance.mean == pytest.approx(R, abs=0.02)
    assert found.regions["shortcut"].changes["mean"].mean * sign < 0


def test_classes_are_fixed_before_anything_is_removed(net: nn.Sequential, images: Tensor) -> None:
    """The change is that of the class that was on top, and an answer flips where another class is now."""
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[:, 2:6, 2:6] = True
    regions = {"object": mask, "shortcut": ~mask}
    records = examine(net, images, None, regions)
    with torch.no_grad():
        before, after = net(images), net(sl.removed(images, mask, "mean"))
    top = before.argmax(1)
    for index, record in enumerate(records):
        c = top[index]
        change = (after[index, c] - before[index, c]).item()
        assert record["regions"]["object"]["changes"]["mean"] == pytest.approx(change, abs=1e-5)
        assert record["regions"]["object"]["flips"]["mean"] == (after[index].argmax() != c)
    found = sl.audit(net, images, regions=regions)
    assert list(found.regions) == ["object", "shortcut"]  # there is no rest
    assert found.regions["object"].flips is not None


class Table(nn.Module):
    """Classes whose first score depends on the mean of two squares alone, by a function of both."""

    def __init__(self, score: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.score = score

    def forward(self, images: Tensor) -> Tensor:
        S = self.score(images[:, :, 2:8, 2:8].mean((1, 2, 3)), images[:, :, 12:18, 12:18].mean((1, 2, 3)))
        return torch.stack([S, torch.zeros_like(S)], 1)


@pytest.mark.parametrize(
    ("score", "object_", "shortcut", "interaction"),
    [
        (lambda o, s: 3 * o + 2 * s, 3, 2, 0),  # the sum of both
        (lambda o, s: 4 * o * s, 4, 4, 4),  # neither does anything without the other
        (lambda o, s: 4 * torch.maximum(o, s), 0, 0, -4),  # either suffices
    ],
)
def test_effects_and_interaction_are_those_of_the_four_scores(
    score: Callable[[Tensor, Tensor], Tensor], object_: float, shortcut: float, interaction: float
) -> None:
    """Two white squares on black, taken away by the mean of the rest: o and s are 1 or next to 0."""
    _, regions = planted(1, 1)
    images = torch.zeros(30, 3, 20, 20)
    images[:, :, regions["object"][0] | regions["shortcut"][0]] = 1.0
    # of the three ways the means have to be those of the mean color: all three are made to be
    found = sl.audit(Dark(Table(score)), images, 0, regions=regions)
    assert found.object.mean == pytest.approx(object_, abs=1e-5)
    assert found.shortcut.mean == pytest.approx(shortcut, abs=1e-5)
    assert found.interaction.mean == pytest.approx(interaction, abs=1e-5)
    for name, effect in (("object", object_), ("shortcut", shortcut)):
        assert found.shapley[name].mean == pytest.approx(effect - interaction / 2, abs=1e-5)
    assert found.control is not None
    assert found.control.mean == 0
    assert found.beyond.mean == found.shortcut.mean
    assert found.verdict == ("partly" if shortcut > 0 else "not shown")


class Dark(nn.Module):
    """A network to which all that is not entirely white is black."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images * (images > 0.999))


def test_the_control_is_the_same_shape_at_a_free_place() -> None:
    masks, taken = torch.zeros(2, 24, 32, dtype=torch.bool), torch.zeros(2, 24, 32, dtype=torch.bool)
    masks[:, 5:9, 3:11] = True
    masks[:, 5, 3] = False
    taken[:, :, :16] = True
    images = torch.rand(2, 3, 24, 32)
    found = elsewhere(masks, taken, images)
    assert not (found & taken).any()
    for mask in found:
        rows, columns = mask.nonzero().amin(0).tolist()
        assert torch.equal(mask[rows : rows + 4, columns : columns + 8], masks[0, 5:9, 3:11])
    assert torch.equal(elsewhere(masks[1:], taken[1:], images[1:]), found[1:])  # whatever batch it stands in


def test_where_nothing_fits_there_is_no_control_and_sizes_prove_nothing() -> None:
    everything = torch.ones(2, 24, 32, dtype=torch.bool)
    assert not elsewhere(everything, everything, torch.rand(2, 3, 24, 32)).any()
    model, _ = planted(1, 1)
    left = torch.zeros(30, 20, 20, dtype=torch.bool)
    left[:, :, :11] = True
    found = sl.audit(model, torch.rand(30, 3, 20, 20), regions={"object": left, "shortcut": ~left})
    assert found.control is None
    assert found.beyond == found.shortcut
    assert found.verdict == "not shown"  # an angle changes with anything: without a control that is no evidence


def test_each_group_gets_what_its_images_alone_would_and_a_p_for_all_groups() -> None:
    """In the first group the shortcut does everything, in the others nothing."""
    model, regions = planted(0, 1)
    images = torch.rand(30, 3, 20, 20)
    images[10:] = 0  # black, of which nothing can be taken away
    groups = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    found = sl.audit(model, images, regions=regions, groups=groups)
    alone = sl.audit(model, images[:10], regions={name: masks[:10] for name, masks in regions.items()})
    a, b = found.groups["a"], found.groups["b"]
    assert a.shortcut == alone.shortcut
    assert a.reliance == alone.reliance
    assert (a.verdict, b.verdict) == ("relies on it", "not shown")
    assert a.p == pytest.approx(3 * 2 / 2**10)
    assert b.p == 1
    assert [row["images"] for row in found.effects()] == ["all", "a", "b", "c"]


def test_few_of_a_group_show_nothing_after_holm() -> None:
    model, regions = planted(0, 1)
    groups = [str(k // 5) for k in range(30)]
    found = sl.audit(model, torch.rand(30, 3, 20, 20), regions=regions, groups=groups)
    assert found.verdict == "relies on it"
    assert all(one.beyond.low > 0 for one in found.groups.values())
    assert {one.verdict for one in found.groups.values()} == {"not shown"}  # 6 times 2 / 2^5 is no small p


@pytest.mark.parametrize(
    ("groups", "sentence"), [(["a"] * 29, "a group for each of 30"), (["a"] * 29 + ["b"], "of 'b' there is one")]
)
def test_groups_that_cannot_be_told_apart_are_said(groups: list[str], sentence: str) -> None:
    model, regions = planted(1, 1)
    with raises_one_line(sl.SaliencyError, sentence):
        sl.audit(model, torch.rand(30, 3, 20, 20), regions=regions, groups=groups)


def test_the_opinion_of_an_even_map_is_one_half_however_large_the_shortcut() -> None:
    """A share that is not divided by the area would accuse a large region of its size."""
    record = {"score": 1.0, "plain": False}
    none = dict.fromkeys(WAYS, -1.0)
    regions = {
        name: {"area": area, "saliency": area, "changes": none, "flips": {}}
        for name, area in (("object", 0.05), ("shortcut", 0.2), ("both", 0.25))
    }
    found = summarize([record | {"regions": regions}] * 3)
    assert found.opinion == pytest.approx((0.5, 0.5, 0.5))


def test_the_shipped_networks_are_told_apart() -> None:
    owls = sl.companions(40, seed=21, kind="owl")
    regions = {"object": owls.masks["creature"], "shortcut": owls.masks["companion"]}
    verdicts = {
        name: sl.audit(sl.load_model(name).cpu(), owls.images, "owl", regions=regions).verdict
        for name in ("companion_convnet", "companion_convnet_shortcut")
    }
    assert verdicts == {"companion_convnet": "not shown", "companion_convnet_shortcut": "relies on it"}


def test_the_steering_network_with_a_shortcut_is_found() -> None:
    """The object is what steers: markings and the edges of the road. The car should not."""
    drawn = sl.roads(40, seed=21, shortcut=True)
    lines = drawn.masks["left marking"] | drawn.masks["right marking"] | drawn.masks["road edge"]
    seen = drawn.masks["car"].flatten(1).any(1)
    regions = {"object": lines[seen], "shortcut": drawn.masks["car"][seen]}
    found = {
        name: sl.audit(sl.load_model(name).cpu(), drawn.images[seen], regions=regions)
        for name in ("steering_convnet", "steering_convnet_shortcut")
    }
    assert found["steering_convnet"].verdict == "partly"  # more than a place without a car, less than the lines
    assert found["steering_convnet"].reliance.high < 0.3
    assert found["steering_convnet_shortcut"].verdict == "relies on it"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"regions": {"object": torch.ones(3, 8, 8, dtype=torch.bool)}}, "there is no region 'shortcut'"),
        ({"shortcut": torch.zeros(3, 8, 8, dtype=torch.bool)}, "the region 'shortcut' of image 0 is empty"),
        ({"shortcut": torch.ones(3, 8, 9, dtype=torch.bool)}, "the masks of 'shortcut' are booleans of shape"),
        ({"shortcut": torch.ones(3, 8, 8)}, "booleans"),
        ({"threshold": 1.5}, "threshold should be a number, at least 0 and at most 1"),
        (
            {"regions": {name: torch.ones(3, 8, 8, dtype=torch.bool) for name in ("object", "shortcut", "both")}},
            "its own",
        ),
        ({"method": "tea-leaves"}, "there is no method"),
    ],
)
def test_what_cannot_be_audited_is_said(net: nn.Sequential, images: Tensor, change: dict, sentence: str) -> None:
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[:, :3] = True
    regions = {"object": mask, "shortcut": change.pop("shortcut", ~mask)}
    with raises_one_line(sl.SaliencyError, sentence):
        sl.audit(net, images, **({"regions": regions} | change))


def test_one_image_is_too_few(net: nn.Sequential, images: Tensor) -> None:
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[:, :3] = True
    with pytest.raises(sl.SaliencyError, match="two images"):
        sl.audit(net, images[:1], regions={"object": mask, "shortcut": ~mask})


# --- folders ---------------------------------------------------------------------------------------------------------

MODEL = "companion_convnet_shortcut"


def lay(folder: Path, count: int = 4) -> Path:
    """A folder of owls beside trees, with their masks."""
    folder.mkdir()
    drawn = sl.companions(count, seed=31, kind="owl")
    for index in range(count):
        sl.to_image(drawn.images[index]).save(folder / f"owl{index}.png")
        for name, region in (("object", "creature"), ("shortcut", "companion")):
            Image.fromarray(drawn.masks[region][index].numpy()).save(folder / f"owl{index}.{name}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay(tmp_path / "owls")


class Reader(html.parser.HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_is_one_file_that_needs_no_network_and_says_its_pictures(folder: Path, tmp_path: Path) -> None:
    found = folders.audit_folder(folder, tmp_path / "r.html", model=MODEL, target="owl")
    text = (tmp_path / "r.html").read_text("utf-8")
    tags = Reader(text).tags
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    assert len(pictures) == 4
    assert all(len(picture["alt"] or "") > 60 for picture in pictures)
    assert all((picture["src"] or "").startswith("data:image/webp;base64,") for picture in pictures)
    assert all(attributes.get("aria-label") for tag, attributes in tags if tag == "svg")
    assert not any(tag in ("script", "link", "iframe") for tag, _ in tags)
    assert "http" not in text.replace("http-equiv", "")
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags
    assert str(found.reliance) in text
    assert "no network" not in text
    assert str(found.shortcut) in text
    assert str(found.interaction) in text


def test_a_folder_gives_what_the_tensors_give(folder: Path, tmp_path: Path) -> None:
    """Photos as PNG have 8 bits, and nothing else changes."""
    found = folders.audit_folder(folder, tmp_path / "r.html", model=MODEL, target="owl")
    drawn = sl.companions(4, seed=31, kind="owl")
    rounded = (drawn.images * 255).round() / 255
    regions = {"object": drawn.masks["creature"], "shortcut": drawn.masks["companion"]}
    same = sl.audit(sl.load_model(MODEL), rounded, "owl", regions=regions)
    assert found.reliance == pytest.approx(same.reliance, abs=1e-4)
    assert found.opinion == pytest.approx(same.opinion, abs=1e-4)
    assert found.table() == same.table()


def test_what_is_done_is_not_done_again_unless_it_has_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    once = folders._examine
    monkeypatch.setattr(
        folders, "_examine", lambda photo, *rest: (asked.append(photo.path.name), once(photo, *rest))[1]
    )
    first = folders.audit_folder(folder, tmp_path / "r.html", model=MODEL)
    assert asked == [f"owl{index}.png" for index in range(4)]
    kept = folders.kept(tmp_path / "r.html")
    (kept / "owl2.png.json").write_text("{", "utf-8")
    (kept / "owl3.png.json").unlink()
    asked.clear()
    assert folders.audit_folder(folder, tmp_path / "r.html", model=MODEL) == first
    assert asked == ["owl2.png", "owl3.png"]
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(folder / "owl1.object.png")
    asked.clear()
    assert folders.audit_folder(folder, tmp_path / "r.html", model=MODEL) != first
    assert asked == ["owl1.png"]
    with raises_one_line(sl.SaliencyError, "answers to another question"):
        folders.audit_folder(folder, tmp_path / "r.html", model=MODEL, target="owl")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "owl1.png").write_bytes(b"no picture"), "owl1.png"),
        (lambda f: Image.new("L", (30, 64), 255).save(f / "owl1.object.png"), "owl1.object.png has 30 x 64 pixels"),
        (lambda f: Image.new("L", (64, 64), 0).save(f / "owl1.shortcut.png"), "owl1.shortcut.png is empty"),
        (lambda f: (f / "owl1.object.png").unlink(), "there is no owl1.object.png beside it"),
        (lambda f: (f / "owl1.object.png").write_bytes(b""), "owl1.object.png"),
    ],
)
def test_a_photo_that_cannot_be_used_is_named_and_the_others_count(
    folder: Path, tmp_path: Path, spoil: object, sentence: str
) -> None:
    spoil(folder)  # type: ignore[operator]
    found = folders.audit_folder(folder, tmp_path / "r.html", model=MODEL)
    assert found.images == 3
    broken = json.loads((folders.kept(tmp_path / "r.html") / "owl1.png.json").read_text("utf-8"))
    assert sentence in broken["broken"]
    assert "\n" not in broken["broken"]
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "Could not be used" in text
    assert sentence in text


def test_groups_are_read_from_a_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("".join(f"owl{k}.png,hospital {'AB'[k % 2]}\n" for k in range(4)), "utf-8")
    out = str(tmp_path / "r.html")
    command = ["audit", str(folder), "--out", out, "--model", MODEL, "--class", "owl", "--groups", str(file)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "images hospital A  number 2" in said
    assert "hospital B" in Path(out).read_text("utf-8")
    file.write_text("owl0.png,A\n", "utf-8")
    assert main(command) == 2
    assert "has no line owl1.png,GROUP" in capsys.readouterr().err


def test_the_command_says_what_it_found(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "r.html")
    assert main(["audit", str(folder), "--out", out, "--model", MODEL, "--class", "owl"]) == 0
    said = capsys.readouterr().out
    assert "reliance" in said
    assert f"wrote {out}" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--out", "r.html"], "there is no folder nowhere"),
        (["{empty}", "--out", "r.html"], "there are no photos in"),
        (["{empty}", "--out", "r.txt"], "should end in .html"),
        (["{owls}", "--out", "r.html", "--threshold", "2"], "threshold should be a number"),
        (["{owls}", "--out", "r.html", "--class", "unicorn"], "unicorn"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"{empty}": "empty", "{owls}": str(folder)}
    assert main(["audit", *(places.get(one, one) for one in arguments), "--model", MODEL]) == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_of_broken_photos_says_why(folder: Path, tmp_path: Path) -> None:
    for index in range(3):
        (folder / f"owl{index}.object.png").unlink()
    with raises_one_line(sl.SaliencyError, "has 1"):
        folders.audit_folder(folder, tmp_path / "r.html", model=MODEL)
