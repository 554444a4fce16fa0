"""Sphinx extension: pages load MathJax and the widget manager from the site itself where they were prepared.

`tools.vendor` has fetched them into `.cache/vendor/`; here they are laid into `vendor/` of the site, outside
`_static/`, because Jupyter Book would put every script below `_static/` on every page.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from tools import vendor

SHIM = Path(__file__).with_name("shim.js")
# The theme loads its icons twice, as fonts and as 1.5 MB of script, and preloads the fonts in a way that browsers
# refuse for pages opened as files. The style sheet alone shows every icon.
NEEDLESS = re.compile(
    r'\s*<link rel="preload" as="font"[^>]*fontawesome[^>]*>|\s*<script src="[^"]*fontawesome[^"]*"></script>'
)
VENDOR = "../vendor"  # as seen from _static/, where Sphinx looks for scripts


def configure(app: Sphinx, config: Any) -> None:
    """Point Sphinx and MyST-NB at the local copies; without them only the shim is added to their CDN defaults."""
    scripts: dict[str, dict[str, str]] = {f"{VENDOR}/shim.js": {}}
    if vendor.ready(Path(app.srcdir)):
        config.mathjax_path = f"{VENDOR}/mathjax/tex-mml-chtml.js"
        config.nb_ipywidgets_js = {**scripts, f"{VENDOR}/html-manager/embed.js": {}}
    else:
        config.nb_ipywidgets_js = {**scripts, **config.nb_ipywidgets_js}


def finish(app: Sphinx, error: Exception | None) -> None:
    """Copy the scripts into the finished site and lighten its pages."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text("utf-8")
        page.write_text(NEEDLESS.sub("", text), "utf-8", newline="\n")
    (Path(app.outdir) / "vendor").mkdir(exist_ok=True)
    shutil.copyfile(SHIM, Path(app.outdir) / "vendor" / SHIM.name)
    if vendor.ready(Path(app.srcdir)):
        vendor.lay(Path(app.srcdir), Path(app.outdir))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; early, before other extensions read the settings."""
    app.connect("config-inited", configure, priority=100)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
