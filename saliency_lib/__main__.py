"""`python -m saliency_lib`."""

import sys

from saliency_lib.progress import loading, speak_from_now


def run() -> int:
    """The exit code of the command that was typed."""
    speak_from_now()
    try:
        with loading("PyTorch"):
            from saliency_lib.cli import main
    except KeyboardInterrupt:
        print("saliency_lib: interrupted", file=sys.stderr)
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(run())
