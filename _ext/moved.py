"""Sphinx extension: where a page once was, a small one leads to where it is now, from disk as on the web.

The chapters' order has changed, and addresses carry numbers. A reader who comes by an old address goes on to the same
heading of the page, without a script to its top; search engines are told the new address alone.
"""

import html
import posixpath
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MOVED = {
    "chapters/04_one_rule_apart": "chapters/05_one_rule_apart",
    "chapters/05_where_is_it": "chapters/07_where_is_it",
    "chapters/07_what_a_map_shows": "chapters/04_what_a_map_shows",
    "chapters/09_other_ways_to_ask": "chapters/10_other_ways_to_ask",
    "chapters/10_which_map_to_believe": "chapters/09_which_map_to_believe",
    "chapters/12_the_same_gradient_draws": "chapters/14_the_same_gradient_draws",
}
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>This page has moved</title>
<link rel="canonical" href="{canonical}">
<script>location.replace("{target}" + location.hash)</script>
<noscript><meta http-equiv="refresh" content="0; url={target}"></noscript>
</head>
<body><p>This page has moved: <a href="{target}">go on to it</a>.</p></body>
</html>
"""


def page(old: str, new: str, base: str) -> str:
    """The page at the old address; both are names without a suffix, `base` is the address of the site."""
    target = posixpath.relpath(new, posixpath.dirname(old)) + ".html"
    return PAGE.format(target=html.escape(target), canonical=html.escape(f"{base.rstrip('/')}/{new}.html"))


def lead_on(app: Sphinx, error: Exception | None) -> None:
    """Write a page at each old address whose page this book has."""
    if error or app.builder.format != "html":
        return
    for old, new in MOVED.items():
        if new in app.env.all_docs:
            Path(app.outdir, f"{old}.html").write_text(page(old, new, app.config.html_baseurl), "utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; after `pages`, whose steps are for pages that people read."""
    app.connect("build-finished", lead_on, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
