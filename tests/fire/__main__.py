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
    """Play them all, in the order of the page; one that does not hold ends it, with the lines up to there written."""
    lines = ["| tried | times | on | seen | took |", "|---|---|---|---|---|"]
    for one in ALL:
        lines.append(_row(one))
        print(lines[-1], flush=True)
        _write("\n".join(lines))
    return 0


def _write(table: str) -> None:
    kernel, python = platform.release().partition("-")[0], platform.python_version()
    about = (
        f"Seen on {time.strftime('%Y-%m-%d')}: Linux {kernel}, {os.cpu_count()} processors, Python {python}"
        f"{', as root' if os.geteuid() == 0 else ''}; processes that waited for a processor meanwhile: "
        f"{os.getloadavg()[2]:.1f}."
    )
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{about}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def _row(one: Experiment) -> str:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fire-") as folder:
        found = one.play(Path(folder))
    took = time.monotonic() - began
    return f"| {one.what} | {found.count:,} | {one.engine or 'any'} | {found.seen} | {took:.0f} s |"


if __name__ == "__main__":
    sys.exit(main())
