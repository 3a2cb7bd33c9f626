"""Playbooks of the steps about states and other steps."""

from __future__ import annotations

import pytest

from runner.commands import Attempt, Await, Poll, ReadState
from runner.errors import Unmet
from runner.reading import read_text
from runner.steps.flow import Until
from tests.play import REFUSED, gave, play, raised, scope_of, socket, step_of, try_step

SCOPE = scope_of(socket("c"))


def test_state_reads_until_it_is_so() -> None:
    step = step_of("{state: c, is: TIME_WAIT, takes: ..2s}")
    command = next(step.perform(SCOPE))
    assert isinstance(command, Poll) and command.command == ReadState("client", "c")
    assert not command.until(gave({"state": "FIN_WAIT2"}))
    assert command.until(gave({"state": "TIME_WAIT"}))
    assert command.until(raised("NameError"))
    assert step.limit_ns == 2_000_000_000
    assert step.text() == "state c is TIME_WAIT"


def test_a_state_that_never_came_is_told() -> None:
    step = step_of("{state: 'tcp :8888', is: {any: [gone, TIME_WAIT]}}")
    asked = Poll(ReadState("client", "tcp :8888"), lambda outcome: True)
    play(step, SCOPE, (asked, gave({"state": "gone"})))
    with pytest.raises(Unmet, match="expected any of gone, TIME_WAIT, and it was ESTABLISHED"):
        play(step, SCOPE, (asked, gave({"state": "ESTABLISHED"})))


def test_states_of_other_spellings_are_suggested() -> None:
    document = read_text("{state: c, is: FIN_WAIT_1}", "f")
    assert try_step(document) is None
    assert document.mistakes[0].suggestion == "FIN_WAIT1"


def test_returns_judges_by_the_words_of_the_awaited_call() -> None:
    step = step_of("{returns: answer}")
    step.link(step_of("{recv: c, size: 9, gives: right}"))
    play(step, SCOPE, (Await("answer"), gave(b"right")))
    with pytest.raises(Unmet, match='expected "right", and it gave "wrong"'):
        play(step, SCOPE, (Await("answer"), gave(b"wrong")))
    step.link(step_of("{recv: c, size: 9, raises: ECONNREFUSED}"))
    play(step, SCOPE, (Await("answer"), REFUSED))


def test_until_attempts_its_steps() -> None:
    step = Until.model_construct(within=2_000_000_000)
    step.link(None, inner=("one", "two"))
    play(step, SCOPE, (Attempt(("one", "two"), 2_000_000_000), gave(True)))
    with pytest.raises(Unmet, match="did not hold within 2s; the last time: because"):
        play(step, SCOPE, (Attempt(("one", "two"), 2_000_000_000), raised("Unmet", None, "because")))
    assert step.text() == "until its 2 steps hold, within 2s"
