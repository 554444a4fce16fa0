"""The sample photos, with boxes."""

from saliency_lib.comparison.pictures import Picture, Pictures, PictureSet, box_mask
from saliency_lib.images import sample_photos
from saliency_lib.models.model import Model


class Photos(PictureSet):
    """All of them, or the first."""

    name = "photos"

    def pictures(self, model: Model, count: int | None) -> Pictures:
        photos = sample_photos()

        def load(name: str) -> Picture:
            photo = photos[name]
            image = photo.load()
            return Picture(
                model.to_tensor(image, crop=False), model.index(photo.label), box_mask(model, image.size, [photo.box])
            )

        return Pictures("the sample photos", list(photos)[:count], load, known=True)
