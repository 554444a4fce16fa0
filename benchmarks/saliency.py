"""What a saliency map costs, beside Captum and the textbook snippet on the same network as it was published.

python -m benchmarks.saliency [--repeats 15] [--threads 2]     exits with 1 if a limit is missed

Theirs is EfficientNet-Lite0 with its batch norms, contiguous memory, and weights that want gradients, as a network
comes from its publisher; ours is `load_model()`. Both take the same images in [0, 1], and make the same maps.
"""

import sys

import torch
from captum.attr import Saliency
from torch import Tensor, nn

import saliency_lib as sl
from benchmarks.timing import Comparison, arguments, report
from saliency_lib.models.load import EMBEDDED
from saliency_lib.models.networks.efficientnet_lite import MEAN, STD, published_lite

PHOTOS = ("chelsea", "coffee", "rocket", "astronaut", "bee", "china", "flower", "chelsea")


class Published(nn.Module):
    """The network as published, behind the normalization that it needs."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = published_lite(EMBEDDED)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images - self.mean) / self.std)


def captum_map(model: nn.Module, images: Tensor, target: int | list[int]) -> Tensor:
    """max_k |w_ijk| by Captum."""
    return Saliency(model).attribute(images.clone().requires_grad_(), target=target).amax(1)


def textbook_map(model: nn.Module, images: Tensor) -> Tensor:
    """The snippet that tutorials show: a fresh input, the top class, and a backward pass through everything."""
    fresh = images.clone().requires_grad_()
    output = model(fresh)
    output[0, output.argmax()].backward()
    assert fresh.grad is not None
    return fresh.grad.data.abs().max(dim=1)[0]


def comparisons() -> list[Comparison]:
    """The four of them; they must agree before they are timed."""
    device = sl.device()
    model, published = sl.load_model(), Published().to(device)
    batch = torch.cat([sl.to_tensor(sl.sample_photo(name)) for name in PHOTOS]).to(device)
    one = batch[:1]
    best = model(batch).argmax(1).tolist()
    five = [prediction.class_index for prediction in model.top(one)[0]]
    table = [
        Comparison(
            "a map, against Captum's Saliency",
            lambda: sl.saliency_map(model, one, best[0]),
            lambda: captum_map(published, one, best[0]),
            0.75,
        ),
        Comparison(
            "a batch of 8, against Captum's Saliency",
            lambda: sl.saliency_map(model, batch, best),
            lambda: captum_map(published, batch, best),
            0.60,
        ),
        Comparison(
            "a map of the top class, against loss.backward()",
            lambda: sl.saliency_map(model, one),
            lambda: textbook_map(published, one),
            0.45,
        ),
        Comparison(
            "maps of the top five classes, against five Captum calls",
            lambda: sl.top_class_maps(model, one)[1],
            lambda: torch.cat([captum_map(published, one, index) for index in five]),
            0.40,
        ),
    ]
    for comparison in table:
        ours, theirs = comparison.ours(), comparison.theirs()
        if (ours - theirs).abs().max() > 0.05 * theirs.abs().max():
            raise SystemExit(f"{comparison.title}: the maps differ, so their cost cannot be compared")
    return table


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, command)
    return report(comparisons(), options.repeats)


if __name__ == "__main__":
    sys.exit(main())
