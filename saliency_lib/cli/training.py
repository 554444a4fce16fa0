"""The command that trains the package's own networks anew."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from saliency_lib import files
from saliency_lib.errors import SaliencyError
from saliency_lib.models.load import load_model
from saliency_lib.models.training import Adversarial, error, find_recipe, save, train

TIMES, MORE = 1.25, 0.01
"""Trained anew, a network may be wrong by so many times the error of the one that is installed and, if that is next to
nothing, by so much more. Its weights differ from machine to machine, because sums are rounded differently."""


def add_train(command: argparse.ArgumentParser) -> None:
    """What to train, and whether to keep it or to compare it."""
    command.add_argument("name", metavar="NAME", help="the network, such as creature_convnet")
    command.add_argument("--seed", type=int, default=0, help="of the first weights and of the order of the examples")
    plain = "creature_convnet without adversarial examples: an ordinary network"
    command.add_argument("--plain", action="store_true", help=plain)
    kept = command.add_mutually_exclusive_group(required=True)
    kept.add_argument("--out", type=Path, metavar="FILE.pt", help="where to write the weights")
    check = "keep nothing; fail if it is worse than the installed one on drawings that neither was trained on"
    kept.add_argument("--check", action="store_true", help=check)
    command.set_defaults(run=run_train)


def run_train(options: argparse.Namespace) -> None:
    """Train, say how wrong the network is, and write or compare it. Raises `SaliencyError` if it is not good enough."""
    if options.out:
        files.check_output(options.out)
    recipe = find_recipe(options.name)
    if options.plain:
        if not isinstance(recipe.alter, Adversarial):
            raise SaliencyError(f"{options.name} is trained without adversarial examples as it is")
        recipe = replace(recipe, alter=replace(recipe.alter, reach=0.0))
    network = train(recipe, seed=options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = options.out or Path(folder) / "weights.pt"
        digest, size = save(network, path)
    reached = error(network, recipe)
    print(f"{reached:.4f} {recipe.unit}, of {recipe.held_out} held out; {size / 1000:.0f} kB, SHA-256 {digest}")
    if options.check:
        installed = error(load_model(options.name).network, recipe)
        print(f"{installed:.4f} with the installed weights")
        if reached > max(TIMES * installed, installed + MORE):
            raise SaliencyError(f"trained anew, {options.name} is not as good as the one that is installed")
