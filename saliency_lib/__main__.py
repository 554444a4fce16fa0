"""`python -m saliency_lib`."""

import sys

from saliency_lib.cli import main

sys.exit(main())
