"""A shortcut that nobody suspects: do clusters of maps betray it? Twenty networks, ten of them planted.

python -m benchmarks.clusters DIR             networks as `benchmarks.shortcuts --part power --keep DIR` leaves them
python -m benchmarks.clusters --tables        reads data/clusters.json only

Spectral relevance analysis (Lapuschkin et al., 2019): the maps of one class on many images, made coarse, are nodes of a
graph of nearest neighbors; where the eigenvalues of its Laplacian leave a gap, there are clusters, and somebody looks
at each. Here a network is asked about 60 drawings of its creature, half of them beside the companion; it gets neither
masks nor the companion's name. Four numbers a network:

gap           how much larger the third eigenvalue is than the second: two clusters, far apart, make it large
agreement     how well two clusters are those with and without the companion: the adjusted Rand index, 0 by chance
side          how well they are those whose creature stands on the left, and on the right
other side    the same of the companion, which stands across from it; of the creature where it is alone

A map is compared as it lies, or by the amplitudes of its Fourier transform, which stay when it is moved.

A gap accuses a network if it is larger than those of all but one of the honest ones. Clusters *show* a shortcut if they
agree with the companion by more than 0.5, which whoever looks at their pictures would see.
"""

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse.csgraph import laplacian
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph
from torch import Tensor

import saliency_lib as sl
from benchmarks.shortcuts import POWER, UNSEEN, Setting, area, network
from benchmarks.trainings import store, stored
from saliency_lib.datasets.creatures import CATEGORIES

IMAGES, COARSE, NEIGHBORS, SEED = 60, 8, 8, 202
METHODS = ("gradient", "lrp")
VIEWS = ("as it lies", "wherever it lies")
SEEN_BY_EYE = 0.5


def graph(maps: Tensor, view: str = VIEWS[0]) -> np.ndarray:
    """Which maps (N, H, W) are among each other's nearest, after each is made coarse and its sum 1: (N, N)."""
    maps = maps.clamp_min(0) / maps.clamp_min(0).sum((1, 2), keepdim=True).clamp_min(1e-30)
    if view == VIEWS[0]:
        coarse = F.adaptive_avg_pool2d(maps[:, None], COARSE).flatten(1)
    else:
        coarse = torch.fft.rfft2(maps)[:, :COARSE, :COARSE].abs().flatten(1)
    near = kneighbors_graph(coarse.numpy(), NEIGHBORS, include_self=False).toarray()
    return (near + near.T) / 2


def gap(near: np.ndarray) -> float:
    """Third eigenvalue of the normalized Laplacian less the second."""
    values = np.sort(np.linalg.eigvalsh(laplacian(near, normed=True)))
    return float(values[2] - values[1])


def measure(one: Setting, folder: Path) -> list[dict[str, Any]]:
    """What the clusters of a network's maps say, by each method."""
    model = network(one, folder)
    found = sl.companions(IMAGES, seed=UNSEEN, kind=one.creature, companion=one.companion, beside={one.creature: 0.5})
    label, has = CATEGORIES.index(one.creature), found.masks["companion"].flatten(1).any(1).numpy()
    columns = found.masks["creature"].sum(1)
    left = ((columns * torch.arange(columns.shape[1])).sum(1) / columns.sum(1) < columns.shape[1] / 2).numpy()
    records = []
    for method in METHODS:
        maps = sl.find_method(method)(model, found.images).maps(label).detach().float().cpu()
        for view in VIEWS:
            near = graph(maps, view)
            two = SpectralClustering(2, affinity="precomputed", random_state=0).fit_predict(near)
            own = {"gap": gap(near), "agreement": adjusted_rand_score(has, two)}
            own |= {"side": adjusted_rand_score(left, two), "other side": adjusted_rand_score(left ^ has, two)}
            records.append(
                {"method": method, "view": view, "creature": one.creature, "companion": one.companion, "dose": one.dose}
                | {key: round(float(value), 4) for key, value in own.items()}
            )
    return records


def table(found: list[dict[str, Any]]) -> list[str]:
    """How many networks a method's clusters accuse, and how many shortcuts they show."""
    lines = []
    for method, view in product(METHODS, VIEWS):
        guilty, honest = (
            [one for one in found if (one["method"], one["view"], one["dose"] > 0) == (method, view, planted)]
            for planted in (True, False)
        )
        gaps = [np.array([one["gap"] for one in some]) for some in (guilty, honest)]
        over, told = np.sort(gaps[1])[-2], []
        for title, some in (("planted", guilty), ("honest", honest)):
            seen = sum(one["agreement"] > SEEN_BY_EYE for one in some)
            sides = (np.mean([one[key] for one in some]) for key in ("side", "other side"))
            own, other = (f"{side:.2f}" for side in sides)
            told.append(f"{title} show it in {seen} of {len(some)}, side {own}, other side {other}")
        lines.append(
            f"{method:9}{view:17} gap: area {area(*gaps):.2f}, {(gaps[0] > over).sum()} of {len(guilty)} above all but "
            f"one honest; {'; '.join(told)}"
        )
    return lines


def main(command: list[str] | None = None) -> int:
    """Ask what is missing, store it, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clusters", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="where the networks are kept, or will be")
    parser.add_argument("--tables", action="store_true", help="ask no network")
    options = parser.parse_args(command)
    if not options.tables:
        if options.folder is None:
            parser.error("which folder of networks? Or --tables")
        every = [Setting("power", *pair, dose=dose, seed=SEED) for pair in POWER for dose in (1.0, 0.0)]
        found = [record for one in every for record in measure(one, options.folder)]
        store("clusters.json", found)
    print(*table(stored("clusters.json")), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
