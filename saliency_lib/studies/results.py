"""What came of studies: means with their intervals beside their nulls, verdicts, and what is stored of them.

    stored()                    # name -> claim, direction, networks -> halves -> numbers, verdict
    print(table(stored()))

No photograph and no name of one is stored: counts, means, deviations, intervals, and the bare numbers of the confirming
half, in the order of their size.
"""

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from saliency_lib.errors import SaliencyError
from saliency_lib.statistics import Interval, against, between, interval, verdict
from saliency_lib.studies.study import CREATURES, Study, studies

HALVES = ("find", "confirm", "all")
DIGITS = 6


def numbers(study: Study, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of some records: how many, the mean and its null, their difference with its interval, and what it decides."""
    value, null = (np.array([record[key] for record in records], dtype=float) for key in ("value", "null"))
    d = value - null
    found = interval(d) if len(d) else Interval(*[float("nan")] * 3)
    return {
        "n": len(d),
        "mean": _rounded(value.mean()) if len(d) else None,
        "interval": [_rounded(bound) for bound in interval(value.tolist())[1:]] if len(d) else None,
        "null": _rounded(null.mean()) if len(d) else None,
        "difference": [_rounded(bound) for bound in found],
        "deviation": _rounded(d.std(ddof=1)) if len(d) > 1 else None,
        "against": _rounded(against(study.direction, d.tolist(), study.margin)),
        "verdict": verdict(study.direction, found, study.margin),
    }


def _photo_by_photo(records: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The numbers of single photos, in the order of their values, so that nothing leads back to the photo."""
    ordered = sorted(records, key=lambda record: record["value"])
    return {key: [float(f"{record[key]:.4g}") for record in ordered] for key in ("value", "null")}


def _rounded(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None


def summary_of(study: Study, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A study's results: by network and half, and what all networks say together."""
    whole = [record for record in results if "broken" not in record]
    networks = list(dict.fromkeys(record["network"] for record in results))
    by_network = {}
    for network in networks:
        own = [record for record in whole if record["network"] == network]
        parts = {half: [record for record in own if half in ("all", record["half"])] for half in HALVES}
        by_network[network] = {half: numbers(study, records) for half, records in parts.items() if records}
        for half in set(by_network[network]) & {"confirm"}:
            by_network[network][half]["photos"] = _photo_by_photo(parts[half])
    return {
        "claim": study.claim,
        "direction": study.direction,
        "margin": study.margin,
        "unit": "drawings" if study.on == CREATURES else study.on,
        "settings": study.digest,
        "networks": by_network,
        "verdict": together([one[counted(one)]["verdict"] for one in by_network.values() if one]),
        "broken": {record["picture"]: record["broken"] for record in results if "broken" in record},
    }


def counted(parts: Mapping[str, Any]) -> str:
    """The half that decides: the confirming one, if it has at least ten pictures, else all."""
    return "confirm" if parts.get("confirm", {"n": 0})["n"] >= 10 else "all"


def together(verdicts: Sequence[str]) -> str:
    """What several networks say: "holds" or "fails" if they agree on it, "depends" on network or photo if not."""
    return verdicts[0] if set(verdicts) in ({"holds"}, {"fails"}) else "depends"


def kept(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a summary: everything but the names of pictures."""
    return {**summary, "broken": len(summary["broken"])}


def united(known: Mapping[str, Any] | None, found: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a study, with what was found since: networks that were not asked now keep their numbers."""
    if known is None or known["settings"] != found["settings"]:
        return dict(found)
    networks = {**known["networks"], **found["networks"]}
    verdicts = [one[counted(one)]["verdict"] for one in networks.values() if one]
    return {**found, "networks": networks, "verdict": together(verdicts)}


@cache
def stored() -> dict[str, Any]:
    """The results that come with the book, by study: from 300 photographs of ILSVRC, 150 to find with and 150 to
    confirm on, of which each study looked at as many as `n` says."""
    file = importlib.resources.files("saliency_lib.data") / "studies.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def stored_result(name: str, network: str | None = None, half: str = "confirm") -> dict[str, Any]:
    """The stored numbers of a study for one network, by default its first: n, mean, null, difference and the rest.

    This is where a chapter takes the number from that stands behind a general sentence. Raises `SaliencyError` if
    nothing is stored of that name.
    """
    if name not in stored():
        raise SaliencyError(f"no results are stored of a study {name!r}: {', '.join(stored())} are known")
    networks = stored()[name]["networks"]
    chosen = network or next(iter(networks))
    if chosen not in networks or half not in networks[chosen]:
        raise SaliencyError(f"of {name} there are results of {', '.join(networks)}, halves {', '.join(HALVES)}")
    return networks[chosen][half]


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Studies as text: a line each with its numbers, and below them the claims."""
    heads = ["study", "n", "mean (95 %)", "null", "difference (95 %)", "against", "networks", "verdict"]
    rows = [heads]
    for name, one in found.items():
        networks = {network: parts[counted(parts)] for network, parts in one["networks"].items() if parts}
        for number, (network, own) in enumerate(networks.items()):
            of_mean, of_d = ([_said(bound) for bound in own[key]] for key in ("interval", "difference"))
            share = "" if own["against"] is None else f"{100 * own['against']:.0f} %"
            mean = f"{_said(own['mean'])} [{', '.join(of_mean)}]"
            numbers = [str(own["n"]), mean, _said(own["null"]), f"{of_d[0]} [{', '.join(of_d[1:])}]", share]
            rows.append(["" if number else name, *numbers, network, own["verdict"] if number else one["verdict"]])
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    claims = [f"{name}: {one['claim']}" for name, one in found.items()]
    return "\n".join([*lines, "", *claims])


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def compared(found: Mapping[str, Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Other photographs beside the stored confirming half: by how much the mean difference differs, with its interval.

    One line for each study and network that both have; `agrees` says whether the interval contains 0.
    """
    lines = []
    for name, one in found.items():
        for network, parts in one["networks"].items():
            there = known.get(name, {}).get("networks", {}).get(network, {}).get("confirm")
            here = parts.get("all")
            if not there or not here or here["deviation"] is None or there["deviation"] is None:
                continue
            sides = [(side["difference"][0], side["deviation"], side["n"]) for side in (here, there)]
            change = between(*sides)
            agrees = change.low <= 0 <= change.high
            lines.append({"study": name, "network": network, "change": change, "agrees": agrees})
    return lines


def listing(known: Mapping[str, Mapping[str, Any]]) -> str:
    """All studies: those with stored results with their numbers, and the claims of the others."""
    missing = [f"{name}: not run yet. {one.claim}" for name, one in studies().items() if name not in known]
    return "\n".join([table({name: known[name] for name in studies() if name in known}), *missing])
