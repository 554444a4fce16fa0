"""What class images cost, beside the forward and backward passes that any ascent needs, on the embedded model.

python -m benchmarks.class_images [--repeats 7] [--threads 2]     exits with 1 if a limit is missed

Theirs are as many bare passes as there are steps, over a batch of the same shape: scores, their sum, its derivative.
What ours does once, checking the classes and naming the result, weighs more in so few steps than in a whole ascent.
"""

import sys
from collections.abc import Callable

import torch

import saliency_lib as sl
from benchmarks.timing import Comparison, arguments, duration, report
from saliency_lib.class_images.priors import Prior

CLASSES = ["goose", "bell pepper", "Egyptian cat", "espresso", "daisy", "moped"]
RECIPES: dict[str, str | tuple[Prior, ...]] = {"the paper's recipe": (), "the recommended priors": "recommended"}
STEPS, LIMIT = 40, 1.15
SECONDS = 90.0
"""What a whole ascent for six classes may take, with as many steps as its recipe has by default."""


def ascent(model: sl.Model, recipe: str, steps: int | None) -> Callable[[], sl.ClassImage]:
    """Ours: six class images, with as many steps as the recipe has where `steps` is None."""
    return lambda: sl.class_image(model, CLASSES, priors=RECIPES[recipe], steps=steps, progress=False)


def passes(model: sl.Model, steps: int) -> Callable[[], None]:
    """Theirs: what no ascent on this network can do without."""
    images = torch.full((len(CLASSES), 3, 224, 224), 0.5, device=sl.device()).requires_grad_()

    def run() -> None:
        for _ in range(steps):
            torch.autograd.grad(model(images).sum(), images)

    return run


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, command, repeats=7)
    model = sl.load_model()
    table = [
        Comparison(
            f"{STEPS} steps, {recipe}, against bare passes", ascent(model, recipe, STEPS), passes(model, STEPS), LIMIT
        )
        for recipe in RECIPES
    ]
    missed = report(table, options.repeats)
    print(f"\neach recipe's own number of steps for {len(CLASSES)} classes, at most {SECONDS:.0f} s:")
    for recipe in RECIPES:
        seconds = duration(ascent(model, recipe, steps=None))
        missed |= seconds > SECONDS
        print(f"{recipe:<58}{seconds:>8.1f} s{'  missed' if seconds > SECONDS else ''}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
