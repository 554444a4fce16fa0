"""From a map to a box: overlaps by hand, pieces, seeds, and boxes in the pixels of the photo, whatever its size."""

import cv2
import numpy as np
import pytest
import torch
from helpers import raises_one_line, says
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import saliency_lib as sl
from saliency_lib import images
from saliency_lib.images import part_of, with_part
from saliency_lib.localization.boxes import Box, bounding_box, cover, largest_component
from saliency_lib.localization.localize import graph_cut

sides = st.integers(1, 40)


def boxes() -> st.SearchStrategy[Box]:
    corner, side = st.integers(-20, 20), st.integers(1, 20)
    return st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


def masks(most: int = 9) -> st.SearchStrategy[Tensor]:
    shapes = st.tuples(st.integers(1, most), st.integers(1, most))
    return shapes.flatmap(
        lambda shape: st.lists(st.booleans(), min_size=(n := shape[0] * shape[1]), max_size=n).map(
            lambda values: torch.tensor(values).view(shape)
        )
    )


def gray(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (127, 127, 127))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7),
        ((0, 0, 10, 10), (0, 0, 10, 5), 1 / 2),
        ((0, 0, 10, 10), (2, 3, 5, 7), 12 / 100),
        ((0, 0, 4, 2), (1, 0, 2, 6), 2 / 12),
        ((0, 0, 1, 1), (1, 0, 2, 1), 0),  # they touch
        ((0, 0, 1, 1), (5, 5, 6, 6), 0),
        ((0.0, 0.0, 1.0, 0.5), (0.0, 0.25, 1.0, 1.0), 1 / 4),
        ((3, 3, 3, 3), (3, 3, 3, 3), 0),  # without area
    ],
)
def test_overlaps_by_hand(a: Box, b: Box, expected: float) -> None:
    assert sl.box_iou(a, b) == pytest.approx(expected, abs=1e-15)


@given(boxes(), boxes())
def test_overlap_is_counted_pixels_symmetric_and_one_only_on_itself(a: Box, b: Box) -> None:
    grid = np.zeros((2, 60, 60), bool)
    for layer, (x0, y0, x1, y1) in zip(grid, (a, b), strict=True):
        layer[y0 + 20 : y1 + 20, x0 + 20 : x1 + 20] = True
    assert sl.box_iou(a, b) == pytest.approx((grid[0] & grid[1]).sum() / (grid[0] | grid[1]).sum(), abs=1e-15)
    assert sl.box_iou(a, b) == sl.box_iou(b, a)
    assert sl.box_iou(a, a) == 1
    assert (sl.box_iou(a, b) == 1) == (a == b)


@given(boxes(), boxes(), st.integers(-9, 9), st.integers(1, 5))
def test_overlap_knows_no_origin_and_no_scale(a: Box, b: Box, shift: int, factor: int) -> None:
    moved = [tuple(factor * (side + shift) for side in box) for box in (a, b)]
    assert sl.box_iou(*moved) == pytest.approx(sl.box_iou(a, b), abs=1e-15)


def test_what_is_no_box() -> None:
    """Sides out of order, numbers that are none, and what has no order."""
    no_sides = [(0, 0, 1), (2, 0, 1, 1), (0, 3, 1, 1), (0, 0, np.nan, 1), (0, 0, np.inf, 1), (0, 0, np.inf, np.inf)]
    for wrong in [*no_sides, None, "1234", 3, {0, 1, 2, 3}, {0: 1, 1: 1, 2: 2, 3: 3}, b"\0\0\2\2"]:
        for boxes in (((0, 0, 1, 1), wrong), (wrong, (0, 0, 1, 1))):
            with raises_one_line(sl.SaliencyError, "a box is"):
                sl.box_iou(*boxes)  # type: ignore[arg-type]


def test_boxes_of_small_integers_do_not_overflow() -> None:
    a, b = (0, 0, 200, 250), (100, 0, 200, 250)
    for kind in (np.int16, np.int32, np.uint8):
        assert sl.box_iou(np.array(a, kind), np.array(b, kind)) == 0.5
    for kind in (torch.int16, torch.int32):
        assert sl.box_iou(torch.tensor(a, dtype=kind), torch.tensor(b, dtype=kind)) == 0.5


