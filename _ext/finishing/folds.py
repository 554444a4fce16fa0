"""Folded code stands behind what it makes, says what that is, and lets a chapter open with its figure."""

from bs4 import Tag

from finishing.page import Page


def behind(page: Page) -> None:
    """Behind the first figure: its own code, and the folded cells before it, which only prepare. No bar comes first."""
    for cell in page.article.select(".cell:has(> details.hide.above-input):has(figure)"):
        output = cell.select_one(":scope > .cell_output")
        fold = cell.select_one(":scope > details.hide.above-input")
        if output and fold:
            output.insert_after(fold.extract())
    before: list[Tag] = []
    for part in page.article.select(".cell, figure, .lab"):
        if part.name == "figure" or part.select_one("figure"):
            place = part.find_parent(class_="cell") if part.name == "figure" else part
            fold = place and place.select_one(":scope > details.hide.above-input")
            for cell in before if fold else ():
                fold.insert_before(cell.extract())
            return
        if not quiet(part):
            return
        before.append(part)


def quiet(cell: Tag) -> bool:
    """Whether a cell is folded and shows nothing."""
    return cell.select_one(":scope > details.hide.above-input") is not None and not cell.select_one(".cell_output")


def names(page: Page) -> None:
    """A fold says what its code makes: "Code of Figure 4.1"."""
    for fold in page.article.select("details.hide.above-input"):
        cell = fold.find_parent(class_="cell")
        titles = fold.select(":scope > summary .admonition-title")
        if cell is None or len(titles) != 2:
            continue
        what = made(cell)
        titles[0].string, titles[1].string = f"Code{what}", f"Hide the code{what}"


def made(cell: Tag) -> str:
    """What the code of a cell makes, after "Code"."""
    caption = cell.select_one(".cell_output figcaption .caption-number, .cell_output .caption .caption-number")
    if caption:
        return f" of {caption.get_text(strip=True).rstrip(':')}"
    if cell.select_one(".cell_output table"):
        return " of the table"
    if cell.select_one(".cell_output img"):
        return " of the picture"
    return " of what it prints" if cell.select_one(".cell_output") else " that prepares"


def indices(page: Page) -> None:
    """The name of a table's index stands in its corner, and not in a row of its own that is empty otherwise."""
    for table in page.article.select("table.dataframe"):
        rows = table.select(":scope > thead > tr")
        if len(rows) != 2:
            continue
        top, low = (row.find_all(["th", "td"]) for row in rows)
        empty = all(not cell.get_text(strip=True) for cell in low[1:])
        if top and len(top) == len(low) and empty and low[0].get_text(strip=True) and not top[0].get_text(strip=True):
            top[0].string = low[0].get_text(strip=True)
            rows[1].decompose()


STEPS = (behind, names, indices)
