"""Where does the object end? Every way that was tried of making the object map's boxes tighter, and what it gained.

python -m benchmarks.localization_trials --ilsvrc DIR      writes data/localization_trials.json, and prints the table
python -m benchmarks.localization_trials --table           prints the table of that file

The photos are halved by the SHA-256 of their files' names: settings were chosen on the half "find", and the half
"confirm" was looked at for the trials in this table only. Errors are shares of boxes with an IoU below one half. The
gain is the error of the object map less that of the trial, photo by photo, with its interval over photos. The object
map itself was tuned on all of these photos, for the book's first edition: the halves are honest for the trials alone.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet
from torch import Tensor

import saliency_lib as sl
from saliency_lib.datasets.ilsvrc import Ilsvrc, Sample
from saliency_lib.localization.boxes import Box, bounding_box, largest_component, median, scale
from saliency_lib.localization.extent import ObjectExtent, of_maximum_one, otsu, step
from saliency_lib.localization.localize import graph_cut
from saliency_lib.localization.localizers import LOCALIZERS, locate
from saliency_lib.localization_benchmark.error_analysis import Outcome, by_instances, by_size, too_large
from saliency_lib.methods.gradients import LayerGradient, Recording
from saliency_lib.methods.layers import spread
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.statistics import Interval, interval

FILE = Path(__file__).resolve().parent.parent / "data" / "localization_trials.json"
MODEL = sl.load_model().cpu()
SMALL = 0.1
"""An object is small if its box covers less of the photo."""
GRID = 28


class Parts(ObjectExtent):
    """What `ObjectExtent` adds up, one by one, so that trials can add up something else."""

    def combine(self, gradients: list[LayerGradient]) -> Tensor:  # type: ignore[override]
        middle, *others = gradients
        self.middle, self.E = middle, super().combine(gradients)[0]
        self.O = super(ObjectExtent, self).combine(others)[0]
        self.g = spread((middle.output * middle.gradient).sum(1).relu(), shift=self.shift, smoothing=2.0)[0]
        return self.E[None]


class Seen:
    """A photo, what is marked in it, and the maps of its true class."""

    def __init__(self, data: Ilsvrc, sample: Sample) -> None:
        self.photo, truth = sl.load_image(sample.image), data.truth(sample)
        self.boxes, self.label = truth.boxes, truth.label
        self.images = sl.to_tensor(self.photo, crop=False)
        self.plain = self.view(self.images)
        self.known = self.label in self.plain.answer.scores[0].topk(5).indices
        self.O, self.g, self.E, self.h = self.plain.O, self.plain.g, self.plain.E, self.plain.middle.output

    def view(self, images: Tensor) -> Parts:
        """The parts of the map for another picture of the photo."""
        parts = Parts(MODEL, images)
        parts.maps(torch.tensor([self.label]))
        return parts

    @cached_property
    def views(self) -> list[Tensor]:
        """E of the photo, of its mirror image, and of both at 288 pixels."""
        large = F.interpolate(self.images, (288, 288), mode="bicubic", antialias=True).clamp(0, 1)
        others = [self.view(self.images.flip(-1)).E.flip(-1), self.view(large).E, self.view(large.flip(-1)).E.flip(-1)]
        return [self.E, *others]

    @cached_property
    def alike(self) -> Tensor:
        """How alike the cells of the middle features are, by features alone: (784, 784)."""
        x = self.h[0].flatten(1)
        x = F.normalize(x - x.mean(1, keepdim=True), dim=0)
        return (x.T @ x).relu().square()

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """The eigenvectors of the symmetrically normalized affinity, and the degrees."""
        d = self.alike.double().sum(1)
        return torch.linalg.eigh(self.alike.double() / d.sqrt()[:, None] / d.sqrt())[1], d

    def step(self, M: Tensor, alike: Tensor | None = None) -> Tensor:
        """A map after one step, by features alone or as `alike` says; its maximum is one."""
        A = self.alike if alike is None else alike
        return of_maximum_one(step((A / A.sum(1, keepdim=True))[None], M[None], self.h))[0]

    @cached_property
    def peak(self) -> Tensor:
        """The gradients at blocks 10 and 13 of the one cell of the class activation map that says most."""
        last = "bn2"
        recording = Recording(MODEL, self.images, ["blocks.4.2", "blocks.5.2", last])
        *early, A = recording.sources
        with torch.enable_grad():
            weights = MODEL.get_parameter("network.classifier.weight")[self.label].detach()
            cells = torch.einsum("f,fij->ij", weights, A[0])
            found = torch.autograd.grad(cells.max(), early)
        maps = [spread(reduce_channels(g), shift=MODEL.layers.shift)[0] for g in found]
        return torch.stack([M / M.mean() for M in maps]).sum(0).detach()

    def box(self, mask: Tensor) -> Box | None:
        """The box of a mask's largest piece, in pixels of the photo."""
        piece = largest_component(mask)
        return scale(bounding_box(piece), piece, self.photo)

    def above(self, M: Tensor, threshold: float) -> Box | None:
        """The box of what is at least the threshold."""
        return self.box(threshold <= M)

    def otsu(self, M: Tensor) -> Box | None:
        """The box above Otsu's threshold."""
        return self.above(M, otsu(M))


