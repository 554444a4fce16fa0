"""Pictures: their size is known before they come, they come when they are needed, and open large."""

import base64
import hashlib

from bs4 import Tag
from PIL import Image

from finishing.page import Page

EAGER = 1


def frames(page: Page) -> None:
    """The frames of players are files of their own, so that the page does not wait for those that nobody looks at."""
    for picture in page.article.select('.frame-player img[src^="data:image/webp;base64,"]'):
        content = base64.b64decode(str(picture["src"]).split(",", 1)[1])
        path = page.site / "_images" / f"frame-{hashlib.sha256(content).hexdigest()[:16]}.webp"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        picture["src"] = page.link(path.relative_to(page.site).as_posix())


def sizes(page: Page) -> None:
    """Give every picture its width and height, and let all but the first wait until they are near the screen."""
    for number, picture in enumerate(page.article.select("img")):
        path = page.file(str(picture.get("src", "")))
        if path and path.is_file() and path.suffix != ".svg" and not picture.has_attr("width"):
            with Image.open(path) as opened:
                picture["width"], picture["height"] = str(opened.width), str(opened.height)
        if number >= EAGER:
            picture["loading"], picture["decoding"] = "lazy", "async"


def large(page: Page) -> None:
    """A figure leads to its picture, which `_static/book.js` shows over the page; a player's frames do not."""
    for picture in page.article.select("figure img, .cell_output > img"):
        link = picture.parent
        if not isinstance(link, Tag) or picture.find_parent(class_=["frame-player", "no-enlarge"]):
            continue
        if link.name != "a":
            link = picture.wrap(page.soup.new_tag("a", href=picture["src"]))
        link["class"] = ["enlarge"]
        link["title"] = "Open large"


STEPS = (frames, sizes, large)
