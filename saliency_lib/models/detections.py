"""From the thousands of numbers that a detector computes to the few boxes that it reports, and how good these are.

    found = sl.detections(model, images)      # for each image a list of `Detection`s, the surest first
    best = found[0][0]                        # name, probability, score, box, and `candidate`: which of them it was
    sl.saliency_map(model, images[:1], sl.box_number(best))            # of its class score, before any suppression
    sl.saliency_map(model, images[:1], sl.box_number(best, "left"))    # of its left edge, in pixels

A detector of one stage gives (N, candidates, 4 + K): for each place of a grid a box `(x0, y0, x1, y1)` in pixels, and
the scores of K labels before the sigmoid. Whatever is reported was one of these, so whatever is asked about has a
number before anything was thrown away; what was not reported has one, too.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.checks import check_inputs, number, one_of
from saliency_lib.errors import ModelError, TargetError
from saliency_lib.models.forward import ask, evaluation_mode, head_of
from saliency_lib.models.model import form_of


class Detection(NamedTuple):
    """A box that is reported: its label, by name and index, score and probability, the box, and the candidate's index.

    The box is `(x0, y0, x1, y1)` in pixels, as the network gives it, not rounded. Chapter 12 teaches it.
    """

    name: str
    label: int
    score: float
    probability: float
    box: tuple[float, float, float, float]
    candidate: int


@torch.no_grad()
def detections(
    model: nn.Module, images: Tensor, *, threshold: float = 0.5, overlap: float = 0.5
) -> list[list[Detection]]:
    """For each image (N, C, H, W) what a detector reports there, the surest first; an empty list where nothing is.

    Of the candidates with a probability of at least `threshold`, each label's surest one is kept, and whatever has the
    same label and overlaps it by more than `overlap` is suppressed; then the next. The model returns (N, candidates,
    4 + K), a box and K scores each. Raises `ModelError` if it returns anything else, `ImageError` for bad images.
    Chapter 12 teaches it.
    """
    with evaluation_mode(model):
        output = ask(model, check_inputs(images, form_of(model))).output
    return reported(output, head_of(model), threshold=threshold, overlap=overlap)


def reported(output: object, head: Head, *, threshold: float = 0.5, overlap: float = 0.5) -> list[list[Detection]]:
    """The same for what a detector has returned."""
    if not isinstance(output, Tensor) or output.ndim != 3 or output.shape[2] < 5:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ModelError(f"expected (N, candidates, 4 + K) from a detector, four edges and K scores, and got {got}")
    number("threshold", threshold, 0, 1), number("overlap", overlap, 0, 1)
    names = head.categories_for(output.shape[2] - 4).names
    found = []
    for boxes, scores in zip(output[..., :4].detach().float(), output[..., 4:].detach().float(), strict=True):
        candidate, label = (scores.sigmoid() >= threshold).nonzero(as_tuple=True)
        kept = _surest(boxes[candidate], scores[candidate, label], label, overlap)
        found.append(
            [
                Detection(names[k], k, score, 1 / (1 + math.exp(-score)), tuple(box), i)
                for i, k, score, box in zip(
                    candidate[kept].tolist(),
                    label[kept].tolist(),
                    scores[candidate, label][kept].tolist(),
                    boxes[candidate][kept].tolist(),
                    strict=True,
                )
            ]
        )
    return found


def _surest(boxes: Tensor, scores: Tensor, labels: Tensor, overlap: float) -> list[int]:
    """Which boxes no surer one that is kept, of the same label, overlaps by more than `overlap`, the surest first."""
    left, kept = scores.argsort(descending=True, stable=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[(labels[left] != labels[best]) | (box_ious(boxes[left], boxes[best]) <= overlap)]
    return kept


def box_ious(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) with boxes (..., 4), whose other axes broadcast: (...)."""
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp_min(0)
    shared = sides.prod(-1)
    areas = [(one[..., 2:] - one[..., :2]).clamp_min(0).prod(-1) for one in (a, b)]
    return shared / (areas[0] + areas[1] - shared).clamp_min(1e-6)


EDGES = ("left", "top", "right", "bottom")


def box_number(
    found: Detection | Sequence[Detection | Sequence[Detection]], what: str = "score"
) -> Callable[[Tensor], Tensor]:
    """A target: one number of the candidate that was reported, by default its class score before any suppression.

    `found` is a `Detection`, the same one for all images, or as many as there are images; of a list of them, such as
    `detections` gives for each image, it is the first. `what` is "score", or an edge of the box in pixels: "left",
    "top", "right" or "bottom". The candidate stays the one that it was, whatever a changed image makes of the others.

    Raises `TargetError` where nothing was found: there is no box, then, to be explained. Chapter 12 teaches it.
    """
    edge = one_of("number of a box", what, ("score", *EDGES), TargetError) != "score"
    ones = [_first(one, row) for row, one in enumerate([found] if isinstance(found, Detection) else found)]

    def target(output: Tensor) -> Tensor:
        if len(ones) not in (1, len(output)):
            raise TargetError(f"got {len(ones)} boxes for {len(output)} images")
        rows = zip(output, ones * len(output) if len(ones) == 1 else ones, strict=True)
        return torch.stack([row[one.candidate, EDGES.index(what) if edge else 4 + one.label] for row, one in rows])

    return target


def _first(one: Detection | Sequence[Detection], row: int) -> Detection:
    if isinstance(one, Detection):
        return one
    if not len(one):
        raise TargetError(
            f"the detector found nothing in image {row}, so there is no box to explain: to ask why not, take a "
            "candidate from sl.detections with threshold=0"
        )
    return one[0]


def average_precisions(found: Sequence[Sequence[Detection]], boxes: Tensor, overlap: float = 0.5) -> list[float]:
    """The average precision of each label, from what was reported of images whose true boxes are (N, K, 4).

    A label comes at most once in an image; where it does not, its box is nan. Reported boxes go by their score, the
    surest of all images first. One is right if it overlaps the true box of its label by at least `overlap`, and no
    surer one has. The average precision is the mean, over all true boxes, of the precision where each was found: 0 for
    those that were not. It is nan for a label without a true box.
    """
    true = boxes.isfinite().all(2)
    by_label: list[list[tuple[float, bool]]] = [[] for _ in range(boxes.shape[1])]
    for image, some in enumerate(found):
        taken = set()
        for one in some:
            right = bool(true[image, one.label]) and one.label not in taken
            right = right and box_ious(torch.tensor(one.box), boxes[image, one.label]).item() >= overlap
            taken |= {one.label} if right else set()
            by_label[one.label].append((one.score, right))
    return [_precision(pairs, int(count)) for pairs, count in zip(by_label, true.sum(0), strict=True)]


def _precision(pairs: list[tuple[float, bool]], true: int) -> float:
    if not true:
        return float("nan")
    hits = torch.tensor([right for _, right in sorted(pairs, key=lambda pair: -pair[0])], dtype=torch.float64)
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return (precision * hits).sum().item() / true


def true_boxes(masks: Tensor) -> Tensor:
    """Boxes `(x0, y0, x1, y1)` around masks (N, K, H, W), x1 and y1 exclusive: (N, K, 4), nan where one is empty."""
    edges = []
    for axis in (2, 3):  # what is left are columns, then rows
        shown = masks.any(axis)
        size = shown.shape[2]
        first = shown.float().argmax(2)
        beyond = size - shown.flip(2).float().argmax(2)
        edges.append((first, beyond))
    (x0, x1), (y0, y1) = edges
    boxes = torch.stack([x0, y0, x1, y1], 2).float()
    return boxes.masked_fill(~masks.flatten(2).any(2)[..., None], float("nan"))
