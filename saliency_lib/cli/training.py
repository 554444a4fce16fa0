"""The command that trains the package's own networks anew."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from saliency_lib.errors import SaliencyError
from saliency_lib.models.load import load_model
from saliency_lib.models.training import HELD_OUT, LOSS_OF_QUALITY, RECIPES, quality, save, train


def add_train(command: argparse.ArgumentParser) -> None:
    """What to train, and whether to keep it or to compare it."""
    command.add_argument("name", choices=RECIPES, help="the network")
    command.add_argument("--plain", action="store_true", help="without adversarial examples: an ordinary network")
    kept = command.add_mutually_exclusive_group(required=True)
    kept.add_argument("--out", type=Path, metavar="FILE.pt", help="where to write the weights")
    kept.add_argument(
        "--check",
        action="store_true",
        help=f"keep nothing; fail if it is right on {LOSS_OF_QUALITY:.0%} less of the drawings that were held out than "
        "the network that is installed",
    )
    command.set_defaults(run=run_train)


def run_train(options: argparse.Namespace) -> None:
    """Train, say how good the network is, and write or compare it. Raises `SaliencyError` if it is not good enough."""
    if options.out and not options.out.absolute().parent.is_dir():
        raise SaliencyError(f"there is no folder {options.out.absolute().parent} to write into")
    recipe = RECIPES[options.name]
    network = train(replace(recipe, reach=0.0) if options.plain else recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = options.out or Path(folder) / "weights.pt"
        digest = save(network, path)
        size = path.stat().st_size
    reached = quality(network, recipe)
    print(f"{reached:.2%} right on {HELD_OUT} held-out drawings; {size / 1000:.0f} kB, SHA-256 {digest}")
    if options.check:
        installed = quality(load_model(options.name).network, recipe)
        print(f"{installed:.2%} with the installed weights")
        if reached < installed - LOSS_OF_QUALITY:
            raise SaliencyError(f"trained anew, {options.name} is not as good as the one that is installed")
