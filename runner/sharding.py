"""`--shard K/N`: one of N parts of a suite, so that CI jobs need about the same time each, and agree without a word.

The longest cases first, each to the part that has least to do so far (longest processing time first, R. L. Graham,
"Bounds on Multiprocessing Timing Anomalies", 1969). Pure: the same cases and durations always give the same parts.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runner.errors import UsageError

UNKNOWN_S = 1.0
"""What a case is taken for where nobody has played any."""
One = TypeVar("One")


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`."""

    number: int
    count: int


def read(text: str) -> Shard:
    """`2/5`; raises UsageError."""
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard takes K/N, part K of N parts, as in 2/5; {text!r} is none")
    return Shard(int(number), int(count))


def part(
    cases: Sequence[One], shard: Shard, key: Callable[[One], str], seconds: Mapping[str, float]
) -> list[One]:
    """The cases of one part, in their order; what was never played counts as the median of the others."""
    usual = statistics.median(seconds.values()) if seconds else UNKNOWN_S
    load = [0.0] * shard.count
    chosen: list[int] = []
    longest_first = sorted(
        range(len(cases)), key=lambda place: (-seconds.get(key(cases[place]), usual), key(cases[place]))
    )
    for place in longest_first:
        least = min(range(shard.count), key=lambda one: (load[one], one))
        load[least] += seconds.get(key(cases[place]), usual)
        if least == shard.number - 1:
            chosen.append(place)
    return [cases[place] for place in sorted(chosen)]
