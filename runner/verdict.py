"""Findings and verdicts: one observation with its reason; pass, fail or unknown.

Pure data and how verdicts combine: fail over unknown over pass, so that nothing unseen is ever a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "unknown"]
_RANK: dict[Verdict, int] = {"pass": 0, "unknown": 1, "fail": 2}


@dataclass(frozen=True)
class Finding:
    """One observation. `check` is the expectation's kind (`packets`, `count`, ...; `steps` for the play itself).

    `summary` is one line, also when it passed (what was seen). `detail` is text of several lines: expected
    and seen side by side, near misses. `path` and `line` are the place in the scenario. `packets` are numbers
    in the capture file, from 1.
    """

    verdict: Verdict
    check: str
    summary: str
    detail: str = ""
    path: str = ""
    line: int = 0
    packets: tuple[int, ...] = ()


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; `pass` of none."""
    return max(verdicts, key=_RANK.__getitem__, default="pass")
