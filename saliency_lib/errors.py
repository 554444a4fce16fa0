"""What can go wrong, as one clear sentence each.

Every error that the package raises on purpose is a `SaliencyError`, which is a `ValueError`; the command line prints
its sentence and exits with 2.
"""

LONGEST = 300


class SaliencyError(ValueError):
    """Something that the caller handed over cannot be used; the message says what and what to do.

    However long or broken the name or the foreign error is that the message quotes, it is one line that can be read.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__(line if len(line) < LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 3 :]}")


class ImageError(SaliencyError):
    """An image that cannot be opened, or a tensor that is not a batch of images in [0, 1]."""


class TargetError(SaliencyError):
    """A target that names no class, several classes, or does not fit the batch."""


class ModelError(SaliencyError):
    """A network that cannot be loaded, or whose output cannot be differentiated."""
