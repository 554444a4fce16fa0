"""Priors and parameterizations: against slicing, scipy, and sums written out."""

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from helpers import raises_one_line, relative
from torch import Generator, Tensor

import saliency_lib as sl
from saliency_lib.class_images.parameterizations import COLOR_AXES, Colors, Fourier, Parameterization, Sigmoid
from saliency_lib.class_images.priors import (
    Blur,
    Crop,
    Jitter,
    Noise,
    PixelRange,
    Prior,
    Rotate,
    Scale,
    TotalVariation,
    warp,
)

GRAY = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
TRANSFORMS: list[Prior] = [Jitter(3), Scale(), Scale(0.5, 2.0, keep_size=True), Crop(), Rotate(20), Blur(1.2), Noise()]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def batch(count: int = 2, height: int = 12, width: int = 10) -> Tensor:
    """Some of it beyond black and white, where images on the way may be."""
    return 1.4 * torch.rand(count, 3, height, width, dtype=torch.float64) - 0.2


# Nothing, penalties, projections


def test_a_prior_of_its_own_is_no_prior() -> None:
    x, random = batch(), seeded()
    state = random.get_state()
    assert Prior().penalty(x) == 0
    assert Prior().transform(x, random) is x
    assert Prior().project(x) is x
    assert torch.equal(random.get_state(), state)


def test_total_variation_is_the_mean_difference_of_neighbors() -> None:
    x = batch(3, 5, 7)
    for n in range(3):
        down = [abs(x[n, k, i + 1, j] - x[n, k, i, j]) for k in range(3) for i in range(4) for j in range(7)]
        right = [abs(x[n, k, i, j + 1] - x[n, k, i, j]) for k in range(3) for i in range(5) for j in range(6)]
        expected = 2.5 * (sum(down) / len(down) + sum(right) / len(right))
        assert TotalVariation(2.5).penalty(x)[n].item() == pytest.approx(float(expected), abs=1e-12)
    assert TotalVariation(0).penalty(x).tolist() == [0, 0, 0]


def test_the_pixel_range_is_the_nearest_image_within_it() -> None:
    x = batch()
    expected = np.minimum(np.maximum(x.numpy(), 0), 1)
    assert np.array_equal(PixelRange().project(x).numpy(), expected)
    assert (expected == 0).any()
    assert (expected == 1).any()


# Transforms


def test_jitter_is_a_shift_by_slicing() -> None:
    x, seen = batch(2, 9, 11), set()
    for seed in range(400):
        moved = Jitter(2).transform(x, seeded(seed))
        (found,) = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if torch.equal(moved, shifted(x, a, b))]
        seen.add(found)
    assert len(seen) == 25  # every shift there is


