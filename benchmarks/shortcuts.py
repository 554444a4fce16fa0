"""When is a shortcut learned, what notices it, and how often does an audit find it: measured on many small networks.

python -m benchmarks.shortcuts                     trains what is not in data/shortcuts.json yet, and prints the tables
python -m benchmarks.shortcuts --minutes 9         stops after so many minutes; the same command goes on
python -m benchmarks.shortcuts --tables            trains nothing

dial       how small and how faint the creatures are, with every owl beside a tree: five networks a setting
dose       the share of owls beside a tree, at the dial of the book: five networks a dose
fixing     networks on which the thresholds of the audit were fixed: confounded and honest, three pairs of things
power      other pairs, other seeds, 20 confounded and 20 honest ones: how many are accused

The training is a short one, of 900 drawings seen 10 times. A confounded network has seen every creature of one class
beside its companion, and nothing else there; an honest one the same drawings without companions. A seed draws the first
weights and the order of the examples.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.auditing.audit import THRESHOLD, examine, summarize
from saliency_lib.datasets.companions import OPACITY, SCALE
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.models.networks.companion_convnet import among_companions
from saliency_lib.models.training import SEED, train

FILE = Path(__file__).resolve().parent.parent / "data" / "shortcuts.json"
UNSEEN, AUDITED = 12, 40
EXAMPLES, EPOCHS = 900, 10
MAP_THRESHOLD = 0.5
Beside = tuple[tuple[str, float], ...]
SCALES, OPACITIES = (0.25, 0.32, 0.45), (0.5, 0.9)
DOSES = (1.0, 0.99, 0.95, 0.9, 0.75, 0.5)
SEEDS = 5
FIXING = [("cat", "flower"), ("snail", "mushroom"), ("starfish", "fish")]
POWER = [
    ("owl", "tree"),
    ("cat", "mushroom"),
    ("ladybird", "flower"),
    ("butterfly", "fish"),
    ("snail", "tree"),
    ("fish", "flower"),
    ("butterfly", "mushroom"),
    ("mushroom", "ladybird"),
    ("flower", "tree"),
    ("owl", "butterfly"),
]


class Setting(NamedTuple):
    """One network: what it is trained on, and the seed of its training."""

    part: str
    creature: str = "owl"
    companion: str = "tree"
    dose: float = 1.0
    scale: float = SCALE
    opacity: float = OPACITY
    seed: int = 0


def settings() -> Iterator[Setting]:
    """Every network, in the order in which they are trained: first a few of each part, then the other seeds."""
    for pair, dose, seed in product(FIXING, (1.0, 0.0), (100,)):
        yield Setting("fixing", *pair, dose=dose, seed=seed)
    for seed in range(SEEDS):
        yield from (Setting("dose", dose=dose, seed=seed) for dose in DOSES)
        yield from (Setting("dial", scale=s, opacity=o, seed=seed) for s, o in product(SCALES, OPACITIES))
        if seed < 2:
            yield from (Setting("power", *pair, dose=d, seed=202 + seed) for pair, d in product(POWER, (1.0, 0.0)))


def usual(one: Setting) -> Beside:
    """Which share of each class has the companion in what a network is trained on."""
    return ((one.creature, one.dose),) if one.dose else ()


@torch.no_grad()
def answers(model: nn.Module, images: Tensor) -> Tensor:
    """The top classes."""
    return torch.cat([model(some).argmax(1).cpu() for some in images.split(250)])


@lru_cache(maxsize=64)
def drawn(count: int, companion: str, scale: float, opacity: float, kind: str | None, beside: Beside) -> sl.Companions:
    """Drawings that no network was trained on; several are asked about them."""
    look: Any = {"companion": companion, "scale": scale, "opacity": opacity}
    return sl.companions(count, seed=UNSEEN, kind=kind, beside=dict(beside), **look)


@lru_cache(maxsize=13)
def examples(one: Setting) -> tuple[Tensor, Tensor]:
    """What the networks of one setting are trained on, whatever their seeds."""
    look: Any = {"companion": one.companion, "scale": one.scale, "opacity": one.opacity}
    found = sl.companions(EXAMPLES, seed=SEED, beside=dict(usual(one)), **look)
    return found.images, found.labels


def network(one: Setting) -> sl.Model:
    """A network, trained."""
    recipe = replace(
        among_companions({}), examples=EXAMPLES, epochs=EPOCHS, draw=lambda count, seed: examples(one._replace(seed=0))
    )
    head = sl.Head("softmax", CATEGORIES)
    return sl.as_model(train(recipe, seed=one.seed), mean=recipe.mean, std=recipe.std, size=64, head=head)


def measure(one: Setting) -> dict[str, Any]:
    """Train a network, and say what it does on drawings that it has not seen."""
    started = time.process_time()
    model = network(one)
    seconds = time.process_time() - started
    look = one.companion, one.scale, one.opacity
    own = drawn(180, *look, None, usual(one))
    beside = drawn(AUDITED, *look, one.creature, ((one.creature, 1.0),))
    alone = drawn(AUDITED, *look, one.creature, ())
    others = tuple((name, 1.0) for name in CATEGORIES.names if name not in (one.creature, one.companion))
    strange = drawn(45, *look, None, others)
    label = CATEGORIES.index(one.creature)
    masks = {"object": beside.masks["creature"], "shortcut": beside.masks["companion"]}
    found = summarize(examine(model, beside.images, label, masks))
    return one._asdict() | {
        "own": share(answers(model, own.images) == own.labels),
        "beside": share(answers(model, beside.images) == label),
        "alone": share(answers(model, alone.images) == label),
        "taken": share(answers(model, strange.images)[strange.labels != label] == label),
        "reliance": [round(value, 4) for value in found.reliance],
        "opinion": [round(value, 4) for value in found.opinion],
        "agreement": round(found.agreement, 4),
        "seconds": round(seconds, 1),
    }


def share(right: Tensor) -> float:
    """The share of what is true."""
    return round(right.float().mean().item(), 4)


# --- the file, and the tables ----------------------------------------------------------------------------------------


def stored(file: Path = FILE) -> list[dict[str, Any]]:
    """What has been measured, one record a network."""
    return json.loads(file.read_text("utf-8"))["networks"] if file.exists() else []


def store(found: list[dict[str, Any]], file: Path = FILE) -> None:
    """Write it in one step."""
    recipe = among_companions({})
    how = {"examples": EXAMPLES, "epochs": EPOCHS, "batch": recipe.batch, "rate": recipe.rate}
    lines = ",\n".join(json.dumps(record) for record in found)
    partial = file.with_suffix(".partial")
    partial.write_text(f'{{"settings": {json.dumps(how)},\n"networks": [\n{lines}\n]}}\n', "utf-8")
    partial.replace(file)


def with_error(values: list[float]) -> str:
    """A mean in percent and its standard error."""
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{100 * mean(values):5.1f} ± {100 * error:4.1f}"


def tables(found: list[dict[str, Any]]) -> list[str]:
    """Dial and dose with standard errors over the seeds, and how many networks are accused."""
    lines = []
    columns = ("own", "beside", "alone", "taken")
    for part, keys in (("dial", ("scale", "opacity")), ("dose", ("dose",))):
        some = [record for record in found if record["part"] == part]
        lines += ["", part, f"{'':14}{'networks':>9}" + "".join(f"{name:>15}" for name in (*columns, "R", "map"))]
        for setting in sorted({tuple(record[key] for key in keys) for record in some}, reverse=True):
            same = [record for record in some if tuple(record[key] for key in keys) == setting]
            values = [[record[name] for record in same] for name in columns]
            values += [[record[name][0] for record in same] for name in ("reliance", "opinion")]
            title = " ".join(f"{value:.2f}" for value in setting)
            lines.append(f"{title:14}{len(same):>9}" + "".join(f"{with_error(v):>15}" for v in values))
    for part in ("fixing", "power"):
        some = [record for record in found if record["part"] == part]
        lines += ["", part]
        for name, confounded in (("confounded", True), ("honest", False)):
            group = [record for record in some if bool(record["dose"]) == confounded]
            for title, key, threshold in (("audit", "reliance", THRESHOLD), ("map alone", "opinion", MAP_THRESHOLD)):
                accused = sum(record[key][1] > threshold for record in group)
                means = sorted(record[key][0] for record in group)
                ends = f", R from {means[0]:.2f} to {means[-1]:.2f}" if means else ""
                lines.append(f"{name:12}{title:10}{accused:3} of {len(group)} accused at {threshold}{ends}")
    return lines


def main(command: list[str] | None = None) -> int:
    """Train what is missing, store it, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shortcuts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these; run again to go on")
    parser.add_argument("--part", choices=("dial", "dose", "fixing", "power"), help="only this")
    parser.add_argument("--tables", action="store_true", help="train nothing")
    options = parser.parse_args(command)
    found, until = stored(), time.monotonic() + 60 * options.minutes
    done = {tuple(record[key] for key in Setting._fields) for record in found}
    missing = [one for one in settings() if one not in done and options.part in (None, one.part)]
    for one in [] if options.tables else missing:
        if time.monotonic() > until:
            break
        found.append(measure(one))
        store(found)
    print(*tables(found), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
