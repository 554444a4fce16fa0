"""The ImageNet network for the browser: the graph of `tape`, onnxruntime-web, the class names and the photos."""

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

import saliency_lib as sl
from saliency_lib.categories import imagenet_categories
from tools import vendor
from tools.lab.creatures import colors
from tools.lab.packing import planes, script, scripts
from tools.lab.tape import NAME, lite0
from tools.project import BookError


def write(root: Path, target: Path) -> None:
    """Write the scripts that the photo lab loads. Where onnxruntime-web cannot be had, say so, and write none."""
    try:
        if not vendor.RUNTIME.folder(root).is_dir():
            vendor.fetch(vendor.RUNTIME, root)
    except BookError as error:
        print(f"The lab has no ImageNet network: {error}.")
        return
    runtime = vendor.RUNTIME.folder(root)
    parts = {
        "runtime": scripts(target, "runtime", (runtime / "ort.wasm.bundle.min.mjs").read_bytes()),
        "wasm": scripts(target, "wasm", (runtime / "ort-wasm-simd-threaded.wasm").read_bytes()),
        "network": scripts(target, "network", planes(lite0().SerializeToString())),
    }
    letters = sum(map(sum, parts.values()))
    script(target / "imagenet.js", "imagenet", manifest(parts) | {"megabytes": round(letters / 1e6)})


def manifest(parts: dict[str, list[int]]) -> dict[str, Any]:
    """What a page knows before it loads the network."""
    photos = [
        {"name": name, "title": photo.title, "pixels": pixels(photo.load())}
        for name, photo in sl.sample_photos().items()
    ]
    return {"name": NAME, "names": imagenet_categories().names, "photos": photos, "colors": colors(), "parts": parts}


def pixels(photo: Image.Image) -> str:
    """A photo just as the network takes it, as the address of a picture."""
    buffer = io.BytesIO()
    sl.to_image(sl.to_tensor(photo)).save(buffer, "WEBP", lossless=True)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
