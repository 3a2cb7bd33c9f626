"""`make bench`: each measure beside its reference, taken in turn in the same run; medians, and the ratio of the pairs.

Times on a shared machine mean little alone, so every row has a reference that was measured between its own samples.
Nothing here is a test: it prints, and judges nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import measures

ROOT = Path(__file__).resolve().parents[2]


def paired(
    rounds: int, ours: Callable[[], float], reference: Callable[[], float]
) -> tuple[float, float, float]:
    """Medians of both, in seconds, and of their ratio, sampled in turn after one warm-up of each."""
    ours(), reference()
    pairs = [(ours(), reference()) for _ in range(rounds)]
    return (
        statistics.median(mine for mine, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(mine / other for mine, other in pairs),
    )


def rows() -> Iterator[tuple[str, ...]]:
    """The table's rows: what, ours, the reference, the ratio, the reference's name."""
    with tempfile.TemporaryDirectory() as scratch:
        for measure in measures.all_of(Path(scratch)):
            reason = measure.missing()
            if reason:
                yield measure.title, "-", "-", "-", f"left out: {reason}"
                continue
            mine, other, ratio = paired(measure.rounds, measure.ours, measure.reference)
            yield (
                measure.title,
                f"{mine * 1000:.2f} ms",
                f"{other * 1000:.2f} ms",
                f"{ratio:.2f}",
                measure.reference_title,
            )


def main() -> int:
    """Print the machine and the table as rows come."""
    console = Console()
    kernel = os.uname().release
    python = sys.version.split()[0]
    console.print(
        f"kernel {kernel}, Python {python}, {os.cpu_count()} processors, {'root' if os.geteuid() == 0 else 'no root'}"
    )
    table = Table("measure (median)", "ours", "reference", "ratio", "the reference is")
    for row in rows():
        table.add_row(*row)
        console.print(f"  {row[0]}: {row[1]}, reference {row[2]}, ratio {row[3]}")
    console.print(table)
    for more in ("catalogue", "floods", "first_packets", "faults", "captures", "watching", "scale"):
        subprocess.run([sys.executable, "-m", f"tests.bench.{more}"], cwd=ROOT, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
