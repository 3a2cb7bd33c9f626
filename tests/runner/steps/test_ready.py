"""Playbooks of poll and select."""

from __future__ import annotations

import pytest

from runner.commands import Call, Constant, Kept
from runner.errors import Unmet
from tests.play import gave, play, raised, scope_of, socket, step_of

SCOPE = scope_of(socket("a"), socket("b"))


def test_poll_registers_every_socket_and_tells_which_are_ready() -> None:
    step = step_of("{poll: [a, b], for: POLLIN|POLLOUT, timeout: 1s, gives: [b]}")
    events = Constant("POLLIN|POLLOUT")
    made = (
        (Call("client", "poll", makes="poll.1"), gave({"object": "poll.1"})),
        (Call("client", "register", (Kept("a"), events), on="poll.1"), gave()),
        (Call("client", "register", (Kept("b"), events), on="poll.1"), gave()),
    )
    asked = Call("client", "poll", (1000.0,), on="poll.1")
    assert play(step, SCOPE, *made, (asked, gave([[{"object": "b"}, 5]]))) == {"b": "POLLIN|POLLOUT"}
    with pytest.raises(Unmet, match="expected b to be ready, and it was none"):
        play(step, SCOPE, *made, (asked, gave([])))


def test_select_reads_or_writes() -> None:
    asked = Call("client", "select", ([Kept("a"), Kept("b")], [], [], 0.5))
    step = step_of("{select: [a, b], timeout: 500ms, gives: [b, a]}")
    assert play(step, SCOPE, (asked, gave([[{"object": "a"}, {"object": "b"}], [], []]))) == ["a", "b"]
    asked = Call("client", "select", ([], [Kept("a")], []))
    play(step_of("{select: [a], for: write, gives: []}"), SCOPE, (asked, gave([[], [], []])))
    with pytest.raises(Unmet, match="expected none to be ready, and it was a"):
        play(
            step_of("{select: [a], for: write, gives: []}"), SCOPE, (asked, gave([[], [{"object": "a"}], []]))
        )


def test_an_error_where_sockets_should_have_been_ready_is_told() -> None:
    asked = Call("client", "select", ([Kept("a")], [], []))
    with pytest.raises(Unmet, match=r'expected \["a"\], and it raised EBADF: closed'):
        play(step_of("{select: [a], gives: [a]}"), SCOPE, (asked, raised("OSError", "EBADF", "closed")))
