"""Errors by whose fault they are; each cause has its exit code.

Mistakes of the world are `lab.errors.LabError` (exit code 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PASSED, FAILED, WRONG, BROKEN, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all passed; a check or expectation failed; scenario or command line is wrong; could not run or
could not see; interrupted."""

MOST_SHOWN = 50


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a scenario file, with its place.

    `line` and `column` count from 1; `length` is how many characters the caret line marks. `source` is the
    line's text. `suggestion` is what was probably meant, or empty.
    """

    path: str
    line: int
    column: int
    length: int
    source: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        """`file:line:column: message`, the source line and a caret below it."""
        head = f"{self.path}:{self.line}:{self.column}: {self.message}"
        if self.suggestion:
            head += f" - did you mean {self.suggestion!r}?"
        gutter = f"{self.line:5d} | "
        blank = " " * (len(gutter) - 2) + "| "
        before = "".join(c if c == "\t" else " " for c in self.source[: self.column - 1])
        return f"{head}\n{gutter}{self.source}\n{blank}{before}{'^' * max(1, self.length)}"


class ScenarioError(Exception):
    """The scenario is wrong: all its mistakes at once (exit code 2); the text has the first `MOST_SHOWN` of a file."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(_shown(mistakes)))
        self.mistakes = tuple(mistakes)


def _shown(mistakes: Sequence[Mistake]) -> Iterator[str]:
    found, told = Counter(one.path for one in mistakes), Counter[str]()
    for one in mistakes:
        told[one.path] += 1
        if told[one.path] <= MOST_SHOWN:
            yield str(one)
        elif told[one.path] == found[one.path]:
            yield f"{one.path}: and {found[one.path] - MOST_SHOWN:,} more"


class Misplaced(ValueError):
    """Something is wrong inside one text of a scenario, at a place in it.

    Raised by validators of texts that have a notation of their own (ladders, conditions, addresses); the
    reader turns it into a `Mistake` with the place in the file. `line` and `column` count from 0 inside the
    text.
    """

    def __init__(
        self, message: str, *, line: int = 0, column: int = 0, length: int = 1, suggestion: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.length = length
        self.suggestion = suggestion


class UsageError(Exception):
    """The command line is wrong, or a file it names is not there or not what it should be (exit code 2)."""


class Unmet(Exception):
    """A step's expectation did not hold: what was expected, what was seen (exit code 1)."""


class Blind(Exception):
    """Something a check had to see could not be seen; it makes the verdict unknown (exit code 3)."""
