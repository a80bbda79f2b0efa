"""``python -m contraview`` is the command."""

import sys

from contraview.apps.cli import main

sys.exit(main())