def one(M: Tensor) -> Tensor:
    """A map with the maximum one."""
    return M / M.max().clamp(min=1e-30)


def issue(s: Seen) -> Tensor:
    """Half the object map, half its step by features alone."""
    return one(s.O) + s.step(s.O)


def three(M: Tensor) -> float:
    """The mean of the two thresholds that split values best in three."""
    from skimage.filters import threshold_multiotsu

    return float(np.mean(threshold_multiotsu(M.numpy(), 3, nbins=64)))


def place(s: Seen) -> Tensor:
    """Features alike and near: a Gaussian of 0.3 of the picture's side."""
    at = torch.stack(torch.meshgrid(*[torch.arange(GRID) / GRID] * 2, indexing="ij")).flatten(1).T
    return s.alike * torch.exp(-torch.cdist(at, at).square() / (2 * 0.3**2))


def colored(s: Seen) -> Tensor:
    """Features alike and colors alike."""
    c = F.adaptive_avg_pool2d(s.images, (GRID, GRID))[0].flatten(1).T
    return s.alike * torch.exp(-torch.cdist(c, c).square() / (2 * 0.2**2))


def ridge(s: Seen) -> Tensor:
    """The object map as a linear function of the normalized features, as far as it is one."""
    x = F.normalize(s.h[0].flatten(1) - s.h[0].flatten(1).mean(1, keepdim=True), dim=0)
    y = F.adaptive_avg_pool2d(s.O[None], (GRID, GRID)).flatten()
    w = torch.linalg.solve(x @ x.T + 0.3 * x.shape[1] / len(x) * torch.eye(len(x)), x @ (y - y.mean()))
    return one(s.O) + one(_up((x.T @ w + y.mean()).relu().view(GRID, GRID)))


def cut_in_two(s: Seen) -> Box | None:
    """The normalized cut of Shi and Malik: the side of the second eigenvector on which the map is larger."""
    U, d = s.spectrum
    u = U[:, -2] / d.sqrt()
    y = F.adaptive_avg_pool2d(s.O[None], (GRID, GRID)).flatten().double()
    u = u * torch.corrcoef(torch.stack([u, y]))[0, 1].sign()
    return s.box((u > u.mean()).view(GRID, GRID))


def smooth(s: Seen) -> Tensor:
    """The object map's part in the 32 smoothest eigenvectors."""
    U, d = s.spectrum
    y = F.adaptive_avg_pool2d(s.O[None], (GRID, GRID)).flatten().double() * d.sqrt()
    p = (U[:, -32:] @ (U[:, -32:].T @ y) / d.sqrt()).relu().view(GRID, GRID)
    return one(s.O) + one(_up(p.float()))


def least_cut(s: Seen) -> Box | None:
    """Of the thresholds from .45 to .65 that whose mask has the least normalized cut."""
    E, found = one(s.E), []
    for t in torch.arange(0.45, 0.66, 0.025).tolist():
        a = F.adaptive_avg_pool2d((t <= E).float()[None], (GRID, GRID)).flatten()
        cut, d = a @ s.alike @ (1 - a), s.alike.sum(1)
        found.append((float(cut / (d @ a) + cut / (d @ (1 - a))), t))
    return s.above(E, min(found)[1])


