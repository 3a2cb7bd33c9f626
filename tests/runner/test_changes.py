"""Hosts that stop, die and are cut off, on real hosts of both engines: what becomes of calls, captures and verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.history import HostRecord
from runner.rundir import CaptureInfo
from tests.needing import need_docker
from tests.playing import Played, play_text

pytestmark = pytest.mark.slow  # plays on real hosts

CONNECTED = """\
name: a connection
hosts: [server, client]
steps:
  - server: {socket: listener}
  - server: {bind: listener, to: ":8888"}
  - server: {listen: listener, backlog: 5}
  - client: {socket: c}
  - client: {connect: c, to: "server:8888"}
  - server: {accept: listener, as: conn}
"""
ENGINES = [pytest.param("netns", id="netns"), pytest.param("docker", id="docker", marks=pytest.mark.docker)]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    if request.param == "docker":
        need_docker()
    return str(request.param)


def done(played: Played) -> list[str]:
    """What was done to hosts, in order."""
    return [f"{one.host} {one.what}" for one in played.records if isinstance(one, HostRecord)]


def test_calls_of_a_killed_host_are_gone_and_its_capture_is_whole(engine: str, tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - server: {recv: conn, size: 9, blocks: true}
  - kill: server
  - client: {send: c, data: anybody there}
finally:
  - server: {close: conn}
expect:
  - count: {flow: tcp c, where: TCP.flags has F, is: 0}
  - flow: tcp c
    packets: |
      client -> server  SYN
      client <- server  SYN,ACK
      client -> server  ACK
      client -x server  PSH,ACK  "anybody there"
      ...
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert [one.verb for one in played.steps("gone")] == ["recv"]
    assert [one.verb for one in played.steps("skipped")] == ["close"]
    assert played.calls("recv")[0].ended_ns is None
    assert done(played) == ["server killed"]
    assert played.info.captures["server"] == CaptureInfo(played.info.captures["server"].frames)
    assert played.info.captures["server"].frames >= 3


def test_a_step_of_a_killed_host_fails_with_the_reason(tmp_path: Path) -> None:
    played = play_text(CONNECTED + "  - kill: server\n  - server: {close: conn}\n", tmp_path)
    assert (played.judgement.verdict, played.info.ending) == ("fail", "failed")
    assert "host server was killed" in played.reason


def test_who_waits_for_a_gone_call_is_told(tmp_path: Path) -> None:
    steps = "  - server: {recv: conn, size: 9, as: got, blocks: true}\n  - kill: server\n"
    played = play_text(CONNECTED + steps + "  - server: {returns: got}\n", tmp_path)
    assert played.judgement.verdict == "fail"
    assert "killed" in played.reason


def test_a_paused_host_does_nothing_and_is_resumed_at_the_end(engine: str, tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - server: {recv: conn, size: 9, blocks: forever}
  - pause: server
  - client: {socket: d}
  - client: {connect: d, to: "server:8888"}
expect:
  - count: {flow: tcp d, is: 3}
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert done(played) == ["server paused", "server resumed"]


def test_a_step_of_a_paused_host_fails_at_once(tmp_path: Path) -> None:
    played = play_text(CONNECTED + "  - pause: server\n  - server: {close: conn}\n", tmp_path)
    assert played.judgement.verdict == "fail"
    assert "host server is paused" in played.reason


def test_a_paused_host_can_be_killed(engine: str, tmp_path: Path) -> None:
    steps = "  - pause: server\n  - kill: server\n  - client: {send: c, data: x}\n"
    expect = "expect:\n  - count: {flow: tcp c, at: server, is: 3}\n"
    played = play_text(CONNECTED + steps + expect, tmp_path, engine)
    assert played.judgement.verdict == "pass", played.judgement


def test_a_link_has_its_routes_back_and_a_fault_still_strikes(engine: str, tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - {fault: drop, from: client, where: UDP, nth: 1, as: loss}
  - client: {socket: d, type: SOCK_DGRAM}
  - {link: client, to: down}
  - client: {sendto: d, data: x, to: "server:9", raises: ENETUNREACH}
  - {link: client, to: up}
  - client: {sendto: d, data: lost, to: "server:9"}
  - client: {sendto: d, data: kept, to: "server:9"}
  - kill: client
expect:
  - flow: udp d
    packets: |
      client -x server  UDP  "lost"
      client -> server  UDP  "kept"
      ...
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert done(played) == ["client link down", "client link up", "client killed"]


def test_a_link_to_no_network_is_named(tmp_path: Path) -> None:
    """A name that is known only while it is played."""
    steps = (
        "  - client: {sendall: c, data: other}",
        "  - server: {recv: conn, size: 5, as: name}",
        "  - {link: client, to: down, net: $name}",
    )
    played = play_text(CONNECTED + "\n".join(steps) + "\n", tmp_path)
    assert "no link to other (but to lab)" in played.reason
