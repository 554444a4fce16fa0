"""The weights of `creature_convnet`, made anew in less than three minutes on two cores.

    python -m tools.creatures                      # train, print the accuracy, write the file that the package carries
    python -m tools.creatures --plain --out FILE   # the same without adversarial examples, to see what they do
    python -m tools.creatures --check              # train to a temporary file; is it as good as the committed one?

Each batch is made faint at random, gets noise, and is moved one step of length up to `REACH` in the direction in which
its loss grows fastest (Goodfellow et al., 2015, in the Euclidean norm). The first makes the network see something in an
image that is almost gray, where the paper's recipe starts; the last makes its gradients clean.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

import saliency_lib as sl
from saliency_lib.models.creature_convnet import MEAN, STD, WEIGHTS_FILE, CreatureConvNet

DRAWINGS, HELD_OUT = 8000, 5000
SEED, HELD_OUT_SEED = 1, 2
EPOCHS, BATCH = 10, 100
RATE, DECAY = 2e-3, 2.0
FAINTEST, NOISE, REACH = 0.3, 0.2, 8.0
LOSS_OF_QUALITY = 0.01


def train(drawings: sl.Creatures, *, epochs: int = EPOCHS, plain: bool = False, seed: int = 0) -> CreatureConvNet:
    """The network, trained on these drawings, in evaluation mode. The caller's random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _fresh()
        steps = epochs * (len(drawings.images) // BATCH)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
        batches = (batch for _ in range(epochs) for batch in _shuffled(drawings))
        for step, (images, labels) in enumerate(tqdm(batches, total=steps, desc="training", unit="batch")):
            reach = 0 if plain else REACH * min(1, step / (0.3 * steps))
            loss = F.cross_entropy(network(_altered(network, images, labels, reach)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def _fresh() -> CreatureConvNet:
    """The network before training.

    Weights that no drawing ever uses keep their first values, and a class image would show these: they begin small.
    """
    network = CreatureConvNet().to(memory_format=torch.channels_last)
    spreads = {"classifier.1.weight": 0.004, "classifier.3.weight": 0.1}
    for name, values in network.named_parameters():
        if values.ndim == 1:
            nn.init.zeros_(values)
        elif name in spreads:
            nn.init.normal_(values, std=spreads[name])
        else:
            nn.init.kaiming_normal_(values, nonlinearity="relu")
    return network


def _shuffled(drawings: sl.Creatures) -> Iterator[tuple[Tensor, Tensor]]:
    """Full batches of images and their labels, in a new random order."""
    for chosen in torch.randperm(len(drawings.images)).split(BATCH):
        if len(chosen) == BATCH:
            yield drawings.images[chosen], drawings.labels[chosen]


def _altered(network: nn.Module, images: Tensor, labels: Tensor, reach: float) -> Tensor:
    """The images, normalized, made faint, noisy, and moved by at most `reach` toward a higher loss."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    strength = FAINTEST + (1 - FAINTEST) * torch.rand(len(images), 1, 1, 1)
    noise = torch.randn_like(images) * torch.rand(len(images), 1, 1, 1) * NOISE
    pixels = (strength * (images - mean) + noise).contiguous(memory_format=torch.channels_last)
    if reach:
        pixels.requires_grad_(True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(network(pixels / std), labels), pixels)
        direction = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        pixels = pixels.detach() + reach * strength * torch.rand(len(images), 1, 1, 1) * direction
    return pixels / std


@torch.no_grad()
def accuracy(network: nn.Module, drawings: sl.Creatures) -> float:
    """The share of drawings whose class has the highest score."""
    model = sl.as_classifier(network, MEAN, STD)
    right = [
        (model(images).argmax(1) == labels).float()
        for images, labels in zip(drawings.images.split(500), drawings.labels.split(500), strict=True)
    ]
    return torch.cat(right).mean().item()


def save(network: CreatureConvNet, path: Path) -> str:
    """Write the weights as float16 and return the SHA-256 of the file."""
    torch.save({name: values.half().contiguous() for name, values in network.state_dict().items()}, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Train, and write or check; the exit code is 1 if a check fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.creatures", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE, metavar="FILE.pt", help="where to write the weights")
    parser.add_argument("--plain", action="store_true", help="without adversarial examples: an ordinary network")
    parser.add_argument(
        "--check",
        action="store_true",
        help="train to a temporary file and compare the accuracy on drawings that were held out: it may be "
        f"{LOSS_OF_QUALITY:.0%} lower than that of the committed weights, not more. The weights themselves differ "
        "from machine to machine, because sums are rounded differently",
    )
    options = parser.parse_args()
    if options.plain and not options.check and options.out == WEIGHTS_FILE:
        parser.error("--plain takes an --out: the package carries the other network")
    held_out = sl.creatures(HELD_OUT, seed=HELD_OUT_SEED)
    network = train(sl.creatures(DRAWINGS, seed=SEED), plain=options.plain)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS_FILE.name if options.check else options.out
        digest = save(network, path)
        size = path.stat().st_size
    reached = accuracy(network, held_out)
    print(f"{reached:.2%} of {HELD_OUT} held-out drawings right; {size / 1000:.0f} kB, SHA-256 {digest}")
    if options.check:
        committed = accuracy(sl.load_model("creature_convnet").cpu().network, held_out)
        print(f"{committed:.2%} with the committed weights")
        return int(reached < committed - LOSS_OF_QUALITY)
    if options.out == WEIGHTS_FILE:
        print("Put this SHA-256 into saliency_lib/creature_convnet.py and saliency_lib/data/README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