def test_the_largest_piece_and_the_first_of_two_equals() -> None:
    picture = """
        ##...
        ..##.
        ..##.
        #...#
        #####
    """
    mask = torch.tensor([[cell == "#" for cell in row.strip()] for row in picture.strip().splitlines()])
    assert bounding_box(largest_component(mask)) == (0, 3, 5, 5)
    mask[3:] = False
    assert bounding_box(largest_component(mask)) == (2, 1, 4, 3)  # corners do not connect
    mask[1:] = False
    mask[2, 3:] = True
    assert bounding_box(largest_component(mask)) == (0, 0, 2, 1)  # of equals the first from the top
    mask[0] = torch.tensor([True, False, False, False, True])
    mask[2] = False
    assert bounding_box(largest_component(mask)) == (0, 0, 1, 1)  # and from the left


@given(masks())
def test_the_largest_piece_is_that_of_a_flood(mask: Tensor) -> None:
    left = {(int(i), int(j)) for i, j in mask.nonzero()}
    best: set[tuple[int, int]] = set()
    for start in sorted(left):
        piece, edge = set(), {start} & left
        while edge:
            left -= edge
            piece |= edge
            edge = {(i + a, j + b) for i, j in edge for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))} & left
        best = piece if len(piece) > len(best) else best
    assert {(int(i), int(j)) for i, j in largest_component(mask).nonzero()} == best


def test_the_box_of_a_mask() -> None:
    mask = torch.zeros(5, 7, dtype=torch.bool)
    assert bounding_box(mask) is None
    assert not largest_component(mask).any()
    mask[3, 6] = True
    assert bounding_box(mask) == (6, 3, 7, 4)  # one pixel
    mask[0, 2] = True
    assert bounding_box(mask) == (2, 0, 7, 4)


