"""The model that draws: its schedule, its sampler, its guidance, its maps of words, and how it is trained."""

import copy
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import nothing_changes, says

import saliency_lib as sl
from saliency_lib.diffusion import __main__ as command_line
from saliency_lib.diffusion.denoiser import Denoiser
from saliency_lib.diffusion.likeness import frechet, nearest
from saliency_lib.diffusion.sampler import begin, step, times
from saliency_lib.diffusion.schedule import mixed, noise, signal, velocity
from saliency_lib.diffusion.training import DrawingRecipe, pace, train
from saliency_lib.diffusion.word_maps import MAPS, attention_map, gradient_map, removal_map
from saliency_lib.diffusion.words import VOCABULARY, text, tokens

PAIR = ["the owl and the tree", "the fish and the cat"]


@pytest.fixture(scope="module")
def random() -> sl.Diffusion:
    """A network with random weights, the last of which are not zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Denoiser(len(VOCABULARY))
        torch.nn.init.normal_(network.leave[2].weight, std=0.1)
    return sl.Diffusion(network)


@pytest.fixture(scope="module")
def model() -> sl.Diffusion:
    return sl.load_diffusion()


def test_picture_noise_and_velocity_follow_from_each_other() -> None:
    t, clean, eps = torch.tensor([0.1, 0.6]), torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    x, v = mixed(clean, eps, t), velocity(clean, eps, t)
    alpha, sigma = signal(t).view(2, 1, 1, 1), noise(t).view(2, 1, 1, 1)
    assert torch.allclose(alpha**2 + sigma**2, torch.ones(2, 1, 1, 1))
    assert torch.allclose(alpha * x - sigma * v, clean, atol=1e-6)
    assert torch.allclose(sigma * x + alpha * v, eps, atol=1e-6)


@pytest.mark.parametrize("t", [0.2, 0.5, 0.9])
def test_the_score_of_a_mixture_is_what_tweedie_says(t: float) -> None:
    """E[eps | x], summed over a fine grid of clean values, against the slope of log p_t of two Gaussians."""
    means, spread, shares = torch.tensor([-1.0, 1.5]).double(), 0.3, torch.tensor([0.3, 0.7]).double()
    alpha, sigma = signal(t).double(), noise(t).double()
    x = torch.linspace(-2, 2, 41).double().requires_grad_()
    variance = (alpha * spread) ** 2 + sigma**2
    log_p = (shares.log() - (x[:, None] - alpha * means) ** 2 / (2 * variance)).logsumexp(1)
    (score,) = torch.autograd.grad(log_p.sum(), x)
    clean = torch.linspace(-4, 5, 20001).double()
    prior = (shares * (-((clean[:, None] - means) ** 2) / (2 * spread**2)).exp()).sum(1)
    eps = (x.detach()[:, None] - alpha * clean) / sigma
    weights = prior * (-(eps**2) / 2).exp()
    expected = (weights * eps).sum(1) / weights.sum(1)
    assert (score + expected / sigma).abs().max() < 1e-3


@pytest.mark.parametrize(("texts", "steps"), [(PAIR, 7), (["the owl"], 4), (["the fish"], 1)])
def test_the_sampler_is_that_of_diffusers(random: sl.Diffusion, texts: list[str], steps: int) -> None:
    from diffusers import DDIMScheduler  # slow to load

    bars = [math.cos(math.pi / 2 * k / steps) ** 2 for k in range(steps + 1)]
    betas = [1 - after / before for before, after in itertools.pairwise(bars)]
    scheduler = DDIMScheduler(steps, trained_betas=betas, prediction_type="v_prediction", clip_sample=False)
    scheduler.set_timesteps(steps)
    x = begin(len(texts), 64 if texts is PAIR else 32, 5)
    with torch.no_grad():
        for at in scheduler.timesteps:
            v = random.network(x, torch.full((len(x),), (at.item() + 1) / steps), tokens(texts))
            x = scheduler.step(v, at, x).prev_sample
    assert (sl.draw(random, texts, steps=steps, seed=5) - ((x + 1) / 2).clamp(0, 1)).abs().max() < 1e-4


def test_guidance_is_a_line_through_two_passes(random: sl.Diffusion) -> None:
    x, t = begin(2, 64, 1), 0.4
    time = torch.full((2,), t)
    without, told = random.network(x, time, tokens(["", ""])), random.network(x, time, tokens(PAIR))
    assert torch.equal(random.velocity(x, t, PAIR, 0), without)
    assert torch.equal(random.velocity(x, t, PAIR), told)
    assert torch.allclose(random.velocity(x, t, PAIR, 3), without + 3 * (told - without))
    assert (told - without).abs().max() > 1e-3
    # what is said of the three follows from the velocity
    clean, eps, score = random.predict(x, t, PAIR, 3)
    assert torch.allclose(signal(t) * clean + noise(t) * eps, x, atol=1e-5)
    assert torch.allclose(score * noise(t), -eps, atol=1e-5)


def test_a_text_is_a_bag_of_words(random: sl.Diffusion) -> None:
    x = begin(1, 64, 1)
    one, other = (random.velocity(x, 0.5, [said]) for said in ("the owl and the tree", "the tree and the owl"))
    assert torch.allclose(one, other, atol=1e-5)
    assert text(["owl", "tree"]) == "the owl and the tree"


def test_the_same_seed_draws_the_same_and_one_by_one(random: sl.Diffusion) -> None:
    both = sl.draw(random, ["the owl", "the fish"], steps=3, seed=2)
    assert torch.equal(both, sl.draw(random, ["the owl", "the fish"], steps=3, seed=2))
    assert torch.allclose(both[:1], sl.draw(random, ["the owl"], steps=3, seed=2), atol=1e-5)
    assert not torch.allclose(both, sl.draw(random, ["the owl", "the fish"], steps=3, seed=3), atol=1e-2)
    seen: list[int] = []
    sl.draw(random, ["the owl"], steps=3, callback=lambda number, x, told: seen.append(number))
    assert seen == [0, 1, 2]
    assert times(4) == [1, 0.75, 0.5, 0.25, 0]


def test_the_last_step_is_the_clean_picture(random: sl.Diffusion) -> None:
    told = random.predict(begin(1), 0.3, ["the owl"])
    assert torch.allclose(step(begin(1), told, 0.0), told.clean)


def test_shares_of_attention_sum_to_one(random: sl.Diffusion) -> None:
    x = begin(2, 64, 1)
    words = ["owl", "the", "and", "tree"]
    said = [PAIR[0], PAIR[0]]
    shares = sum(attention_map(random, x, 0.5, said, word) for word in words)
    assert torch.allclose(shares, torch.ones(2, 32, 64), atol=1e-5)
    assert attention_map(random, x, 0.5, said, "owl").min() >= 0


def test_the_gradient_by_a_word_is_its_finite_difference(random: sl.Diffusion) -> None:
    double = sl.Diffusion(copy.deepcopy(random.network).double())
    x, t, u = begin(1, 64, 1).double(), 0.5, 1e-5
    said = tokens(PAIR[:1])
    full, empty = double.network.words(said), double.network.words(torch.zeros_like(said))
    along = (full - empty) * (said == VOCABULARY.index("owl"))[..., None]
    time = torch.full((1,), t)
    after, before = (double.network.read(x, time, full + s * along)[0] for s in (u, -u))
    expected = (noise(t) * (after - before) / (2 * u)).abs().sum(1)
    found = gradient_map(double, x, t, PAIR[:1], "owl")
    assert (found - expected).abs().max() < 1e-4 * expected.max()


def test_a_word_taken_away_is_the_text_without_it(random: sl.Diffusion) -> None:
    x, t = begin(1, 64, 1), 0.5
    without = random.predict(x, t, ["the and the tree"]).clean
    expected = (random.predict(x, t, PAIR[:1]).clean - without).abs().sum(1)
    assert torch.allclose(removal_map(random, x, t, PAIR[:1], "owl"), expected, atol=1e-5)


def test_nothing_of_the_callers_changes(random: sl.Diffusion) -> None:
    x = begin(2, 64, 1)
    with nothing_changes(random.network, x):
        sl.draw(random, PAIR, steps=1, guidance=2.0)
        random.predict(x, 0.5, PAIR)
        for explain in MAPS.values():
            explain(random, x, 0.5, [PAIR[0]] * 2, "owl")


WRONG: list[tuple[Callable[[sl.Diffusion], Any], str]] = [
    (lambda m: sl.draw(m, ["the zebra"]), "never saw the word 'zebra'"),
    (lambda m: sl.draw(m, ["the owl and the tree and the cat"]), "at most 5 words"),
    (lambda m: sl.draw(m, "the owl"), "list"),
    (lambda m: sl.draw(m, [3]), "a text is one such as"),
    (lambda m: sl.draw(m, []), "at least one text"),
    (lambda m: sl.draw(m, ["the owl"], steps=0), "steps should be a whole number"),
    (lambda m: sl.draw(m, ["the owl"], guidance=float("nan")), "guidance should be a number"),
    (lambda m: sl.draw(m, ["the owl"], guidance="much"), "guidance should be a number"),
    (lambda m: sl.draw(m, ["the owl"], width=48), "32 or 64 pixels wide"),
    (lambda m: sl.draw(m, ["the owl"], seed=-1), "seed"),
    (lambda m: m.predict(torch.zeros(1, 3, 64, 64), 0.5, ["the owl"]), "was trained on pictures"),
    (lambda m: m.predict(torch.full((1, 3, 32, 32), torch.nan), 0.5, ["the owl"]), "finite"),
    (lambda m: m.predict(begin(1), 1.5, ["the owl"]), "t should be a number"),
    (lambda m: m.predict(begin(2), 0.5, ["the owl"]), "a text for each of 2"),
    (lambda m: removal_map(m, begin(1), 0.5, ["the owl"], "tree"), "each with the word 'tree'"),
    (lambda m: attention_map(m, begin(1), 0.5, ["the owl"], "zebra"), "there is no word 'zebra'"),
    (lambda m: sl.load_diffusion("large"), "there is no model that draws 'large'"),
]


@pytest.mark.parametrize(("ask", "part"), WRONG)
def test_bad_input_gets_one_sentence(random: sl.Diffusion, ask: Callable[[sl.Diffusion], Any], part: str) -> None:
    with pytest.raises(sl.SaliencyError) as error:
        ask(random)
    assert part in says(error.value)


def test_the_recipe_trains_and_a_training_in_pieces_is_the_same(tmp_path: Path) -> None:
    recipe = DrawingRecipe(drawings=8, steps=2, batch=4)
    whole = train(recipe).mean.state_dict()
    kept = tmp_path / "kept.pt"
    assert train(recipe, kept=kept, minutes=0).step == 0
    assert kept.exists()
    first = train(recipe, kept=kept, most=1)
    assert first.step == 1
    second = train(recipe, kept=kept)
    assert second.step == 2
    assert all(torch.equal(values, whole[name]) for name, values in second.mean.state_dict().items())
    untrained = sl.Diffusion(Denoiser(len(VOCABULARY))).network.state_dict()
    assert any(not torch.equal(values, whole[name]) for name, values in untrained.items())


def test_the_pace_rises_stays_and_falls_to_nothing() -> None:
    recipe = DrawingRecipe(steps=1000, warm=10, falling=0.4)
    assert [pace(at, recipe) for at in (0, 9, 500, 600)] == [0.1, 1, 1, 1]
    falling = [pace(at, recipe) for at in range(600, 1001)]
    assert falling == sorted(falling, reverse=True)
    assert falling[200] == pytest.approx(0.5)
    assert falling[-1] == 0


def test_what_it_draws_is_what_was_said(model: sl.Diffusion) -> None:
    """Two drawings of each creature, judged by a network that learned from other drawings."""
    net = sl.load_model("creature_convnet").cpu()
    names = [name for name in VOCABULARY[3:] for _ in range(2)]
    drawn = sl.draw(model, [text([name]) for name in names], steps=20)
    large = torch.nn.functional.interpolate(drawn, (64, 64), mode="bilinear")
    right = sum(top[0].name == name for top, name in zip(net.top(large), names, strict=True))
    assert right >= 18


def test_the_weights_are_small() -> None:
    from saliency_lib.models.weights import data_file

    assert data_file("creature_diffusion").stat().st_size < 2_000_000


def test_the_frechet_distance_of_two_gaussians() -> None:
    """One whose axes are those of the other: the sum of squares of the differences of means and of deviations."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(400, 3, generator=random).double()
    x = (x - x.mean(0)) @ torch.linalg.cholesky(torch.linalg.inv(x.T.cov()))
    scale, shift = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 3.0]).double()
    expected = (shift.square().sum() + (scale - 1).square().sum()).item()
    assert frechet(x, x * scale + shift) == pytest.approx(expected)
    assert frechet(x, x) == pytest.approx(0, abs=1e-6)
    with pytest.raises(sl.ImageError):
        frechet(x, x[:1])


def test_the_nearest_picture_may_be_mirrored() -> None:
    learned = sl.worded(5, seed=8).images
    found, apart = nearest(learned[[3]].flip(3) + 0.01, learned)
    assert torch.equal(found[0], learned[3].flip(2))
    assert apart.item() == pytest.approx(0.01, rel=1e-3)


def test_minutes_without_a_place_to_keep_what_was_learned_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["diffusion", "--out", str(tmp_path / "w.pt"), "--minutes", "1"])
    with pytest.raises(SystemExit):
        command_line.main()
    assert "say where to keep it" in capsys.readouterr().err