def steepest(s: Seen) -> Box | None:
    """Of the thresholds from .45 to .65 that along whose border the map falls most."""
    E = one(s.E)
    slope = np.hypot(*np.gradient(E.numpy()))
    found = []
    for t in torch.arange(0.45, 0.66, 0.025).tolist():
        inside = (t <= E).numpy()
        border = inside & (cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
        found.append((float(slope[border].mean()) if border.any() else 0.0, t))
    return s.above(E, max(found)[1])


def superpixels(s: Seen) -> Box | None:
    """The mean of the map in each of 250 superpixels, half and half with the map."""
    from skimage.segmentation import slic

    picture = F.adaptive_avg_pool2d(s.images, (112, 112))[0].permute(1, 2, 0).double().numpy()
    pieces = slic(picture, 250, compactness=10, start_label=0, channel_axis=2)
    E = F.interpolate(one(s.E)[None, None], (112, 112), mode="bilinear")[0, 0].double().numpy()
    means = np.bincount(pieces.ravel(), E.ravel()) / np.bincount(pieces.ravel())
    return s.otsu(torch.from_numpy(means[pieces] + E).float())


def cut_by_colors(s: Seen) -> Box | None:
    """GraphCut: seeds 15 % above and below Otsu's threshold."""
    E = F.interpolate(one(s.E)[None, None], (112, 112), mode="bilinear")[0, 0]
    t, small = otsu(E), s.photo.convert("RGB").resize((112, 112), Image.Resampling.BICUBIC)
    return s.box(graph_cut(small, min(1.15 * t, 0.97) <= E, 0.85 * t > E))


def merged(s: Seen) -> Box | None:
    """Neighbors merged by their features, most alike first; of all regions that with Otsu's largest contrast."""
    n, y = GRID * GRID, F.adaptive_avg_pool2d(s.E[None], (GRID, GRID)).flatten().double().numpy()
    index = np.arange(n).reshape(GRID, GRID)
    pairs = np.concatenate([np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], 1),
                            np.stack([index[:-1].ravel(), index[1:].ravel()], 1)])  # fmt: skip
    order = np.argsort(-s.alike.numpy()[pairs[:, 0], pairs[:, 1]], kind="stable")
    sets, best, region = DisjointSet(range(n)), -1.0, index == 0
    for a, b in pairs[order]:
        if sets.merge(a, b):
            members = np.fromiter(sets.subset(a), int)
            w, mean = len(members) / n, y[members].mean()
            if w < 1 and (mean - y.mean()) > 0 and w / (1 - w) * (mean - y.mean()) ** 2 > best:
                best, region = w / (1 - w) * (mean - y.mean()) ** 2, np.isin(index, members)
    return s.box(torch.from_numpy(region))


class Drawn(NamedTuple):
    """A line by which the threshold of a map follows from its shape."""

    weights: np.ndarray
    low: np.ndarray
    spread: np.ndarray


def shape(E: Tensor) -> np.ndarray:
    """What a map's shape says: the logarithms of its areas above seven thresholds, Otsu's, mean and deviation."""
    areas = [float((t <= E).float().mean()) + 1e-3 for t in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)]
    return np.array([*np.log(areas), otsu(E), float(E.mean()), float(E.std())])


