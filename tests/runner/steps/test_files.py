"""Playbooks of the steps that read and write a socket as a file."""

from __future__ import annotations

import pytest

from runner.commands import Call
from runner.errors import Unmet
from tests.play import gave, play, scope_of, socket, step_of

SCOPE = scope_of(socket("c"))


def test_makefile_passes_what_is_said() -> None:
    asked = Call("client", "makefile", ("r",), {}, "c", "f")
    play(step_of("{makefile: c, as: f}"), SCOPE, (asked, gave({"object": "f"})))
    asked = Call("client", "makefile", ("rwb", 0), {}, "c", "f")
    play(step_of("{makefile: c, as: f, mode: rwb, buffering: 0}"), SCOPE, (asked, gave({"object": "f"})))
    asked = Call("client", "makefile", ("r",), {"encoding": "latin-1", "newline": ""}, "c", "f")
    play(
        step_of('{makefile: c, as: f, encoding: latin-1, newline: ""}'), SCOPE, (asked, gave({"object": "f"}))
    )


def test_lines_are_compared_as_text_and_as_bytes() -> None:
    asked = Call("client", "readline", on="f")
    step = step_of('{readline: f, gives: "one\\n"}')
    play(step, SCOPE, (asked, gave("one\n")))
    play(step, SCOPE, (asked, gave(b"one\n")))
    with pytest.raises(Unmet, match=r'expected "one\\n", and it gave "one"'):
        play(step, SCOPE, (asked, gave("one")))
    play(
        step_of('{read: f, size: 3, gives: "für"}'),
        SCOPE,
        (Call("client", "read", (3,), on="f"), gave("für")),
    )


@pytest.mark.parametrize(("mode", "data"), [("w", "für"), ("wb", "für".encode()), ("rw", "für")])
def test_a_file_in_text_mode_is_written_text(mode: str, data: str | bytes) -> None:
    step = step_of("{write: f, data: für, gives: 3..4}")
    step.link(step_of(f"{{makefile: c, as: f, mode: {mode}}}"))
    play(step, SCOPE, (Call("client", "write", (data,), on="f"), gave(len(data))))


def test_flush() -> None:
    play(step_of("{flush: f}"), SCOPE, (Call("client", "flush", on="f"), gave()))
