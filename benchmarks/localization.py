"""How often a box is wrong, for every method, what is behind it, and what it costs.

python -m benchmarks.localization --ilsvrc DIR [--halvings 50] [--limit N]

A method may choose one setting (a threshold, or the quantiles of GraphCut's seeds) on one random half of the images and
is measured on the other, with the roles exchanged; the table shows the mean over all halvings, and the setting that is
best on all images. Methods without a choice are measured in the same way. Differences between methods are taken image
by image, so that their standard errors leave out what is hard for both. Then the misses of two methods: how large the
objects were, how many, and how many boxes are too large. Costs are per image and class, on one thread.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import saliency_lib as sl
from saliency_lib.datasets.ilsvrc import Ilsvrc
from saliency_lib.localization.boxes import Box
from saliency_lib.localization.localizers import LOCALIZERS, Localizer, locate
from saliency_lib.localization_benchmark.error_analysis import Outcome, around_several, by_instances, by_size, too_large
from saliency_lib.localization_benchmark.metrics import is_right, paired_difference

THRESHOLDS = [{"threshold": value} for value in (0.20, 0.25, 0.30, 0.35, 0.40, 0.45)]
QUANTILES = [
    {"foreground": high, "background": low, "size": 112} for high, low in ((0.95, 0.30), (0.90, 0.30), (0.80, 0.30))
]
CHOICES: dict[str, list[dict[str, Any]]] = {
    "pixel-graphcut": QUANTILES,
    "layer-graphcut": QUANTILES,
    "grad-cam": THRESHOLDS,
    "object-map": THRESHOLDS,
    "object-map-averaged": THRESHOLDS,
}
BOUND = [{"threshold": percent / 100} for percent in range(10, 91, 5)]
"""What the best threshold of each image is chosen from, for a bound."""


class Row(NamedTuple):
    """One line of the table: a method, and whether it has to keep the first of its settings."""

    title: str
    localizer: str
    fixed: bool = False

    @property
    def short(self) -> str:
        """The row in a few letters."""
        return self.localizer + (", literally" if self.fixed else "")


ROWS = [
    Row("the whole image", "whole-image"),
    Row("a centered box", "centered-box"),
    Row("the paper's recipe: the pixels, GraphCut, literally", "pixel-graphcut", fixed=True),
    Row("the same, quantiles chosen", "pixel-graphcut"),
    Row("at block 13, GraphCut, the paper's quantiles", "layer-graphcut", fixed=True),
    Row("the same, quantiles chosen", "layer-graphcut"),
    Row("Grad-CAM at the last layer, threshold", "grad-cam"),
    Row("object map, threshold", "object-map"),
    Row("object map averaged over mirror image and two scales", "object-map-averaged"),
]
PAIRS = [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (5, 3), (6, 5), (7, 5), (7, 6), (8, 7)]
"""Rows to be compared, by their numbers."""


@dataclass
class Results:
    """One method on all images: for each the boxes of all settings, whether one of `BOUND` is right, and seconds."""

    localizer: Localizer
    choices: list[dict[str, Any]]
    boxes: list[list[Box]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    bound: list[bool] = field(default_factory=list)
    network: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)


@dataclass
class Bench:
    """The images, their true boxes, and the classes that the network gave them."""

    data: Ilsvrc
    model: sl.Model
    top5: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.truths = [self.data.truth(sample) for sample in self.data.samples]

    def measure(self, localizer: Localizer) -> Results:
        """Every setting of a method on every image."""
        results = Results(localizer, CHOICES.get(localizer.name, [localizer.settings]))
        self.top5 = []
        for sample, truth in zip(self.data.samples, self.truths, strict=True):
            photo = sl.load_image(sample.image)
            start = time.perf_counter()
            view = localizer.look(self.model, sl.to_tensor(photo, crop=False))
            maps = view.maps(torch.tensor([truth.label]))
            own = None if maps is None else maps[0]
            middle = time.perf_counter()
            boxes = [locate(replace(localizer, settings=choice), photo, own).box for choice in results.choices]
            results.network.append(middle - start)
            results.after.append((time.perf_counter() - middle) / len(boxes))
            results.boxes.append(boxes)
            results.sizes.append(photo.size)
            if localizer.name == "object-map":
                found = [locate(replace(localizer, settings=choice), photo, own).box for choice in BOUND]
                results.bound.append(any(is_right(box, truth.boxes) for box in found))
            self.top5.append(view.scores[0].topk(5).indices.tolist())
        return results

    def right(self, results: Results, fixed: bool) -> np.ndarray:
        """Whether the boxes are right: (images, settings)."""
        rows = zip(results.boxes, self.truths, strict=True)
        every = np.array([[is_right(box, truth.boxes) for box in boxes] for boxes, truth in rows])
        return every[:, :1] if fixed else every

    def classified(self, among: int) -> np.ndarray:
        """Whether the class is among the best few: (images,)."""
        return np.array([truth.label in best[:among] for truth, best in zip(self.truths, self.top5, strict=True)])

    def outcomes(self, results: Results) -> list[Outcome]:
        """The boxes with the setting that the localizer has by default."""
        chosen = results.choices.index(results.localizer.settings)
        rows = zip(results.boxes, self.truths, results.sizes, strict=True)
        return [Outcome(boxes[chosen], truth.boxes, size) for boxes, truth, size in rows]


def cross_validated(right: np.ndarray, halves: list[np.ndarray]) -> np.ndarray:
    """How often each image was right on the halves that had no part in choosing the setting: (images,), 0 to 1."""
    hits, counts = np.zeros(len(right)), np.zeros(len(right))
    for half in halves:
        chosen = right[half].mean(0).argmax()
        hits[~half] += right[~half, chosen]
        counts[~half] += 1
    return hits / counts


def halvings(count: int, times: int) -> list[np.ndarray]:
    """Random halves, as masks over the images, each followed by its complement."""
    rng, halves = np.random.default_rng(0), []
    for _ in range(times):
        half = rng.permutation(count) < count // 2
        halves += [half, ~half]
    return halves


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ilsvrc", type=Path, metavar="DIR", required=True)
    parser.add_argument("--halvings", type=int, default=50)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args(command)
    torch.set_num_threads(1)
    model = sl.load_model().cpu()
    assert model.categories is not None
    bench = Bench(Ilsvrc(options.ilsvrc, options.limit, model.categories.synsets), model)
    halves = halvings(len(bench.data), options.halvings)
    print(f"{len(bench.data)} images, {options.halvings} halvings, errors in percent, milliseconds on one thread\n")
    print(f"{'':<54}{'GT-known':>9}{'top-1':>7}{'top-5':>7}{'network':>9}{'after':>7}  best setting")
    measured: dict[str, Results] = {}
    scores: list[np.ndarray] = []
    for row in ROWS:
        if row.localizer not in measured:
            measured[row.localizer] = bench.measure(LOCALIZERS[row.localizer])
        results = measured[row.localizer]
        scores.append(cross_validated(bench.right(results, row.fixed), halves))
        print(_line(row, bench, results, scores[-1]), flush=True)
    for among in (1, 5):
        print(f"{f'the class alone, top-{among}':<54}{100 * (1 - bench.classified(among).mean()):>9.1f}")
    print("\ndifferences of the GT-known errors, image by image, with their standard errors")
    for one, other in PAIRS:
        difference, error = paired_difference((1 - scores[one]).tolist(), (1 - scores[other]).tolist())
        titles = f"{ROWS[one].short} minus {ROWS[other].short}"
        print(f"{titles:<54}{100 * difference:>+9.1f} ± {100 * error:.1f}")
    for name in ("object-map", "object-map-averaged"):
        _report_misses(measured[name], bench)
    return 0


def _line(row: Row, bench: Bench, results: Results, score: np.ndarray) -> str:
    # where the true class is among the five, its box is the one made for it
    shares = [score.mean(), *((score * bench.classified(among)).mean() for among in (1, 5))]
    errors = "".join(f"{100 * (1 - share):>{width}.1f}" for share, width in zip(shares, (9, 7, 7), strict=True))
    costs = [1e3 * statistics.median(seconds) for seconds in (results.network, results.after)]
    best = results.choices[0 if row.fixed else int(bench.right(results, False).mean(0).argmax())]
    return f"{row.title:<54}{errors}{costs[0]:>9.1f}{costs[1]:>7.1f}  {best}"


def _report_misses(results: Results, bench: Bench) -> None:
    outcomes = bench.outcomes(results)
    large, wrong = too_large(outcomes)
    print(f"\n{results.localizer.name}, {results.localizer.settings}: {wrong} misses, {large} boxes too large")
    for title, groups in (("the largest true box covers", by_size(outcomes)), ("objects", by_instances(outcomes))):
        print(title)
        for group in groups:
            print(f"  {group.title:<16}{group.images:>5} images{group.missed:>5} missed{group.error:>7.1f} %")
    around, several = around_several(outcomes)
    print(f"of {several} misses with several objects, {around} hold at least half of two or more")
    if results.bound:
        print(
            f"with the best threshold of each image, known from the truth: {100 * (1 - np.mean(results.bound)):.1f} %"
        )


if __name__ == "__main__":
    sys.exit(main())