@given(masks(), sides, sides)
def test_a_mask_at_another_size_is_what_its_cells_touch(mask: Tensor, height: int, width: int) -> None:
    (h, w), found = mask.shape, cover(mask, height, width)
    for i in range(height):
        for j in range(width):
            cells = mask[i * h // height : -(-(i + 1) * h // height), j * w // width : -(-(j + 1) * w // width)]
            assert found[i, j] == cells.any()
    assert found.any() == mask.any()


@given(sides, sides, st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_lone_cell_comes_back_in_the_pixels_of_any_photo(
    width: int, height: int, w: int, h: int, data: st.DataObject
) -> None:
    i, j = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    saliency = torch.zeros(h, w)
    saliency[i, j] = 2.0
    found = sl.threshold_box(gray(width, height), saliency, part="whole")
    assert found.mask.shape == (height, width)
    assert found.box == bounding_box(found.mask)
    x0, y0, x1, y1 = found.box
    assert x0 <= j * width / w < (j + 1) * width / w <= x1
    assert y0 <= i * height / h < (i + 1) * height / h <= y1
    assert (x1 - x0) < width / w + 2
    assert (y1 - y0) < height / h + 2


def test_the_box_is_exact_where_cells_are_whole_pixels() -> None:
    saliency = torch.zeros(7, 7)
    saliency[2:4, 1:6] = 1
    for photo, box in (
        (gray(70, 140), (10, 40, 60, 80)),
        (gray(7, 7), (1, 2, 6, 4)),
        (gray(2100, 7), (300, 2, 1800, 4)),
    ):
        assert sl.threshold_box(photo, saliency, part="whole", threshold=0.5).box == box


def test_the_threshold_is_a_fraction_of_the_maximum_and_several_give_the_median_box() -> None:
    saliency = torch.zeros(10, 10)
    saliency[0:10, 0:9], saliency[2:8, 2:8], saliency[4:6, 4:5] = 2.0, 3.0, 10.0
    photo = gray(10, 10)
    expected = {0.1: (0, 0, 9, 10), 0.25: (2, 2, 8, 8), 0.5: (4, 4, 5, 6)}
    assert {t: sl.threshold_box(photo, saliency, threshold=t).box for t in expected} == expected
    assert sl.threshold_box(photo, saliency, threshold=0.3).box == (2, 2, 8, 8)  # at the fraction itself
    several = sl.threshold_box(photo, saliency, threshold=(0.5, 0.1, 0.25))
    assert several.box == (2, 2, 8, 8)
    assert int(several.mask.sum()) == 36
    assert sl.threshold_box(photo, saliency, threshold=(0.1, 0.1, 0.5)).box == (0, 0, 9, 10)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_nothing_is_found_in_a_map_that_says_nothing(value: float) -> None:
    found = sl.threshold_box(gray(5, 4), torch.full((3, 3), value), part="whole")
    assert found.box is None
    assert found.mask.shape == (4, 5)
    assert not found.mask.any()
    cut = sl.localize(gray(5, 4), torch.full((3, 3), value), part="whole")
    assert cut.box is None
    assert not cut.mask.any()


def scene(width: int, height: int, box: Box) -> Image.Image:
    """A noisy red thing on noisy blue."""
    rng = np.random.default_rng(0)
    colors = np.broadcast_to([30.0, 60.0, 200.0], (height, width, 3)).copy()
    colors[box[1] : box[3], box[0] : box[2]] = [210, 40, 30]
    return Image.fromarray((colors + rng.normal(0, 8, colors.shape)).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(112, 112, (20, 30, 90, 80)), (448, 224, (80, 40, 200, 180)), (90, 300, (9, 60, 70, 270))],
)
def test_graph_cut_grows_a_part_into_the_whole_object(width: int, height: int, box: Box) -> None:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    distance = torch.hypot(torch.arange(height)[:, None] - y, torch.arange(width) - x)
    saliency = 1 - distance / distance.max()  # its upper 5 % are a part of the object, its lower 30 % none
    found = sl.localize(scene(width, height, box), saliency, part="whole")
    assert sl.box_iou(found.box, box) > 0.9
    assert found.box == bounding_box(found.mask)
    assert found.mask.shape == (height, width)
    assert max(found.foreground.shape) == 112
    assert not (found.foreground & found.background).any()


def test_seeds_are_the_quantiles() -> None:
    saliency = torch.arange(10000.0).view(100, 100)
    found = sl.localize(scene(100, 100, (20, 20, 50, 50)), saliency, size=100, foreground=0.9, background=0.25)
    assert int(found.foreground.sum()) == 1000
    assert int(found.background.sum()) == 2500
    assert found.foreground[90:].all()
    assert found.background[:25].all()


def test_seeds_stay_on_their_sides() -> None:
    photo, saliency = scene(112, 112, (20, 20, 90, 90)), torch.rand(112, 112)
    found = sl.localize(photo, saliency, part="whole")
    mask = graph_cut(photo, found.foreground, found.background)
    assert mask[found.foreground].all()
    assert not mask[found.background].any()


def test_too_few_seeds_for_a_color_model_stay_what_they_are() -> None:
    few, many = torch.zeros(20, 20, dtype=torch.bool), torch.zeros(20, 20, dtype=torch.bool)
    few[3, 3:7], many[10:] = True, True
    photo = scene(20, 20, (2, 2, 8, 8))
    assert torch.equal(graph_cut(photo, few, many), few)
    assert torch.equal(graph_cut(photo, many, few), many)
    assert not torch.equal(graph_cut(photo, many, ~many), few)


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 30))
def test_photos_and_maps_of_a_few_pixels(width: int, height: int, size: int) -> None:
    found = sl.localize(gray(width, height), torch.rand(1, 2, 3), size=size, part="whole")
    assert found.mask.shape == (height, width)
    assert found.box == bounding_box(found.mask)


def test_the_same_again_and_the_callers_random_numbers_stay() -> None:
    photo, saliency = sl.sample_photo("chelsea"), torch.rand(30, 30)

    def drawn() -> list[int]:
        return cv2.randu(np.zeros((1, 5), np.int32), 0, 1000).tolist()

    cv2.setRNGSeed(7)
    expected = drawn()
    cv2.setRNGSeed(7)
    threads = cv2.getNumThreads()
    first, second = (sl.localize(photo, saliency, part="whole") for _ in range(2))
    assert drawn() == expected
    assert cv2.getNumThreads() == threads
    assert torch.equal(first.mask, second.mask)


