"""Weight files that come with a package: read once, and trusted only if they are the published ones."""

import hashlib
import io
from pathlib import Path

import torch
from torch import Tensor

from saliency_lib.errors import ModelError


def read_weights(path: Path, sha256: str, remedy: str) -> dict[str, Tensor]:
    """The tensors of a file, by name, on the CPU.

    Raises `FileNotFoundError` if there is no file, and `ModelError`, with the remedy, if it has another SHA-256.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path} is damaged (its SHA-256 is not the published one): {remedy}")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
