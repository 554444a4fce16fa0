"""The command that compares methods: a table as text, as CSV, as a figure."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saliency_lib import files
from saliency_lib.cli.arguments import check_output, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_compare(command: argparse.ArgumentParser) -> None:
    """What is compared on what, and where it is written."""
    command.add_argument(
        "data",
        nargs="?",
        default="photos",
        metavar="DIR",
        help="a folder of photos, or one in the layout of ILSVRC CLS-LOC; or creatures, drawings with exact masks; "
        "or photos, the sample photos (default)",
    )
    command.add_argument("--methods", nargs="+", metavar="NAME", help="which ones (default: all that fit the network)")
    command.add_argument(
        "--metrics", nargs="+", metavar="NAME", help="which ones (default: all that fit the data, but for sensitivity)"
    )
    command.add_argument(
        "--model", metavar="NAME", help="the network (default: the embedded one, or creature_convnet for creatures)"
    )
    command.add_argument("--images", type=int, metavar="N", help="only the first N (default: all, or 100 creatures)")
    command.add_argument("--batch-size", type=int, metavar="B", help="images at a time (default: by their size)")
    command.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="FILE.jsonl",
        help="a line for each map; an existing file is continued",
    )
    command.add_argument("--summary", type=Path, metavar="FILE.json", help="where to write means and standard errors")
    command.add_argument("--csv", type=Path, metavar="FILE.csv", help="where to write them as a table")
    command.add_argument("--figure", type=Path, metavar="FILE.png", help="where to draw them")
    command.set_defaults(run=run_compare)


def run_compare(options: argparse.Namespace) -> None:
    """Measure; print, write and draw the table in the first process."""
    from saliency_lib.comparison.compare import compare
    from saliency_lib.comparison.summary import csv, table

    if options.figure is not None:
        check_output(options.figure)
    if options.csv is not None:
        files.check_output(options.csv)
    result = compare(
        options.data,
        options.out,
        methods=options.methods,
        metrics=options.metrics,
        model=options.model,
        count=options.images,
        batch_size=options.batch_size,
        summary=options.summary,
    )
    if result is None:
        return
    print(table(result))
    if options.csv is not None:
        files.write(options.csv, csv(result).encode())
    if options.figure is not None:
        save(figure(result), options.figure)


def figure(result: dict[str, Any]) -> "Figure":
    """One panel a metric, one bar a method, with standard errors."""
    from matplotlib.figure import Figure  # here, because it takes a second to import

    rows, columns = result["methods"], result["metrics"]
    drawn = Figure(figsize=(2 + 1.9 * len(columns), 0.6 + 0.28 * len(rows)), layout="constrained")
    panels = drawn.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for panel, (name, metric) in zip(panels, columns.items(), strict=True):
        values = [row[name] for row in rows.values()]
        means = [value.get("mean", float("nan")) for value in values]
        panel.barh(range(len(rows)), means, xerr=[value.get("error", 0) for value in values], color="#4477aa")
        panel.set_title(f"{name}\n({metric['best']} is good)", fontsize=9)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(rows)), list(rows))
    panels[0].invert_yaxis()
    drawn.suptitle(f"{result['n']} images, {result['data']}, {result['model']}", fontsize=10)
    return drawn