def test_the_map_and_the_photo_are_not_changed() -> None:
    photo, saliency = sl.sample_photo("coffee"), torch.rand(1, 20, 20)
    before = photo.tobytes(), saliency.clone()
    assert sl.localize(photo, saliency, part="whole").box == sl.localize(photo, saliency[0], part="whole").box
    sl.threshold_box(photo, saliency, part="whole")
    assert photo.tobytes() == before[0]
    assert torch.equal(saliency, before[1])


@pytest.mark.parametrize(
    ("saliency", "word"),
    [
        (torch.rand(2, 5, 5), "of one image"),
        (torch.rand(5), "of one image"),
        (torch.zeros(0, 3), "a tensor"),
        (torch.full((3, 3), float("nan")), "NaN"),
        (np.zeros((3, 3)), "a tensor"),
    ],
)
def test_what_is_no_map(saliency: Tensor, word: str) -> None:
    for find in (sl.localize, sl.threshold_box):
        with pytest.raises(sl.ImageError) as caught:
            find(gray(4, 4), saliency)
        assert word in says(caught.value)


def test_one_sentence_for_every_mistake() -> None:
    photo, saliency = gray(4, 4), torch.rand(3, 3)
    mistakes = [
        (lambda: sl.localize(photo, saliency, foreground=0.2), "background <= foreground"),
        (lambda: sl.threshold_box(photo, saliency, threshold=np.array([0.5, np.nan])), "nan"),
        (lambda: sl.threshold_box(photo, saliency, part=np.zeros(4)), "does not lie in the photo"),
        (lambda: sl.threshold_box(photo, saliency, part=5), "4 numbers"),
        (lambda: sl.localize(photo, saliency, size=0), "whole number"),
        (lambda: sl.threshold_box("cat.jpg", saliency), "PIL image"),
        (lambda: sl.threshold_box(photo, saliency, threshold=0), "fraction"),
        (lambda: sl.threshold_box(photo, saliency, threshold=()), "fraction"),
        (lambda: sl.threshold_box(photo, saliency, threshold=(0.2, 1.1)), "fraction"),
    ]
    for call, word in mistakes:
        with pytest.raises(sl.SaliencyError) as caught:
            call()
        assert word in says(caught.value)


# --- which part of the photo a map covers ----------------------------------------------------------------------------


def test_a_map_of_the_crop_gives_the_box_in_the_photo() -> None:
    """The brightest cell of a centered crop lies elsewhere in the photo than the same cell of the whole."""
    photo = gray(300, 100)
    images = sl.to_tensor(photo, 10)  # the pixels from 100 to 200
    saliency = images[:, 0] * 0
    for covered in (sl.reduce_channels(images), sl.reduce_channels(images)[0]):
        covered.zero_()
        covered[..., 2, 0] = 1
        assert sl.threshold_box(photo, covered).box == (100, 20, 110, 30)
    saliency[0, 2, 0] = 1  # computed by hand: it has forgotten
    with raises_one_line(sl.ImageError, "does not say which part"):
        sl.threshold_box(photo, saliency)
    assert sl.threshold_box(photo, saliency, part="center").box == (100, 20, 110, 30)
    assert sl.threshold_box(photo, saliency, part="whole").box == (0, 20, 30, 30)
    assert sl.threshold_box(photo, saliency, part=(0.5, 0, 1, 1)).box == (150, 20, 165, 30)
    mask = sl.threshold_box(photo, saliency, part="center").mask
    assert mask.shape == (100, 300)
    assert mask.nonzero().amin(0).tolist() == [20, 100]
    assert int(mask.sum()) == 100


