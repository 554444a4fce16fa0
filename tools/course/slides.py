"""Slides of every lecture, from disk, without a network: `make slides` writes them to `_build/slides/`.

reveal.js shows them (S opens the speaker's window), MathJax sets the formulas, Chromium prints a PDF of each.
"""

import html
import shutil
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools import chromium, vendor
from tools.course.deck import Slide, deck, decks
from tools.project import BookError, Project
from tools.quiz import Option
from tools.tidy import replace

ASSETS = (*vendor.ASSETS, vendor.REVEAL)
STYLE = (Path(__file__).parent / "slides.css").read_text("utf-8")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="vendor/reveal/dist/reset.css">
{sheet}
<style>{style}</style>
<script>
window.MathJax = {{
  startup: {{ typeset: false }}, options: {{ menuOptions: {{ settings: {{ inTabOrder: false }} }} }},
}};
</script>
<script src="vendor/mathjax/tex-mml-chtml.js"></script>
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="vendor/reveal/dist/reveal.js"></script>
<script src="vendor/reveal/dist/plugin/notes.js"></script>
<script>
/* A formula wider than its slide is drawn smaller, once it is seen. */
function fit(slides) {{
  for (const math of slides.flatMap((slide) => [...slide.querySelectorAll('.body mjx-container[display="true"]')])) {{
    const share = math.parentElement.clientWidth / math.scrollWidth, now = parseFloat(math.style.fontSize || "100");
    if (share < 1) math.style.fontSize = `${{Math.floor(97 * share * now) / 100}}%`;
  }}
}}
{run}
</script>
</body>
</html>
"""

SHOWN = """window.ready = MathJax.startup.promise.then(() => MathJax.typesetPromise()).then(() => Reveal.initialize({
  width: 1280, height: 720, margin: 0.02, center: false, hash: true, slideNumber: "c/t", transition: "none",
  plugins: [RevealNotes],
})).then(() => {
  Reveal.on("slidechanged", (event) => fit([event.currentSlide]));
  fit([Reveal.getCurrentSlide()]);
});"""
# On paper every slide is seen at once, and nothing has to be hidden: reveal.js stays out of it.
PRINTED = (
    """window.ready = MathJax.startup.promise.then(() => MathJax.typesetPromise()).then(() => fit([document.body]));"""
)
PAPER = """
@page { size: 1280px 720px; margin: 0; }
html, body { margin: 0; }
.reveal .slides > section { display: block; height: 720px; overflow: hidden; break-after: page; }
.reveal .slides > section:last-child { break-after: auto; }
aside.notes { display: none; }
* { print-color-adjust: exact; }
"""


def renderer() -> MarkdownIt:
    """Markdown to HTML; formulas are left to MathJax, code is colored."""

    def math(content: str, settings: dict[str, bool]) -> str:
        left, right = ("\\[", "\\]") if settings["display_mode"] else ("\\(", "\\)")
        return f"{left}{html.escape(content)}{right}"

    def colored(code: str, language: str, _: str) -> str:
        return highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)) if language == "python" else ""

    made = MarkdownIt("commonmark", {"highlight": colored}).enable("table")
    return made.use(dollarmath_plugin, renderer=math, double_inline=True)


RENDERER = renderer()


def show(text: str) -> str:
    """A Markdown text as HTML."""
    return RENDERER.render(text)


def line(text: str) -> str:
    """A Markdown text of one line as HTML."""
    return RENDERER.renderInline(text)


def section(slide: Slide, *, printed: bool = False) -> str:
    """One slide as reveal.js wants it; what is printed for the room does not show which option is right."""
    body = f'<div class="body">{show(slide.body)}</div>' if slide.body else ""
    parts = [f"<h2>{line(slide.heading)}</h2>", body]
    if slide.pictures:
        shown = "".join(f'<img src="{source}" alt="{html.escape(alt)}">' for source, alt in slide.pictures)
        parts.append(f'<div class="pictures">{shown}</div>')
    parts.append(slide.table)
    if slide.options:
        rows = (f"<li>{line(option.text)}{'' if printed else _verdict(option)}</li>" for option in slide.options)
        parts.append(f'<ol type="A">{"".join(rows)}</ol>')
    if slide.caption:
        parts.append(f'<p class="caption">{line(slide.caption)}</p>')
    return (
        f'<section><div class="slide">{"".join(parts)}</div><aside class="notes">{show(slide.notes)}</aside></section>'
    )


def _verdict(option: Option) -> str:
    """What appears on a click."""
    return f'<span class="fragment verdict">{"✓" if option.right else "✗"} {line(option.said)}</span>'


def page(title: str, slides: list[Slide], *, printed: bool = False) -> str:
    """A lecture as one HTML page: to be shown, or to be printed."""
    style = STYLE + HtmlFormatter(style="default").get_style_defs(".reveal code") + (PAPER if printed else "")
    shown = "\n".join(section(slide, printed=printed) for slide in slides)
    run, sheet = (PRINTED, "") if printed else (SHOWN, '<link rel="stylesheet" href="vendor/reveal/dist/reveal.css">')
    return PAGE.format(title=html.escape(title), sheet=sheet, style=style, run=run, slides=shown)


def write(project: Project, *, pdf: bool = True) -> Path:
    """Make every deck, and a PDF of each for the room where there is Chromium; the folder that holds them."""
    folder = project.root / "_build" / "slides"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if not vendor.prepare(project.root, ASSETS):
        raise BookError("Slides need reveal.js and MathJax, which could not be fetched.")
    vendor.lay(project.root, folder, ASSETS)
    pdf = pdf and chromium.executable() is not None
    for name, path in decks(project).items():
        slides = deck(project, path)
        target = folder / f"{name}.html"
        replace(target, page(slides[0].heading, slides))
        if pdf:
            paper = folder / "printed.html"
            replace(paper, page(slides[0].heading, slides, printed=True))
            chromium.pdf(paper.as_uri(), target.with_suffix(".pdf"))
            paper.unlink()
        print(f"  {project.relative(target)}: {len(slides)} slides", flush=True)
    if not pdf:
        print("No PDFs: they need Chromium.")
    return folder
