"""What two networks steer by, and what the three maps of a regression are worth: measured by changing the roads.

python -m benchmarks.steering [--roads 100]     prints three tables; no claim is checked here, the tests do that

1. Where the saliency M lies, as a share, beside the share of the area.
2. What happens to the angle if a part is painted away, and what the map of `sl.balance`, the gradient, and keras-vis's
   three maps said of it before: correlations over all roads that show the part.
3. What happens to the angle if the strongest twentieth of the pixels of a map is replaced by a blurred image.

keras-vis's maps are max_k w ("increase"), max_k -w ("decrease") and max_k |1 / (w + 1e-7)| ("maintain"), w = df/dI.
"""

import argparse
import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

import saliency_lib as sl
from saliency_lib.datasets.roads import PARTS

SEED = 3
NETWORKS = {"honest": "steering_convnet", "shortcut": "steering_convnet_shortcut"}
ERASED = 0.05
BLUR = 8.0

Foretold = Callable[[sl.Model, sl.Roads, dict[str, Tensor]], dict[str, Tensor]]
"""From a network, roads, and the same roads without each part, to what is said of each part, (N,) numbers."""


def blurred(images: Tensor) -> Tensor:
    """The images without anything smaller than about twenty pixels."""
    return gaussian_blur(images, [49, 49], [BLUR, BLUR])


def keras_vis(model: sl.Model, images: Tensor) -> dict[str, Tensor]:
    """Its three maps (N, H, W), before they are scaled for display."""
    w = sl.input_gradient(model, images)
    return {
        "increase": w.amax(1),
        "decrease": (-w).amax(1),
        "maintain": (1 / (w + 1e-7)).abs().amax(1),
    }


@torch.no_grad()
def angles(model: sl.Model, images: Tensor) -> Tensor:
    """The angles (N,) in degrees."""
    return torch.cat([model(batch)[:, 0] for batch in images.split(100)])


def regions(drawn: sl.Roads) -> dict[str, Tensor]:
    """Where saliency may lie: disjoint masks that cover nearly everything."""
    m = drawn.masks
    lines = m["left marking"] | m["right marking"] | m["road edge"]
    return {
        "markings and road edge": lines,
        "shadow": m["shadow"] & ~lines,
        "rest of the road": m["road"] & ~lines & ~m["shadow"],
        "verge": m["verge"] & ~lines & ~m["shadow"],
        "sky": m["sky"],
        "trees and signs": m["trees"] | m["sign"],
        "car": m["car"],
    }


def share(values: Tensor, mask: Tensor) -> float:
    """The share of each map's sum that lies in the mask, averaged over the maps."""
    return ((values * mask).sum((1, 2)) / values.sum((1, 2))).mean().item()


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's."""
    return torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].item()


def table_of_shares(models: dict[str, sl.Model], drawn: sl.Roads) -> list[str]:
    """Per region: its share of the area, and of the saliency of each network."""
    maps = {name: sl.saliency_map(model, drawn.images) for name, model in models.items()}
    lines = [f"{'share of':26}{'the area':>10}" + "".join(f"{name:>10}" for name in maps)]
    for name, mask in regions(drawn).items():
        shares = [mask.float().mean().item(), *(share(M, mask) for M in maps.values())]
        lines.append(f"{name:26}" + "".join(f"{value:>10.1%}" for value in shares))
    return lines


def table_of_parts(models: dict[str, sl.Model], drawn: sl.Roads, bare: dict[str, Tensor]) -> list[str]:
    """Per part: how much the angle moves without it; and overall, which map had foretold it."""
    lines = [f"{'painted away':26}{'roads':>7}" + "".join(f"{name:>12}" for name in models)]
    lines[0] += "     (mean change of the angle, degrees)"
    shown = {part: drawn.masks[part].flatten(1).any(1) for part in PARTS}
    changes: dict[str, dict[str, Tensor]] = {name: {} for name in models}
    for part in PARTS:
        for name, model in models.items():
            changes[name][part] = angles(model, bare[part]) - angles(model, drawn.images)
        moved = [changes[name][part][shown[part]].abs().mean().item() for name in models]
        lines.append(f"{part:26}{int(shown[part].sum()):>7}" + "".join(f"{value:>12.2f}" for value in moved))
    lines.append("")
    lines.append(f"{'foretold by':26}{'':7}" + "".join(f"{name:>12}" for name in models) + "     (correlation)")
    for title, foretold in FORETOLD.items():
        row = []
        for name, model in models.items():
            told = foretold(model, drawn, bare)
            pairs = [(told[part][shown[part]], changes[name][part][shown[part]]) for part in PARTS]
            a, b = (torch.cat(side) for side in zip(*pairs, strict=True))
            row.append(correlation(a, b) if title.endswith("change") else correlation(a, b.abs()))
        lines.append(f"{title:33}" + "".join(f"{value:>12.2f}" for value in row))
    return lines


