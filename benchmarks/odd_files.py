"""Odd files and odd commands: photos that are none, paths that must not be written, evaluations of spoiled folders."""

import contextlib
import functools
import http.server
import io
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image

import saliency_lib as sl
from benchmarks.odd_case import Bad, Case
from saliency_lib.cli import main
from saliency_lib.localization_benchmark.evaluate import evaluate

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
ANNOTATION = (
    "<annotation><size><width>40</width><height>32</height></size><object><name>n0</name><bndbox><xmin>3</xmin>"
    "<ymin>2</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object></annotation>"
)


def file_cases(folder: Path) -> Iterator[Case]:
    """All of them; files are made in a folder that is thrown away."""
    yield from photo_cases(folder)
    yield from command_cases(folder)
    yield from evaluation_cases(folder)
    yield from server_cases(folder)


# --- photos ----------------------------------------------------------------------------------------------------------


def encoded(form: str) -> bytes:
    """A small photo in a format."""
    buffer = io.BytesIO()
    sl.sample_photo("coffee").resize((40, 30)).save(buffer, form)
    return buffer.getvalue()


def photo_cases(folder: Path) -> Iterator[Case]:
    """Photos cut short, with damaged bytes, of other formats, and what is no file."""
    sprung = folder / "sprung"
    contents: dict[str, bytes] = {
        "empty": b"",
        "text": b"not a photo",
        "EPS that writes a file": f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({sprung}) (w) file\n".encode(),
        "PDF": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "HTML": b"<html><script>alert(1)</script></html>",
        "a bomb": encoded("PNG")[:16] + (10**9).to_bytes(4, "big") * 2 + encoded("PNG")[24:],
    }
    chance = random.Random(0)
    for form in FORMATS:
        whole = encoded(form)
        for step in range(12):
            contents[f"{form} cut at {step} of 12"] = whole[: len(whole) * step // 12]
        for number in range(25):
            damaged = bytearray(whole)
            for _ in range(1 + number % 5):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            contents[f"{form} with damage {number}"] = bytes(damaged)
    for title, content in contents.items():
        path = folder / "photo.jpg"

        def run(content: bytes = content, path: Path = path) -> Image.Image:
            path.write_bytes(content)
            found = sl.load_image(path)
            if sprung.exists():
                raise Bad("executed", "the photo wrote a file")
            return found

        yield Case("photos", title, run, lambda found: found.mode == "RGB" and min(found.size) > 0)
    for title, path_of in odd_paths(folder).items():

        def open_it(path_of: Callable[[], Any] = path_of) -> Image.Image:
            return sl.load_image(path_of())

        yield Case("photos", title, open_it, lambda found: False)


def odd_paths(folder: Path) -> dict[str, Callable[[], Any]]:
    """Paths that are no files of ours, made when they are asked for."""

    def pipe() -> Path:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder / "pipe.png")
        return folder / "pipe.png"

    def circle() -> Path:
        with contextlib.suppress(FileExistsError):
            (folder / "circle.png").symlink_to(folder / "circle.png")
        return folder / "circle.png"

    return {
        "a folder": lambda: folder,
        "a pipe": pipe,
        "a circle of links": circle,
        "the null device": lambda: Path(os.devnull),
        "endless zeros": lambda: Path("/dev/zero"),
        "nothing": lambda: folder / "absent.png",
        "in no folder": lambda: folder / "absent" / "x.png",
        "below a file": lambda: Path(__file__) / "x.png",
        "a name too long": lambda: folder / f"{'n' * 300}.png",
        "a zero byte": lambda: f"{folder}/a\0b.png",
        "half a letter": lambda: f"{folder}/\ud800.png",
    }


# --- the command line ------------------------------------------------------------------------------------------------


