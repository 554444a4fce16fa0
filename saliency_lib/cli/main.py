"""All commands.

python -m saliency_lib saliency photo.jpg --class "Egyptian cat" --out map.png
python -m saliency_lib localize photo.jpg --out box.png
python -m saliency_lib evaluate --ilsvrc DIR --out results.jsonl --summary summary.json
python -m saliency_lib audit DIR --out report.html
python -m saliency_lib compare creatures --images 500 --out results.jsonl --summary summary.json
python -m saliency_lib study saliency-on-object DIR --out results.jsonl
python -m saliency_lib invariances --model creature_convnet
python -m saliency_lib class-image "flamingo" "monarch" --out sheet.png
python -m saliency_lib train creature_convnet --out creature_convnet.pt
python -m saliency_lib models
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from saliency_lib.class_images.recipes import PAPER, RECOMMENDED
from saliency_lib.cli import pictures
from saliency_lib.cli.arguments import add_model, add_photo, add_picture, add_target
from saliency_lib.cli.auditing import add_audit
from saliency_lib.cli.comparing import add_compare
from saliency_lib.cli.studying import add_invariances, add_study
from saliency_lib.cli.training import add_train
from saliency_lib.errors import SaliencyError
from saliency_lib.localization.localizers import DEFAULT, LOCALIZERS
from saliency_lib.methods.maps import REDUCTIONS
from saliency_lib.methods.method import method_names
from saliency_lib.methods.relu_rules import RULES
from saliency_lib.models.load import available_models


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, or 2 after one sentence on what was wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name in Chinese on a terminal that knows ASCII only
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except SaliencyError as error:
        print(f"saliency_lib: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `... models | head` is no mistake
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  so that Python does not try to flush the closed pipe
        return 0
    except OSError as error:  # standard output is a full disk, or a folder has vanished
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        print(f"saliency_lib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("saliency_lib: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m saliency_lib", description="Ask a convolutional network what it sees, and where."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    _add_saliency(commands.add_parser("saliency", help="print the top five classes of a photo and draw a map"))
    _add_localize(
        commands.add_parser("localize", help="draw a box around the object of a class, and the map that led to it")
    )
    _add_evaluate(
        commands.add_parser(
            "evaluate",
            help="measure localization on ILSVRC",
            description="Measure localization on a folder in the layout of ILSVRC CLS-LOC. The same command goes on "
            "after an interruption, and under torchrun shares the work among processes.",
        )
    )
    add_audit(
        commands.add_parser(
            "audit",
            help="ask whether a network relies on a suspected shortcut",
            description="Ask whether a network's answers for a folder of photos rest on the object or on a suspected "
            "shortcut (chapter 11). The same command goes on after an interruption.",
        )
    )
    add_compare(
        commands.add_parser(
            "compare",
            help="measure methods beside each other",
            description="Make maps of the same images by several methods, and measure them by several metrics. The "
            "same command goes on after an interruption, and under torchrun shares the work among processes.",
        )
    )
    add_study(
        commands.add_parser(
            "study",
            help="try a general sentence on photos and networks of yours",
            description="Try a general sentence of the book on many photos and several networks: the mean, its null, "
            "the difference with its interval over photos, and what that decides. The same command goes on after an "
            "interruption, and under torchrun shares the work among processes.",
        )
    )
    add_invariances(
        commands.add_parser(
            "invariances",
            help="ask what methods say when only the description changes",
            description="Describe one network and one image in other ways that no answer depends on, and measure how "
            "far the map of every method moves.",
        )
    )
    _add_class_image(
        commands.add_parser(
            "class-image",
            help="draw the image that a class asks for",
            description="Draw the image that each class asks for, by gradient ascent on its score (chapter 6). Ctrl+C "
            "ends the ascent early and draws what there is.",
        )
    )
    add_train(commands.add_parser("train", help="train one of the package's own networks anew"))
    models = commands.add_parser(
        "models", help="list every network, and whether it is installed, cached, or needs a download"
    )
    models.set_defaults(run=run_models)
    return parser


def _add_saliency(command: argparse.ArgumentParser) -> None:
    add_photo(command)
    add_target(command)
    command.add_argument(
        "--method", default="gradient", choices=method_names(), help="how the map is made (default: gradient)"
    )
    command.add_argument("--layer", metavar="NAME", help="the layer, for methods at a layer (default: the known one)")
    add_model(command)
    command.add_argument("--rule", choices=RULES, help="how a ReLU goes backward (default: backprop)")
    command.add_argument(
        "--channels", default="max", choices=REDUCTIONS, help="how colors become one number (default: max)"
    )
    add_picture(command)
    command.set_defaults(run=pictures.saliency)


def _add_localize(command: argparse.ArgumentParser) -> None:
    add_photo(command)
    command.add_argument("--class", dest="target", metavar="NAME|INDEX", help="the class (default: the top one)")
    command.add_argument("--method", default=DEFAULT, choices=LOCALIZERS, help=f"how to find it (default: {DEFAULT})")
    add_model(command)
    add_picture(command)
    command.set_defaults(run=pictures.localize)


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ilsvrc", required=True, type=Path, metavar="DIR", help="holds Data, Annotations, LOC_synset_mapping.txt"
    )
    command.add_argument("--method", default=DEFAULT, choices=LOCALIZERS, help=f"what is measured (default: {DEFAULT})")
    add_model(command)
    command.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    command.add_argument("--batch-size", type=int, default=8, metavar="B", help="images at a time (default: 8)")
    command.add_argument(
        "--out", required=True, type=Path, metavar="FILE.jsonl", help="one line an image; an existing file is continued"
    )
    command.add_argument("--summary", type=Path, metavar="FILE.json", help="where to write the errors")
    command.set_defaults(run=run_evaluate)


def _add_class_image(command: argparse.ArgumentParser) -> None:
    command.add_argument("classes", nargs="*", metavar="NAME|INDEX", help='classes: "flamingo" "monarch" 9')
    command.add_argument(
        "--unit", action="append", default=[], metavar="LAYER:CHANNEL", help="a filter: blocks.2.0:7 (may be repeated)"
    )
    command.add_argument(
        "--recipe",
        default="recommended",
        choices=("recommended", "paper"),
        help="the book's priors, or the paper's penalty alone (default: recommended)",
    )
    steps = f"steps of the ascent (default: {RECOMMENDED.steps}, or {PAPER.steps} with the paper's recipe)"
    command.add_argument("--steps", type=int, metavar="N", help=steps)
    size = "side of the images (default: the network's own; in smaller ones things come out larger, and sooner)"
    command.add_argument("--size", type=int, metavar="PIXELS", help=size)
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers (default: 0)")
    add_model(command)
    add_picture(command)
    command.set_defaults(run=pictures.class_images)


def run_evaluate(options: argparse.Namespace) -> None:
    """Measure, and print the table in the first process."""
    from saliency_lib.localization_benchmark.evaluate import evaluate, table

    result = evaluate(
        options.ilsvrc,
        options.out,
        method=options.method,
        model=options.model,
        limit=options.limit,
        batch_size=options.batch_size,
        summary=options.summary,
    )
    if result is not None:
        print(table(result))


def run_models(options: argparse.Namespace) -> None:
    """Every network and what it takes to have it."""
    models = available_models()
    width = max(map(len, models))
    for name, state in sorted(models.items(), key=lambda item: item[1] == "needs a download"):
        print(f"{name:{width}}  {state}")
