"""The icons that the pages show, and no others: the theme brings two thousand, which weigh more than a chapter's text.

A font of its own name with the few glyphs that are used takes the place of Font Awesome's, whose license asks that a
changed font be called otherwise.
"""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FONTS = {"fa-solid-900": 900, "fa-brands-400": 400, "fa-regular-400": 400}
FAMILIES = {"fa-brands-400": "Font Awesome 6 Brands"}
USED = re.compile(r"\bfa-[\w-]+")
RULE = re.compile(r'((?:\.fa-[\w-]+::?before,?)+)\{content:"(\\[^"]+)"\}')
FACE = re.compile(r"@font-face\{[^}]*\}")
MOTION = re.compile(r"@(?:-webkit-)?keyframes [\w-]+\{(?:[^{}]*\{[^{}]*\})*\}")
CONTENT = re.compile(r'"\\(f[0-9a-f]{3})"')


def lighten(site: Path) -> None:
    """Rewrite the icons' style sheet and fonts so that they hold what the finished site uses."""
    for sheet in (site / "_static").glob("vendor/fontawesome/*/css/all.min.css"):
        texts = [path.read_text("utf-8") for path in site.rglob("*.html")]
        texts += [path.read_text("utf-8") for path in (site / "_static").rglob("*.js") if path.name != "all.min.js"]
        names = {name for text in texts for name in USED.findall(text)}
        css, points = kept(sheet.read_text("utf-8"), names)
        others = (path for path in (site / "_static").rglob("*.css") if path != sheet)
        points |= {int(code, 16) for path in others for code in CONTENT.findall(path.read_text("utf-8"))}
        faces = "".join(face(sheet.parent.parent / "webfonts", name, points) for name in FONTS)
        sheet.write_text(faces + css, "utf-8", newline="\n")


def kept(css: str, names: set[str]) -> tuple[str, set[int]]:
    """The style sheet without fonts, motion and unused icons; and the code points of the icons that are used."""
    points: set[int] = set()

    def rule(match: re.Match[str]) -> str:
        selectors = [part for part in match[1].split(",") if part[1:].split(":")[0] in names]
        if not selectors:
            return ""
        code = match[2].removeprefix("\\")
        points.add(int(code, 16) if len(code) > 1 else ord(code))
        return f'{",".join(selectors)}{{content:"{match[2]}"}}'

    return RULE.sub(rule, MOTION.sub("", FACE.sub("", css))), points


def face(folder: Path, name: str, points: set[int]) -> str:
    """Write the used glyphs of one font and return its rule; nothing where none is used."""
    font = TTFont(folder / f"{name}.ttf")
    wanted = points & set(font.getBestCmap())
    for old in folder.glob(f"{name}.*"):
        old.unlink()
    if not wanted:
        return ""
    options = subset.Options(layout_features=[], hinting=False, flavor="woff", name_IDs=[1, 2])
    tool = subset.Subsetter(options)
    tool.populate(unicodes=wanted)
    tool.subset(font)
    for record in font["name"].names:
        record.string = "Book Icons" if record.nameID == 1 else str(record)
    path = folder / f"icons-{name.split('-')[1]}.woff"
    subset.save_font(font, path, options)
    family = FAMILIES.get(name, "Font Awesome 6 Free")
    return (
        f'@font-face{{font-family:"{family}";font-style:normal;font-weight:{FONTS[name]};font-display:block;'
        f"src:url(../webfonts/{path.name})}}"
    )
