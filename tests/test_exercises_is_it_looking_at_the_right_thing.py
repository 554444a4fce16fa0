"""Chapter 11's exercises accept the right answer and meet each typical mistake with its hint."""

import pytest
import torch
from helpers import judged
from torch import Tensor

import saliency_lib as sl


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


def test_interaction() -> None:
    wrong = [
        ((-3, 2), "is added"),
        ((2, 2), "either suffices"),
        ((0, 2), "plus that without both"),
        ((-2, 1), "effect alone"),
        ((-2, 0), "is negative"),
        ((-2, 3), "or is it the owl's"),
        ((-2, 7), "less half"),
    ]
    judged("audit-interaction", (-2, 2), wrong)


def test_the_interaction_of_the_exercise_is_the_audits() -> None:
    """A network whose four scores are those of the exercise, found by taking squares away."""

    class Four(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            white = (images[:, 0] - 0.99).clamp_min(0) * 100
            owl, tree = (white[:, 2:8, k : k + 6].amin((1, 2)) for k in (2, 12))
            S = 1 + 3 * tree + 4 * owl - 2 * owl * tree
            return torch.stack([S, torch.zeros_like(S)], 1)

    masks = {name: torch.zeros(6, 20, 20, dtype=torch.bool) for name in ("object", "shortcut")}
    masks["object"][:, 2:8, 2:8] = masks["shortcut"][:, 2:8, 12:18] = True
    images = (masks["object"] | masks["shortcut"])[:, None].float().expand(-1, 3, -1, -1)
    model = sl.as_model(Four(), size=20)
    found = sl.audit(model, images, 0, regions=masks)
    assert found.interaction.mean == pytest.approx(-2, abs=1e-4)
    assert found.shapley["shortcut"].mean == pytest.approx(2, abs=1e-4)
