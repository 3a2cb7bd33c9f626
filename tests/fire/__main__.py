"""`python -m tests.fire` plays every experiment and writes what was seen into docs/reliability.md."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from tests.fire.everything import ALL
from tests.fire.measured import ROOT, Experiment

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- what was seen: begin -->", "<!-- what was seen: end -->"


def main() -> int:
    """Play them all; returns 1 where one does not hold, and writes nothing then."""
    lines = ["| tried | times | on | seen | took |", "|---|---|---|---|---|"]
    for one in ALL:
        lines.append(_row(one))
        print(lines[-1], flush=True)
    about = (
        f"Seen on {time.strftime('%Y-%m-%d')}: Linux {platform.release()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}{', as root' if os.geteuid() == 0 else ''}."
    )
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{about}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    return 0


def _row(one: Experiment) -> str:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fire-") as folder:
        found = one.play(Path(folder))
    took = time.monotonic() - began
    return f"| {one.what} | {found.count:,} | {one.engine or 'any'} | {found.seen} | {took:.0f} s |"


if __name__ == "__main__":
    sys.exit(main())