def command(*arguments: str) -> Any:
    """A command that must exit with 0, or with 2 and one sentence."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            code: Any = main(arguments)
        except SystemExit as stop:  # from argparse
            code = stop.code
    said = [line for line in errors.getvalue().splitlines() if line]
    if code == 2:
        raise sl.SaliencyError(said[-1] if said else "")
    if code != 0:
        _bad("frames", f"exit {code}")
    return True


def _bad(outcome: str, word: str) -> NoReturn:
    raise Bad(outcome, word)


def command_cases(folder: Path) -> Iterator[Case]:
    """Options of every command that make no sense, and outputs that would cost a file."""
    out, small = str(folder / "out.png"), ["--model", "creature_convnet"]
    words = ["", " ", "-1", "nan", "1e9", "no such thing", "\ud800", "ü" * 300, "a\nb", "$\\frac{", "../../x", "-0"]
    options = {
        "saliency": ["--class", "--against", "--unit", "--method", "--layer", "--rule", "--channels", "--model"],
        "localize": ["--class", "--method", "--model"],
        "class-image": ["--unit", "--recipe", "--steps", "--size", "--seed", "--model"],
        "evaluate": ["--method", "--limit", "--batch-size", "--model", "--ilsvrc"],
        "audit": ["--class", "--method", "--threshold", "--model"],
        "train": ["--out"],
    }
    first = {"saliency": ["coffee"], "localize": ["coffee"], "class-image": ["owl"], "audit": [str(folder)]}
    for name, known in options.items():
        for option in known:
            for word in words:
                given = [name, *first.get(name, []), f"{option}={word}"]
                given += [] if option in ("--out",) or name == "train" else ["--out", out]
                given += small if name in ("saliency", "class-image") and option != "--model" else []
                given += ["creature_convnet"] if name == "train" else []
                given += ["--steps=1"] if name == "class-image" and option not in ("--steps", "--size") else []
                given += ["--check"] if name == "train" else []  # with --out it contradicts: nothing is trained
                title = f"{name} {option}={word[:12]!r}"
                yield Case("commands", title, functools.partial(command, *given))
    photo, link = folder / "mine.png", folder / "link.png"
    for name in ("saliency", "localize"):
        for title, output in (("the photo", photo), ("a link to it", link), ("a hard link", folder / "hard.png")):

            def run(name: str = name, output: Path = output) -> Any:
                photo.write_bytes(encoded("PNG"))
                for other, make in ((link, link.symlink_to), (folder / "hard.png", (folder / "hard.png").hardlink_to)):
                    other.unlink(missing_ok=True)
                    make(photo)
                try:
                    return command(name, str(photo), "--out", str(output))
                finally:
                    if photo.read_bytes() != encoded("PNG"):
                        raise Bad("lost", "the photo")

            yield Case("commands", f"{name} onto {title}", run, lambda found: False)
        for title, path_of in odd_paths(folder).items():

            def write(name: str = name, path_of: Callable[[], Any] = path_of) -> Any:
                return command(name, "coffee", "--out", str(path_of()))

            accepts: Callable[[Any], bool] = functools.partial(lambda title, found: title == "nothing", title)
            yield Case("commands", f"{name} to {title}", write, accepts)


# --- the evaluation --------------------------------------------------------------------------------------------------


def data_set(folder: Path) -> Path:
    """Two small images in the layout of ILSVRC."""
    for kind in ("Data", "Annotations"):
        (folder / kind / "CLS-LOC/val").mkdir(parents=True, exist_ok=True)
    (folder / "LOC_synset_mapping.txt").write_text("".join(f"n{i} thing\n" for i in range(10)))
    pixels = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
    for name in ("a", "b"):
        Image.fromarray(pixels).save(folder / f"Data/CLS-LOC/val/{name}.JPEG")
        (folder / f"Annotations/CLS-LOC/val/{name}.xml").write_text(ANNOTATION)
    return folder


def evaluation_cases(folder: Path) -> Iterator[Case]:
    """Annotations, mappings and results that are odd: two images are counted, or a sentence is said."""
    changes: dict[str, tuple[str, bytes]] = {}
    note, mapping, results = "Annotations/CLS-LOC/val/a.xml", "LOC_synset_mapping.txt", "r.jsonl"
    for encoding in ("gb2312", "shift_jis", "big5", "utf-7", "martian", "utf-16", "rot13", "idna", "hex", ""):
        text = f'<?xml version="1.0" encoding="{encoding}"?>{ANNOTATION}'
        changes[f"annotation in {encoding or 'nothing'}"] = note, text.encode()
    for number, cut in enumerate(range(0, len(ANNOTATION), 12)):
        changes[f"annotation cut at {number}"] = note, ANNOTATION[:cut].encode()
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
    )
    changes["annotation, a bomb"] = note, f"{bomb}]><annotation>&j;</annotation>".encode()
    changes["annotation, a file of the machine's"] = (
        note,
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'),
    )
    for old, new in (
        ("3<", "nan<"),
        ("30<", "1e9<"),
        ("40<", "41<"),
        ("n0<", "n77<"),
        ("20<", "-20<"),
        ("3<", "\u0663<"),
    ):
        changes[f"annotation with {new!r}"] = note, ANNOTATION.replace(old, new, 1).encode()
    for title, content in {
        "empty": b"",
        "twice": b"n0 a\nn0 b\n",
        "bytes": bytes(range(256)),
        "zeros": b"\0" * 99,
    }.items():
        changes[f"mapping, {title}"] = mapping, content
    for title, content in {
        "torn": b'{"image":"a","la',
        "a diary": b"dear diary",
        "a list": b"[1]\n",
        "a number": b"7\n",
        "no image": b"{}\n",
        "deep": b"[" * 10**5,
        "bytes": bytes(range(256)),
        "an image of another kind": b'{"image":[1]}\n',
        "half a record": b'{"image":"a"}\n',
        "broken twice": b'{"image":"a","broken":"x"}\n{"image":"a","broken":"y"}\n',
    }.items():
        changes[f"results, {title}"] = results, content
    for number, (title, (name, content)) in enumerate(changes.items()):

        def run(number: int = number, name: str = name, content: bytes = content) -> Any:
            place = data_set(folder / f"set{number}")
            (place / name).write_bytes(content)
            found = None
            for _ in range(2):
                found = evaluate(place, place / "r.jsonl", method="whole-image", model="creature_convnet", batch_size=2)
            left = {path.name for path in place.iterdir()} - {"Data", "Annotations", mapping, "r.jsonl", "r.jsonl.lock"}
            if left:
                _bad("lost", f"litter: {left}")
            return found

        yield Case("evaluation", title, run, lambda found: found["n"] + found["broken"] == 2)
    place = folder / "outputs"
    for title, path_of in odd_paths(folder).items():
        for option in ("out", "summary"):

            def write(option: str = option, path_of: Callable[[], Any] = path_of) -> Any:
                given: dict[str, Any] = {"out": data_set(place) / "r.jsonl", option: path_of()}
                return evaluate(place, **given, method="whole-image", model="creature_convnet", limit=1)

            yield Case("evaluation", f"{option} to {title}", write, lambda found: True)


# --- the server ------------------------------------------------------------------------------------------------------


def server_cases(folder: Path) -> Iterator[Case]:
    """Requests to what `tools.book serve` starts: nothing outside of the folder is served, and it goes on."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "index.html").write_text("the site")
    (folder / "secret").write_text("secret")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    requests = {
        f"GET {path[:40]!r}": f"GET {path} HTTP/1.0\r\n\r\n".encode("utf-8", "surrogatepass")
        for path in (
            "/", "/index.html", "/../secret", "/..%2fsecret", "/%2e%2e/secret", "/....//secret", "//secret",
            "/\\..\\secret", "/index.html/../../secret", "/%00", "/a%00b", "/?" + "x" * 70000,
            "/%", "/%zz", "/\ud800", "*", "", "/ /",
            "file:///etc/passwd", "http://localhost/secret",
        )
    }  # fmt: skip
    requests |= {
        "nothing": b"",
        "noise": bytes(range(256)),
        "another method": b"DELETE / HTTP/1.0\r\n\r\n",
        "a method of noise": b"\xff\xfe / HTTP/1.0\r\n\r\n",
        "a version of the future": b"GET / HTTP/99.9\r\n\r\n",
        "endless headers": b"GET / HTTP/1.0\r\n" + b"a: b\r\n" * 500 + b"\r\n",
        "a range": b"GET / HTTP/1.0\r\nRange: bytes=-1-999999\r\n\r\n",
        "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "a body": b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
        "a negative body": b"POST / HTTP/1.0\r\nContent-Length: -5\r\n\r\n",
    }
    for title, request in requests.items():

        def run(request: bytes = request) -> Any:
            answers = [_ask(server.server_address, request), _ask(server.server_address, b"GET / HTTP/1.0\r\n\r\n")]
            if any(b"secret" in answer.split(b"\r\n\r\n", 1)[-1] and b"404" not in answer for answer in answers):
                raise Bad("lost", "what lies outside of the site was served")
            return answers

        yield Case("server", title, run, lambda answers: answers[1].endswith(b"the site"))


def _ask(address: Any, request: bytes) -> bytes:
    with socket.create_connection(address, timeout=5) as talk:
        talk.sendall(request)
        talk.shutdown(socket.SHUT_WR)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := talk.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)