def shifted(x: Tensor, down: int, right: int) -> Tensor:
    """Each pixel from where it was; gray where there was none."""
    height, width = x.shape[2:]
    result = torch.full_like(x, 0.5)
    there = result[:, :, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    here = x[:, :, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
    there.copy_(here - 0.5 + 0.5)  # with the rounding of the library
    return result


def test_a_jitter_beyond_the_image_leaves_gray() -> None:
    x = batch(1, 4, 6)
    results = [Jitter(50).transform(x, seeded(seed)) for seed in range(60)]
    assert all(result.shape == x.shape for result in results)
    assert any((result == 0.5).all() for result in results)
    assert torch.equal(Jitter(0).transform(x, seeded()), x - 0.5 + 0.5)


@pytest.mark.parametrize("factor", [2, 3])
def test_scale_by_a_whole_number_is_scipys_zoom(factor: int) -> None:
    x = batch()
    expected = scipy.ndimage.zoom(x.numpy(), (1, 1, factor, factor), order=1, mode="nearest", grid_mode=True)
    found = Scale(factor, factor).transform(x, seeded())
    assert found.shape == (2, 3, 12 * factor, 10 * factor)
    assert np.abs(found.numpy() - expected).max() < 1e-12


def test_scale_to_half_is_the_mean_of_four() -> None:
    x = batch()
    found = Scale(0.5, 0.5).transform(x, seeded())
    assert torch.allclose(found, x.unflatten(3, (5, 2)).unflatten(2, (6, 2)).mean((3, 5)), atol=1e-12)


def test_scale_draws_its_factor_evenly() -> None:
    x = torch.zeros(1, 3, 100, 200)
    sizes = [Scale(0.5, 1.5).transform(x, seeded(seed)).shape[2:] for seed in range(300)]
    heights = torch.tensor([float(height) for height, _ in sizes])
    assert all(abs(2 * height - width) <= 1 for height, width in sizes)
    assert 50 <= heights.min() < 54
    assert 146 < heights.max() <= 150
    assert abs(heights.mean() - 100) < 5
    assert abs(heights.std() - 100 / 12**0.5) < 3


def test_a_crop_is_a_window_by_slicing_enlarged_by_scipy() -> None:
    """To twice its size; every window of that size is drawn."""
    x, seen = batch(2, 8, 6), set()
    windows = {(i, j): x[:, :, i : i + 4, j : j + 3] for i in range(5) for j in range(4)}
    larger = {
        place: scipy.ndimage.zoom(window.numpy(), (1, 1, 2, 2), order=1, mode="nearest", grid_mode=True)
        for place, window in windows.items()
    }
    for seed in range(300):
        found = Crop(0.5, 0.5).transform(x, seeded(seed)).numpy()
        (place,) = [place for place in larger if np.abs(found - larger[place]).max() < 1e-12]
        seen.add(place)
    assert len(seen) == 20


def test_a_crop_draws_its_size_evenly() -> None:
    """A ramp across the image shows where a window begins and how wide it is: its slope is the factor."""
    ramp = torch.linspace(0, 1, 1001, dtype=torch.float64).expand(1, 3, 4, 1001)
    factors = torch.stack([Crop(0.4, 0.9).transform(ramp, seeded(n))[0, 0, 0, 500:502].diff()[0] for n in range(300)])
    factors = factors * 1000
    assert 0.399 < factors.min() < 0.42
    assert 0.88 < factors.max() < 0.901
    assert abs(factors.mean() - 0.65) < 0.03
    assert abs(factors.std() - 0.5 / 12**0.5) < 0.02


def test_a_crop_of_the_whole_is_the_image() -> None:
    x = batch()
    assert torch.equal(Crop(1, 1).transform(x, seeded()), x)
    alone = Crop(0.01, 0.01).transform(x, seeded())  # a single pixel, enlarged
    assert torch.allclose(alone, alone[:, :, :1, :1], atol=1e-12)
    assert alone.shape == x.shape
    assert any(torch.allclose(alone[:, :, 0, 0], x[:, :, i, j]) for i in range(12) for j in range(10))


def test_noise_is_gaussian_and_fades_in_proportion_to_what_is_left() -> None:
    x = torch.zeros(2, 3, 100, 100, dtype=torch.float64)
    first = Noise(0.3).transform(x, seeded())
    for done in (0.25, 0.5, 0.75):
        assert torch.allclose(Noise(0.3).transform(x, seeded(), done), (1 - done) * first, atol=1e-15)
    assert scipy.stats.kstest(first[0].flatten().numpy() / 0.3, "norm").pvalue > 0.01
    neighbors = (
        [first[0, :2].flatten(), first[0, 1:].flatten()],
        [first[0, :, 1:].flatten(), first[0, :, :-1].flatten()],
    )
    for pair in neighbors:
        assert abs(torch.corrcoef(torch.stack(pair))[0, 1]) < 0.03  # of 20000 and more independent pairs
    x = batch()
    assert torch.equal(Noise(0).transform(x, seeded()), x)
    assert torch.allclose(Noise(0.3).transform(x, seeded()) - x, Noise(0.3).transform(0 * x, seeded()), atol=1e-15)


@pytest.mark.parametrize("shape", [(12, 12), (9, 14), (15, 8)])
@pytest.mark.parametrize(("degrees", "factor"), [(0, 1.3), (0, 0.6), (25, 1.0), (-40, 1.0), (70, 1.2), (-10, 0.5)])
def test_warp_is_scipys_affine_transform(shape: tuple[int, int], degrees: float, factor: float) -> None:
    """What is at p goes to factor R p about the center, so a pixel at p comes from R^-1 p / factor."""
    x = batch(2, *shape)
    angle = math.radians(degrees)
    back = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / factor  # on (y, x)
    center = (np.array(shape) - 1) / 2
    expected = np.array(
        [
            [
                scipy.ndimage.affine_transform(plane, back, center - back @ center, order=1, mode="reflect")
                for plane in image
            ]
            for image in x.numpy()
        ]
    )
    assert np.abs(warp(x, angle, factor).numpy() - expected).max() < 1e-10


def test_a_quarter_turn_is_clockwise() -> None:
    x = batch(2, 8, 8)
    assert torch.allclose(warp(x, math.pi / 2, 1), torch.rot90(x, -1, (2, 3)), atol=1e-12)
    assert torch.allclose(warp(x, -math.pi / 2, 1), torch.rot90(x, 1, (2, 3)), atol=1e-12)
    assert torch.allclose(warp(x, 0, 1), x, atol=1e-12)


def test_keeping_the_size_cuts_off_or_fills_up() -> None:
    x = batch(1, 8, 8)
    twice = Scale(2, 2).transform(x, seeded())[:, :, 4:12, 4:12]
    assert torch.allclose(Scale(2, 2, keep_size=True).transform(x, seeded()), twice, atol=1e-12)
    half = Scale(0.5, 0.5, keep_size=True).transform(x, seeded())
    assert torch.allclose(half[:, :, 2:6, 2:6], Scale(0.5, 0.5).transform(x, seeded()), atol=1e-12)
    assert torch.allclose(half[:, :, :2], half[:, :, 2:4].flip(2), atol=1e-12)


def test_rotate_draws_both_ways() -> None:
    """The angle is read off an image whose red is a plane: there, a turn is exact."""
    side = 41
    plane = torch.arange(side, dtype=torch.float64).expand(1, 3, side, side)
    angles = []
    for seed in range(200):
        turned = Rotate(30).transform(plane, seeded(seed))[0, 0]
        middle = slice(side // 2 - 4, side // 2 + 5)
        right, down = turned.diff(dim=1)[middle, middle].mean(), turned.diff(dim=0)[middle, middle].mean()
        angles.append(math.degrees(math.atan2(float(down), float(right))))
    assert -30 <= min(angles) < -27
    assert 27 < max(angles) <= 30
    assert abs(np.mean(angles)) < 3


@pytest.mark.parametrize("sigma", [1, 1.5, 2.0, 5])
def test_blur_is_scipys_gaussian_filter(sigma: float) -> None:
    x = batch()
    expected = scipy.ndimage.gaussian_filter(x.numpy(), sigma, axes=(2, 3), mode="nearest", truncate=3)
    assert np.abs(Blur(sigma).transform(x, seeded()).numpy() - expected).max() < 1e-12


def test_no_blur_is_no_change() -> None:
    x = batch()
    assert torch.equal(Blur(0).transform(x, seeded()), x)


@pytest.mark.parametrize("prior", TRANSFORMS, ids=lambda prior: type(prior).__name__)
def test_a_transform_treats_every_image_of_a_batch_alike(prior: Prior) -> None:
    x = batch(3)
    for seed in range(5):
        together = prior.transform(x, seeded(seed))
        for n in range(3):
            assert torch.allclose(together[[n]], prior.transform(x[[n]], seeded(seed)), atol=1e-12)
        same = prior.transform(x[[0, 0]], seeded(seed))
        assert torch.equal(same[0], same[1])


@pytest.mark.parametrize("prior", TRANSFORMS, ids=lambda prior: type(prior).__name__)
def test_a_transform_draws_from_its_generator_and_has_a_derivative(prior: Prior) -> None:
    x, before = batch(1, 5, 6), torch.get_rng_state()
    results = [prior.transform(x, seeded(seed)) for seed in range(8)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(results[3], prior.transform(x, seeded(3)))
    one = seeded()
    again = [prior.transform(x, one) for _ in range(8)]  # the generator moves on
    for several in (results, again):
        different = {(tuple(result.shape), result.numpy().tobytes()) for result in several}
        assert (len(different) > 1) == (not isinstance(prior, Blur))
    assert torch.autograd.gradcheck(lambda x: prior.transform(x, seeded(1)), x.requires_grad_())


# Parameterizations


def waves(height: int, width: int, decay: float) -> np.ndarray:
    """The matrix of `Fourier(decay)`: one column for each real number among the coordinates, one row a pixel.

    The wave (k, l) is a cosine and a sine of k / height and l / width cycles a pixel. Its amplitude is 1 / f^decay, and
    that of the constant as if it were the slowest. It stands for its mirror image too, where that is outside of the
    half plane. All are scaled so that independent standard normal coordinates give pixels of mean square 1.
    """
    columns = []
    for k in range(height):
        for l in range(width // 2 + 1):
            f = max(math.hypot(min(k, height - k) / height, l / width), 1 / max(height, width))
            times = 1 if l in (0, width // 2) else 2
            wave = [
                times * cmath.exp(2j * math.pi * (k * y / height + l * x / width)) / f**decay
                for y in range(height)
                for x in range(width)
            ]
            columns += [np.real(wave), -np.imag(wave)]
    matrix = np.array(columns).T
    return matrix / math.sqrt((matrix**2).sum() / (height * width))


@pytest.mark.parametrize(("height", "width", "decay"), [(4, 4, 1.0), (5, 6, 1.3), (6, 4, 0.0), (3, 8, 2.0)])
def test_fourier_is_the_sum_of_its_waves(height: int, width: int, decay: float) -> None:
    fourier = Fourier(decay, 0.7)
    shape = fourier.shape((2, 3, height, width))
    assert shape == (2, 3, height, width // 2 + 1, 2)
    z = torch.randn(shape, dtype=torch.float64)
    found = fourier.image(z, GRAY)
    assert found.shape == (2, 3, height, width)
    assert found.dtype == torch.float64
    expected = 0.7 * z.flatten(2).numpy() @ waves(height, width, decay).T
    assert np.abs(found.flatten(2).numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("height", "width", "decay"), [(64, 64, 1.0), (224, 224, 1.3), (33, 64, 1.0), (48, 20, 0.0)])
def test_standard_normal_coordinates_give_the_contrast(height: int, width: int, decay: float) -> None:
    fourier = Fourier(decay, 0.4)
    count = max(4_000_000 // (height * width), 30)
    z = torch.randn(fourier.shape((count, 3, height, width)), generator=seeded())
    assert fourier.image(z, GRAY).square().mean().item() == pytest.approx(0.4**2, rel=0.02)


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0, 1.3, 2.0])
def test_the_spectrum_falls_as_it_says(decay: float) -> None:
    size = 64
    z = torch.randn(Fourier(decay).shape((200, 3, size, size)), dtype=torch.float64)
    power = torch.fft.fft2(Fourier(decay).image(z, GRAY)).abs().square().mean((0, 1)).flatten()
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))).ravel()
    inside = (frequency > 1.5 / size) & (frequency < 0.45)
    slope, _ = np.polyfit(np.log(frequency[inside]), np.log(power.numpy()[inside]), 1)
    assert slope == pytest.approx(-2 * decay, abs=0.05)


def coordinates(prior: Parameterization, count: int = 2, size: int = 6) -> Tensor:
    return torch.randn(prior.shape((count, 3, size, size)), dtype=torch.float64)


@pytest.mark.parametrize("prior", [Fourier(1.3, 0.5), Colors(), Sigmoid()], ids=lambda prior: type(prior).__name__)
def test_a_parameterization_is_differentiable_and_keeps_its_zero(prior: Parameterization) -> None:
    z = coordinates(prior, 1)
    for mean in (GRAY, MEAN):
        assert prior.image(torch.zeros_like(z), mean).abs().max() < 1e-15
        assert torch.autograd.gradcheck(lambda z, mean=mean: prior.image(z, mean), z.clone().requires_grad_())
    single = prior.image(z.float(), MEAN.float())
    assert single.dtype == torch.float32
    assert relative(single, prior.image(z, MEAN)) < 1e-5
    pair = torch.cat([z, coordinates(prior, 1)])
    assert torch.allclose(prior.image(pair, MEAN)[:1], prior.image(z, MEAN), atol=1e-12)


@pytest.mark.parametrize("prior", [Fourier(), Colors()], ids=lambda prior: type(prior).__name__)
def test_waves_and_colors_are_linear(prior: Parameterization) -> None:
    a, b = coordinates(prior), coordinates(prior)
    together = prior.image(2 * a - 3 * b, GRAY)
    assert torch.allclose(together, 2 * prior.image(a, GRAY) - 3 * prior.image(b, GRAY), atol=1e-12)


def test_every_image_has_coordinates() -> None:
    """The set of images stays the same: Fourier and Colors reach every pixel, so their matrices have full rank."""
    for prior in (Fourier(), Colors()):
        shape = prior.shape((1, 3, 4, 4))
        units = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape[1:])
        assert torch.linalg.matrix_rank(prior.image(units, GRAY).flatten(1)) == 48


def test_colors_have_the_covariance_of_photographs() -> None:
    photos = [sl.to_tensor(sl.sample_photo(name), 64)[0].numpy() for name in sl.sample_photos()]
    pixels = np.concatenate([photo.reshape(3, -1).T for photo in photos]).astype(np.float64)
    covariance = (pixels - pixels.mean(0)).T @ (pixels - pixels.mean(0)) / len(pixels)
    A = COLOR_AXES.numpy()
    found = A @ A.T  # of seven photos, most of which are still here
    assert np.abs(found / found.trace() - covariance / covariance.trace()).max() < 0.05
    lengths = np.linalg.norm(A, axis=0)
    assert lengths.max() == pytest.approx(1)
    gram = A.T @ A
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-8
    longest = A[:, lengths.argmax()]
    assert (longest > 0).all() or (longest < 0).all()  # light against dark
    z = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    for i in range(2):
        for j in range(3):
            assert np.abs(Colors().image(z, GRAY)[0, :, i, j].numpy() - A @ z[0, :, i, j].numpy()).max() < 1e-12


def test_a_sigmoid_stays_within_black_and_white() -> None:
    u = torch.linspace(-3, 3, 61, dtype=torch.float64).expand(1, 3, 1, 61)
    for mean in (GRAY, MEAN):
        x = Sigmoid().image(u, mean) + mean
        assert ((x > 0) & (x < 1)).all()
        assert (x.diff(dim=3) > 0).all()
        expected = 1 / (1 + np.exp(-(4 * u.numpy() + np.log(mean.numpy() / (1 - mean.numpy())))))
        assert np.abs(x.numpy() - expected).max() < 1e-12
    h = 1e-4
    slope = (Sigmoid().image(u * 0 + h, GRAY) - Sigmoid().image(u * 0 - h, GRAY)) / (2 * h)
    assert (slope - 1).abs().max() < 1e-6
    extreme = Sigmoid().image(torch.full((1, 3, 1, 1), 50.0), torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1))
    assert extreme.isfinite().all()  # a black or white mean has no finite logit


MAKERS: list[tuple[Callable[[], Any], str]] = [
    (lambda: TotalVariation(-1), "weight .* at least 0, and is -1"),
    (lambda: TotalVariation(math.nan), "weight .* is nan"),
    (lambda: Jitter(-1), "pixels .* is -1"),
    (lambda: Jitter(math.inf), "pixels .* is inf"),
    (lambda: Jitter(2.5), "pixels .* is 2.5"),  # type: ignore[arg-type]
    (lambda: Scale(0), "low .* at least 0.01, and is 0"),
    (lambda: Scale(1.2, 0.8), "high .* at least 1.2, and is 0.8"),
    (lambda: Crop(0), "low .* at least 0.01, and is 0"),
    (lambda: Crop(0.8, 0.5), "high .* at least 0.8 .* is 0.5"),
    (lambda: Crop(0.5, 1.2), "high .* at most 1, and is 1.2"),
    (lambda: Noise(-0.1), "sigma .* is -0.1"),
    (lambda: Rotate("8"), "degrees .* is '8'"),  # type: ignore[arg-type]
    (lambda: Blur(True), "sigma .* is True"),
    (lambda: Fourier(-0.1), "decay .* is -0.1"),
    (lambda: Fourier(contrast=math.inf), "contrast .* is inf"),
    (lambda: Fourier().shape((1, 3, 8, 7)), "even width, and theirs is 7"),
]


@pytest.mark.parametrize(("make", "words"), MAKERS, ids=[str(n) for n in range(len(MAKERS))])
def test_a_prior_with_impossible_numbers_is_refused(make: Callable[[], Any], words: str) -> None:
    with raises_one_line(sl.SaliencyError, words):
        make()
