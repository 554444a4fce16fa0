"""The recipes of the pages "Your own network" and "Other kinds of network" run as they are printed."""

import re
from pathlib import Path

import pytest
import torch
import torchvision

import saliency_lib as sl

ROOT = Path(__file__).parent.parent
SEEDS = ROOT.parent / "shared" / "seeds"
OWN, OTHER = (
    (ROOT / "reference" / f"{name}.md").read_text("utf-8") for name in ("your_own_network", "other_kinds_of_network")
)


def sections(page: str) -> dict[str, str]:
    return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


RECIPES = [(page, title) for page in (OWN, OTHER) for title in sections(page)]


def test_there_are_recipes_and_each_of_another_kind_says_its_worth() -> None:
    assert len(sections(OWN)) >= 10
    assert len(sections(OTHER)) >= 12
    assert all(blocks(text) for text in sections(OWN).values())
    for title, text in sections(OTHER).items():
        assert re.search(r"# Its worth, compared with [^\n]+\n(?:.*\n)*?\s*assert ", text), title


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("page", "title"), RECIPES, ids=[title for _, title in RECIPES])
def test_a_recipe_runs(page: str, title: str) -> None:
    names: dict[str, object] = {}
    before = blocks(page[: page.index("## ")])
    if title == "One filter inside":  # the only one that goes on where the one above it ends
        before += blocks(sections(page)["Which layer?"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for code in [*before, *blocks(sections(page)[title])]:
            exec(compile(code, title, "exec"), names)


def seed(number: str) -> str:
    """The Python of one of the texts that the project grew from: from its first import to its last statement."""
    [path] = SEEDS.glob(f"{number}_*.txt")
    code = path.read_text("utf-8")
    return code[code.index("import torch\n") :]


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the texts that the project grew from are not here")
@pytest.mark.filterwarnings("ignore:The parameter 'pretrained'", "ignore:Arguments other than a weight enum")
@pytest.mark.parametrize(
    ("number", "end", "given"),
    [
        ("000", "print(f", ("torch.randn(1, 3, 224, 224, requires_grad=True)", "Z.requires_grad_(True)")),
        ("003", "save_image(", ("preprocess(image).unsqueeze(0)", "Z")),
    ],
)
def test_the_snippets_of_the_web_give_our_map(
    number: str, end: str, given: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they stand, on a photo, with random weights in the place of the downloaded: equal up to the normalization."""
    builder = {"000": torchvision.models.resnet18, "003": torchvision.models.resnet50}[number]
    mean, std = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    images = sl.to_tensor(sl.sample_photo("coffee"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = builder(weights=None)
    monkeypatch.setattr(torchvision.models._api.WeightsEnum, "get_state_dict", lambda *_, **__: network.state_dict())
    sl.sample_photo("coffee").save(tmp_path / "image.png")
    code = seed(number)
    code = code[: code.index(end)].replace("/path/to/your/image.jpg", str(tmp_path / "image.png"))
    assert given[0] in code
    names: dict[str, object] = {"Z": (images - mean) / std}
    exec(compile(code.replace(*given), number, "exec"), names)
    w = sl.input_gradient(sl.as_classifier(network, mean.flatten().tolist(), std.flatten().tolist()), images)
    theirs, ours = names["saliency_map"], (w * std).abs().amax(1)
    assert isinstance(theirs, torch.Tensor)
    torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-4 * float(ours.max()))
    assert float(ours.max()) > 0
