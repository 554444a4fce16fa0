"""A page says to an answer what the check says: the table, the page's script, the field below an exercise."""

import inspect
import json
import math
import random
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from browser import in_a_browser, unreadable
from bs4 import BeautifulSoup

import saliency_lib as sl
from tools.answers import CHECKS, LARGEST, Box, Hidden, Node, Table, grow, table, verdict
from tools.browser import Browser
from tools.project import ROOT

sys.path.insert(0, str(ROOT / "_ext"))

from finishing import answers


@cache
def tables() -> dict[str, Table]:
    """The table of each check that has one."""
    return {name: found for name in sorted(CHECKS._names()) if (found := table(name))}


def leaves(node: Node) -> int:
    """How many verdicts a tree leads to, with repetitions."""
    return leaves(node[2]) + leaves(node[3]) if isinstance(node, list) else 1


def walk(found: Table, draw: random.Random) -> list[float]:
    """An answer of a leaf of the tree, each as likely as the others: at a border of its box, or within."""
    node, bounds = found.tree, [[-100.0, 2000.0] for _ in range(found.count)]
    while isinstance(node, list):
        i, border, below, rest = node
        high = draw.random() * leaves(node) >= leaves(below)
        if border is not None:
            bounds[i][0 if high else 1] = border if high else math.nextafter(border, -math.inf)
        node = rest if high else below
    return [
        draw.choice([low, top, draw.uniform(low, top), float(round(draw.uniform(low, top)))]) for low, top in bounds
    ]


def tried(name: str, count: int) -> list[Any]:
    """Answers to an exercise: at the borders of its table, and anywhere."""
    found, draw = tables()[name], random.Random(name)
    if not found.count:
        return ["".join(draw.choices("ABCD01", k=draw.randint(1, 3))) for _ in range(count)]
    return [*(walk(found, draw) for _ in range(count)), *([draw.uniform(-2, 2)] * found.count for _ in range(9))]


def test_each_check_that_needs_nothing_but_numbers_or_letters_has_a_table() -> None:
    # the answers to three are functions, and one takes its answer apart before it asks for numbers
    alone = {name for name in CHECKS._names() if len(inspect.signature(CHECKS._load(name)).parameters) == 1}
    assert alone - set(tables()) == {"rule-few", "rule-own", "rule-passes", "taylor-two-pixels"}
    assert set(tables()) <= alone


def test_a_table_says_what_the_check_says() -> None:
    for name, found in tables().items():
        heard = set()
        for answer in tried(name, 150):
            assert verdict(found, answer) == said(name, answer), (name, answer)
            heard.add(said(name, answer))
        assert len(heard) > 1, name
        assert found.says[0] == sl.check(name, object()).hint, name


def test_a_verdict_that_no_comparison_shows_is_found_or_refused() -> None:
    def one(answer: Any) -> None:
        d = CHECKS.number(answer)
        CHECKS.expect(0 < d < 3, "between 0 and 3")
        CHECKS.expect(math.sin(d) > 0.5, f"its sine is {math.sin(d):.1f}")

    def two(answer: Any) -> None:
        a, b = CHECKS.numbers(answer, 2, "two numbers")
        CHECKS.expect(a + b < 1, "too much")

    says: dict[str, int] = {}
    tree = grow(one, Box(((-LARGEST, LARGEST),)), says)
    assert verdict(Table(list(says), 1, tree), [0.33]) == "its sine is 0.3"
    assert verdict(Table(list(says), 1, tree), [math.pi / 6 + 1e-9]) == ""
    assert verdict(Table(list(says), 1, tree), [3.0]) == "between 0 and 3"
    with pytest.raises(Hidden):
        grow(two, Box(((-LARGEST, LARGEST), (-LARGEST, LARGEST))), {})


def page(html: str) -> Any:
    """As much of a page as the step asks for."""
    soup = BeautifulSoup(f"<html lang='en'><title>A</title><main><h1>A</h1><article>{html}</article>", "html.parser")
    return SimpleNamespace(soup=soup, article=soup.article)


def cell(call: str) -> str:
    """A cell with a check, as myst-nb writes it."""
    shown = '<div class="cell_output"><p class="verdict">… not answered yet</p></div>'
    return f'<div class="cell"><div class="cell_input"><pre>answer = None\n{call}</pre></div>{shown}</div>'


def test_a_field_has_a_label_and_the_others_say_where_they_are_checked() -> None:
    seen = page(cell('sl.check("see-odds", answer)') + cell('sl.check(\n  "image-size", answer, model=model\n)'))
    answers.fields(seen)
    field, other = seen.article.select(".cell")
    assert field.label["for"] == field.input["id"]
    assert field.label.get_text().startswith("Your answer: three numbers: the log-odds")
    assert field.select_one("p.verdict")["role"] == "status"
    assert other.form is None
    assert other.select_one("p.verdict").get_text() == "… not answered yet: this check runs in the notebook"
    assert len(seen.article.select(":scope > script")) == 1


@in_a_browser
def test_the_page_says_what_the_check_says(browser: Browser, tmp_path: Path) -> None:
    seen = page("".join(cell(f'sl.check("{name}", answer)') for name in tables()))
    answers.fields(seen)
    path = tmp_path / "page.html"
    path.write_text(str(seen.soup), "utf-8")
    browser.open(path.as_uri())
    asked = {name: [(answer, said(name, answer)) for answer in tried(name, 25)] for name in tables()}
    asked["where-sign"] += [("1/64", ""), ("0,015625", ""), ("(\u22121/64)", said("where-sign", -1 / 64))]
    asked["class-logs"] += [("1001, False", ""), ("1001; true", said("class-logs", (1001, True)))]
    asked["boxes-outside"] += [("c, b", said("boxes-outside", "BC"))]
    asked["three-scores"] += [("1, 2", tables()["three-scores"].says[0]), ("a b c", tables()["three-scores"].says[0])]
    told = {
        name: [a if isinstance(a, str) else ", ".join(map(repr, a)) for a, _ in pairs] for name, pairs in asked.items()
    }
    heard = browser.evaluate(f"""Object.entries({json.dumps(told)}).map(([name, texts]) => texts.map((text) => {{
      const form = document.getElementById(`answer-${{name}}`);
      form.querySelector("input").value = text;
      form.requestSubmit();
      return form.nextElementSibling.textContent;
    }}))""")
    for (name, pairs), found in zip(asked.items(), heard, strict=True):
        assert found == [f"✗ not yet: {hint}" if hint else "✓ correct" for _, hint in pairs], name
    assert unreadable(browser) == []


def said(name: str, answer: Any) -> str:
    """What the check itself says."""
    return sl.check(name, answer).hint


def test_a_table_is_small() -> None:
    def size(found: Table) -> int:
        return len(json.dumps([found.says, found.tree, found.words]))

    assert sorted(map(size, tables().values()))[-2] < 2000
    assert max(map(size, tables().values())) < 12_000
