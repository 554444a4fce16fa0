"""What takes minutes is computed once, and kept in `data/results/` with its settings.

    def ascend(classes, steps): ...
    faces = sl.stored("class_gallery", ascend, classes=["goose", "ostrich"], steps=320)

A chapter shows the function, runs it at a size that takes seconds, and reads the rest. Whoever changes the function or
a setting computes anew, and waits. `python -m tools.book store CHAPTER` computes and keeps what a chapter stores.
"""

import hashlib
import importlib.resources
import inspect
import json
import os
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saliency_lib import files
from saliency_lib.checks import function
from saliency_lib.errors import SaliencyError
from saliency_lib.images import to_image

COLUMNS = 4
"""Pictures in a row of the sheet that holds them."""
JPEG: dict[str, Any] = {"quality": 92, "subsampling": 0}


def stored(name: str, compute: Callable[..., dict[str, Any]], /, **settings: Any) -> dict[str, Any]:
    """`compute(**settings)`, read from `data/results/` if it was computed by this function with these settings.

    What `compute` returns is a dictionary of numbers (and lists and dictionaries of them), or of pictures, each
    (3, side, side) in [0, 1], which a JPEG rounds. Its settings are numbers, strings and lists. It is computed here and
    now where it is not kept, or where the function (comments and layout aside) or a setting is another; with
    `SALIENCY_STORE` set it is computed in any case, and kept.

    Raises `SaliencyError` while a chapter is run for the site, if what is kept is of another function or setting.
    """
    path = folder() / f"{name}.json"
    source = inspect.getsource(function("compute", compute))
    key = {"function": fingerprint(source), "settings": json.loads(json.dumps(settings))}
    if os.environ.get("SALIENCY_STORE"):
        _write(path, key, compute(**settings))
    try:
        kept = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        kept = {}
    if {part: kept.get(part) for part in key} == key:
        return kept["numbers"] or dict(zip(kept["pictures"], _cut(path.with_suffix(".jpg")), strict=False))
    if os.environ.get("SALIENCY_STATIC"):
        raise SaliencyError(f"{path.name} is of another function or setting: run `python -m tools.book store` again")
    return compute(**settings)


def folder() -> Path:
    """Where results are kept."""
    return Path(str(importlib.resources.files("saliency_lib.data") / "results"))


def fingerprint(source: str) -> str:
    """What changes when the code of a function does, and not with its comments or its layout."""
    code = "".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))
    return hashlib.sha256(re.sub(r"\s|,(?=\s*[)\]}])", "", code).encode()).hexdigest()[:12]


def _write(path: Path, key: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    pictures = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    numbers = {} if pictures else found
    if pictures:
        files.write(path.with_suffix(".jpg"), _sheet(pictures))
    told = {**key, "numbers": numbers, "pictures": list(pictures)}
    lines = [f"{json.dumps(part)}: {json.dumps(value)}" for part, value in told.items()]
    files.write(path, ("{" + ",\n".join(lines) + "}\n").encode())


def _sheet(pictures: Mapping[str, Tensor]) -> bytes:
    """Square pictures of one size, row by row in one JPEG, which a person can look at too."""
    panels = torch.stack(list(pictures.values()))
    side = panels.shape[-1]
    if panels.shape[1:] != (3, side, side):
        raise SaliencyError(f"pictures to store are square, (3, side, side), and not {tuple(panels.shape[1:])}")
    sheet = torch.ones(3, -(-len(panels) // COLUMNS) * side, COLUMNS * side)
    for place, panel in enumerate(panels):
        y, x = side * (place // COLUMNS), side * (place % COLUMNS)
        sheet[:, y : y + side, x : x + side] = panel
    written = BytesIO()
    to_image(sheet).save(written, "JPEG", **JPEG)
    return written.getvalue()


def _cut(path: Path) -> Tensor:
    """The pictures of a sheet, (N, 3, side, side), with those left white at its end."""
    with Image.open(path) as picture:
        sheet = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1) / 255
    side = sheet.shape[-1] // COLUMNS
    return sheet.unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).reshape(-1, 3, side, side)
