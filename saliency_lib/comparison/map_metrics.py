"""What is measured of a map: does it lie on the object, and does it tell what moves the score?

Against a mask or a box, the *ground truth*, for maps M (N, H, W) and masks (N, H, W):

    pointing      1 if the largest value lies in the mask, else 0           Zhang et al. (2016), section 4
    mass          the share of the positive values that lies in the mask    Arras et al. (2022), section 3.3
    rank          of the |mask| largest values, the share in the mask       Arras et al. (2022), section 3.3

Against the network itself, *faithfulness*:

    deletion      the mean of P_c while pixels are grayed, the largest of M first; low is good     Petsiuk et al. (2018)
    insertion     the mean of P_c while they are put into a gray image; high is good               Petsiuk et al. (2018)
    infidelity    how badly shares foretell the falls when squares are grayed      Yeh et al. (2019), definition 2.1
    sensitivity   how far the map moves when the image moves by next to nothing    Yeh et al. (2019), definition 2.2

Petsiuk et al. insert into a blurred image; what is large is recognized there before anything is inserted. Maps that fit
the eye need not fit the network, and the other way around. An image with pixels deleted is a picture of nothing, which
every number of the second kind takes for evidence.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Generator, Tensor, nn

from saliency_lib.checks import whole
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.versions import VersionMethod
from saliency_lib.targets import Target

GRAY = 0.5
"""What is painted over pixels that are taken away."""


def pointing(maps: Tensor, masks: Tensor) -> Tensor:
    """1 where the largest value of a map lies in its mask, else 0: (N,). Of equal values a random one counts."""
    return _inside(maps, masks).gather(1, _order(maps)[:, :1])[:, 0]


def mass(maps: Tensor, masks: Tensor) -> Tensor:
    """The share of a map's positive values that lies in its mask: (N,), from 0 to 1, and 0 if no value is positive."""
    positive = maps.flatten(1).clamp(min=0).double()
    return (positive * _inside(maps, masks)).sum(1) / positive.sum(1).clamp(min=1e-300)


def rank(maps: Tensor, masks: Tensor) -> Tensor:
    """Of as many of a map's largest values as the mask has pixels, the share that lies in it: (N,), from 0 to 1."""
    inside = _inside(maps, masks)
    count = inside.sum(1, keepdim=True)
    first = torch.arange(inside.shape[1], device=inside.device) < count
    return (inside.gather(1, _order(maps)) * first).sum(1) / count[:, 0]


def ends(model: nn.Module, images: Tensor, target: Target = None, *, batch_size: int = 8) -> tuple[Tensor, Tensor]:
    """S of each image, and of gray in its place, (N,) each: deletion goes from one to the other, insertion back."""
    of_images, of_gray = _numbers(model, images, (images, torch.full_like(images, GRAY)), 2, target, batch_size)
    return of_images, of_gray


