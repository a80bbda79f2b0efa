"""``python -m lab --out DIR``: builds the lab and lets its days pass, side by side."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import sandbox
from lab.plan import MINUTES, Plan, plan


def main() -> None:
    """Runs the days asked for, then meters and labels what was captured."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for captures and tables")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, help=f"length of each day (default {MINUTES})")
    parser.add_argument("--days", type=_days, default=[1, 2, 3], help="such as 1,3 (default 1,2,3)")
    options = parser.parse_args()
    if missing := sandbox.missing():
        parser.error(f"not installed: {', '.join(missing)} (see docs/lab.md)")
    options.out.mkdir(parents=True, exist_ok=True)
    plans = [plan(day, options.seed, options.minutes or MINUTES[day]) for day in options.days]
    with tempfile.TemporaryDirectory() as folder:
        _live(plans, Path(folder), options.out.resolve())
    # Not before: with polars imported, Ctrl-C no longer interrupts waiting for a process.
    from lab.counts import counts
    from lab.tables import write

    print(counts({each.day: write(each, options.out) for each in plans}))


def _days(text: str) -> list[int]:
    days = sorted({int(day) for day in text.split(",")})
    if not set(days) <= set(MINUTES):
        raise argparse.ArgumentTypeError(f"{text!r}: there are days {sorted(MINUTES)}")
    return days


def _live(plans: list[Plan], folder: Path, out: Path) -> None:
    running = []
    try:
        for each in plans:
            written = folder / f"day{each.day}.plan.json"
            each.write(written)
            command = [*sandbox.command(), sys.executable, "-m", "lab.day", str(written), str(out)]
            running.append(subprocess.Popen(command))
        for process in running:
            if process.wait():
                raise SystemExit(f"a day ended with code {process.returncode}")
    finally:
        for process in running:
            process.kill()
            process.wait()
        for left in out.glob("day*.pcap.gz.partial"):
            left.unlink()


if __name__ == "__main__":
    main()
