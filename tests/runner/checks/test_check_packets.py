"""`packets`: the ladder of a good run passes, one thing changed in the run fails, what was not seen is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.checks.packets import Packets
from runner.errors import Blind, Misplaced
from runner.model import KnownNames
from runner.rundir import CaptureInfo
from tests.recorded import MICROSECOND, Recorded, interface
from tests.runner.checks.echoes import LADDER, echo, examine, written

KEYS = {"flow": "tcp c", "packets": LADDER}
NAMES = KnownNames(("client", "server"), ("lab",), {"c": "client", "conn": "server"})


def test_a_good_run_passes_and_says_what_it_saw(tmp_path: Path) -> None:
    (found,) = examine(Packets, KEYS, echo(), tmp_path)
    assert found.verdict == "pass"
    assert found.summary == "tcp c: 8 packets explained by 8 lines, and 2 pure ACKs besides"
    assert len(found.packets) == 10


@pytest.mark.parametrize(
    ("change", "summary"),
    [
        ("payload", 'packet 7 is not what line 4 expects: payload "hello lob" instead of "hello lab"'),
        ("flag", "packet 15 is not what line 6 expects: flags RST,ACK instead of FIN,ACK"),
        ("order", "packet 11 is not what line 5 expects: sent by client, not by server"),
        ("missing", "packet 11 is not what line 5 expects: client -> server  FIN,ACK"),
        ("lost", "packet 7 is not what line 4 expects: it was lost on its way"),
    ],
)
def test_one_thing_changed_fails(tmp_path: Path, change: str, summary: str) -> None:
    (found,) = examine(Packets, KEYS, echo(change), tmp_path)
    assert found.verdict == "fail"
    assert summary.split(":")[0] in found.summary
    assert "Near misses" in found.detail


def test_dropped_packets_make_it_unknown(tmp_path: Path) -> None:
    with pytest.raises(Blind, match="dropped 3 packets of the capture on host server"):
        examine(Packets, KEYS, echo(), tmp_path, drops={"server": 3})


def test_a_host_s_own_view_needs_its_own_capture_only(tmp_path: Path) -> None:
    (found,) = examine(Packets, {**KEYS, "at": "client"}, echo(), tmp_path, drops={"server": 3})
    assert found.verdict == "pass"
    with pytest.raises(Blind):
        examine(Packets, {**KEYS, "at": "server"}, echo(), tmp_path, drops={"server": 3})


def test_losses_in_a_host_s_view_need_the_others_too(tmp_path: Path) -> None:
    keys = {"flow": "udp", "packets": 'client -x server UDP "x"', "at": "client"}
    run = Recorded(["client", "server"])
    run.udp("client", "server", 1000, 2000, b"x", lost=True)
    (found,) = examine(Packets, keys, run, tmp_path)
    assert found.verdict == "pass"
    run.captures["server"] = CaptureInfo(missing="the host is gone")
    with pytest.raises(Blind, match="the host is gone"):
        examine(Packets, keys, run, tmp_path / "again")


def test_doubled_and_swapped_packets_are_seen_where_they_arrive(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for letter, flights in ((b"a", (400, 500)), (b"b", (50,))):
        begin = len(run.frames)
        data = run.udp("client", "server", 1000, 2000, letter)
        sent = run.frames[begin]
        del run.frames[begin + 1 :]
        run.arrive("server", data, [sent.time_ns + one * MICROSECOND for one in flights])
    sent_order = 'client -> server "a"\nclient -> server "b"'
    for at, ladder in (
        (None, sent_order),
        ("client", sent_order),
        ("server", 'client -> server "b"\n' + sent_order[:21] * 2),
    ):
        keys: dict[str, Any] = {"flow": "udp", "packets": ladder} | ({"at": at} if at else {})
        (found,) = examine(Packets, keys, run, tmp_path / str(at))
        assert found.verdict == "pass", (at, found.detail)


def test_several_networks_need_to_be_told_apart(tmp_path: Path) -> None:
    ends = [interface("client", 1, "in", link=1), interface("gate", 2, "in", link=1),
            interface("gate", 1, "out", "eth1", link=2), interface("server", 2, "out", link=2)]  # fmt: skip
    run = Recorded(["client", "gate", "server"], interfaces=ends)
    with pytest.raises(Blind, match="several networks"):
        examine(Packets, {"flow": "udp", "packets": ""}, run, tmp_path)
    (found,) = examine(Packets, {"flow": "udp", "packets": "", "net": "in"}, run, tmp_path)
    assert (found.verdict, found.summary) == ("pass", "udp: no packets, as expected")
    names = KnownNames(("client", "gate", "server"), ("in", "out"), {})
    check = written(Packets, {"flow": "udp", "packets": ""})
    assert [one.path for one in check.mistakes(names)] == [("packets",)]
    assert not list(written(Packets, {"flow": "udp", "packets": "", "net": "in"}).mistakes(names))


def test_names_that_do_not_exist_have_places() -> None:
    keys = {
        "flow": "tcp conm serve:80",
        "packets": "client -> server SYN\nclinet <- 192.0.2.1  UDP IP.src=servr",
        "at": "cleint",
        "net": "lob",
    }
    found = list(written(Packets, keys).mistakes(NAMES))
    places = [(one.path[0], one.line, one.column, one.length, one.suggestion) for one in found]
    assert places == [
        ("flow", 0, 4, 4, "conn"),
        ("flow", 0, 9, 5, "server"),
        ("at", 0, 0, 6, "client"),
        ("net", 0, 0, 3, "lab"),
        ("packets", 1, 0, 6, "client"),
        ("packets", 1, 32, 5, "server"),
    ]


def test_all_mistakes_of_a_ladder_are_told_at_once(tmp_path: Path) -> None:
    lines = [
        "client -> server SYN,AKC",
        "client -> sever SYN",
        "client - server ACK",
        "client -> server ACK ? ?",
    ]
    check = written(Packets, {"flow": "tcp c", "packets": "\n".join(lines)})
    found = [(one.line, one.column, one.suggestion) for one in check.mistakes(NAMES)]
    assert found == [(0, 17, "SYN,ACK"), (2, 7, "->"), (3, 23, ""), (1, 10, "server")]
    with pytest.raises(Misplaced):
        list(check.examine(echo().evidence(tmp_path / "run")))


def test_strict_acknowledgements(tmp_path: Path) -> None:
    (found,) = examine(Packets, {**KEYS, "acks": "strict"}, echo(), tmp_path)
    assert found.verdict == "fail"
