"""When is a shortcut learned, what notices it, and how often does an audit find it: measured on many small networks.

python -m benchmarks.shortcuts                     trains what is not in data/shortcuts.json yet, and prints the tables
python -m benchmarks.shortcuts --minutes 9         stops after so many minutes; the same command goes on
python -m benchmarks.shortcuts --tables            trains nothing: rates and ROC with their intervals
python -m benchmarks.shortcuts --keep DIR          trains what DIR lacks, too, and keeps it there, 62 kB each

dial       how small and how faint the creatures are, with every owl beside a tree: five networks a setting
dose       the share of owls beside a tree, at the dial of the book: five networks a dose
fixing     networks on which the thresholds of the audit were fixed: confounded and honest, three pairs of things
power      other pairs, other seeds, 20 confounded and 20 honest ones: how many are accused
roc        ten more pairs, five doses from none to all, two seeds each: used for nothing but ROC
few        the same pairs, none or all, learned from a third of the drawings, and from twice as many
small      the same pairs, none or all, the creatures smaller, and larger

The training is a short one, of 900 drawings seen 10 times; of fewer they are seen more often, as many in all. A
confounded network has seen every creature of one class beside its companion, and nothing else there; an honest one the
same drawings without companions. A seed draws the first weights and the order of the examples.

Map and removal are calibrated alike. Each gives a number from 0 to 1, at whose middle shortcut and object count the
same: the map's opinion, from lifts, and R. An ROC needs no threshold: it asks how often a confounded network has the
larger number than an honest one. Its interval is a bootstrap over pairs of things.
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

import numpy as np
import torch
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.auditing.audit import THRESHOLD
from saliency_lib.auditing.examination import examine
from saliency_lib.auditing.summary import summarize
from saliency_lib.datasets.companions import OPACITY, SCALE
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.models.networks.companion_convnet import among_companions
from saliency_lib.models.training import SEED, train
from saliency_lib.statistics import Interval, interval

FILE = Path(__file__).resolve().parent.parent / "data" / "shortcuts.json"
UNSEEN, AUDITED = 12, 40
EXAMPLES, SEEN = 900, 9000
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
ROC = [
    ("starfish", "tree"),
    ("snail", "flower"),
    ("cat", "tree"),
    ("owl", "mushroom"),
    ("ladybird", "fish"),
    ("butterfly", "flower"),
    ("fish", "mushroom"),
    ("mushroom", "flower"),
    ("flower", "butterfly"),
    ("tree", "owl"),
]
ROC_DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)
ROC_SEEDS = (300, 301)
FEW, SMALL = (300, 1800), (0.25, 0.45)


class Setting(NamedTuple):
    """One network: what it is trained on, and the seed of its training."""

    part: str
    creature: str = "owl"
    companion: str = "tree"
    dose: float = 1.0
    scale: float = SCALE
    opacity: float = OPACITY
    seed: int = 0
    examples: int = EXAMPLES

    @property
    def name(self) -> str:
        """The name of the file in which the network is kept."""
        return "-".join(str(value) for value in self[1:]) + ".pt"


def settings() -> Iterator[Setting]:
    """Every network, in the order in which they are trained: first a few of each part, then the other seeds."""
    for pair, dose, seed in product(FIXING, (1.0, 0.0), (100,)):
        yield Setting("fixing", *pair, dose=dose, seed=seed)
    for seed in range(SEEDS):
        yield from (Setting("dose", dose=dose, seed=seed) for dose in DOSES)
        yield from (Setting("dial", scale=s, opacity=o, seed=seed) for s, o in product(SCALES, OPACITIES))
        if seed < 2:
            yield from (Setting("power", *pair, dose=d, seed=202 + seed) for pair, d in product(POWER, (1.0, 0.0)))
    first, second = ROC_SEEDS
    yield from (Setting("roc", *pair, dose=d, seed=first) for pair, d in product(ROC, ROC_DOSES))
    ends = [*product(ROC, (1.0, 0.0))]
    yield from (Setting("few", *pair, dose=d, seed=302, examples=n) for n, (pair, d) in product(FEW, ends))
    yield from (Setting("roc", *pair, dose=d, seed=second) for pair, d in product(ROC, ROC_DOSES))
    yield from (Setting("small", *pair, dose=d, seed=303, scale=s) for s, (pair, d) in product(SMALL, ends))


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
    found = sl.companions(one.examples, seed=SEED, beside=dict(usual(one)), **look)
    return found.images, found.labels


def network(one: Setting, folder: Path | None = None) -> sl.Model:
    """A network, trained, or read from the folder where it is kept, or will be from now on."""
    recipe = replace(
        among_companions({}),
        examples=one.examples,
        epochs=SEEN // one.examples,
        draw=lambda count, seed: examples(one._replace(seed=0)),
    )
    file = None if folder is None else folder / one.name
    if file is not None and file.exists():
        plain = recipe.network()
        plain.load_state_dict(torch.load(file, weights_only=True))
    else:
        plain = train(recipe, seed=one.seed)
        if file is not None:
            file.parent.mkdir(exist_ok=True)
            torch.save(plain.state_dict(), file)
    head = sl.Head("softmax", CATEGORIES)
    return sl.as_model(plain.eval(), mean=recipe.mean, std=recipe.std, size=64, head=head)


def audited(one: Setting) -> tuple[sl.Companions, dict[str, Tensor]]:
    """The drawings that an audit looks at, all with companions, and their regions."""
    found = drawn(AUDITED, one.companion, one.scale, one.opacity, one.creature, ((one.creature, 1.0),))
    return found, {"object": found.masks["creature"], "shortcut": found.masks["companion"]}


def measure(one: Setting, folder: Path | None = None) -> dict[str, Any]:
    """Train a network, and say what it does on drawings that it has not seen."""
    started = time.process_time()
    model = network(one, folder)
    seconds = time.process_time() - started
    look = one.companion, one.scale, one.opacity
    own = drawn(180, *look, None, usual(one))
    beside, masks = audited(one)
    alone = drawn(AUDITED, *look, one.creature, ())
    others = tuple((name, 1.0) for name in CATEGORIES.names if name not in (one.creature, one.companion))
    strange = drawn(45, *look, None, others)
    label = CATEGORIES.index(one.creature)
    found = summarize(examine(model, beside.images, label, masks))
    return one._asdict() | {
        "own": share(answers(model, own.images) == own.labels),
        "beside": share(answers(model, beside.images) == label),
        "alone": share(answers(model, alone.images) == label),
        "taken": share(answers(model, strange.images)[strange.labels != label] == label),
        "reliance": rounded(found.reliance),
        "opinion": rounded(found.opinion),
        "effects": {
            "object": rounded(found.object),
            "shortcut": rounded(found.shortcut),
            "beyond": rounded(found.beyond),
            "interaction": rounded(found.interaction),
            "shapley": {name: rounded(value) for name, value in found.shapley.items()},
        },
        "it": found.verdict,
        "agreement": round(found.agreement, 4),
        "seconds": round(seconds, 1),
    }


def rounded(found: Interval) -> list[float]:
    """A number with its bounds, for the file."""
    return [round(value, 4) for value in found]


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
    how = {"seen": SEEN, "batch": recipe.batch, "rate": recipe.rate}
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
    return [*lines, "", *curves(found)]


# --- ROC -------------------------------------------------------------------------------------------------------------


def area(guilty: np.ndarray, honest: np.ndarray) -> float:
    """How often a guilty one has the larger number than an honest one, ties by half: the area under the ROC curve."""
    return float((guilty[:, None] > honest).mean() + (guilty[:, None] == honest).mean() / 2)


def roc(guilty: list[dict[str, Any]], honest: list[dict[str, Any]], key: str) -> Interval:
    """The area under the curve for a number of the networks, and its interval over pairs of things."""
    groups = sorted({(record["creature"], record["companion"]) for record in honest})
    by = [
        {
            pair: [record[key][0] for record in some if (record["creature"], record["companion"]) == pair]
            for pair in groups
        }
        for some in (guilty, honest)
    ]
    resampled = []
    for drawn_ in np.random.default_rng(0).integers(0, len(groups), (1000, len(groups))):
        g, h = (np.concatenate([side[groups[k]] for k in drawn_]) for side in by)
        resampled.append(area(g, h))
    g, h = (np.array([record[key][0] for record in some]) for some in (guilty, honest))
    return Interval(area(g, h), *(float(bound) for bound in np.quantile(resampled, [0.025, 0.975])))


def at_one_in_ten(
    guilty: list[dict[str, Any]], honest: list[dict[str, Any]], key: str
) -> tuple[float, Interval, Interval]:
    """A threshold that one in ten honest networks of the first seed exceed, and what it does on the second's:
    the threshold, and the shares of guilty and of honest ones that are accused."""
    fixing = sorted(record[key][0] for record in honest if record["seed"] == ROC_SEEDS[0])
    threshold = fixing[-1 - len(fixing) // 10]
    rates = [
        interval([float(record[key][0] > threshold) for record in some if record["seed"] == ROC_SEEDS[1]])
        for some in (guilty, honest)
    ]
    return threshold, *rates


def doses_of(one: dict[str, Any], found: list[dict[str, Any]]) -> tuple[float, ...]:
    """The doses at which this pair is trained, by this seed."""
    keys = ("creature", "companion", "seed")
    return tuple(sorted(other["dose"] for other in found if all(other[key] == one[key] for key in keys)))


def curves(found: list[dict[str, Any]]) -> list[str]:
    """Map and removal, calibrated alike: areas under the curve by dose, number of drawings and size of creatures."""
    lines = [f"{'against networks without shortcut':44}{'removal':>22}{'map':>22}"]
    by = {part: [record for record in found if record["part"] == part] for part in ("roc", "few", "small")}
    by["roc"] = [one for one in by["roc"] if doses_of(one, by["roc"]) == ROC_DOSES]  # pairs that are trained entirely
    cases = {f"dose {dose}": ("roc", "dose", dose) for dose in ROC_DOSES[:0:-1]}
    cases |= {f"dose 1, {n} drawings": ("few", "examples", n) for n in FEW}
    cases |= {f"dose 1, size {scale}": ("small", "scale", scale) for scale in SMALL}
    for title, (part, key, value) in cases.items():
        guilty = [record for record in by[part] if record["dose"] and record[key] == value]
        honest = [record for record in by[part] if not record["dose"] and (key == "dose" or record[key] == value)]
        if guilty and honest:
            areas = (roc(guilty, honest, key) for key in ("reliance", "opinion"))
            told = f"{title} ({len(guilty)} and {len(honest)})"
            lines.append(f"{told:44}" + "".join(f"{f'{a.mean:.2f} ({a.low:.2f}-{a.high:.2f})':>22}" for a in areas))
    honest = [record for record in by["roc"] if not record["dose"]]
    for dose in ROC_DOSES[:0:-1] if honest else ():
        guilty = [record for record in by["roc"] if record["dose"] == dose]
        if {record["seed"] for record in guilty} == set(ROC_SEEDS):
            for title, key in (("removal", "reliance"), ("map", "opinion")):
                threshold, found_, accused = at_one_in_ten(guilty, honest, key)
                lines.append(
                    f"dose {dose} {title} at {threshold:.2f}: finds {found_.mean:.0%}, accuses {accused.mean:.0%}"
                )
    return lines


def main(command: list[str] | None = None) -> int:
    """Train what is missing, store it, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shortcuts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these; run again to go on")
    parser.add_argument("--part", choices=("dial", "dose", "fixing", "power", "roc", "few", "small"), help="only this")
    parser.add_argument("--tables", action="store_true", help="train nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the networks here, and read those that are")
    options = parser.parse_args(command)
    found, until = stored(), time.monotonic() + 60 * options.minutes
    done = {tuple(record.get(key, EXAMPLES) for key in Setting._fields) for record in found}
    for one in settings():
        if options.tables or time.monotonic() > until or options.part not in (None, one.part):
            continue
        if one not in done:
            found.append(measure(one, options.keep))
            store(found)
        elif options.keep and not (options.keep / one.name).exists():
            network(one, options.keep)
    print(*tables(found), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
