"""An exercise is answered on its page, where its check needs nothing beside the answer: the same words, no kernel."""

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from finishing.page import Page

CALL = re.compile(r'sl\.check\(\s*"(?P<name>[\w-]+)",\s*[a-z]+\b')
SCRIPT = Path(__file__).parent.parent / "answers.js"
NOT_YET = '<p class="verdict">… not answered yet</p>'
FORM = """<form class="answer" id="answer-{name}" hidden>
<label for="answer-{name}-input">Your answer: <span>{what}</span></label>
<input id="answer-{name}-input" autocomplete="off" autocapitalize="off" spellcheck="false">
<button type="submit">Check</button><script type="application/json">{table}</script></form>"""


def fields(page: Page) -> None:
    """A field below each exercise with a table; below the others, that their check runs in the notebook."""
    asked = False
    for shown in page.article.select(".cell_output p.verdict"):
        cell = shown.find_parent(class_="cell")
        call = CALL.search(cell.get_text()) if cell and shown.get_text().endswith("not answered yet") else None
        if call:
            asked |= field(shown, call["name"])
    for item in page.article.select("li:has(code)"):
        if call := CALL.search(item.get_text()):
            item.append(BeautifulSoup(NOT_YET, "html.parser"))
            asked |= field(item.select_one("p.verdict"), call["name"])
    if asked:
        script = page.soup.new_tag("script")
        script.string = SCRIPT.read_text("utf-8")
        page.article.append(script)


def field(shown: Tag, name: str) -> bool:
    """Put a field before the verdict, which the page's script then speaks through; whether the exercise has a table."""
    from tools.answers import table  # brings PyTorch, which a book without exercises does not need

    found = table(name)
    if found is None:
        shown.string = f"{shown.get_text()}: this check runs in the notebook"
        return False
    carried = {"says": found.says, "count": found.count, "tree": found.tree, "words": found.words}
    told = json.dumps(carried, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    form = BeautifulSoup(FORM.format(name=name, what="", table=told), "html.parser")
    form.span.string = found.what
    shown["role"] = "status"
    shown.insert_before(form)
    return True


STEPS = (fields,)
