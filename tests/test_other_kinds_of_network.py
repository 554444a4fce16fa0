"""The recipes of the page "Other kinds of network" run as they are printed, and each tests its worth."""

import re
from pathlib import Path

import pytest
import torch

PAGE = (Path(__file__).parent.parent / "reference" / "other_kinds_of_network.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_each_recipe_ends_with_its_worth_and_says_compared_with_what() -> None:
    assert len(SECTIONS) >= 12
    for title, text in SECTIONS.items():
        assert re.search(r"# Its worth, compared with [^\n]+\n(?:.*\n)*?\s*assert ", text), title


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("title", SECTIONS)
def test_a_recipe_runs(title: str) -> None:
    if "from diffusers" in SECTIONS[title]:
        pytest.importorskip("diffusers")
    names: dict[str, object] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for code in [*blocks(PAGE[: PAGE.index("## ")]), *blocks(SECTIONS[title])]:
            exec(compile(code, title, "exec"), names)
