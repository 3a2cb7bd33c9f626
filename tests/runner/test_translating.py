"""Address translation on both engines: what is behind a router is seen as the router, and only from there reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.needing import need_docker
from tests.playing import play_text

pytestmark = pytest.mark.slow  # plays on real hosts

ENGINES = [pytest.param("netns", id="netns"), pytest.param("docker", id="docker", marks=pytest.mark.docker)]
TWO_BEHIND = """\
name: two behind
hosts:
  one: {}
  two: {}
  gate: {router: true, nat: outside}
  server: {}
networks:
  inside: [one, two, gate]
  outside: [gate, server]
steps:
"""
SAME_PORTS = """\
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: ":53"}
  - one: {socket: a, type: SOCK_DGRAM}
  - one: {bind: a, to: ":5000"}
  - two: {socket: b, type: SOCK_DGRAM}
  - two: {bind: b, to: ":5000"}
  - one: {sendto: a, data: from one, to: "server:53"}
  - server: {recvfrom: s, size: 100, as: first, gives: {data: from one, from: gate}}
  - two: {sendto: b, data: from two, to: "server:53"}
  - server: {recvfrom: s, size: 100, as: second, gives: {data: from two, from: gate}}
  - server: {sendto: s, data: to two, to: $second.from}
  - server: {sendto: s, data: to one, to: $first.from}
  - one: {recvfrom: a, size: 100, gives: {data: to one, from: "server:53"}}
  - two: {recvfrom: b, size: 100, gives: {data: to two, from: "server:53"}}
expect:
  - count: {flow: udp gate, net: outside, is: 4}
  - count: {flow: udp one, net: outside, is: 0}
  - count: {flow: udp two, net: outside, is: 0}
"""
SIX = """\
  - server: {socket: s, family: AF_INET6, type: SOCK_DGRAM}
  - server: {bind: s, to: ":53"}
  - one: {socket: a, family: AF_INET6, type: SOCK_DGRAM}
  - one: {sendto: a, data: six, to: "server:53"}
  - server: {recvfrom: s, size: 100, gives: {data: six, from: gate}}
"""
WAY_IN = """\
  - one: {socket: l, type: SOCK_STREAM}
  - one: {bind: l, to: ":80"}
  - one: {listen: l, backlog: 1}
  - server: {socket: c, type: SOCK_STREAM}
  - server: {connect: c, to: "one:80", raises: ENETUNREACH}
  - gate: {socket: g, type: SOCK_STREAM}
  - gate: {connect: g, to: "one:80"}
"""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        need_docker()
    return str(request.param)


@pytest.mark.parametrize("steps", [SAME_PORTS, SIX, WAY_IN], ids=["same ports", "IPv6", "way in"])
def test_what_is_behind_a_router_is_seen_as_the_router(engine: str, tmp_path: Path, steps: str) -> None:
    played = play_text(TWO_BEHIND + steps, tmp_path, engine)
    assert played.judgement.verdict == "pass", played.judgement


def test_without_translation_the_addresses_are_the_hosts_own(tmp_path: Path) -> None:
    """The same steps fail where nothing is rewritten: it is not the order of things that makes them pass."""
    played = play_text(TWO_BEHIND.replace(", nat: outside", "") + SAME_PORTS, tmp_path)
    assert played.judgement.verdict == "fail" and "gate" in played.reason
