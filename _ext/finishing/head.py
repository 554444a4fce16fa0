"""What a page says of itself to search engines and to those who share it, and which scripts and styles it loads."""

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from bs4 import Tag

from finishing.page import Page

LONGEST = 200
CARD = "_static/card.jpg"
INDICES = frozenset({"genindex", "search"})

# A script or style sheet by a part of its address, and the classes of which a page has one that needs it.
NEEDED_BY = {
    "/mathjax": {"math"},
    "togglebutton.": {"toggle", "dropdown"},
    "clipboard.": {"highlight"},
    "copybutton.": {"highlight"},
    "design-tabs.": {"sd-tab-set"},
    "sphinx-design.": {"sd-"},
    "/mystnb.": {"cell"},
    "/proof.": {"proof"},
    "/exercise.": {"exercise", "solution"},
    "fontawesome.js": set[str](),  # the style sheet alone shows every icon
    "js/all.min.js": set[str](),
}
# Loaded at once, because scripts in the page use it.
AT_ONCE = "documentation_options.js"


def needless(page: Page) -> None:
    """Drop what this page has no use for, and let the other scripts wait until it is read."""
    classes = {name for element in page.article.find_all(class_=True) for name in element["class"]}
    classes |= {name[:3] for name in classes if name.startswith("sd-")}
    unused = [part for part, need in NEEDED_BY.items() if not need & classes]
    for element in page.soup.select("link[href], script[src]"):
        address = str(element.get("href") or element.get("src"))
        if element.get("rel") == ["preload"] and "fontawesome" in address:
            element.decompose()  # in a way that browsers refuse for pages opened as files
        elif any(part in address for part in unused):
            element.decompose()
        elif element.name == "script" and AT_ONCE not in address:
            element["defer"] = "defer"
    for extra in page.soup.select('meta[name="viewport"]')[1:]:
        extra.decompose()
    if "math" not in classes:
        for script in page.soup.find_all("script", string=re.compile(r"window\.MathJax\s*=")):
            script.decompose()


def description(page: Page) -> str:
    """The first paragraph of the page, cut at the end of a sentence or word where it is long."""
    paragraphs = (p for p in page.article.select("section > p") if not p.find_parent(class_="admonition"))
    first = next((" ".join(p.get_text().split()) for p in paragraphs if len(p.get_text()) > 40), "")
    if len(first) <= LONGEST:
        return first or str(page.config.project)
    short = first[:LONGEST]
    end = max(short.rfind(mark) for mark in (". ", "? ", "! "))
    return short[: end + 1] if end > LONGEST // 3 else short.rsplit(" ", 1)[0] + " …"


def address(page: Page) -> str:
    """Where the page is on the web, by the setting `html.baseurl`."""
    base = page.config.html_baseurl.rstrip("/") + "/"
    return base if page.name == page.config.root_doc else f"{base}{page.name}.html"


def metadata(page: Page) -> None:
    """Title, description, address and card of the page."""
    soup, head = page.soup, page.soup.head
    assert head is not None
    title = soup.title
    heading = page.article.find("h1")
    name = str(page.config.html_title or page.config.project)
    if title and heading:
        for link in heading.select(".headerlink"):
            own = heading.get_text().removesuffix(link.get_text()).strip()
            title.string = f"{own} · {name}" if own != name else name
    for old in soup.select('link[rel="canonical"]'):
        old.decompose()
    if page.name in INDICES:
        add(page, "meta", name="robots", content="noindex")
        return
    text = description(page)
    add(page, "link", rel="canonical", href=address(page))
    add(page, "meta", name="description", content=text)
    card = page.config.html_baseurl.rstrip("/") + "/" + CARD
    said = {"title": title.get_text() if title else name, "description": text, "url": address(page), "image": card}
    for key, value in {"type": "website", "site_name": name, **said}.items():
        add(page, "meta", property=f"og:{key}", content=value)
    add(page, "meta", name="twitter:card", content="summary_large_image")


def add(page: Page, tag: str, **attributes: str) -> Tag:
    """A new element at the end of the head."""
    element = page.soup.new_tag(tag)
    element.attrs.update(attributes)
    assert page.soup.head is not None
    page.soup.head.append(element)
    return element


def footer(page: Page) -> None:
    """Addresses in the footer, written from the root of the site, lead there from every page."""
    for link in page.soup.select("footer a[data-page]"):
        target = str(link.attrs.pop("data-page"))
        if (page.site / target).is_file():
            link["href"] = page.link(target)
        else:
            link.unwrap()


def sitemap(pages: Iterable[Page]) -> str:
    """The list of all pages that search engines read."""
    rows = "".join(f"<url><loc>{escape(address(page))}</loc></url>\n" for page in pages if page.name not in INDICES)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'
    )


STEPS = (needless, metadata, footer)
