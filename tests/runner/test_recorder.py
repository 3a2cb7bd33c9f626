"""The end of a recording, on real hosts: what was sent before it is whole, what was sent after it is not there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner import evidence
from runner.recorder import SETTLE_NS, Recorder
from tests.needing import need_docker
from tests.playing import play_text

pytestmark = pytest.mark.slow  # plays on real hosts

ENGINES = [pytest.param("netns", id="netns"), pytest.param("docker", id="docker", marks=pytest.mark.docker)]
ENDLESS = """\
name: a host that never stops sending
hosts: [server, second, third, fourth, fifth, sixth, client]
steps:
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: ":9000"}
  - client: {run: [python3, /programs/endless.py, $server.ip4], as: p}
  - server: {recv: s, size: 10, gives: x}
  - sleep: 300ms
expect:
  - count: {flow: udp, is: 100..}
  - count: {flow: "udp :9000", at: client, is: 100..}
"""
PROGRAM = """\
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    s.sendto(b"x", (sys.argv[1], 9000))
    time.sleep(0.0002)
"""


LAST_STEP = """\
name: a datagram at the end
hosts: [client, server]
steps:
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: ":9000"}
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {sendto: c, data: x, to: "server:9000"}
  - server: {recv: s, size: 10, gives: x}
expect:
  - count: {flow: udp, is: 1}
"""


def test_what_the_last_step_sent_is_there_however_long_a_drain_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = Recorder.drain

    def slow(recorder: Recorder) -> None:
        drain(recorder)
        time.sleep(2 * SETTLE_NS / 1e9)

    monkeypatch.setattr(Recorder, "drain", slow)
    played = play_text(LAST_STEP, tmp_path)
    assert played.judgement.verdict == "pass", played.judgement


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_sent_while_captures_end_is_not_lost(engine: str, tmp_path: Path) -> None:
    if engine == "docker":
        need_docker()
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "endless.py").write_text(PROGRAM)
    played = play_text(ENDLESS, tmp_path, engine)
    assert played.judgement.verdict == "pass", played.judgement
    sent = [one for one in evidence.load(played.folder).transmissions if one.source == "client"]
    assert len(sent) > 100
    assert not [one for one in sent if one.lost]
