"""`--filter`: conditions that somebody typed, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from runner import conditions
from runner.conditions import Condition
from runner.errors import Misplaced, UsageError


def read(text: str) -> Sequence[Condition]:
    """The conditions of a filter, none for an empty one; raises UsageError with the place of a mistake."""
    if not text.strip():
        return ()
    try:
        return conditions.parse(text)
    except Misplaced as error:
        meant = f" - did you mean {error.suggestion!r}?" if error.suggestion else ""
        marks = " " * error.column + "^" * max(1, error.length)
        raise UsageError(f"--filter: {error.message}{meant}\n  {text}\n  {marks}") from None
