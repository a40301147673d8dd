"""`python -m muster_verifier`."""

import sys

from .command import main

sys.exit(main())
