"""What a ReLU rule costs, beside the plain gradient, on the embedded model.

python -m benchmarks.relu_rules [--repeats 15] [--threads 2]     exits with 1 if a limit is missed
"""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

import saliency_lib as sl
from benchmarks.timing import Comparison, arguments, report
from saliency_lib.methods.relu_rules import RULES

LIMIT = 1.10


def comparisons() -> list[Comparison]:
    """Each rule, for one image and for a batch."""
    model = sl.load_model()
    photos = [sl.to_tensor(sl.sample_photo(name)) for name in ("chelsea", "coffee", "rocket", "china")]
    batches = {1: photos[0].to(sl.device()), 4: torch.cat(photos).to(sl.device())}

    def gradient(count: int, rule: str) -> Callable[[], Tensor]:
        return lambda: sl.input_gradient(model, batches[count], 285, rule=rule)

    return [
        Comparison(
            f"{rule}, batch of {count}, against the gradient", gradient(count, rule), gradient(count, "backprop"), LIMIT
        )
        for count in batches
        for rule in RULES
        if rule != "backprop"
    ]


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, command)
    return report(comparisons(), options.repeats)


if __name__ == "__main__":
    sys.exit(main())
