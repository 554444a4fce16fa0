"""Ratios of durations: medians of runs that take turns, so that whatever else the machine does slows all alike."""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Comparison:
    """One line of a table: ours may take at most `limit` times as long as theirs."""

    title: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    limit: float


def arguments(description: str | None, command: list[str] | None = None, repeats: int = 15) -> argparse.Namespace:
    """What every benchmark can be told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats, help=f"measured runs of each (default: {repeats})")
    parser.add_argument("--threads", type=int, help="threads that torch computes with (default: torch's own choice)")
    options = parser.parse_args(command)
    if options.repeats < 1 or (options.threads is not None and options.threads < 1):
        parser.error("repeats and threads are at least 1")
    if options.threads:
        torch.set_num_threads(options.threads)
    return options


def report(comparisons: list[Comparison], repeats: int) -> int:
    """Print the table; the exit code is 1 if a limit was missed."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {repeats} interleaved runs\n")
    print(f"{'':<58}{'ours':>10}{'theirs':>10}{'ratio':>8}{'limit':>8}")
    missed = False
    for comparison in comparisons:
        ours, theirs = medians(comparison, repeats)
        ratio = ours / theirs
        missed |= ratio > comparison.limit
        durations = f"{1e3 * ours:>7.1f} ms{1e3 * theirs:>7.1f} ms"
        note = "  missed" if ratio > comparison.limit else ""
        print(f"{comparison.title:<58}{durations}{ratio:>8.2f}{comparison.limit:>8.2f}{note}", flush=True)
    return int(missed)


def medians(comparison: Comparison, repeats: int) -> tuple[float, float]:
    """The median durations of both in seconds, after a run of each that is not counted; either goes first in turn."""
    durations: dict[Callable[[], Any], list[float]] = {comparison.ours: [], comparison.theirs: []}
    pair = [comparison.ours, comparison.theirs]
    for call in pair:
        duration(call)
    for _ in range(repeats):
        for call in pair:
            durations[call].append(duration(call))
        pair.reverse()
    return statistics.median(durations[comparison.ours]), statistics.median(durations[comparison.theirs])


def duration(call: Callable[[], Any]) -> float:
    """Seconds that one call takes, the work of a GPU included."""
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
