"""The package from the command line.

arguments   what can be typed, and what it means
pictures    the commands that draw: saliency, localize, class-image
comparing   the command that measures methods beside each other
studying    the commands that try general sentences
training    the command that trains
auditing    the command that audits a folder of photos
main        all commands
"""

from saliency_lib.cli.main import main

__all__ = ["main"]
