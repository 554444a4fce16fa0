"""The picture at the top is what the package computes now, and small."""

import numpy as np
from PIL import Image

from tools import cover


def test_the_committed_cover_is_what_the_package_computes() -> None:
    committed, computed = Image.open(cover.COVER), cover.cover()
    assert committed.size == computed.size
    # Lossy compression changes single pixels of so fine a texture, and hardly any mean of 8 by 8.
    small, also_small = (np.asarray(picture.convert("RGB").reduce(8), float) for picture in (committed, computed))
    assert np.abs(small - also_small).mean() < 2


def test_the_cover_is_light() -> None:
    assert cover.COVER.stat().st_size < 200_000
