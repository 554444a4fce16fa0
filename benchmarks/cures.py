"""Cures of a shortcut compared: one that was learned, five ways to unlearn it, five seeds each.

python -m benchmarks.cures                    trains what is not in data/cures.json yet (some minutes), and prints
python -m benchmarks.cures --tables           trains nothing

Every network learns from the same 900 drawings: of the owls 95 in 100 stand beside a tree, of all others 5 in 100. So
there are four groups, and in the two small ones the tree misleads. A cure may know more than that:

nothing          the drawings as they are
resampling       which drawings have a tree: 900 are drawn again, of each creature as many with as without
right reasons    where the trees are: the loss grows with the squared gradient there (Ross et al., 2017, equation 1)
last layer       200 more drawings, half of each class beside a tree: the last layer is learned anew on them, by
                 logistic regression on the features of the network as it is (Kirichenko et al., 2023)
counterexamples  the same 200 drawings, added to the 900

The strength of the penalty is the one of three that does best in the worst group on networks of another seed. The null
is the same training on drawings without any tree among them, asked about the same groups: `never met`.
"""

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import saliency_lib as sl
from benchmarks.shortcuts import EXAMPLES, SEEN, UNSEEN, answers
from benchmarks.trainings import Trainings
from saliency_lib.auditing.examination import examine
from saliency_lib.auditing.summary import summarize
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.models.networks.companion_convnet import CompanionConvNet, among_companions
from saliency_lib.models.training import Mirrored, Recipe, train

OWL = CATEGORIES.index("owl")
OTHERS = tuple(name for name in CATEGORIES.names if name not in ("owl", "tree"))
MIXED = {"owl": 0.95} | dict.fromkeys(OTHERS, 0.05)
HALF = {"owl": 0.5} | dict.fromkeys(OTHERS, 0.5)
MORE, MORE_SEED = 200, 3
SEEDS, TUNING = range(5), 100
STRENGTHS = (0.001, 0.01, 0.1)
COLUMNS = ("owl with", "owl alone", "other with", "other alone", "worst")


@lru_cache
def drawn(beside: tuple[tuple[str, float], ...], count: int, seed: int) -> sl.Companions:
    """Drawings that several cures share."""
    return sl.companions(count, seed=seed, beside=dict(beside))


def told(found: sl.Companions) -> Tensor:
    """Of each drawing its label and the mask of its tree: (N, 65, 64)."""
    return torch.cat([found.labels.view(-1, 1, 1).expand(-1, 1, 64), found.masks["companion"]], 1)


def balanced(found: sl.Companions) -> Tensor:
    """Which drawings to take, with repetitions, so that a creature is seen as often with a tree as without."""
    has, chance = found.masks["companion"].flatten(1).any(1), torch.zeros(len(found.labels))
    for creature in found.labels.unique():
        for group in (has, ~has):
            some = group & (found.labels == creature)
            chance[some] = 1 / some.sum()
    return torch.multinomial(chance, len(chance), replacement=True, generator=torch.Generator().manual_seed(0))


def turned(answers: Tensor) -> Tensor:
    """The same of a drawing that is mirrored."""
    return torch.cat([answers[:, :1], answers[:, 1:].flip(2)], 1)


def plain(scores: Tensor, answers: Tensor) -> Tensor:
    """The cross-entropy."""
    return F.cross_entropy(scores, answers[:, 0, 0].long())


def with_penalty(network: nn.Module, images: Tensor, answers: Tensor) -> Tensor:
    """The scores, and in one more column the squared gradient of the sum of log P in the tree."""
    images = images.detach().requires_grad_(True)
    scores = network(images)
    (w,) = torch.autograd.grad(F.log_softmax(scores, 1).sum(), images, create_graph=True)
    return torch.cat([scores, ((w * answers[:, None, 1:]) ** 2).sum((1, 2, 3))[:, None]], 1)


