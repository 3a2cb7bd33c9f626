"""Labs of many hosts: all of them answer, none asks for another's MAC, every datagram is accounted for.

Counts and memory are held here; how long it takes is `make bench`'s affair (`tests.bench.scale`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.engine import Shares
from lab.engines.netns import NetnsLab
from lab.topology import Topology
from runner import evidence
from runner.headers import ARP, UDP
from tests.bench.scale import all_answer, private_bytes, topology
from tests.engines.conftest import engine_or_skip
from tests.engines.remote import Remote
from tests.playing import play_text

pytestmark = pytest.mark.slow
MOST_PRIVATE = 3 << 20
"""Bytes of memory that a host has for itself alone, at most."""


@pytest.mark.parametrize("hosts", [100, 500])
def test_all_hosts_answer_and_each_is_small(hosts: int, tmp_path: Path) -> None:
    with engine_or_skip("netns").up(topology(hosts), logs=tmp_path) as lab:
        assert isinstance(lab, NetnsLab)
        assert all_answer(lab) == hosts == len(lab.pids)
        own = private_bytes(lab.pids.values()) / hosts
        first, last = Remote(lab, "h0"), Remote(lab, f"h{hosts - 1}")
        first.connect_to(last)
        last.connect_to(first, 6)
    assert own <= MOST_PRIVATE, f"{own / 2**20:.2f} MiB of memory of its own a host"


MESH = 50


def mesh(hosts: int) -> str:
    """A scenario in which every host sends every other one datagram, which gets it from whom it should."""
    names = [f"h{number}" for number in range(1, hosts + 1)]
    lines = [
        "name: mesh",
        f"hosts: [{', '.join(names)}]",
        "steps:",
        f"  - repeat: {{for: {{i: 1..{hosts}}}, steps: [{{h$i: {{socket: s$i, type: SOCK_DGRAM}}}},"
        ' {h$i: {bind: s$i, to: ":9000"}}, {h$i: {settimeout: s$i, value: 3s}}]}',
    ]
    for one in range(1, hosts + 1):
        others = ", ".join(str(other) for other in range(1, hosts + 1) if other != one)
        send = f'{{h{one}: {{sendto: s{one}, data: "{one} to $j", to: "h$j:9000"}}}}'
        got = f'{{h$j: {{recvfrom: s$j, size: 100, gives: {{data: "{one} to $j", from: h{one}}}}}}}'
        lines.append(f"  - repeat: {{for: {{j: [{others}]}}, steps: [{send}, {got}]}}")
    lines += [
        "expect:",
        f"  - count: {{flow: udp, is: {hosts * (hosts - 1)}}}",
        "  - count: {flow: arp, is: 0}",
    ]
    for name in names:
        for end in ("src", "dst"):
            lines.append(f"  - count: {{flow: udp, where: IP.{end} = {name}, at: {name}, is: {hosts - 1}}}")
    return "\n".join(lines) + "\n"


def test_a_full_mesh_with_every_datagram_accounted_for(tmp_path: Path) -> None:
    played = play_text(mesh(MESH), tmp_path)
    assert played.judgement.verdict == "pass", [
        one for one in played.judgement.findings if one.verdict != "pass"
    ]
    seen = evidence.load(played.folder)
    datagrams = [one for one in seen.transmissions if one.sent.header.protocol == UDP]  # no housekeeping
    pairs = {(one.sent.host, copy.host) for one in datagrams for copy in one.arrivals}
    assert len(pairs) == len(datagrams) == MESH * (MESH - 1)  # one for each pair of hosts, seen at both ends
    assert not any(one.lost for one in datagrams)
    assert all(not one.drops and not one.missing for one in seen.info.captures.values())


@pytest.mark.docker
def test_twenty_containers_side_by_side(tmp_path: Path) -> None:
    engine = engine_or_skip("docker")
    assert isinstance(engine, Shares)
    names = [f"h{number}" for number in range(20)]
    with engine.alone().up(Topology.simple(*names), logs=tmp_path) as lab:
        assert all_answer(lab) == 20
        hosts = [Remote(lab, name) for name in names]
        for host in hosts:
            host.begin_capture()
        receivers = [host.bound("udp") for host in hosts]
        for number, host in enumerate(hosts):
            sending = host.socket("udp")
            for address in (address for other, (_, address) in enumerate(receivers) if other != number):
                host.call("sendto", host.host.encode(), address, on=sending)
        for number, (host, (receiving, _)) in enumerate(zip(hosts, receivers, strict=True)):
            got = {host.call("recv", 100, on=receiving).decode() for _ in range(19)}
            assert got == set(names) - {names[number]}
        frames = [frame for host in hosts for frame in host.frames()]
    assert not [
        frame for frame in frames if frame.data[12:14] == ARP.to_bytes(2, "big")
    ]  # they know each other
    sent = [frame.data for frame in frames if frame.direction == "out"]
    assert sum(data[12:14] == b"\x08\x00" and data[23] == 17 for data in sent) == 20 * 19
