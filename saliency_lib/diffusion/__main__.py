"""`python -m saliency_lib.diffusion --out FILE.pt` trains the model that draws; see `training`."""

import argparse
from pathlib import Path

from saliency_lib.diffusion.training import DrawingRecipe, train
from saliency_lib.models.training import save


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m saliency_lib.diffusion", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.pt", help="where to write the weights")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="what a training in pieces goes on from")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="how long this piece may take; needs --kept"
    )
    options = parser.parse_args()
    if options.minutes < float("inf") and options.kept is None:
        parser.error("--minutes without --kept would throw away what was learned: say where to keep it")
    recipe = DrawingRecipe()
    state = train(recipe, kept=options.kept, minutes=options.minutes)
    if state.step < recipe.steps:
        print(f"{state.step} of {recipe.steps} steps: call it again to go on")
        return
    digest, size = save(state.mean, options.out)
    print(f"{size / 1e6:.2f} MB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
