"""`states`: whole lists pass, one state more, less or other fails and shows what made each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.checks.states import States
from runner.errors import ScenarioError
from runner.model import KnownNames
from runner.verdict import Finding
from tests.recorded import Recorded
from tests.runner.checks.echoes import echo, examine, written

CLIENT = ["SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"]
SERVER = ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]


def states(run: Recorded, folder: Path, drops: dict[str, int] | None = None, **lists: Any) -> list[Finding]:
    return examine(States, {"states": lists}, run, folder, drops)


def test_a_good_run_passes(tmp_path: Path) -> None:
    found = states(echo(), tmp_path, c=CLIENT, conn=SERVER)
    assert [one.verdict for one in found] == ["pass", "pass"]
    assert found[0].summary == "c: SYN_SENT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT"


@pytest.mark.parametrize(
    "expected", [CLIENT[:-1], [*CLIENT, "CLOSE"], [*CLIENT[:3], "CLOSING", CLIENT[4]], [], CLIENT[1:]]
)
def test_whole_lists_are_compared(tmp_path: Path, expected: list[str]) -> None:
    (found,) = states(echo(), tmp_path, c=expected)
    assert found.verdict == "fail"


def test_one_thing_changed_fails(tmp_path: Path) -> None:
    (found,) = states(echo("flag"), tmp_path, c=CLIENT)
    assert found.verdict == "fail"
    lines = found.detail.splitlines()
    assert lines[0].split() == ["expected", "seen", "made", "by"]
    assert lines[1] == "  1 SYN_SENT     SYN_SENT     packet 1: client -> server  SYN"
    assert lines[2] == "  2 ESTABLISHED  ESTABLISHED  packet 4: server -> client  SYN,ACK"
    assert [line[0] for line in lines[1:]].count(">") == 1


def test_a_kernel_that_disagrees_makes_it_unknown_for_that_socket(tmp_path: Path) -> None:
    run = echo()
    run.tick(10_000_000_000)
    run.state("client", "c", "ESTABLISHED")
    found = states(run, tmp_path, c=CLIENT, conn=SERVER)
    assert [one.verdict for one in found] == ["unknown", "pass"]
    assert "the kernel said" in found[0].summary


def test_what_was_not_captured_is_unknown(tmp_path: Path) -> None:
    found = states(echo(), tmp_path, {"client": 1}, c=CLIENT, conn=SERVER)
    assert [one.verdict for one in found] == ["unknown", "pass"]


def test_mistakes() -> None:
    names = KnownNames(("client",), ("lab",), {"c": "client"})
    (wrong,) = written(States, {"states": {"d": CLIENT}}).mistakes(names)
    assert wrong.path == ("states", "d")
    with pytest.raises(ScenarioError) as caught:
        written(States, {"states": {"c": ["SYN_SENT", "SYN_RECEIVED"]}})
    (mistake,) = caught.value.mistakes
    assert mistake.suggestion == "SYN_RECV"
    assert mistake.source[mistake.column - 1 :].startswith("SYN_RECEIVED")
