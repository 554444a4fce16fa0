"""The tool that lists general sentences finds those with nothing behind them, and only those."""

from pathlib import Path

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.generals import General, generals, is_general

LOOSE = [
    "Networks look at textures.",
    "Most maps are edges.",
    "*Every network* has such a layer, and nobody knows why.",
    "Maps of a class are always alike.",
    "Saliency maps lie on the object.",
]
HELD = [
    "Networks look at textures {cite:p}`geirhos2019imagenet`.",
    "Most maps lie on the object: {study}`saliency-on-object`.",
    "Every network of ReLUs is linear in a region ({prf:ref}`thm-region`).",
    "Maps are never negative, by {eq}`eq-map`.",
    "On this photo most maps are edges.",
    "Most maps of the seven photos are edges.",
    "Do networks look at textures?",
    "If networks look at textures, cover the shape.",
    "Compare all maps.",
    "The map of the cat is bright at its ear.",
]


@pytest.mark.parametrize("sentence", LOOSE)
def test_a_sentence_on_things_at_large_is_found(sentence: str) -> None:
    assert is_general(sentence)


@pytest.mark.parametrize("sentence", HELD)
def test_a_sentence_with_a_reference_or_a_scope_is_not(sentence: str) -> None:
    assert not is_general(sentence)


def test_a_chapter_is_read_up_to_its_exercises(tmp_path: Path) -> None:
    text = (
        "## A heading on all maps\n\nIt is a cat. Networks look\nat textures.\n\n```{note}\nMost maps are edges.\n```\n"
    )
    cells = [new_code_cell("all(maps)"), new_markdown_cell(text), new_markdown_cell("## Exercises\n\nMost maps lie.")]
    write(new_notebook(cells=cells), tmp_path / "chapter.ipynb")
    found = [General(1, "Networks look at textures."), General(1, "Most maps are edges.")]
    assert generals(tmp_path / "chapter.ipynb") == found
