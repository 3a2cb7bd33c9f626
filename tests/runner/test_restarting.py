"""Hosts begun anew, on both engines: what is as before, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import evidence
from runner.history import HostRecord
from tests.needing import need_docker
from tests.playing import play_text

pytestmark = pytest.mark.slow

ENGINES = [pytest.param("netns", id="netns"), pytest.param("docker", id="docker", marks=pytest.mark.docker)]
TWO = """\
name: restarted
hosts: {server: {sysctls: {net.ipv4.tcp_syn_retries: 1}, env: {WHO: me}, files: {/etc/motd: hello}}, client: {}}
steps:
"""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        need_docker()
    return str(request.param)


def test_a_host_is_as_it_was_but_for_its_memory(engine: str, tmp_path: Path) -> None:
    played = play_text(
        TWO
        + """\
  - server: {run: [sh, -c, "echo left > /tmp/left; cat /etc/motd; echo; cat /proc/sys/net/ipv4/tcp_syn_retries"], as: p}
  - server: {stdout: p, gives: "hello\\n1\\n"}
  - restart: server
  - server: {run: [sh, -c, "cat /etc/motd; echo $$WHO; cat /proc/sys/net/ipv4/tcp_syn_retries; ls /tmp"], as: q}
  - server: {stdout: q, gives: "hellome\\n1\\n"}
  - restart: server
  - restart: server
  - client: {socket: c, type: SOCK_DGRAM}
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: "server:53"}
  - client: {sendto: c, data: still here, to: "server:53"}
  - server: {recvfrom: s, size: 100, gives: {data: still here, from: client}}
expect:
  - count: {flow: udp s, is: 1}
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    done = [one.what for one in played.records if isinstance(one, HostRecord) and one.host == "server"]
    assert done == ["killed", "restarted"] * 3
    assert played.info.captures["server"].missing == ""


def test_calls_that_wait_are_gone_and_no_fin_gets_out(engine: str, tmp_path: Path) -> None:
    played = play_text(
        TWO
        + """\
  - server: {socket: l, type: SOCK_STREAM}
  - server: {bind: l, to: ":80"}
  - server: {listen: l, backlog: 1}
  - client: {socket: c, type: SOCK_STREAM}
  - client: {connect: c, to: "server:80"}
  - server: {accept: l, as: conn}
  - server: {recv: conn, size: 10, blocks: true}
  - restart: server
  - server: {socket: again, type: SOCK_STREAM}
  - server: {bind: again, to: ":80"}
expect:
  - count: {flow: tcp c, is: 3}
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert [one.text for one in played.steps("gone")] == ["recv conn size 10"]


def test_a_killed_host_can_be_started_again(engine: str, tmp_path: Path) -> None:
    played = play_text(
        TWO
        + """\
  - kill: server
  - client: {socket: c, type: SOCK_DGRAM}
  - restart: server
  - client: {socket: d, type: SOCK_STREAM}
  - client: {connect: d, to: "server:80", raises: ECONNREFUSED}
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement


def test_faults_in_force_strike_after_a_restart_too(engine: str, tmp_path: Path) -> None:
    played = play_text(
        TWO
        + """\
  - {fault: drop, from: server, where: UDP, as: loss}
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {sendto: s, data: before, to: "client:9"}
  - restart: server
  - server: {socket: t, type: SOCK_DGRAM}
  - server: {sendto: t, data: after, to: "client:9"}
  - {heal: loss}
  - server: {sendto: t, data: healed, to: "client:9"}
expect:
  - flow: udp server client:9
    packets: |
      server -x client  UDP  "before"
      server -x client  UDP  "after"
      server -> client  UDP  "healed"
      ...
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert played.info.faults["server"].taken >= 3


def test_a_router_that_translates_does_so_after_a_restart(engine: str, tmp_path: Path) -> None:
    played = play_text(
        """\
name: router restarted
hosts: {client: {}, gate: {router: true, nat: outside}, server: {}}
networks: {inside: [client, gate], outside: [gate, server]}
steps:
  - restart: gate
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: ":53"}
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {sendto: c, data: hello, to: "server:53"}
  - server: {recvfrom: s, size: 100, gives: {data: hello, from: gate}}
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement


def test_no_packet_passes_a_restarted_host_before_its_capture_runs(engine: str, tmp_path: Path) -> None:
    """A router in the middle of a flow: what comes out of it was seen in it."""
    sending = r"s.sendto(b'n%04d' % n, ('b', 9)); time.sleep(0.002)"
    flood = rf"import socket, time\ns = socket.socket(2, 2)\nfor n in range(600):\n  {sending}"
    played = play_text(
        f"""\
name: a router restarted in the middle of a flow
hosts: {{a: {{}}, r: {{router: true}}, b: {{}}}}
networks: {{one: [a, r], two: [r, b]}}
steps:
  - a: {{run: [python3, -c, "{flood}"], as: flood}}
  - sleep: 100ms
  - restart: r
  - a: {{wait: flood}}
""",
        tmp_path,
        engine,
    )
    assert played.judgement.verdict == "pass", played.judgement
    packets = evidence.load(played.folder).packets
    datagrams = [one for one in packets if one.network == "two" and one.header.dport == 9]
    arrived = {one.payload for one in datagrams if one.host == "b"}
    passed = {one.payload for one in datagrams if one.host == "r"}
    assert len(arrived) > 20 and b"n0599" in arrived
    assert arrived <= passed