def deletion(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target = None,
    *,
    steps: int = 10,
    batch_size: int = 8,
    known: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The mean of S from the image (0) to gray (1), the pixels of the largest values first: (N,).

    `known` are the `ends`, if somebody has asked for them before: they are the same for all maps.
    """
    return _area(model, images, maps, target, steps, batch_size, known, back=False)


def insertion(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target = None,
    *,
    steps: int = 10,
    batch_size: int = 8,
    known: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The mean of S from gray (0) to the image (1), the pixels of the largest values first: (N,); `known` as above."""
    return _area(model, images, maps, target, steps, batch_size, known, back=True)


def falls(
    model: nn.Module, images: Tensor, target: Target = None, *, squares: int = 50, seed: int = 0, batch_size: int = 8
) -> tuple[Tensor, Tensor]:
    """Random squares P (squares, H, W), and how far S falls when each is painted gray, S(I) - S(I_P): (squares, N).

    Their sides are a seventh to a half of the image's shorter side, each length as often.
    """
    random = Generator().manual_seed(whole("seed", seed, 0))
    H, W = images.shape[2:]
    P = torch.zeros(whole("squares", squares, 1), H, W, dtype=torch.bool)
    for square in P:
        side = int(torch.randint(max(1, min(H, W) // 7), min(H, W) // 2 + 1, (), generator=random))
        y, x = (int(torch.randint(0, length - side + 1, (), generator=random)) for length in (H, W))
        square[y : y + side, x : x + side] = True
    P = P.to(images.device)
    versions = (torch.where(square, GRAY, images) for square in P)
    S = _numbers(model, images, (images, *versions), 1 + len(P), target, batch_size)
    return P, S[0] - S[1:]


def infidelity(shares: Tensor, P: Tensor, fall: Tensor, *, relative: bool = True) -> Tensor:
    """How badly the shares (N, H, W) of the pixels foretell the `falls`: (N,), 0 is best.

    The mean over P of (a sum_P shares - fall)^2. With a = 1 that is the infidelity of Yeh et al. (2019), definition
    2.1, for the perturbation that grays P. `relative` takes the best a for each image, so that maps in any unit
    compare, and divides by the mean of fall^2: 1 then says that the map foretells nothing.
    """
    told = torch.einsum("nhw,phw->pn", shares.double(), P.double())
    fall = fall.to(told)
    if not relative:
        return (told - fall).square().mean(0)
    a = (told * fall).sum(0) / told.square().sum(0).clamp(min=1e-300)
    return (a * told - fall).square().mean(0) / fall.square().mean(0).clamp(min=1e-300)


def sensitivity(
    explain: Callable[[Tensor], Tensor], images: Tensor, *, radius: float = 0.02, samples: int = 3, seed: int = 0
) -> Tensor:
    """max over small d of |M(I + d) - M(I)| / |M(I)|, in the Euclidean norm: (N,), 0 is steadiest.

    Yeh et al. (2019), definition 2.2, with `samples` of d, uniform in [-radius, radius] at each entry and one for all
    images; pixels stay in [0, 1]. `explain` makes maps (N, ...) of images. The class should not be chosen anew.
    """
    random = Generator().manual_seed(whole("seed", seed, 0))
    M = explain(images).flatten(1).double()
    worst = torch.zeros(len(M), dtype=M.dtype, device=M.device)
    for _ in range(whole("samples", samples, 1)):
        d = radius * (2 * torch.rand(images.shape[1:], generator=random, dtype=torch.float64, device="cpu") - 1)
        moved = explain((images + d.to(images)).clamp(0, 1)).flatten(1).double()
        worst = torch.maximum(worst, (moved - M).norm(dim=1) / M.norm(dim=1).clamp(min=1e-300))
    return worst


def _inside(maps: Tensor, masks: Tensor) -> Tensor:
    if maps.shape != masks.shape or not masks.flatten(1).any(1).all():
        raise SaliencyError("every map needs a mask of its own shape, with something in it")
    return masks.flatten(1).to(maps.device).double()


def _order(maps: Tensor) -> Tensor:
    """The pixels of each map from its largest value to its smallest, (N, H W); equal ones in one random order."""
    flat = maps.flatten(1)
    shuffled = torch.randperm(flat.shape[1], generator=Generator().manual_seed(0), device="cpu").to(flat.device)
    return shuffled[flat[:, shuffled].argsort(dim=1, descending=True, stable=True)]


def _area(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    steps: int,
    batch_size: int,
    known: tuple[Tensor, Tensor] | None,
    *,
    back: bool,
) -> Tensor:
    """The mean of S on the way from image to gray, or `back`: a share of 1 / steps of the pixels more each time."""
    if maps.shape != (len(images), *images.shape[2:]):
        raise SaliencyError(f"expected maps of the images' shape, and got {tuple(maps.shape)}")
    whole("steps", steps, 1)
    way = [images, torch.full_like(images, GRAY)]
    S = list(known or ends(model, images, target, batch_size=batch_size))
    if back:
        way.reverse()
        S.reverse()
    order = _order(maps)
    place = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )

    def versions() -> Iterator[Tensor]:
        for step in range(1, steps):
            reached = (place < round(step / steps * order.shape[1])).view(len(images), 1, *images.shape[2:])
            yield torch.where(reached, way[1], way[0])

    S[1:1] = _numbers(model, images, versions(), steps - 1, target, batch_size)
    heights = torch.stack(S)
    return (heights[:-1] + heights[1:]).mean(0) / 2  # trapezoids


def _numbers(
    model: nn.Module, images: Tensor, versions: Iterable[Tensor], count: int, target: Target, batch_size: int
) -> Tensor:
    """S of all versions, (count, N) in float64."""
    S = torch.empty(count, len(images), dtype=torch.float64)
    asked = VersionMethod(model, images, batch_size=batch_size, progress=False)
    for seen in asked.numbers(versions, count, target):
        S[seen.version, seen.row] = seen.S.double()
    return S