def recipe(beside: Mapping[str, float], cure: str = "", strength: float = 0.0) -> Recipe:
    """How a network learns under a cure that changes its training."""
    more = MORE if cure == "counterexamples" else 0

    def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
        parts = [drawn(tuple(beside.items()), EXAMPLES, seed)]
        parts += [drawn(tuple(HALF.items()), MORE, MORE_SEED)] if more else []
        images, wanted = torch.cat([part.images for part in parts]), torch.cat([told(part) for part in parts])
        which = balanced(parts[0]) if cure == "resampling" else slice(None)
        return images[which], wanted[which]

    made = vars(among_companions({})) | {"draw": draw, "loss": plain, "alter": Mirrored(turned)}
    made |= {"examples": EXAMPLES + more, "epochs": SEEN // EXAMPLES}
    if cure == "right reasons":
        made["outputs"] = with_penalty
        made["loss"] = lambda out, answers: plain(out[:, :-1], answers) + strength * out[:, -1].mean()
    return Recipe(**made)


def as_model(network: nn.Module) -> sl.Model:
    """A trained network as the library asks for it."""
    form = among_companions({})
    return sl.as_model(network.eval(), mean=form.mean, std=form.std, size=64, head=sl.Head("softmax", CATEGORIES))


def last_layer(network: nn.Module) -> nn.Module:
    """The network, its last layer learned anew on drawings half of which have a tree."""
    form, found = among_companions({}), drawn(tuple(HALF.items()), MORE, MORE_SEED)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (form.mean, form.std))
    assert isinstance(network, CompanionConvNet)
    linear = network.classifier[-1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        features = network.classifier[:-1](network.features((found.images - mean) / std))
        fitted = LogisticRegression(C=1.0, max_iter=2000).fit(features.numpy(), found.labels.numpy())
        linear.weight.zero_()
        linear.bias.fill_(-1e3)  # the tree is no label of any drawing
        linear.weight[fitted.classes_] = torch.from_numpy(fitted.coef_).float()
        linear.bias[fitted.classes_] = torch.from_numpy(fitted.intercept_).float()
    return network


def groups(model: nn.Module, seed: int = UNSEEN) -> dict[str, float]:
    """The share of right answers in the four groups, and in the worst."""
    right = {}
    for title, beside in (("with", dict.fromkeys(("owl", *OTHERS), 1.0)), ("alone", {})):
        found = drawn(tuple(beside.items()), 450, seed)
        hit = answers(model, found.images) == found.labels
        right[f"owl {title}"] = hit[found.labels == OWL].float().mean().item()
        right[f"other {title}"] = hit[found.labels != OWL].float().mean().item()
    return right | {"worst": min(right.values())}


def reliance(model: nn.Module) -> float:
    """What the audit says of the tree beside the owl, equation (11.5)."""
    found = sl.companions(40, seed=UNSEEN, kind="owl")
    masks = {"object": found.masks["creature"], "shortcut": found.masks["companion"]}
    return summarize(examine(model, found.images, OWL, masks)).reliance.mean


@lru_cache
def strength() -> float:
    """The penalty's factor: the best of three in the worst group, on a seed and drawings used for nothing else."""
    worst = {
        one: groups(as_model(train(recipe(MIXED, "right reasons", one), seed=TUNING)), UNSEEN + 1)["worst"]
        for one in STRENGTHS
    }
    return max(worst, key=lambda one: worst[one])


CURES: dict[str, Callable[[int], nn.Module]] = {
    "never met": lambda seed: train(recipe({}), seed=seed),
    "nothing": lambda seed: train(recipe(MIXED), seed=seed),
    "resampling": lambda seed: train(recipe(MIXED, "resampling"), seed=seed),
    "right reasons": lambda seed: train(recipe(MIXED, "right reasons", strength()), seed=seed),
    "last layer": lambda seed: last_layer(train(recipe(MIXED), seed=seed)),
    "counterexamples": lambda seed: train(recipe(MIXED, "counterexamples"), seed=seed),
}


def measure(cure: str, seed: int) -> dict[str, Any]:
    """One network: what it gets right by group, and how much it rests on the tree."""
    model = as_model(CURES[cure](seed))
    own = {"strength": strength()} if cure == "right reasons" else {}
    found = groups(model) | {"R": reliance(model)}
    return {"cure": cure, "seed": seed, **own, **{key: round(value, 4) for key, value in found.items()}}


TRAININGS = Trainings("cures", __doc__ or "", "cure", list(CURES), SEEDS, (*COLUMNS, "R"), measure)

if __name__ == "__main__":
    sys.exit(TRAININGS.main())
