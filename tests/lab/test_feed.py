"""The fault process puts the frames that are due before all else: before requests, and in the middle of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from lab.faults import feed
from lab.faults.feed import ANSWER_NS, PATIENCE_NS
from lab.faults.frame import Frame
from tests.lab.test_faults import datagram, numbers, request

NOW = 1_000_000_000
BY = 5_000
"""How long the fault `delay` of `request` puts a frame off, in nanoseconds."""


class Clock:
    """A clock that goes on by as much whenever somebody looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int = 0) -> None:
        self.now = NOW
        self._step = step
        monkeypatch.setattr("time.time_ns", self._look)

    def _look(self) -> int:
        self.now += self._step
        return self.now


class Batch:
    """An intake with one batch of frames in it."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def read(self) -> int:
        return len(self._sent)

    def frame(self, slot: int) -> bytes:
        return self._sent[slot]

    def time_ns(self, slot: int) -> int:
        return NOW


class Leaving:
    """An outlet that keeps what leaves."""

    def __init__(self) -> None:
        self.left: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.left.append(data)

    def send_slots(self, intake: Batch, slots: list[int]) -> None:
        self.left += [intake.frame(slot) for slot in slots]


def feed_of(count: int) -> tuple[feed.Feed, Batch, Leaving]:
    """A feed with one wire, on which the first of so many datagrams will be delayed."""
    made: Any = feed.Feed()
    batch, leaving = Batch([datagram(number) for number in range(count)]), Leaving()
    made._intakes, made._outlets, made._taken = [batch], [leaving], [0]
    made.line.begin(request("delay", nth=[(1, 1)]))
    return made, batch, leaving


def test_a_frame_that_becomes_due_leaves_in_the_middle_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    made, batch, leaving = feed_of(6)
    Clock(monkeypatch, step=BY // 3)
    made._pass_on(0, batch)  # type: ignore[arg-type]
    left = numbers(leaving.left)
    assert sorted(left) == list(range(6))
    assert 1 < left.index(0) < 5
    assert [one for one in left if one] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("due_in", "waits"), [(ANSWER_NS - 1, True), (ANSWER_NS, False), (-1, True), (None, False)]
)
def test_a_request_waits_for_a_frame_that_is_nearly_due(
    due_in: int | None, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _, _ = feed_of(0)
    clock = Clock(monkeypatch)
    if due_in is not None:
        made.line.take(Frame(datagram(0), NOW + due_in - BY, NOW + due_in - BY))
    assert made._puts_off() is waits
    if waits:
        clock.now += PATIENCE_NS
        assert not made._puts_off()


def test_each_request_is_as_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, _ = feed_of(0)
    clock = Clock(monkeypatch)
    made.line.take(Frame(datagram(0), NOW, NOW))
    assert made._puts_off()
    clock.now += PATIENCE_NS
    assert not made._puts_off()
    assert made._puts_off()
