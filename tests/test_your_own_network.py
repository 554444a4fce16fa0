"""The recipes of the page "Your own network" run as they are printed."""

import re
from pathlib import Path

import pytest
import torch

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
