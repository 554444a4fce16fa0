"""How well does a method find a planted shortcut? Small networks, and a number for whoever has a method of maps.

python -m benchmarks.shortcuts --part roc --keep DIR          trains 100, eight seconds and 62 kB each
python -m benchmarks.shortcut_scores DIR gradient             scores a method of this package
python -m benchmarks.shortcut_scores DIR captum.attr:Saliency one of another library, by Captum's calls
python -m benchmarks.shortcut_scores DIR my_file:my_function  or a function (model, images, labels) -> maps (N, H, W)

On 40 drawings of its creature, each beside its companion, the method explains each network's score of the creature,
and its opinion is the lift of the companion's region as a share of the lifts of both (`saliency_lib.auditing.audit`).
The score is the area under the ROC curve against honest networks, by dose, with its interval over pairs of things: 0.5
is chance. Pairs and seeds of which a dose is not kept in DIR are left out. Removal, which is no map, is measured by
`benchmarks.shortcuts`. Scores of the methods that were tried are in `data/shortcut_scores.json`; --store adds one.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import saliency_lib as sl
from benchmarks.shortcuts import ROC_DOSES, Setting, audited, network, roc, settings
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.errors import SaliencyError

FILE = Path(__file__).resolve().parent.parent / "data" / "shortcut_scores.json"
Maps = Callable[[nn.Module, Tensor, Tensor], Tensor]


def find(name: str) -> Maps:
    """A function that makes maps: a method of the package, a class of Captum's kind, or any function."""
    if ":" not in name:
        method = sl.find_method(name)
        return lambda model, images, labels: method(model, images).maps(labels)
    module, _, own = name.partition(":")
    found = getattr(importlib.import_module(module), own)
    if not isinstance(found, type):
        return found

    def captums(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return found(model).attribute(images.clone().requires_grad_(True), target=labels).abs().amax(1)

    return captums


def opinion(maps: Tensor, masks: dict[str, Tensor]) -> float:
    """The shortcut's lift as a share of shortcut's and object's, over all images."""
    maps = F.interpolate(maps[:, None].detach().float(), masks["object"].shape[1:], mode="bilinear")[:, 0].clamp_min(0)
    shares = maps / maps.sum((1, 2), keepdim=True).clamp_min(1e-30)
    lift = {name: ((shares * mask).sum((1, 2)).mean() / mask.float().mean()).item() for name, mask in masks.items()}
    both = lift["object"] + lift["shortcut"]
    return lift["shortcut"] / both if both else 0.5


def complete(folder: Path) -> list[Setting]:
    """The networks of those pairs and seeds of which all doses are kept. Raises `SaliencyError` if there are none."""
    wanted = [one for one in settings() if one.part == "roc"]
    lacking = {(one[1:3], one.seed): one.name for one in wanted if not (folder / one.name).exists()}
    found = [one for one in wanted if (one[1:3], one.seed) not in lacking]
    if not found:
        name = next(iter(lacking.values()))
        raise SaliencyError(f"{folder} has no {name}: python -m benchmarks.shortcuts --part roc --keep {folder}")
    return found


def score(name: str, folder: Path) -> dict[str, list[float]]:
    """A method's area under the curve at each dose, with its bounds."""
    explain, records = find(name), []
    for one in complete(folder):
        model, (drawn, masks) = network(one, folder), audited(one)
        labels = torch.full((len(drawn.images),), CATEGORIES.index(one.creature))
        records.append(one._asdict() | {"opinion": [opinion(explain(model, drawn.images, labels), masks)]})
    honest = [record for record in records if not record["dose"]]
    by_dose = {dose: [record for record in records if record["dose"] == dose] for dose in ROC_DOSES if dose}
    return {str(dose): [round(x, 3) for x in roc(some, honest, "opinion")] for dose, some in by_dose.items()}


def table(scores: dict[str, Any]) -> list[str]:
    """A line each method."""
    lines = [f"{'method':34}" + "".join(f"{f'dose {dose}':>20}" for dose in ROC_DOSES if dose)]
    for name, found in scores.items():
        lines.append(
            f"{name:34}" + "".join(f"{f'{m:.2f} ({low:.2f}-{high:.2f})':>20}" for m, low, high in found.values())
        )
    return lines


def main(command: list[str] | None = None) -> int:
    """Score, and print beside what others scored."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shortcut_scores", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the networks are")
    parser.add_argument("methods", nargs="+", help="names of this package, or MODULE:NAME")
    parser.add_argument("--store", action="store_true", help="add the scores to data/shortcut_scores.json")
    options = parser.parse_args(command)
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    known |= {name: score(name, options.folder) for name in options.methods}
    if options.store:
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in known.items())
        FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    print(*table(known), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
