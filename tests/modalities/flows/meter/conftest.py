"""Makes the frame builders and the per-packet reference beside this file importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
