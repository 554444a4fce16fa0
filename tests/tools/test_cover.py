"""The picture at the top is what the package computes now, and small."""

import numpy as np
from PIL import Image

from tools import cover


def test_the_committed_cover_is_what_the_package_computes() -> None:
    committed = np.asarray(Image.open(cover.COVER).convert("RGB"), dtype=float)
    computed = np.asarray(cover.cover().convert("RGB"), dtype=float)
    assert committed.shape == computed.shape
    # Lossy compression moves pixels by a few levels; another map, photo or color scale by tens.
    assert np.abs(committed - computed).mean() < 8


def test_the_cover_is_light() -> None:
    assert cover.COVER.stat().st_size < 200_000
