"""Chapter 8's exercises accept the right answer and meet each typical mistake with its hint."""

import pytest
import torch
from torch import Tensor

import saliency_lib as sl


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((0.6, -0.3, 0.6, 0.3, 0.3), "correct"),
        ((1.6, -0.9, 1.6, 0.9, 0.9), "not yet: a: the derivative times the *difference* from the reference"),
        ((0.6, 0.3, 0.9, 0, 0), "not yet: b: it has grown, and what does f do when b grows?"),
        ((0.6, -0.3, 0.6, -0.3, 0.3), "not yet: Q is counted without its sign"),
        ((0.6, -0.3, 0.6, 0.3, 0.6), "not yet: B is what cancels: the smaller of the two"),
    ],
)
def test_balance(answer: tuple[float, ...], text: str) -> None:
    assert str(sl.check("number-balance", answer)) == text


def test_the_balance_of_the_exercise_is_that_of_the_library() -> None:
    class Regressor(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 2 * images[:, 0, 0, 0] - images[:, 0, 0, 1] + 3

    model = sl.as_model(Regressor(), mean=[0], std=[1], size=(1, 2), head=sl.Head("numbers"))
    I, R = torch.tensor([[[[0.8, 0.9]]]]), torch.tensor([[[[0.5, 0.6]]]])
    found = sl.balance(model, I, reference=R)
    P, Q = found.increase.sum(), found.decrease.sum()
    answer = [*found.signed.flatten(), P, Q, found.maintain.sum() / 2]
    assert sl.check("number-balance", answer).correct


def test_view() -> None:
    """The unit (8, 8) of the second convolution: 5 kernels of 4 pixels' step, each of 8 + 2 pixels."""
    net = sl.load_model("creature_convnet").cpu()
    given = {"model": net, "images": sl.creatures(10, seed=5).images}
    top = 4 * (8 - 2) - 3  # the kernel's first row, less the first convolution's padding
    assert sl.check("number-view", (top, top + 25), **given).correct
    assert "it sees less" in str(sl.check("number-view", (0, 63), **given))
    assert "take all channels" in str(sl.check("number-view", (top + 4, top + 20), **given))


def test_rivals() -> None:
    model = sl.load_model().cpu()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    cat, lynx, tabby = (sl.input_gradient(model, images, name) for name in ("Egyptian cat", "lynx", "tabby"))
    given = {"model": model, "images": images}
    assert sl.check("number-rivals", cat - (lynx + tabby) / 2, **given).correct
    assert "not their sum" in str(sl.check("number-rivals", cat - lynx - tabby, **given))
    assert "against it" in str(sl.check("number-rivals", (lynx + tabby) / 2 - cat, **given))
    assert "rather than the map" in str(sl.check("number-rivals", (cat - (lynx + tabby) / 2).abs(), **given))
    assert "one gradient" in str(sl.check("number-rivals", 3.0, **given))


def test_moved() -> None:
    model, drawn = sl.load_model("steering_convnet").cpu(), sl.roads(10, seed=3)
    given = {"model": model, "drawn": drawn}
    with torch.no_grad():
        before = model(drawn.images)
        right, left = (model(sl.roads(10, seed=3, moved={"left marking": m}).images) - before for m in (0.3, -0.3))
    assert sl.check("number-moved", right.mean(), **given).correct
    assert "before" in str(sl.check("number-moved", -right.mean(), **given))
    assert "moves to the left" in str(sl.check("number-moved", left.mean(), **given))


def test_block() -> None:
    given = {"model": sl.load_model("creature_vit").cpu(), "drawn": sl.creatures(30, seed=8)}
    verdicts = [sl.check("number-block", index, **given) for index in range(4)]
    assert [verdict.correct for verdict in verdicts].count(True) == 1
    assert "others more often" in next(str(verdict) for verdict in verdicts if not verdict.correct)
    assert "0, 1, 2 or 3" in str(sl.check("number-block", 4, **given))
