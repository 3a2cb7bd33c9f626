"""What the fault process counts as lost: what it could not keep up with since its detour was there, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from lab.faults import feed, wires


class Taking:
    """An intake of a kernel that kept some frames back."""

    def __init__(self, drops: int = 0) -> None:
        self._drops = drops

    def lost(self) -> int:
        return self._drops


class Refusing:
    """An outlet whose kernel refused some frames."""

    def __init__(self, refused: int = 0) -> None:
        self.refused = refused


@pytest.mark.parametrize(
    ("before", "now", "drops", "refused", "lost"),
    [(3, 3, 0, 0, 0), (0, 2, 0, 0, 2), (3, 5, 0, 0, 2), (0, 0, 7, 0, 7), (1, 1, 0, 4, 4), (2, 3, 4, 5, 10)],
)
def test_losses_are_those_since_the_detour_was_laid(
    monkeypatch: pytest.MonkeyPatch, before: int, now: int, drops: int, refused: int, lost: int
) -> None:
    intake, outlet = Taking(drops), Refusing(refused)
    passed = [(9, before)]
    monkeypatch.setattr(wires, "lay", lambda *_: None)
    monkeypatch.setattr(wires, "divert", lambda *_: None)
    monkeypatch.setattr(wires, "passed", lambda _: passed[-1])
    monkeypatch.setattr(feed, "Intake", lambda *_: intake)
    monkeypatch.setattr(feed, "Outlet", lambda *_: outlet)
    made: Any = feed.Feed()
    made.do_lay({"wires": [["lo", [[-1, -1]]]], "relative": False})
    passed.append((20, now))
    assert made.do_counts({}) == {"in": 0, "out": 0, "lost": lost, "waiting": 0}
