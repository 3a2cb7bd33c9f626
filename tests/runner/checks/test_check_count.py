"""`count`: as many packets as expected pass, one more or one less fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.checks.count import Count
from runner.errors import Blind, ScenarioError
from runner.model import KnownNames
from tests.recorded import Recorded
from tests.runner.checks.echoes import echo, examine, written


def count(run: Recorded, folder: Path, **keys: Any) -> tuple[str, str]:
    (found,) = examine(Count, {"count": {"flow": "tcp c", **keys}}, run, folder)
    return found.verdict, found.summary


@pytest.mark.parametrize(
    ("expected", "verdict"),
    [
        ("10", "pass"),
        ("9", "fail"),
        ("11", "fail"),
        ("5..", "pass"),
        ("..9", "fail"),
        ({"any": ["1", "10"]}, "pass"),
    ],
)
def test_how_many_there_are(tmp_path: Path, expected: Any, verdict: str) -> None:
    assert count(echo(), tmp_path, **{"is": expected})[0] == verdict


def test_no_reset(tmp_path: Path) -> None:
    keys = {"where": "TCP.flags has R", "is": "0"}
    assert count(echo(), tmp_path / "good", **keys) == (
        "pass", "0 packets of tcp c with TCP.flags has R, expected 0",
    )  # fmt: skip
    (found,) = examine(Count, {"count": {"flow": "tcp c", **keys}}, echo("flag"), tmp_path / "bad")
    assert found.verdict == "fail"
    assert found.summary == "1 packet of tcp c with TCP.flags has R, expected 0"
    assert found.detail == "The packets that were counted:\n   15 client -> server  RST,ACK"
    assert found.packets == (15,)


@pytest.mark.parametrize(("change", "where"), [("missing", "len>0"), ("payload", 'Raw.load="hello lab"')])
def test_one_thing_changed_fails(tmp_path: Path, change: str, where: str) -> None:
    assert count(echo(), tmp_path / "good", where=where, **{"is": "2"})[0] == "pass"
    assert count(echo(change), tmp_path / "bad", where=where, **{"is": "2"})[0] == "fail"


def test_lost_packets_count_where_they_were_sent(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for lost in (True, False):
        run.udp("client", "server", 1000, 2000, b"x", lost=lost)
    for at, number in ((None, "2"), ("client", "2"), ("server", "1")):
        keys = {"flow": "udp", "is": number} | ({"at": at} if at else {})
        assert count(run, tmp_path / str(at), **keys)[0] == "pass"


def test_what_was_not_seen_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(Blind):
        examine(Count, {"count": {"flow": "tcp c", "is": "10"}}, echo(), tmp_path, drops={"client": 1})


def test_many_packets_are_not_all_listed(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for _ in range(50):
        run.udp("client", "server", 1000, 2000, b"x")
    (found,) = examine(Count, {"count": {"flow": "udp", "is": "0"}}, run, tmp_path)
    assert found.detail.endswith("and 30 more")


def test_mistakes() -> None:
    keys = {"flow": "tcp d", "where": "IP.src = clint", "at": "x", "is": "1"}
    names = KnownNames(("client",), ("lab",), {"c": "client"})
    found = list(written(Count, {"count": keys}).mistakes(names))
    assert [(one.path, one.column, one.suggestion) for one in found] == [
        (("count", "flow"), 4, ""),
        (("count", "at"), 0, ""),
        (("count", "where"), 9, "client"),
    ]
    with pytest.raises(ScenarioError):
        written(Count, {"count": {"flow": "tcp"}})
