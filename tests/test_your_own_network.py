"""The recipes of the page "Your own network" run as they are printed."""

import re
from pathlib import Path

import pytest
import torch
import torchvision

import saliency_lib as sl

SEEDS = Path(__file__).parent.parent.parent / "shared" / "seeds"
PAGE = (Path(__file__).parent.parent / "reference" / "your_own_network.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_page_has_at_least_ten_recipes() -> None:
    assert len(SECTIONS) >= 10
    assert all(blocks(text) for text in SECTIONS.values())


@pytest.mark.parametrize("title", SECTIONS)
def test_a_recipe_runs(title: str) -> None:
    names: dict[str, object] = {}
    before = [*blocks(PAGE[: PAGE.index("## ")]), "import torchvision, timm"]
    if title == "One filter inside":  # the only one that goes on where the one above it ends
        before += blocks(SECTIONS["Which layer?"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for code in [*before, *blocks(SECTIONS[title])]:
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
