"""What one waits for: nothing is imported before it is used, and who waits is told what for."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from saliency_lib import __main__, progress

USES = """
import sys
import torch
before = set(sys.modules)
import saliency_lib as sl
assert not set(sys.modules) - before - {"saliency_lib", "lazy_loader"} - set(sys.stdlib_module_names), sys.modules
def imported(*names):
    return [name for name in names if name in sys.modules and name not in before]
heavy = "torch._dynamo sympy torchvision timm cv2 matplotlib scipy sklearn IPython tqdm.auto".split()
model = sl.load_model()
images = sl.to_tensor(sl.sample_photo("coffee"), 64)
sl.saliency_map(model, images, rule="guided")
sl.object_map(model, images)
sl.creatures, sl.localize, sl.class_image, sl.available_models
assert {"plots", "widgets", "class_image", "creatures"} <= set(dir(sl))
assert not imported(*heavy), imported(*heavy)
from saliency_lib.comparison.explainers import find_explainers
net = sl.load_model("companion_convnet_shortcut")
sl.find_method("smoothgrad"), find_explainers(["lime", "edges"], net, "companion_convnet_shortcut")
rooms = "saliency_lib.models.networks.", "saliency_lib.methods.", "saliency_lib.comparison.metrics."
used = {name.split(".")[-1] for name in sys.modules if name.startswith(rooms)}
assert {"companion_convnet", "smoothgrad", "lime"} <= used
assert not {"creature_convnet", "creature_vit", "shap", "lrp", "occlusion", "deletion"} & used, used
sl.class_image(model, "espresso", steps=1, size=32, priors="recommended")
assert imported(*heavy) == ["tqdm.auto"], imported(*heavy)
import runpy
try:
    runpy.run_module("saliency_lib", run_name="__main__", alter_sys=True)
except SystemExit as stop:
    assert not stop.code
assert imported(*heavy) == ["matplotlib", "tqdm.auto"], imported(*heavy)
"""


def test_nothing_is_imported_before_it_is_used(tmp_path: Path) -> None:
    """Neither by the package, nor by PyTorch on behalf of what it is asked to do; a network imports no other."""
    run = subprocess.run(
        [sys.executable, "-c", USES, "saliency", "coffee", "--out", str(tmp_path / "map.png")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "map.png").is_file()


def test_a_command_that_loads_for_long_says_what(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_until", float("inf"))
    monkeypatch.setattr(progress, "PATIENCE", 0.2)
    with progress.loading("what no command asked for"):
        time.sleep(0.3)
    progress.speak_from_now()
    with progress.loading("what is there at once"):
        pass
    time.sleep(0.3)
    with progress.loading("the second thing"):
        time.sleep(0.1)
    progress.speak_from_now()
    with progress.loading("the slow thing"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "loading the second thing ...\nloading the slow thing ...\n"


def test_an_interruption_while_pytorch_is_imported_is_one_line(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "saliency_lib.cli":
                raise KeyboardInterrupt

    monkeypatch.setattr(progress, "_until", float("inf"))
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "saliency_lib.cli", raising=False)
    assert __main__.run() == 130
    assert capsys.readouterr().err == "saliency_lib: interrupted\n"