def learned() -> Drawn:
    """The best threshold of the map by its shape, from 175 drawings with exact boxes: ridge regression."""
    rows, best, thresholds = [], [], np.arange(0.2, 0.91, 0.025)
    drawn = [
        sl.companions(27, seed=10 + i, beside={}, scale=s, opacity=1.0) for i, s in enumerate((0.2, 0.3, 0.4, 0.5, 0.6))
    ]
    masks = [(image, mask) for d in drawn for image, mask in zip(d.images, d.masks["creature"], strict=True)]
    large = sl.creatures(40, seed=77)
    for image, mask in [*masks, *zip(large.images, large.masks, strict=True)]:
        picture = F.interpolate(image[None], (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
        E, true = one(ObjectExtent(MODEL, picture).maps()[0]), bounding_box(mask)
        blank = Image.new("RGB", (64, 64))
        boxes = [(p := largest_component(t <= E), scale(bounding_box(p), p, blank))[1] for t in thresholds.tolist()]
        overlaps = np.array([sl.box_iou(box, true) if box and true else 0.0 for box in boxes])
        if overlaps.max() >= 0.5:
            rows.append(shape(E))
            best.append(thresholds[overlaps >= overlaps.max() - 0.02].mean())
    X, y = np.array(rows), np.array(best)
    low, deviation = X.mean(0), X.std(0)
    Z = np.c_[np.ones(len(X)), (X - low) / deviation]
    weights = np.linalg.solve(Z.T @ Z + 10 * np.diag([0, *[1] * (Z.shape[1] - 1)]), Z.T @ y)
    return Drawn(weights, low, deviation)


def by_drawings(s: Seen) -> Box | None:
    """The threshold that drawings taught."""
    global DRAWN
    DRAWN = DRAWN or learned()
    z = (shape(one(s.E)) - DRAWN.low) / DRAWN.spread
    return s.above(one(s.E), float(np.clip(DRAWN.weights[0] + z @ DRAWN.weights[1:], 0.15, 0.9)))


DRAWN: Drawn | None = None


def named(name: str) -> Callable[[Seen], Box]:
    """A localizer of the package."""
    localizer = LOCALIZERS[name]
    return lambda s: locate(localizer, s.photo, localizer.look(MODEL, s.images).maps(torch.tensor([s.label]))[0]).box  # type: ignore[index]


def _up(M: Tensor) -> Tensor:
    return F.interpolate(M[None, None], (56, 56), mode="bilinear")[0, 0]


TODAY, CHOSEN = "object map", "the localizer: O + PO + P(Og), Otsu"
TRIALS: dict[str, Callable[[Seen], Box | None]] = {
    "the paper's recipe, literally": named("pixel-graphcut"),
    TODAY: lambda s: s.above(one(s.O), 0.35),
    "O + PO by features, threshold .55": lambda s: s.above(one(issue(s)), 0.55),
    "the same, Otsu's threshold": lambda s: s.otsu(issue(s)),
    "the same, mean of the thresholds of three classes": lambda s: s.above(issue(s), three(issue(s))),
    "PO alone, Otsu": lambda s: s.otsu(s.step(s.O)),
    "O + PPO, Otsu": lambda s: s.otsu(one(s.O) + s.step(s.step(s.O))),
    "O + PO, features times color, Otsu": lambda s: s.otsu(one(s.O) + s.step(s.O, colored(s))),
    "O + PO, features times place, Otsu": lambda s: s.otsu(one(s.O) + s.step(s.O, place(s))),
    "O + PO + P(Og) by features, Otsu": lambda s: s.otsu(issue(s) + s.step(s.O * s.g)),
    CHOSEN: lambda s: s.otsu(s.E),
    "its map, threshold .5": lambda s: s.above(one(s.E), 0.5),
    "its map, mean of the thresholds of three classes": lambda s: s.above(s.E, three(s.E)),
    "its map, averaged over the mirror image": lambda s: s.otsu(s.views[0] + s.views[1]),
    "its map, averaged over mirror image and two scales": lambda s: s.otsu(torch.stack(s.views).sum(0)),
    "median of the boxes of these four views": lambda s: median([b for b in map(s.otsu, s.views) if b]),
    "its map at 288 pixels": lambda s: s.otsu(s.views[2]),
    "O as a linear function of the features, and O, Otsu": lambda s: s.otsu(ridge(s)),
    "O in 32 smooth eigenvectors, and O, Otsu": lambda s: s.otsu(smooth(s)),
    "normalized cut in two": cut_in_two,
    "its map, threshold of the least normalized cut": least_cut,
    "its map, threshold of the steepest border": steepest,
    "its map, superpixels": superpixels,
    "its map, GraphCut around the border": cut_by_colors,
    "its map, regions merged by features": merged,
    "its map and the gradients of the best cell alone": lambda s: s.otsu(s.E + one(s.peak) + s.step(s.peak)),
    "its map, threshold learned on drawings": by_drawings,
}


class Row(NamedTuple):
    """What the trials found in one photo."""

    order: str
    known: bool
    outcomes: dict[str, Outcome]


def look(data: Ilsvrc, sample: Sample) -> Row:
    """Every trial on one photo; the box is the whole photo where nothing is found."""
    torch.set_num_threads(1)
    s, order = Seen(data, sample), hashlib.sha256(sample.image.name.encode()).hexdigest()
    whole = (0, 0, *s.photo.size)
    return Row(order, s.known, {name: Outcome(f(s) or whole, s.boxes, s.photo.size) for name, f in TRIALS.items()})


def measure(folder: Path, limit: int | None, processes: int) -> dict[str, Any]:
    """Every trial on every photo."""
    assert MODEL.categories is not None
    data, rows = Ilsvrc(folder, limit, MODEL.categories.synsets), list[Row]()
    with ProcessPoolExecutor(processes) as pool:
        for row in pool.map(partial(look, data), data.samples):
            rows.append(row)
            print(f"\r{len(rows)} of {len(data)} photos", end="", file=sys.stderr, flush=True)
    rows.sort(key=lambda row: row.order)
    half = len(rows) // 2
    return {
        "photos": len(rows),
        "half": half,
        "today": TODAY,
        "chosen": CHOSEN,
        "trials": [
            {"trial": name, "find": told(rows[:half], name), "confirm": told(rows[half:], name)} for name in TRIALS
        ],
        "misses": {name: _misses([row.outcomes[name] for row in rows]) for name in (TODAY, CHOSEN)},
    }


def told(rows: list[Row], name: str) -> dict[str, Any]:
    """Errors of a trial on some photos, and its gains over the object map, in percent with their intervals."""
    own, other = ([row.outcomes[which] for row in rows] for which in (name, TODAY))
    wrong = [float(not outcome.right) for outcome in own]
    fifth = [float(not (outcome.right and row.known)) for outcome, row in zip(own, rows, strict=True)]
    gains = [float(a.right) - float(b.right) for a, b in zip(own, other, strict=True)]
    closer = [_overlap(a) - _overlap(b) for a, b in zip(own, other, strict=True)]
    small = [outcome.right for outcome in own if outcome.share < SMALL]
    return {
        "error": _percent(interval(wrong)),
        "top5": _percent(interval(fifth)),
        "gain": _percent(interval(gains)) if any(gains) else [0.0, 0.0, 0.0],
        "better": sum(gain > 0 for gain in gains),
        "worse": sum(gain < 0 for gain in gains),
        "overlap": round(100 * float(np.mean([_overlap(outcome) for outcome in own])), 1),
        "overlap gain": _percent(interval(closer)) if any(closer) else [0.0, 0.0, 0.0],
        "small": [sum(small), len(small)],
    }


def _overlap(outcome: Outcome) -> float:
    return max(sl.box_iou(outcome.box, truth) for truth in outcome.truths)


def _misses(outcomes: list[Outcome]) -> dict[str, Any]:
    """What the wrong boxes on all photos have in common."""
    size, count = ([group._asdict() for group in by(outcomes)] for by in (by_size, by_instances))
    return {"by size": size, "by number": count, "too large": too_large(outcomes)}


def _percent(found: Interval) -> list[float]:
    return [round(100 * value, 1) for value in found]


def table(stored: dict[str, Any]) -> str:
    """The trials as text."""
    lines = [f"{'errors and gains in percent, with 95 % intervals':<52}{'find':>6}{'gain':>6}   confirm"]
    for row in stored["trials"]:
        f, c = row["find"], row["confirm"]
        keys = ("error", "top5", "gain", "overlap gain")
        error, top5, gain, closer = ("{:5.1f} [{:.1f}, {:.1f}]".format(*c[key]) for key in keys)
        counts = f"+{c['better']} -{c['worse']}, small {c['small'][0]}/{c['small'][1]}"
        end = f"{error}, top-5 {top5}, gain {gain}, IoU {closer}, {counts}"
        lines.append(f"{row['trial']:<52}{f['error'][0]:>6}{f['gain'][0]:>+6}   {end}")
    return "\n".join(lines)


def main(command: list[str] | None = None) -> int:
    """Measure, store and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ilsvrc", type=Path, metavar="DIR", help="a folder of ILSVRC; not needed with --table")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="measure nothing, print what is stored")
    options = parser.parse_args(command)
    if not (options.table or options.ilsvrc):
        parser.error("which photos? --ilsvrc DIR, or --table for what is stored")
    if not options.table:
        found = measure(options.ilsvrc, options.limit, options.processes)
        if options.limit is None:
            FILE.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found if not options.table else json.loads(FILE.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
