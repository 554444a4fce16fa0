"""`python -m saliency_lib`."""

import sys

from saliency_lib.waiting import begin, waiting_for


def run() -> int:
    """The exit code of the command that was typed."""
    begin()
    try:
        with waiting_for("PyTorch"):
            from saliency_lib.cli import main
    except KeyboardInterrupt:
        print("saliency_lib: interrupted", file=sys.stderr)
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(run())
