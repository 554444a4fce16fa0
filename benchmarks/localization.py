"""How often a box is wrong, for every method, and what it costs: one table.

python -m benchmarks.localization --ilsvrc DIR [--halvings 50] [--limit N]

Each method may choose one setting (a threshold, or the quantiles of GraphCut's seeds) on one random half of the images,
and is measured on the other, with the roles exchanged; the table shows the mean over all halvings, and the setting that
is best on all images. Methods without settings are measured in the same way. Localization errors over the top five
classes take six boxes an image and are left out for GraphCut. Costs are per image and class, on one thread.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import saliency_lib as sl
from saliency_lib.evaluation.ilsvrc import Ilsvrc
from saliency_lib.evaluation.metrics import is_right
from saliency_lib.localization.localizers import LOCALIZERS, Localizer, locate

THRESHOLDS = [{"threshold": value} for value in (0.20, 0.25, 0.30, 0.35, 0.40, 0.45)]
QUANTILES = [
    {"foreground": high, "background": low, "size": 112} for high, low in ((0.95, 0.30), (0.90, 0.30), (0.80, 0.30))
]
CHOICES: dict[str, list[dict[str, Any]]] = {
    "pixel-graphcut": QUANTILES,
    "layer-graphcut": QUANTILES,
    "grad-cam": THRESHOLDS,
    "object-map": THRESHOLDS,
}


@dataclass
class Results:
    """One method on all images: rows of right and wrong, (settings, images), and seconds an image."""

    method: Localizer
    choices: list[dict[str, Any]]
    right: dict[str, list[list[bool]]] = field(default_factory=dict)
    network: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def error(self, name: str, halves: list[np.ndarray]) -> float | None:
        """The mean error in percent on the halves that had no part in choosing the setting (by its GT-known error)."""
        if name not in self.right:
            return None
        chosen, measured = np.array(self.right["gt-known"]), np.array(self.right[name])
        errors = [1 - measured[~half, chosen[half].mean(0).argmax()].mean() for half in halves]
        return 100 * float(np.mean(errors))

    @property
    def best(self) -> dict[str, Any]:
        """The setting with the lowest GT-known error on all images."""
        return self.choices[int(np.array(self.right["gt-known"]).mean(0).argmax())]


def measure(data: Ilsvrc, model: sl.Classifier, method: Localizer) -> Results:
    """Every setting of a method on every image."""
    results = Results(method, CHOICES.get(method.name, [method.settings]))
    several = "graphcut" not in method.name
    variants = [replace(method, settings=choice) for choice in results.choices]
    for sample in data.samples:
        photo, truth = sl.load_image(sample.image), data.truth(sample)
        images = sl.to_tensor(photo, crop=False)
        start = time.perf_counter()
        view = method.look(model, images)
        own = view.maps(torch.tensor([truth.label]))
        middle = time.perf_counter()
        boxes = [locate(variant, photo, None if own is None else own[0]).box for variant in variants[:1]]
        results.network.append(middle - start)
        results.after.append(time.perf_counter() - middle)
        boxes += [locate(variant, photo, None if own is None else own[0]).box for variant in variants[1:]]
        rows = {"gt-known": [is_right(box, truth.boxes) for box in boxes]}
        if several:
            best = view.scores[0].topk(5).indices.tolist()
            known = rows["gt-known"]  # where the true class is among the five, its box is the one made for it
            rows["top-1"] = [right and best[0] == truth.label for right in known]
            rows["top-5"] = [right and truth.label in best for right in known]
        for name, row in rows.items():
            results.right.setdefault(name, []).append(row)
    return results


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ilsvrc", type=Path, default=Path("../shared/ilsvrc-dev"), metavar="DIR")
    parser.add_argument("--halvings", type=int, default=50)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args(command)
    torch.set_num_threads(1)
    model = sl.load_model().cpu()
    assert model.categories is not None
    data = Ilsvrc(options.ilsvrc, options.limit, model.categories.synsets)
    halves = halvings(len(data), options.halvings)
    gradient = gradient_seconds(model, data)
    print(f"{len(data)} images, {options.halvings} halvings, errors in percent, milliseconds on one thread")
    print(f"the gradient at the pixels: {1e3 * gradient:.1f} ms\n")
    print(f"{'':<66}{'GT-known':>9}{'top-1':>7}{'top-5':>7}{'network':>9}{'after':>7}  best setting")
    for method in LOCALIZERS.values():
        results = measure(data, model, method)
        errors = [results.error(name, halves) for name in ("gt-known", "top-1", "top-5")]
        shown = "".join(f"{'-' if e is None else f'{e:.1f}':>{w}}" for e, w in zip(errors, (9, 7, 7), strict=True))
        costs = [1e3 * statistics.median(seconds) for seconds in (results.network, results.after)]
        print(f"{method.title:<66}{shown}{costs[0]:>9.1f}{costs[1]:>7.1f}  {results.best}", flush=True)
    return 0


def halvings(count: int, times: int) -> list[np.ndarray]:
    """Random halves, as masks over the images, each followed by its complement."""
    rng, halves = np.random.default_rng(0), []
    for _ in range(times):
        half = rng.permutation(count) < count // 2
        halves += [half, ~half]
    return halves


def gradient_seconds(model: sl.Classifier, data: Ilsvrc, repeats: int = 15) -> float:
    """What `input_gradient` takes for one image."""
    images, durations = sl.to_tensor(sl.load_image(data.samples[0].image), crop=False), []
    for _ in range(repeats):
        start = time.perf_counter()
        sl.input_gradient(model, images, 0)
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


if __name__ == "__main__":
    sys.exit(main())