def test_every_map_of_the_package_knows_its_part() -> None:
    model, photo = sl.load_model("creature_convnet").cpu(), sl.sample_photo("chelsea")
    for crop in (True, False):
        images = model.to_tensor(photo, crop=crop)
        part = part_of(images)
        assert part == ((0, 0, 1, 1) if not crop else part)
        assert part is not None
        made = [
            sl.input_gradient(model, images, 6),
            sl.saliency_map(model, images, 6)[0],
            sl.layer_saliency(model, images, 6, layer="features.7"),
            sl.grad_cam(model, images, 6)[0],
            sl.object_map(model, images, 6)[0],
            sl.top_class_maps(model, images, 1)[1],
        ]
        assert all(part_of(one) == part for one in made)
    square = gray(50, 50)
    assert sl.threshold_box(square, torch.eye(5)).box == (0, 0, 10, 10)  # a square crop of a square photo is all of it


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_a_part_belongs_to_whole_rows_and_columns(form: torch.memory_format) -> None:
    """Images and maps of a batch show what the batch shows; a crop, a transpose and a mirror image do not."""
    part = (0.25, 0.0, 0.75, 1.0)
    images = with_part(torch.rand(4, 3, 6, 6).contiguous(memory_format=form), part)
    for same in (
        images,
        images[2],
        images[1:3],
        images[::2],
        images[:, 1],
        images[3, 2],
        images[None],
        images.detach(),
    ):
        assert part_of(same) == part
    for other in (
        images[..., :3, :3], images[..., 2:, :], images[..., ::2], images[..., 1:, 1:], images.mT, images.flip(-1),
        images * 1, images.clone(), images.permute(0, 2, 3, 1), images[0, 0, 0],
    ):  # fmt: skip
        assert part_of(other) is None
    quarter = images[..., 3:, :3]
    with_part(quarter, (0.0, 0.5, 0.5, 1.0))
    assert part_of(quarter[1]) == (0.0, 0.5, 0.5, 1.0)
    assert part_of(images) == part
    assert part_of(images[..., :3, 3:]) is None
    tall = torch.rand(8, 6)
    assert part_of(with_part(tall[:6], part)) == part
    assert part_of(tall[1:7]) is None  # as large, and a row further down


def test_a_piece_of_a_map_has_to_say_its_part() -> None:
    square = gray(50, 50)
    M = with_part(torch.rand(1, 8, 8), (0.0, 0.0, 1.0, 1.0))
    assert sl.threshold_box(square, M[0]).box is not None
    for piece in (M[0, :4, :4], M.mT):
        with pytest.raises(sl.ImageError, match="does not say which part"):
            sl.threshold_box(square, piece)
    assert sl.threshold_box(square, M[0, :4, :4], part=(0, 0, 0.5, 0.5)).box is not None


def test_of_two_thresholds_the_mask_is_that_of_the_larger() -> None:
    M = torch.tensor([[1.0, 0.5, 0.25, 0.0]])
    where = sl.threshold_box(gray(4, 1), M, threshold=[0.2, 0.4])
    assert where.box == (0, 0, 2, 1)  # a side of 2.5, rounded to the even number
    assert where.mask.tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("part", ["all", (0, 0, 1), (0.5, 0, 0.4, 1), (0, 0, 2, 1), (-0.1, 0, 1, 1), 3])
def test_what_is_no_part_of_a_photo(part: object) -> None:
    with raises_one_line(sl.ImageError, "part"):
        sl.localize(gray(20, 10), torch.rand(4, 4), part=part)  # type: ignore[arg-type]


def test_a_photo_is_brought_upright_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `load_image` gave is taken as it is, for every class anew; anything else is brought upright."""
    photo, turned = sl.sample_photo("coffee"), sl.sample_photo("coffee")
    turned.getexif()[0x0112] = 6
    calls = []
    monkeypatch.setattr(images, "load_image", lambda picture: calls.append(picture) or picture)
    assert images.upright(photo) is photo
    assert not calls
    for other in (turned, photo.convert("L"), photo.convert("RGBA")):
        images.upright(other)
    assert len(calls) == 3


def test_what_equals_the_lower_quantile_is_background() -> None:
    """Half of the map is zero, which then is its quantile of 0.3: all of it is background, and not nothing."""
    saliency = torch.zeros(8, 8)
    saliency[:, 4:] = torch.arange(1.0, 33).view(8, 4)
    found = sl.localize(gray(8, 8), saliency, size=8)
    assert found.background is not None
    assert torch.equal(found.background, saliency == 0)
