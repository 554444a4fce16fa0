"""Weight files that come with a package: read once, and trusted only if they are the published ones."""

import hashlib
import importlib.resources
import io
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from saliency_lib.errors import ModelError


def read_weights(path: Path, sha256: str, remedy: str) -> dict[str, Tensor]:
    """The tensors of a file, by name, on the CPU.

    Raises `FileNotFoundError` if there is no file, and `ModelError`, with the remedy, if it has another SHA-256.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path} is damaged (its SHA-256 is not the published one): {remedy}")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def data_file(name: str) -> Path:
    """Where the weights of a network of this package lie."""
    return Path(str(importlib.resources.files("saliency_lib.data") / f"{name}.pt"))


def load_trained(network: Callable[[], nn.Module], name: str, sha256: str) -> nn.Module:
    """A network with the trained weights that come with this package, in evaluation mode.

    Raises `ModelError` if the file is missing or does not have the expected SHA-256.
    """
    path = data_file(name)
    try:
        weights = read_weights(path, sha256, "install saliency_lib anew")
    except FileNotFoundError:
        raise ModelError(f"there are no weights in {path}: install saliency_lib anew") from None
    with torch.random.fork_rng(devices=[]):  # random initial weights are replaced at once: leave the caller's RNG alone
        trained = network()
    trained.load_state_dict({key: values.float() for key, values in weights.items()})
    return trained.eval()
