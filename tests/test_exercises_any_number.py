"""Chapter 8's exercises accept the right answer and meet each typical mistake with its hint."""

import torch
from helpers import judged
from torch import Tensor

import saliency_lib as sl


def test_balance() -> None:
    wrong = [
        ((1.6, -0.9, 0.9, 0.7, 0), "a: the derivative times the *difference* from the reference"),
        ((0.6, 0.3, 0, 0.9, 0), "b: it has grown, and what does f do when b grows?"),
        ((0.6, -0.3, 0.6, 0.3, 0), "the smaller of both cancels"),
        ((0.6, -0.3, 0.3, 0.9, 0), "with the signs"),
        ((0.6, -0.3, 0.3, 0.3, 0.3), "nothing that it cancels with"),
    ]
    judged("number-balance", (0.6, -0.3, 0.3, 0.3, 0), wrong)


def test_the_balance_of_the_exercise_is_that_of_the_library() -> None:
    class Regressor(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 2 * images[:, 0, 0, 0] - images[:, 0, 0, 1] + 3

    model = sl.as_model(Regressor(), mean=[0], std=[1], size=(1, 2), head=sl.Head("numbers"))
    I, R = torch.tensor([[[[0.8, 0.9]]]]), torch.tensor([[[[0.5, 0.6]]]])
    found = sl.balance(model, I, reference=R)
    P, Q = found.increase.sum(), found.decrease.sum()
    answer = [*found.signed.flatten(), min(P, Q), found.signed.sum(), 0]
    assert sl.check("number-balance", answer).correct


def test_view() -> None:
    """The unit (8, 8) of the second convolution: 5 kernels of 4 pixels' step, each of 8 + 2 pixels."""
    net = sl.load_model("creature_convnet").cpu()
    top = 4 * (8 - 2) - 3  # the kernel's first row, less the first convolution's padding
    wrong = [((0, 63), "it sees less"), ((top + 4, top + 20), "take all channels"), (26, "two")]
    judged("number-view", (top, top + 25), wrong, model=net, images=sl.creatures(10, seed=5).images)


def test_rivals() -> None:
    model = sl.load_model().cpu()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    cat, lynx, tabby = (sl.input_gradient(model, images, name) for name in ("Egyptian cat", "lynx", "tabby"))
    wrong = [
        (cat - lynx - tabby, "not their sum"),
        ((lynx + tabby) / 2 - cat, "against it"),
        ((cat - (lynx + tabby) / 2).abs(), "rather than the map"),
        (3.0, "one gradient"),
    ]
    judged("number-rivals", cat - (lynx + tabby) / 2, wrong, model=model, images=images)


def test_moved() -> None:
    model, drawn = sl.load_model("steering_convnet").cpu(), sl.roads(10, seed=3)
    with torch.no_grad():
        before = model(drawn.images)
        right, left = (model(sl.roads(10, seed=3, moved={"left marking": m}).images) - before for m in (0.3, -0.3))
    wrong = [(-right.mean(), "before"), (left.mean(), "moves to the left"), (5 * right.mean(), "mean over roads")]
    judged("number-moved", right.mean(), wrong, model=model, drawn=drawn)


def test_block() -> None:
    given = {"model": sl.load_model("creature_vit").cpu(), "drawn": sl.creatures(30, seed=8)}
    (right,) = (index for index in range(4) if sl.check("number-block", index, **given).correct)
    wrong = [(index, "others more often") for index in range(4) if index != right]
    judged("number-block", right, [*wrong, (4, "0, 1, 2 or 3"), (0.67, "0, 1, 2 or 3")], **given)
