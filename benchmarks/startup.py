"""What one waits for before the first picture, as ratios to `import torch`.

python -m benchmarks.startup [--repeats 7]     exits with 1 if a limit is missed

Each run is a process of its own, and all take turns. Importing torch twice over cannot be helped by this package; what
comes on top of it can.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.timing import Comparison, arguments, report

FIRST_STEP = """
import sys
from saliency_lib.cli import main, pictures
climb = pictures.class_image
pictures.class_image = lambda *given, **options: climb(*given, **options, callback=lambda *_: sys.exit())
main(sys.argv[1:])
"""


def python(*command: str) -> Callable[[], object]:
    """A run of Python with these arguments."""
    return lambda: subprocess.run([sys.executable, *command], check=True, capture_output=True)


def comparisons(folder: Path) -> list[Comparison]:
    """The package, its network, and three commands; each ends with its picture, the last before its first step."""
    torch, picture = python("-c", "import torch"), ["--out", str(folder / "picture.png")]
    load = "import saliency_lib as sl; sl.load_model()"
    first_step = ["-c", FIRST_STEP, "class-image", "flamingo", *picture]
    return [
        Comparison("import saliency_lib", python("-c", "import torch, saliency_lib"), torch, 1.05),
        Comparison("load_model()", python("-c", load), torch, 1.15),
        Comparison("saliency PHOTO", python("-m", "saliency_lib", "saliency", "coffee", *picture), torch, 1.7),
        Comparison("localize PHOTO", python("-m", "saliency_lib", "localize", "coffee", *picture), torch, 1.8),
        Comparison("class-image, before its first step", python(*first_step), torch, 1.4),
    ]


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, command, repeats=7)
    with tempfile.TemporaryDirectory() as folder:
        return report(comparisons(Path(folder)), options.repeats)


if __name__ == "__main__":
    sys.exit(main())
