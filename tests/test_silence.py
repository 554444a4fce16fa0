"""Nothing wrong in silence: what once gave a wrong answer, or changed what is the caller's, without a word."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from helpers import raises_one_line, relative, small_network
from PIL import Image
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import saliency_lib as sl
from saliency_lib import plots, widgets


def test_threads_that_share_a_model_in_training_get_its_gradients_and_leave_its_statistics() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(3)
    )
    images = torch.rand(2, 3, 8, 8)
    model(images)
    expected = sl.input_gradient(copy.deepcopy(model).eval(), images, 1)
    before = copy.deepcopy(model.state_dict())
    found: list[Tensor] = []
    together = threading.Barrier(3)

    def ask(_: int) -> None:
        together.wait()
        for _ in range(30):
            found.append(sl.input_gradient(model, images, 1))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ask, range(3)))
    assert len(found) == 90
    assert all(relative(one, expected) < 1e-5 for one in found)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_top_asks_in_evaluation_mode() -> None:
    model = sl.as_classifier(nn.Sequential(small_network(), nn.Dropout(0.9)), size=8)
    images = torch.rand(1, 3, 8, 8)
    expected = model.top(images)
    model.train()
    assert model.top(images) == expected
    assert model.training


@pytest.mark.parametrize("target", [None, 1, [0, 1]])
def test_a_network_that_returns_nan_has_no_top_class(target: Any) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)) * torch.tensor([1.0, float("nan"), 1.0])

    images = torch.rand(2, 3, 8, 8)
    for use in (lambda: sl.saliency_map(Broken(), images, target), lambda: sl.as_classifier(Broken()).top(images)):
        with raises_one_line(sl.ModelError, "returns NaN"):
            use()


def test_a_network_that_works_in_place_leaves_the_callers_images() -> None:
    class InPlace(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.mul_(0.5))

    images = torch.rand(1, 3, 8, 8)
    before = images.clone()
    with pytest.raises(sl.ModelError):  # the halving is in no layer
        sl.deconvnet_reconstruction(InPlace(*small_network()), images, 1)
    assert torch.equal(images, before)


def test_a_checkpoint_is_computed_anew_in_evaluation_mode() -> None:
    """A network in training, with dropout: what runs once more on the way back runs as it did on the way there."""

    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.drop = small_network(), nn.Dropout(0.9)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(checkpoint(lambda x: self.drop(x).sigmoid(), x, use_reentrant=False))

    model, images = Saving().train(), torch.rand(2, 3, 8, 8)
    expected = sl.input_gradient(copy.deepcopy(model).eval(), images, 1)
    for name in ("gradient", "integrated-gradients"):
        found = sl.find_method(name)(model, images, **({"steps": 1} if name[0] == "i" else {}))
        assert found.attribution(1).isfinite().all()
    assert relative(sl.find_method("gradient")(model, images).attribution(1), expected) < 1e-6
    assert model.drop.training


def test_a_callback_cannot_change_the_ascent() -> None:
    def spoil(step: int, images: Tensor) -> None:
        images.zero_()

    net = small_network()
    untouched = sl.class_image(net, 1, steps=5, size=8)
    assert torch.equal(sl.class_image(net, 1, steps=5, size=8, callback=spoil).raw, untouched.raw)


def test_names_that_occur_twice_or_are_numbers() -> None:
    names = sl.Categories(["crane", "cat", "crane", "1", "0"])
    assert names.index("1") == 3  # a name comes before an index
    assert names.index("0") == 4
    assert names.index("2") == 2
    with raises_one_line(sl.TargetError, "2 classes are called 'crane'"):
        names.index("crane")


def test_a_photo_is_turned_upright_for_the_box_as_it_is_for_the_network() -> None:
    """A photo that lies on its side in the file: map, mask and box are all of the upright one."""
    upright = Image.new("RGB", (40, 20))
    upright.paste((255, 255, 255), (0, 0, 10, 20))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.getexif()[0x0112] = 6  # turn it a quarter to the right to see it
    images = sl.to_tensor(lying, (20, 40), crop=False)
    assert torch.equal(images[0, 0], sl.to_tensor(upright, (20, 40), crop=False)[0, 0])
    found = sl.threshold_box(lying, images[:, 0], threshold=0.9)
    assert found.box == (0, 0, 10, 20)
    assert found.mask.shape == (20, 40)
    assert sl.localize(lying, images[:, 0], size=40).mask.shape == (20, 40)


def test_every_line_is_drawn_and_told_apart() -> None:
    lines = {f"line {i}": [i, i + 1] for i in range(9)}
    place = plots.curves([0, 1], lines, xlabel="x", ylabel="y").axes[0]
    assert len(place.lines) == 9
    assert len({(line.get_color(), line.get_linestyle()) for line in place.lines}) == 9


def test_values_that_look_alike_lose_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    with raises_one_line(sl.SaliencyError, "look alike"):
        widgets.slider(lambda v: Image.new("RGB", (4, 4)), [0.12341, 0.12342], name="size", alt="a black square")
