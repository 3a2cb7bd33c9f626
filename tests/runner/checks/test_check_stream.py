"""`stream`: the same bytes at both ends and on the wire pass; one byte changed at any of them fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.checks.stream import Stream
from runner.errors import Blind
from runner.model import KnownNames
from runner.verdict import Finding
from tests.recorded import Recorded
from tests.runner.checks.echoes import HELLO, echo, examine, written

THERE = {"from": "c", "to": "conn"}


def stream(run: Recorded, folder: Path, **keys: Any) -> list[Finding]:
    return examine(Stream, {"stream": keys}, run, folder)


def test_a_good_run_passes_and_says_what_it_saw(tmp_path: Path) -> None:
    (found,) = stream(echo(), tmp_path, **THERE)
    assert found.verdict == "pass"
    assert found.summary == "9 bytes: sent by c in 1 call, 1 segment on the wire, received by conn in 1 call"
    (found,) = stream(echo(), tmp_path, to="c", **{"is": "hello lab"})
    assert found.verdict == "pass"


@pytest.mark.parametrize(
    ("change", "summary"),
    [
        ("received", "conn received 9 bytes, c sent 9 bytes: they part at byte 7"),
        ("payload", "the segments that left carry 9 bytes, c sent 9 bytes: they part at byte 7"),
        ("lost", "the segments that arrived carry 0 bytes, c sent 9 bytes: they part at byte 0"),
    ],
)
def test_one_byte_changed_fails(tmp_path: Path, change: str, summary: str) -> None:
    (found,) = stream(echo(change), tmp_path, **THERE)
    assert (found.verdict, found.summary) == ("fail", summary)


def test_the_difference_is_shown_with_what_is_around_it(tmp_path: Path) -> None:
    (found,) = stream(echo("received"), tmp_path, **THERE)
    assert found.detail == (
        'From byte 7 on (the first is 0):\n  conn received  "hello lub"\n  c sent         "hello lab"'
    )


def test_what_was_not_received(tmp_path: Path) -> None:
    (found,) = stream(echo("missing"), tmp_path, **{"from": "conn", "to": "c"})
    assert found.summary == "c received 0 bytes, conn sent 9 bytes: they part at byte 0"
    assert "c received  is empty" in found.detail


def test_is_compares_what_was_received(tmp_path: Path) -> None:
    (found,) = stream(echo(), tmp_path, to="conn", **{"is": "hello lap"})
    assert (found.verdict, found.summary) == (
        "fail", "conn received 9 bytes, expected 9 bytes: they part at byte 8",
    )  # fmt: skip
    (found,) = stream(echo(), tmp_path, to="conn", **{"is": {"length": "10"}})
    assert (found.verdict, found.summary) == ("fail", "conn received 9 bytes, expected length 10")
    findings = stream(echo("received"), tmp_path, to="conn", **{"is": "hello lub"})
    assert [one.verdict for one in findings] == ["pass", "fail"], "the wire brought something else"


def transfer(*, seqs: bool = True) -> Recorded:
    """Segments out of order, doubled, lost and sent again, read in pieces."""
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 8888).made_by("c", "conn")
    begin = connection.next["client"]
    for offset, part, lost in (
        (0, b"abc", True),
        (3, b"def", False),
        (0, b"abcd", False),
        (3, b"def", False),
    ):
        connection.segment("client", "PA", part, seq=(begin + offset) & 0xFFFFFFFF, lost=lost)
    ends: dict[str, Any] = {"local": ["10.0.0.1", 40000], "peer": ["10.0.0.2", 8888]}
    back: dict[str, Any] = {"local": ends["peer"], "peer": ends["local"]}
    run.call("client", "c", "send", {"bytes": "abcdXXX"}, value=4, **ends)
    run.call("client", "c", "sendmsg", [{"bytes": "e"}, {"bytes": "f"}], value=2, **ends)
    run.call("server", "conn", "recv", 4, value={"bytes": "abcd"}, **back)
    run.call("server", "conn", "recv", 4, value={"bytes": "ef"}, **back)
    return run


def test_segments_are_put_together_by_their_numbers(tmp_path: Path) -> None:
    (found,) = stream(transfer(), tmp_path, **THERE)
    assert (found.verdict, found.summary) == (
        "pass", "6 bytes: sent by c in 2 calls, 4 segments on the wire, received by conn in 2 calls",
    )  # fmt: skip


def test_peeking_is_not_receiving(tmp_path: Path) -> None:
    run = echo()
    run.call(
        "server",
        "conn",
        "recv",
        4,
        value={"bytes": "more"},
        local=["10.0.0.2", 8888],
        peer=["10.0.0.1", 40000],
    )
    (found,) = stream(run, tmp_path / "read", **THERE)
    assert found.verdict == "fail"
    peeking = run.records.pop()
    object.__setattr__(peeking, "python", "conn.recv(4, MSG_PEEK)")
    run.records.append(peeking)
    (found,) = stream(run, tmp_path / "peeked", **THERE)
    assert found.verdict == "pass"


def test_a_call_that_failed_in_the_middle_makes_it_unknown(tmp_path: Path) -> None:
    run = echo()
    run.call(
        "client",
        "c",
        "sendall",
        {"bytes": "more"},
        failure={"type": "BrokenPipeError", "errno": "EPIPE", "text": ""},
    )
    with pytest.raises(Blind, match="EPIPE"):
        stream(run, tmp_path, **THERE)
    run.records.pop()
    run.call("client", "c", "sendall", 5, failure={"type": "TypeError", "errno": None, "text": ""})
    assert stream(run, tmp_path, **THERE)[0].verdict == "pass", "nothing was sent at all"


def test_files_made_from_a_socket_belong_to_it(tmp_path: Path) -> None:
    run = echo()
    run.records = [one for one in run.records if getattr(one, "name", "") != "recv"]
    run.call(
        "server",
        "conn",
        "makefile",
        "r",
        value={"object": "lines"},
        local=["10.0.0.2", 8888],
        peer=["10.0.0.1", 40000],
    )
    run.call("server", "lines", "readline", value="hello lab", family=None, type=None)
    (found,) = stream(run, tmp_path, **THERE)
    assert found.verdict == "pass", found.summary


def test_sockets_without_a_wire_are_compared_by_their_calls(tmp_path: Path) -> None:
    run = Recorded(["client"])
    unix: dict[str, Any] = {"family": "AF_UNIX", "local": "/tmp/a"}
    run.call("client", "c", "sendall", {"bytes": HELLO.decode()}, **unix)
    run.call("client", "conn", "recv", 9, value={"bytes": HELLO.decode()}, **unix)
    (found,) = stream(run, tmp_path, **THERE)
    assert found.summary == "9 bytes: sent by c in 1 call, received by conn in 1 call"


def test_what_was_not_captured_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(Blind):
        examine(Stream, {"stream": THERE}, echo(), tmp_path, drops={"server": 1})


def test_mistakes() -> None:
    names = KnownNames(("client",), ("lab",), {"c": "client", "conn": "server"})
    found = list(written(Stream, {"stream": {"from": "d", "to": "con"}}).mistakes(names))
    assert [(one.path, one.suggestion) for one in found] == [
        (("stream", "from"), ""),
        (("stream", "to"), "conn"),
    ]
    (needs,) = written(Stream, {"stream": {"to": "conn"}}).mistakes(names)
    assert "needs `from`" in needs.message
