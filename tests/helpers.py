"""Networks to try things on, and how results are compared."""

import copy
import os
import pickle
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torchvision.models
from PIL import Image
from torch import Tensor, nn

import saliency_lib as sl

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SIZES = {
    "alexnet": 63,
    "vgg11": 40,
    "resnet18": 64,
    "squeezenet1_1": 64,
    "googlenet": 64,
    "mobilenet_v2": 64,
    "inception_v3": 96,
    "densenet121": 48,
}
"""Images smaller than these networks were made for: every layer is used, and the tests stay quick."""


@cache
def architecture(name: str) -> sl.Model:
    """An architecture of torchvision's with seeded random weights and 20 classes. Shared: change nothing of it."""
    options: dict[str, Any] = {"init_weights": False} if name in ("googlenet", "inception_v3", "vgg11") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = torchvision.models.get_model(name, weights=None, num_classes=20, **options)
    return sl.as_classifier(network, MEAN, STD)


def images_for(name: str, count: int = 1) -> Tensor:
    """Random images of the size at which `architecture(name)` is tried."""
    generator = torch.Generator().manual_seed(2)
    return torch.rand(count, 3, SIZES[name], SIZES[name], generator=generator)


def lively_class(model: nn.Module, images: Tensor) -> int:
    """The lowest class whose score depends on every image (a random SqueezeNet's last ReLU may be dead for some)."""
    for index in range(20):
        if (sl.input_gradient(model, images, index).flatten(1).abs().amax(1) > 0).all():
            return index
    raise AssertionError("no class has a gradient")


def small_network(*, classes: int = 5, activation: Callable[[], nn.Module] = nn.ReLU, size: int = 8) -> nn.Sequential:
    """Two convolutions and a linear layer, for images of `size` x `size`, in evaluation mode."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        activation(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        activation(),
        nn.Flatten(),
        nn.Linear(6 * (size // 2) ** 2, classes),
    ).eval()


class Act(nn.Module):
    """Any function as a layer."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


@contextmanager
def nothing_changes(model: nn.Module, *tensors: Tensor) -> Iterator[None]:
    """Assert that the block leaves the model, the tensors, and everything global as they were, on errors too."""
    before = _everything(model, tensors)
    try:
        yield
    finally:
        after = _everything(model, tensors)
        changed = [name for name in before | after if before.get(name) != after.get(name)]
        assert not changed, f"changed: {changed}"


def _everything(model: nn.Module, tensors: tuple[Tensor, ...]) -> dict[str, object]:
    """Everything that a caller could find changed, by name, as something that can be compared."""
    state: dict[str, object] = {
        "random: torch": torch.get_rng_state().numpy().tobytes(),
        "random: numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002 -- the legacy state is the global one
        "random: python": random.getstate(),
        "gradients on": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": [torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")],
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
        ),
        "matmul precision": torch.get_float32_matmul_precision(),
        "anomaly": torch.is_anomaly_enabled(),
        "function modes": torch._C._len_torch_function_stack(),
        "Pillow's limit": Image.MAX_IMAGE_PIXELS,
    }
    if torch.cuda.is_available():
        state["random: cuda"] = torch.cuda.get_rng_state().numpy().tobytes()
    for name, module in model.named_modules():
        state[f"module {name!r}"] = {key: _fingerprint(value) for key, value in vars(module).items()}
    for name, tensor in [*model.named_parameters(), *model.named_buffers(), *enumerate(tensors)]:
        state[f"tensor {name!r}"] = _tensor_state(tensor)
    return state


def _fingerprint(value: object) -> object:
    """Flags by value; a dictionary (parameters, buffers, modules, hooks) by its keys and the identity of its values."""
    if isinstance(value, dict):
        return {key: id(item) for key, item in value.items()}
    return value if isinstance(value, bool | int | float | str | tuple | None) else id(value)


def _tensor_state(tensor: Tensor) -> object:
    gradient = None if tensor.grad is None else (id(tensor.grad), _bytes(tensor.grad))
    flags = tensor.requires_grad, tensor.is_leaf, tensor.device, tensor.dtype, tensor.shape, tensor.stride()
    return (
        _bytes(tensor),
        gradient,
        flags,
        tensor._version if not tensor.is_inference() else None,
        len(tensor._backward_hooks or ()),
    )


def _bytes(tensor: Tensor) -> bytes:
    values = tensor.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy().tobytes()


def thawed(network: nn.Module) -> nn.Module:
    """A copy whose weights want gradients, as a caller's network in training has them."""
    return copy.deepcopy(network).requires_grad_(True)


def relative(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest value of `b`, which must not vanish."""
    assert a.shape == b.shape
    scale = b.abs().max().item()
    assert scale > 0
    return (a.cpu().double() - b.cpu().double()).abs().max().item() / scale


def says(error: BaseException) -> str:
    """The message of an error, which must be one line of bearable length."""
    message = str(error)
    assert message
    assert "\n" not in message
    assert len(message) < 300
    return message


@contextmanager
def raises_one_line(kind: type[Exception], match: str = "") -> Iterator[None]:
    """An error of this kind whose message is one line and says this."""
    with pytest.raises(kind, match=match or None) as caught:
        yield
    says(caught.value)


@contextmanager
def no_room_for(size: int) -> Iterator[None]:
    """Nothing longer can be written, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fork(work: Callable[[], object]) -> int:
    """The number of a process of its own, which does this and ends."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            torch.set_num_threads(1)
            cv2.setNumThreads(0)  # threads do not survive a fork
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            work()
        os._exit(0)
    return pid


def judged(name: str, right: Any, wrong: list[tuple[Any, str]], **given: Any) -> None:
    """Assert that a check accepts `right`, answers each of at least three typical mistakes by a hint, and waits."""
    assert sl.check(name, None, **given).correct is None
    assert sl.check(name, right, **given) == sl.Verdict(name, True)
    assert len(wrong) >= 3
    for answer, part_of_hint in wrong:
        verdict = sl.check(name, answer, **given)
        assert verdict.correct is False, f"accepted: {answer}"
        assert part_of_hint in verdict.hint, f"{answer}: {verdict.hint}"
