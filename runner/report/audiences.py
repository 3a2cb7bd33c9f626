"""Audiences made of others: several at once, and one that is shown cases in turn although they are played side by side.

Nothing here writes; what is shown, and how, is the affair of those that are brought together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.choice import Choice
from runner.history import CallRecord, StepRecord
from runner.performing import Watcher
from runner.running import Audience, Played, Result
from runner.scenario import Scenario


class Several:
    """An audience (`runner.running.Audience`) that is several, each told in their order."""

    def __init__(self, audiences: Sequence[Audience]) -> None:
        self._audiences = tuple(audiences)

    def engine(self, choice: Choice) -> None:
        for one in self._audiences:
            one.engine(choice)

    def begin(self, scenario: Scenario) -> Watcher:
        return _Watchers([one.begin(scenario) for one in self._audiences])

    def end(self, played: Played) -> None:
        for one in self._audiences:
            one.end(played)

    def summary(self, results: Sequence[Result]) -> None:
        for one in self._audiences:
            one.summary(results)


class _Watchers:
    """A watcher that is several."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        for one in self._watchers:
            one.step(record, calls)

    def note(self, text: str) -> None:
        for one in self._watchers:
            one.note(text)


class Silent:
    """A watcher of no steps: base of reports that are about whole cases."""

    def engine(self, choice: Choice) -> None:
        """Nothing is said about it."""

    def begin(self, scenario: Scenario) -> Watcher:
        """Nobody looks at its steps."""
        return self

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """Nobody looks."""

    def note(self, text: str) -> None:
        """Nobody looks."""


@dataclass
class _Kept:
    """A watcher that keeps what it is shown until its case has ended."""

    shown: list[tuple[StepRecord, Sequence[CallRecord]] | str] = field(default_factory=list)

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        self.shown.append((record, calls))

    def note(self, text: str) -> None:
        self.shown.append(text)


class InTurn:
    """Shows an audience one case after the other, each whole when it has ended."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._kept: dict[int, _Kept] = {}

    def engine(self, choice: Choice) -> None:
        self._audience.engine(choice)

    def begin(self, scenario: Scenario) -> Watcher:
        kept = self._kept[id(scenario)] = _Kept()
        return kept

    def end(self, played: Played) -> None:
        scenario = played.result.scenario
        watcher = self._audience.begin(scenario)
        for one in self._kept.pop(id(scenario)).shown:
            if isinstance(one, str):
                watcher.note(one)
            else:
                watcher.step(*one)
        self._audience.end(played)

    def summary(self, results: Sequence[Result]) -> None:
        self._audience.summary(results)
