"""Playbooks of the steps of programs."""

from __future__ import annotations

import pytest

from runner.commands import Call, Run
from runner.errors import Unmet
from runner.reading import read_text
from tests.play import gave, play, raised, scope_of, step_of, try_step

SCOPE = scope_of()


def test_run_starts_without_a_shell() -> None:
    step = step_of("{run: [/programs/echo, 80], as: p, env: {LANG: C}}")
    play(step, SCOPE, (Run("client", ("/programs/echo", "80"), "p", {"LANG": "C"}), gave({"object": "p"})))
    with pytest.raises(Unmet, match="expected it to start, and it raised ENOENT"):
        play(
            step,
            SCOPE,
            (
                Run("client", ("/programs/echo", "80"), "p", {"LANG": "C"}),
                raised("FileNotFoundError", "ENOENT"),
            ),
        )


def test_stdout_reads_as_much_as_is_expected() -> None:
    step = step_of("{stdout: p, gives: 'ready> '}")
    play(step, SCOPE, (Call("client", "read", (7,), on="p"), gave(b"ready> ")))
    with pytest.raises(Unmet, match='expected "ready> ", and it gave "error: "'):
        play(step, SCOPE, (Call("client", "read", (7,), on="p"), gave(b"error: ")))
    with pytest.raises(Unmet, match='expected "ready> ", and it ended after "rea"'):
        play(step, SCOPE, (Call("client", "read", (7,), on="p"), gave(b"rea")))


def test_stdout_reads_up_to_a_text() -> None:
    step = step_of("{stdout: p, gives: {has: listening}, as: said}")
    assert (
        play(step, SCOPE, (Call("client", "read_until", (b"listening",), on="p"), gave(b"am listening")))
        == b"am listening"
    )
    with pytest.raises(Unmet, match='has "listening", and it ended after "oops"'):
        play(step, SCOPE, (Call("client", "read_until", (b"listening",), on="p"), gave(b"oops")))


def test_stdout_reads_so_many_bytes_or_to_the_end() -> None:
    play(
        step_of("{stdout: p, gives: {length: 3}}"),
        SCOPE,
        (Call("client", "read", (3,), on="p"), gave(b"abc")),
    )
    play(step_of('{stdout: p, gives: ""}'), SCOPE, (Call("client", "read", (1,), on="p"), gave(b"")))
    with pytest.raises(Unmet, match='expected "", and it gave "x"'):
        play(step_of('{stdout: p, gives: ""}'), SCOPE, (Call("client", "read", (1,), on="p"), gave(b"x")))


@pytest.mark.parametrize("gives", ["{any: [a, b]}", "{length: 1..3}"])
def test_how_much_to_read_must_be_known(gives: str) -> None:
    document = read_text(f"{{stdout: p, gives: {gives}}}", "f")
    assert try_step(document) is None
    assert document.mistakes


def test_stdin_types_and_ends() -> None:
    step = step_of('{stdin: p, data: "hello\\n", end: true}')
    typed = (Call("client", "write", (b"hello\n",), on="p"), gave(6))
    assert play(step, SCOPE, typed, (Call("client", "end_input", on="p"), gave())) is None
    play(step_of("{stdin: p, end: true}"), SCOPE, (Call("client", "end_input", on="p"), gave()))
    (wrong,) = step_of("{stdin: p}").wrong()
    assert "needs data" in wrong.message


def test_wait_expects_exit_0_where_nothing_is_said() -> None:
    asked = Call("client", "wait", on="p")
    assert play(step_of("{wait: p}"), SCOPE, (asked, gave({"exit": 0}))) == {"exit": 0, "signal": None}
    with pytest.raises(Unmet, match="expected exit 0, and it ended with exit 3"):
        play(step_of("{wait: p}"), SCOPE, (asked, gave({"exit": 3})))
    play(step_of("{wait: p, gives: 3}"), SCOPE, (asked, gave({"exit": 3})))
    play(step_of("{wait: p, gives: {signal: SIGTERM}}"), SCOPE, (asked, gave({"signal": "SIGTERM"})))
    with pytest.raises(Unmet, match="expected signal SIGTERM, and it ended with exit 0"):
        play(step_of("{wait: p, gives: {signal: SIGTERM}}"), SCOPE, (asked, gave({"exit": 0})))


def test_signals_go_by_name() -> None:
    play(
        step_of("{signal: p, name: SIGTERM}"), SCOPE, (Call("client", "signal", ("SIGTERM",), on="p"), gave())
    )
    document = read_text("{signal: p, name: SIGTREM}", "f")
    assert try_step(document) is None
    assert document.mistakes[0].suggestion == "SIGTERM"
