"""The ImageNet network for the browser: the graph of `tape`, onnxruntime-web, the class names and the photos.

What a page loads before it is touched, `imagenet.js`, holds the names, small pictures of the photos, and one photo with
the network's answer to it: its scores and the class activation maps of all names. The photos come one by one.
"""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import saliency_lib as sl
from saliency_lib.categories import imagenet_categories
from saliency_lib.models.model import layers_known
from tools import vendor
from tools.lab.creatures import colors
from tools.lab.packing import packed, planes, script, scripts
from tools.lab.tape import NAME, lite0
from tools.project import BookError

FIRST = "coffee"
"""The photo that stands in the lab when nothing was asked yet."""


def write(root: Path, target: Path) -> None:
    """Write the scripts that the photo lab loads. Where onnxruntime-web cannot be had, say so, and write none."""
    try:
        if not vendor.RUNTIME.folder(root).is_dir():
            vendor.fetch(vendor.RUNTIME, root)
    except BookError as error:
        print(f"The lab has no ImageNet network: {error}.")
        return
    runtime, network = vendor.RUNTIME.folder(root), lite0().SerializeToString()
    parts = {
        "runtime": scripts(target, "runtime", (runtime / "ort.wasm.bundle.min.mjs").read_bytes()),
        "wasm": scripts(target, "wasm", (runtime / "ort-wasm-simd-threaded.wasm").read_bytes()),
        "network": scripts(target, "network", planes(network)),
    }
    for name, photo in sl.sample_photos().items():
        script(target / f"photo-{name}.js", f"photo-{name}", address(pixels(photo.load()), lossless=True))
    letters = sum(map(sum, parts.values()))
    sizes = {"megabytes": round(letters / 1e6), "bytes": len(network)}
    script(target / "imagenet.js", "imagenet", manifest(parts) | sizes)


def manifest(parts: dict[str, list[int]]) -> dict[str, Any]:
    """What a page knows before it loads the network."""
    known = imagenet_categories()
    photos = [
        {"name": name, "title": photo.title, "small": address(pixels(photo.load()).resize((64, 64)), quality=75)}
        for name, photo in sl.sample_photos().items()
    ]
    return {
        "name": NAME,
        "names": known.names,
        "synonyms": ["|".join(words) for words in known.synonyms],
        "photos": photos,
        "colors": colors(),
        "parts": parts,
        "shift": cell_shift(),
        "first": answer(FIRST),
    }


def cell_shift() -> float:
    """By how much of its width a cell of the last layer lies right of and below the middle of its share."""
    return layers_known(sl.load_model()).shift


def answer(name: str) -> dict[str, Any]:
    """A photo and the network's answer: scores, and the class activation maps as whole 127ths of each one's largest."""
    model = sl.load_model().to("cpu")
    image = sl.to_tensor(sl.sample_photo(name))
    features: list[torch.Tensor] = []
    watching = model.network.get_submodule("bn2").register_forward_hook(lambda _m, _i, h: features.append(h[0]))
    with torch.no_grad():
        scores = model(image)[0].tolist()
        W = model.network.get_parameter("classifier.weight")
        maps = (W @ features[0].flatten(1)).numpy() / features[0][0].numel()
    watching.remove()
    most = np.abs(maps).max(1)
    whole = np.round(maps / most[:, None] * 127).astype(np.int8)
    return {
        "photo": name,
        "pixels": address(pixels(sl.sample_photo(name)), lossless=True),
        "scores": [round(score, 4) for score in scores],
        "most": [float(f"{value:.4g}") for value in most],
        "maps": packed(whole.tobytes()),
    }


def pixels(photo: Image.Image) -> Image.Image:
    """A photo just as the network takes it."""
    return sl.to_image(sl.to_tensor(photo))


def address(picture: Image.Image, **options: Any) -> str:
    """A picture as its own address."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", **options)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
