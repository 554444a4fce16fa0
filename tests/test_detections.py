"""What a detector reports of its candidates, and how good that is, against loops and other libraries."""

import math
from itertools import pairwise

import pytest
import torch
from helpers import nothing_changes, raises_one_line
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.models.detections import average_precisions, reported, true_boxes
from saliency_lib.models.networks import scene_detector

HEAD = sl.Head("sigmoid", ["owl", "tree"])


class Given(nn.Module):
    """A network that returns what it was given, whatever it sees, plus something of the image's brightness."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = nn.Parameter(output)

    def forward(self, images: Tensor) -> Tensor:
        return self.output[: len(images)] + 0 * images.mean((1, 2, 3))[:, None, None]


def candidates(rows: list[list[float]]) -> Tensor:
    return torch.tensor([rows])


CROWD = candidates(
    [
        [0, 0, 10, 10, 2.0, -5],
        [1, 0, 11, 10, 3.0, 1.0],
        [30, 30, 40, 40, 1.0, -5],
        [0, 0, 10, 10, -5.0, 2.0],
        [50, 50, 60, 60, -0.1, -0.2],
    ]
)


def test_what_is_reported_is_one_of_the_candidates_as_it_was() -> None:
    """Owls: 1 before 0, which overlaps it; and 2. Trees: 3, which suppresses 1 among trees only. 4 is below a half."""
    (found,) = reported(CROWD, HEAD)
    assert [(one.name, one.candidate) for one in found] == [("owl", 1), ("tree", 3), ("owl", 2)]
    for one in found:
        assert one.box == tuple(CROWD[0, one.candidate, :4].tolist())
        assert one.score == CROWD[0, one.candidate, 4 + one.label]
        assert one.probability == pytest.approx(1 / (1 + math.exp(-one.score)))
    assert all(a.score >= b.score for a, b in pairwise(found))


def slowly(rows: Tensor, threshold: float, overlap: float) -> set[tuple[int, int]]:
    """Suppression by two loops: label and candidate of what is left."""
    kept = set()
    for label in range(rows.shape[1] - 4):
        left = [i for i in range(len(rows)) if rows[i, 4 + label].sigmoid() >= threshold]
        while left:
            best = max(left, key=lambda i: float(rows[i, 4 + label]))
            kept.add((label, best))
            left = [i for i in left if sl.box_iou(rows[best, :4].tolist(), rows[i, :4].tolist()) <= overlap]
    return kept


@pytest.mark.parametrize(("threshold", "overlap"), [(0.5, 0.5), (0.2, 0.3), (0.0, 0.7)])
def test_suppression_is_that_of_two_loops(threshold: float, overlap: float) -> None:
    random = torch.Generator().manual_seed(0)
    corner = 30 * torch.rand(40, 2, generator=random)
    boxes = torch.cat([corner, corner + 5 + 15 * torch.rand(40, 2, generator=random)], 1)
    rows = torch.cat([boxes, torch.randn(40, 2, generator=random)], 1)
    (found,) = reported(rows[None], HEAD, threshold=threshold, overlap=overlap)
    assert {(one.label, one.candidate) for one in found} == slowly(rows, threshold, overlap)


def test_detections_asks_the_model_and_changes_nothing() -> None:
    model = sl.as_model(Given(torch.cat([CROWD, CROWD - 9])), size=8, head=HEAD)
    images = torch.rand(2, 3, 8, 8)
    with nothing_changes(model, images):
        found = sl.detections(model, images)
    assert [len(some) for some in found] == [3, 0]


def test_what_is_no_detector_is_told() -> None:
    for output in (torch.zeros(2, 5), torch.zeros(2, 3, 4), [torch.zeros(2, 3, 6)]):
        with raises_one_line(sl.ModelError, "candidates, 4 \\+ K"):
            reported(output, HEAD)
    with pytest.raises(sl.SaliencyError, match="threshold"):
        reported(CROWD, HEAD, threshold=2)


def test_a_number_of_a_box_is_that_of_its_candidate() -> None:
    two = torch.cat([CROWD, CROWD + 1])
    (found,) = reported(CROWD, HEAD)
    assert torch.equal(sl.box_number(found[1])(two), two[:, 3, 5])
    assert torch.equal(sl.box_number([found, found[1]])(two), torch.stack([two[0, 1, 4], two[1, 3, 5]]))
    for column, edge in enumerate(("left", "top", "right", "bottom")):
        assert torch.equal(sl.box_number(found[0], edge)(two), two[:, 1, column])


def test_a_detector_that_found_nothing_is_told_in_one_sentence() -> None:
    with raises_one_line(sl.TargetError, "found nothing in image 1"):
        sl.box_number(reported(torch.cat([CROWD, CROWD - 9]), HEAD))
    (found,) = reported(CROWD, HEAD)
    with pytest.raises(sl.TargetError, match="'middle'"):
        sl.box_number(found[0], "middle")
    with pytest.raises(sl.TargetError, match="2 boxes for 1 images"):
        sl.box_number(found[:2])(CROWD)


def test_every_method_asks_each_image_for_its_own_box() -> None:
    """Of two images at once the maps are those of each alone, by differentiation and by covering."""
    model, images = sl.load_model("scene_detector").cpu(), sl.scenes(12, seed=3).images
    found = sl.detections(model, images)
    rows = [i for i, some in enumerate(found) if some][:2]
    target = sl.box_number([found[i] for i in rows], "left")
    for explain in (sl.saliency_map, lambda *asked: sl.occlusion(*asked, patch=48)):
        together = explain(model, images[rows], target)
        for k, i in enumerate(rows):
            alone = explain(model, images[[i]], sl.box_number(found[i][0], "left"))
            assert torch.allclose(together[k], alone[0], rtol=1e-3, atol=1e-4)


def test_boxes_are_those_around_masks() -> None:
    masks = torch.zeros(1, 2, 20, 30, dtype=torch.bool)
    masks[0, 0, 4:9, 12:13], masks[0, 0, 6, 10:20] = True, True
    boxes = true_boxes(masks)
    assert boxes[0, 0].tolist() == [10, 4, 20, 9]
    assert boxes[0, 1].isnan().all()


def test_average_precision_of_what_can_be_counted() -> None:
    """Three owls. Reported: right (2), wrong (1.5), right (1): precisions 1 and 2/3 where two were found, and one never
    was: (1 + 2/3 + 0) / 3. A box that was found twice counts once."""
    box = (0.0, 0.0, 10.0, 10.0)
    far = (30.0, 30.0, 40.0, 40.0)
    boxes = torch.full((4, 2, 4), float("nan"))
    boxes[:3, 0] = torch.tensor(box)

    def owl(score: float, where: tuple[float, float, float, float]) -> sl.Detection:
        return sl.Detection("owl", 0, score, 0.9, where, 0)

    found = [[owl(2.0, box), owl(0.5, box)], [owl(1.5, far)], [owl(1.0, (0.0, 0.0, 10.0, 8.0))], []]
    owls, trees = average_precisions(found, boxes)
    assert owls == pytest.approx((1 + 2 / 3) / 3)
    assert math.isnan(trees)
    assert average_precisions(found, boxes, overlap=0.9)[0] == pytest.approx(1 / 3)


def test_a_place_is_to_find_what_it_lies_in_the_middle_of() -> None:
    centers = scene_detector.SceneDetector().centers
    drawn = sl.scenes(20, seed=6)
    boxes = true_boxes(drawn.masks)
    right = scene_detector.wanted(boxes, centers)
    assert torch.equal(right.any(1), drawn.labels)
    for image, place, label in right.nonzero().tolist():
        x, y = centers[place, :2].tolist()
        assert (place % 12 * 8 + 4, place // 12 * 8 + 4) == (x, y)
        x0, y0, x1, y1 = boxes[image, label].tolist()
        assert x0 < x < x1
        assert y0 < y < y1
        assert max(abs(x - (x0 + x1) / 2), abs(y - (y0 + y1) / 2)) <= 12


def test_the_loss_is_lowest_where_boxes_and_scores_are_right() -> None:
    drawn = sl.scenes(6, seed=6)
    boxes = true_boxes(drawn.masks)
    right = scene_detector.wanted(boxes, scene_detector.SceneDetector().centers)
    output = torch.cat([torch.zeros(6, 144, 4), 20 * (2 * right.float() - 1)], 2)
    for image, place, label in right.nonzero().tolist():
        output[image, place, :4] = boxes[image, label]
    assert scene_detector.loss(output, boxes) < 1e-5
    moved = output.clone()
    moved[..., 0] += 2
    assert scene_detector.loss(moved, boxes) > 0.1


def test_a_mirrored_box_is_the_box_of_the_mirrored_scene() -> None:
    drawn = sl.scenes(6, seed=7)
    there = scene_detector._mirrored(true_boxes(drawn.masks))
    back = true_boxes(drawn.masks.flip(3))
    assert torch.equal(there.nan_to_num(-1), back.nan_to_num(-1))
