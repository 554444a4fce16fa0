"""Where the notebooks of Colab are tried, the package is the wheel, whole, and the repository is out of sight."""

import os
import subprocess
import zipfile
from pathlib import Path

from tools.course.colab_run import environment, wheel
from tools.project import ROOT, Project


def test_a_fresh_environment_finds_the_wheel_and_not_the_repository(tmp_path: Path) -> None:
    package = wheel(Project(ROOT), tmp_path)
    carried = zipfile.ZipFile(package).namelist()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in filter(lambda name: (ROOT / name).is_file(), tracked.split("\0")):  # none where there is no git
        inside = f"saliency_lib/{name}" if name.startswith("data/") else name
        assert inside in carried or not inside.startswith("saliency_lib/"), name
    python = environment(tmp_path, package, None)
    asked = "from importlib.util import find_spec as f; print(f('saliency_lib').origin, f('torch').origin, sep='\\n')"
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ours, theirs = subprocess.check_output([python, "-c", asked], text=True, cwd=tmp_path, env=alone).splitlines()
    assert Path(ours).is_relative_to(tmp_path)
    assert not Path(theirs).is_relative_to(tmp_path)
    assert (Path(ours).parent / "data" / "photos").is_dir()
