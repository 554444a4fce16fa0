"""Drawings of `creatures`, with exact masks."""

from saliency_lib.comparison.pictures import Picture, Pictures, PictureSet
from saliency_lib.datasets.creatures import creatures
from saliency_lib.errors import SaliencyError
from saliency_lib.images import sides
from saliency_lib.models.model import Model


class Drawings(PictureSet):
    """A hundred drawings, or as many as are wanted."""

    name = "creatures"
    network = "creature_convnet"

    def pictures(self, model: Model, count: int | None) -> Pictures:
        count = 100 if count is None else count
        if model.categories is None or "owl" not in model.categories.names:
            raise SaliencyError("the creatures need a network that knows them: creature_convnet or creature_vit")
        drawn = creatures(count, seed=2013, size=min(sides(model.size)))
        names = [f"creature-{index:05d}" for index in range(count)]
        at = {name: slice(index, index + 1) for index, name in enumerate(names)}

        def load(name: str) -> Picture:
            return Picture(drawn.images[at[name]], int(drawn.labels[at[name]]), drawn.masks[at[name]])

        return Pictures(f"{count} creatures", names, load, known=True)
