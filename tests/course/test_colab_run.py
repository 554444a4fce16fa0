"""Where the notebooks of Colab are tried, the package is the wheel, and the repository is out of sight."""

import os
import subprocess
from pathlib import Path

from tools.course.colab_run import environment, wheel
from tools.project import ROOT, Project


def test_a_fresh_environment_finds_the_wheel_and_not_the_repository(tmp_path: Path) -> None:
    python = environment(tmp_path, wheel(Project(ROOT), tmp_path), None)
    asked = "from importlib.util import find_spec as f; print(f('saliency_lib').origin, f('torch').origin, sep='\\n')"
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ours, theirs = subprocess.check_output([python, "-c", asked], text=True, cwd=tmp_path, env=alone).splitlines()
    assert Path(ours).is_relative_to(tmp_path)
    assert not Path(theirs).is_relative_to(tmp_path)
    assert (Path(ours).parent / "data" / "photos").is_dir()
