"""How steps are settled: names filled in, and the calls that `returns` judges."""

from __future__ import annotations

from typing import Any

import pytest

from runner.commands import Await, Call
from runner.errors import ScenarioError, Unmet
from tests.play import gave, play, raised, scope_of, socket
from tests.runner.loading import SOCKETS, load, mistakes, said


def test_names_are_filled_in_when_the_step_is_settled() -> None:
    loaded = load(
        SOCKETS
        + "  - client: {getsockname: c, as: me}\n  - server: {connect: s, to: 'client:$me.port'}\n"
        "  - $me.host: {close: s}\n".replace("$me.host", "server")
    )
    step = loaded.steps[3]
    assert step.uses == ("me", "s") or set(step.uses) == {"me", "s"}
    settled = step.settle(scope_of(socket("s", "server"), me=["192.0.2.2", 4000]))
    assert settled.text() == "connect s to client:4000"


def test_a_value_that_does_not_fit_is_a_mistake_at_its_place() -> None:
    loaded = load(SOCKETS + "  - client: {recv: c, size: 9, as: got}\n  - server: {bind: s, to: ':$got'}\n")
    with pytest.raises(ScenarioError) as caught:
        loaded.steps[3].settle(scope_of(socket("s", "server"), got=b"x"))
    (mistake,) = caught.value.mistakes
    assert mistake.line == 7 and "a port is a number" in mistake.message
    with pytest.raises(ScenarioError, match="got has no part 'port'"):
        load(
            SOCKETS + "  - client: {recv: c, size: 9, as: got}\n  - server: {bind: s, to: ':$got.port'}\n"
        ).steps[3].settle(scope_of(socket("s", "server"), got=b"x"))


def test_doubled_dollars_are_dollars() -> None:
    loaded = load(SOCKETS + "  - client: {send: c, data: 'it costs $$5'}\n")
    step = loaded.steps[2].settle(scope_of(socket("c")))
    assert next(step.perform(scope_of(socket("c")))) == Call("client", "send", (b"it costs $5",), on="c")


PENDING = SOCKETS + "  - client: {recv: c, size: 9, as: answer, blocks: true}\n"


def test_returns_judges_a_pending_call_that_says_nothing_itself() -> None:
    loaded = load(PENDING + "  - client: {returns: answer, gives: right, takes: ..1s}\n")
    scope = scope_of(socket("c"))
    asked = Call("client", "recv", (9,), on="c", blocks="yes")
    pending, returns = loaded.steps[2], loaded.steps[3]
    assert pending.blocks == "yes" and pending.makes == ("answer",) and returns.uses == ()
    assert play(pending.settle(scope), scope, (asked, gave(b"wrong"))) == b"wrong"
    assert play(pending.settle(scope), scope, (asked, raised("ConnectionResetError", "ECONNRESET"))) is None
    step = returns.settle(scope)
    play(step, scope, (Await("answer"), gave(b"right")))
    with pytest.raises(Unmet, match='expected "right", and it gave "wrong"'):
        play(step, scope, (Await("answer"), gave(b"wrong")))
    assert step.limit_ns == 1_000_000_000


def test_a_pending_call_with_words_of_its_own_is_judged_by_them() -> None:
    loaded = load(
        PENDING.replace("blocks: true", "blocks: true, gives: right") + "  - client: {returns: answer}\n"
    )
    scope = scope_of(socket("c"))
    asked = Call("client", "recv", (9,), on="c", blocks="yes")
    with pytest.raises(Unmet):
        play(loaded.steps[2].settle(scope), scope, (asked, gave(b"wrong")))


def test_returns_waits_for_an_accept_by_the_name_of_its_socket() -> None:
    loaded = load(
        SOCKETS
        + "  - server: {accept: s, as: conn, blocks: true}\n  - server: {returns: conn, gives: {from: client}}\n"
    )
    scope = scope_of(socket("s", "server"))
    step = loaded.steps[3].settle(scope)
    play(step, scope, (Await("conn"), gave([{"object": "conn"}, ["192.0.2.2", 9]])))
    with pytest.raises(Unmet, match="expected from to be client"):
        play(step, scope, (Await("conn"), gave([{"object": "conn"}, ["192.0.2.1", 9]])))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gives: {from: client}", "7:32: there is no key 'from' here"),
        ("givs: x", "7:31: returns has no key 'givs'"),
        ("raises: ENOTHING", "7:39: there is no errno 'ENOTHING'"),
    ],
)
def test_the_words_of_returns_are_those_of_the_call(words: str, expected: str) -> None:
    found = mistakes(PENDING + f"  - client: {{returns: answer, {words}}}\n")
    assert any(expected.partition(": ")[2] in one for one in found), found
    assert found[0].startswith("7:")


def test_a_call_that_blocks_forever_never_returns() -> None:
    found = mistakes(PENDING.replace("true", "forever") + "  - client: {returns: answer}\n")
    assert "it never returns" in found[0]


def test_until_holds_its_steps() -> None:
    loaded = load(SOCKETS + "  - until: {within: 5s, steps: [{client: {recv: c, size: 1, gives: x}}]}\n")
    step = loaded.steps[2].settle(scope_of(socket("c")))
    command: Any = next(step.perform(scope_of(socket("c"))))
    assert command.within_ns == 5_000_000_000
    assert said(command.steps) == [("client", "recv")]
    assert step.text() == "until its step holds, within 5s"


def test_a_write_knows_the_mode_of_its_file() -> None:
    loaded = load(SOCKETS + "  - client: {makefile: c, as: f, mode: wb}\n  - client: {write: f, data: x}\n")
    step = loaded.steps[3].settle(scope_of())
    assert next(step.perform(scope_of())) == Call("client", "write", (b"x",), on="f")
