"""The model that draws, as its lab loads it."""

from typing import Any

import saliency_lib as sl
from saliency_lib.diffusion.words import LENGTH, VOCABULARY
from tools.lab.packing import packed


def diffusion_data() -> dict[str, Any]:
    """The weights in half precision, which is how the package keeps them, and how many each has, by its name."""
    state = sl.load_diffusion().network.state_dict()
    return {
        "vocabulary": list(VOCABULARY),
        "length": LENGTH,
        "shapes": [[name, values.numel()] for name, values in state.items()],
        "weights": packed(b"".join(values.half().numpy().tobytes() for values in state.values())),
    }
