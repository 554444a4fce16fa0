"""Chapter 11's exercises accept the right answer and meet each typical mistake with its hint."""

import pytest
import torch
from helpers import judged
from torch import Tensor

import saliency_lib as sl
from saliency_lib.exercises import is_it_looking_at_the_right_thing as exercises


def test_reliance() -> None:
    wrong = [(0.1 / 2.1, "a rise counts"), (0.3 / 2.3, "only falls"), (0.1, "not a ratio"), (2 / 2.2, "object's share")]
    judged("audit-reliance", 0.2 / 2.2, [*wrong, (0.5, "both mean falls")])


def test_cancel() -> None:
    wrong = [
        ((-1.6, 1.6), "has a sign"),
        ((0, 0), "do not cancel"),
        ((0, 4), "not the map alone"),
        ((1, 1), "added up"),
    ]
    judged("audit-cancel", (0, 1.6), wrong)


def test_the_forecast_of_the_exercise_is_the_librarys() -> None:
    class Two(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 2 * images[:, 0, 0, 0] - 2 * images[:, 0, 0, 1]

    model = sl.as_model(Two(), mean=[0], std=[1], size=(1, 2), head=sl.Head("numbers"))
    I, J = torch.full((1, 1, 1, 2), 0.5), torch.full((1, 1, 1, 2), 0.1)
    w = sl.input_gradient(model, I)
    forecast, bound = (w * (J - I)).sum(), (w.abs() * (J - I).abs()).sum()
    assert sl.check("audit-cancel", (forecast, bound)).correct


def test_fish() -> None:
    model = sl.load_model("companion_convnet_shortcut").cpu()
    drawn = sl.companions(100, seed=40, kind="fish", beside={"fish": 1.0})
    with torch.no_grad():
        said = model(drawn.images).argmax(1)
        alone = model(sl.companions(100, seed=40, kind="fish", beside={}).images).argmax(1)
    right = (said == 6).float().mean()
    wrong = [
        ((said == 2).float().mean(), "still called fish"),
        ((alone == 6).float().mean(), "there are no trees"),
        (2, "between 0 and 1"),
    ]
    judged("audit-fish", right, wrong, model=model)


def test_row(embedded: sl.Model, photos: Tensor) -> None:
    carton = embedded.index("carton")
    with torch.no_grad():
        rise = {r: embedded(sl.watermark(photos, row=r).images)[:, carton].mean() for r in (0.0, 0.2, 0.4, 0.6, 0.8)}
    best = max(rise, key=lambda r: rise[r])
    others = [r for r in rise if r != best]
    wrong = [(others[0], "take the largest"), (others[1], "take the largest"), (0.3, "one of")]
    judged("audit-row", best, wrong, model=embedded, images=photos)


def test_rival(embedded: sl.Model) -> None:
    images = sl.to_tensor(sl.sample_photo("astronaut"))
    mask = torch.zeros(1, 224, 224, dtype=torch.bool)
    mask[:, 148:, 120:222] = True
    b, f = embedded.index("bobsled"), embedded.index("football helmet")
    with torch.no_grad():
        change = (embedded(sl.removed(images, mask, "mean")) - embedded(images))[0]
    right = change[b] - change[f]
    wrong = [(-right, "after less"), (change[b], "the bobsled alone"), (100, "less with it")]
    judged("audit-rival", right, wrong, model=embedded, images=images, mask=mask)


def test_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sl.roads(60, seed=21, shortcut=True)
    seen = drawn.masks["car"].flatten(1).any(1)
    drawn = sl.Roads(drawn.images[seen], drawn.angles[seen], {name: mask[seen] for name, mask in drawn.masks.items()})
    given = {"model": sl.load_model("steering_convnet_shortcut").cpu(), "drawn": drawn}
    counts = (5, 10, 20, 30, 50)
    verdicts = {count: exercises._verdict(count=count, **given) for count in counts}
    monkeypatch.setattr(exercises, "_verdict", lambda model, drawn, count: verdicts[count])
    (right,) = [count for count in counts if sl.check("audit-enough", count, **given).correct]
    lasts, few = "does yours last", "fewer roads"
    wrong = [(count, lasts if count < right else few) for count in counts if count != right]
    judged("audit-enough", right, [*wrong, (7, "one of 5")], **given)
