"""Numbers as the text of a classic script, which every page may load, one opened from a disk too."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = 2_000_000
"""Letters of one script of a long text: a page shows how many have come."""


def packed(content: bytes) -> str:
    """Bytes as base64 of gzip, always the same text for the same bytes."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()


def planes(content: bytes) -> bytes:
    """The bytes of four-byte numbers sorted by their place: first bytes, then second bytes; padded to fours with 0."""
    content += bytes(-len(content) % 4)
    return np.frombuffer(content, np.uint8).reshape(-1, 4).T.tobytes()


def script(path: Path, name: str, data: Any) -> None:
    """A script that lays data where the lab finds it, under a name."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    path.write_text(f'(globalThis.labData ??= {{}})["{name}"] = {text};\n', "utf-8", newline="\n")


def scripts(folder: Path, name: str, content: bytes) -> list[int]:
    """Scripts `NAME-0.js`, `NAME-1.js`, ... that hold bytes between them; how many letters each holds."""
    text = packed(content)
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    for i, part in enumerate(parts):
        script(folder / f"{name}-{i}.js", f"{name}-{i}", part)
    return [len(part) for part in parts]
