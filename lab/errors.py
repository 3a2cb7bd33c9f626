"""What can go wrong with a lab: what happened, where, and what to do about it.

Only errors of the world live here; mistakes in a scenario are `runner.errors`.
"""

from __future__ import annotations


class LabError(Exception):
    """The lab could not be made, or broke: never the fault of what is being tested (exit code 3).

    `remedy` is a sentence that says what to do about it, or empty where nothing can be said.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n{self.remedy}" if self.remedy else self.what


class HostGone(LabError):
    """A host ended, or its agent did, while it was still needed."""

    def __init__(self, host: str, how: str, last_words: str = "") -> None:
        said = f"; its last words: {last_words.strip()}" if last_words.strip() else ""
        super().__init__(f"host {host} is gone: {how}{said}")
        self.host = host


class EngineMissing(LabError):
    """This machine cannot run the engine that was asked for."""


class Unsupported(LabError):
    """Engine or kernel lacks something that the scenario needs: the scenario is skipped with this reason."""