def by_balance(model: sl.Model, drawn: sl.Roads, bare: dict[str, Tensor]) -> dict[str, Tensor]:
    """The contributions on a part, compared with a blurred image, would be missing without it."""
    c = sl.balance(model, drawn.images, reference=blurred(drawn.images)).signed
    return {part: -(c * drawn.masks[part]).sum((1, 2)) for part in PARTS}


def by_gradient(model: sl.Model, drawn: sl.Roads, bare: dict[str, Tensor]) -> dict[str, Tensor]:
    """To first order, w times the true change of the pixels (which a map alone does not know)."""
    w = sl.input_gradient(model, drawn.images)
    return {part: (w * (bare[part] - drawn.images)).sum((1, 2, 3)) for part in PARTS}


def by_keras_vis(kind: str) -> Foretold:
    """The sum of one of keras-vis's maps over a part: how important it calls it, without a direction."""

    def foretold(model: sl.Model, drawn: sl.Roads, bare: dict[str, Tensor]) -> dict[str, Tensor]:
        M = keras_vis(model, drawn.images)[kind]
        return {part: (M * drawn.masks[part]).sum((1, 2)) for part in PARTS}

    return foretold


FORETOLD: dict[str, Foretold] = {
    "sl.balance: change": by_balance,
    "gradient, true pixels: change": by_gradient,
    "keras-vis increase: size": by_keras_vis("increase"),
    "keras-vis decrease: size": by_keras_vis("decrease"),
    "keras-vis maintain: size": by_keras_vis("maintain"),
}


def strongest(values: Tensor) -> Tensor:
    """The mask (N, H, W) of the strongest pixels of each map."""
    count = int(ERASED * values[0].numel())
    order = values.flatten(1).topk(count).indices
    return torch.zeros_like(values.flatten(1), dtype=torch.bool).scatter(1, order, True).view_as(values)


def table_of_erasures(model: sl.Model, drawn: sl.Roads) -> list[str]:
    """Per map: how the angle moves if the map's strongest pixels are blurred away."""
    I, R, before = drawn.images, blurred(drawn.images), angles(model, drawn.images)
    found = sl.balance(model, I, reference=R)
    maps = {
        "sl.balance increase": found.increase,
        "sl.balance decrease": found.decrease,
        **{f"keras-vis {name}": M for name, M in keras_vis(model, I).items()},
        "at random": torch.rand(found.signed.shape, generator=torch.Generator().manual_seed(0)),
    }
    lines = [f"{'blurred away':33}{'change':>12}{'size':>12}     (degrees, honest network)"]
    for name, M in maps.items():
        change = angles(model, torch.where(strongest(M)[:, None], R, I)) - before
        lines.append(f"{name:33}{change.mean().item():>+12.2f}{change.abs().mean().item():>12.2f}")
    return lines


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steering", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--roads", type=int, default=100, help="how many unseen roads")
    options = parser.parse_args(command)
    models = {name: sl.load_model(file).cpu() for name, file in NETWORKS.items()}
    drawn = sl.roads(options.roads, seed=SEED)
    bare = {part: sl.roads(options.roads, seed=SEED, without=[part]).images for part in PARTS}
    errors = {name: (angles(model, drawn.images) - drawn.angles).abs().mean().item() for name, model in models.items()}
    print(", ".join(f"{name} network: wrong by {value:.2f} degrees" for name, value in errors.items()))
    tables = [table_of_shares(models, drawn), table_of_parts(models, drawn, bare)]
    for table in [*tables, table_of_erasures(models["honest"], drawn)]:
        print("", *table, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
