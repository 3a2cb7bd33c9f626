"""Nothing gets out of a lab: seen at every link of the machine, and by services on all of its addresses.

Each test first shows that the lab is closed before anything with a foreign address is sent.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import compose_commands
from lab.engine import Lab, Shares
from lab.topology import Host, Network, Topology
from tests.engines import escapes
from tests.engines.conftest import engine_or_skip
from tests.engines.escapes import Watch
from tests.engines.remote import Remote
from tests.needing import compose_checkout

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to look at the machine's own links"),
]
PAIR = Topology.simple("server", "client")
LABS = [
    "netns",
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("compose", marks=pytest.mark.docker),
]


@contextlib.contextmanager
def lab_of(kind: str, topology: Topology, folder: Path) -> Iterator[Lab]:
    with contextlib.ExitStack() as stack:
        engine = engine_or_skip("docker" if kind == "compose" else kind)
        if kind == "docker" and isinstance(engine, Shares):
            engine = engine.alone()
        if kind == "compose":
            stack.enter_context(compose_checkout(folder))
            compose_commands.up(lambda line: None)
        logs = folder / "logs"
        logs.mkdir()
        lab = stack.enter_context(engine.up(topology, logs=logs))
        assert (kind == "compose") == ("compose" in lab.facts().get("lab", ""))
        yield lab


def show_closed(lab: Lab, watch: Watch) -> None:
    """A host has its own links and no way out, and what it says to everybody reaches no link of the machine."""
    machine = escapes.machine()
    for host in lab.topology.hosts:
        remote = Remote(lab, host.name)
        links = json.loads(remote.run("ip", "-json", "link")[0])
        assert {one["ifname"] for one in links} - {"lo"} == {end.name for end in lab.interfaces(host.name)}
        routes = remote.run("ip", "route")[0] + remote.run("ip", "-6", "route")[0]
        assert "default" not in routes
        assert not {one["address"] for one in links} & set(machine.macs)
        socket = remote.socket("udp")
        error = remote.reply("sendto", watch.marker, [escapes.FOREIGN4[0], 9], on=socket)["error"]
        assert error["errno"] == "ENETUNREACH"
        remote.call("setsockopt", {"constant": "SOL_SOCKET"}, {"constant": "SO_BROADCAST"}, 1, on=socket)
        end = remote.end
        subnet = ipaddress.ip_network(f"{end.ip4[0]}/{end.prefix4}", strict=False)
        remote.call("sendto", watch.marker, [str(subnet.broadcast_address), watch.port], on=socket)
    time.sleep(0.2)
    assert not watch.seen and not watch.served


def tries(lab: Lab, watch: Watch, host: str) -> int:
    """Have a host try to get out in every way; returns how many frames and datagrams its kernel took."""
    remote, machine = Remote(lab, host), escapes.machine()
    told = {
        "marker": watch.marker.hex(), "port": watch.port, "link": remote.end.name, "mac": remote.end.mac,
        "macs": [*escapes.GROUPS, *machine.macs],
        "sources4": [remote.address(4), escapes.FORGED4], "sources6": [remote.address(6), escapes.FORGED6],
        "targets4": [*escapes.FOREIGN4, "255.255.255.255", "224.0.0.251", *machine.addresses4],
        "targets6": [*escapes.FOREIGN6, *machine.addresses6],
        "gateway4": escapes.GATEWAY4, "gateway6": escapes.GATEWAY6,
    }  # fmt: skip
    said, status = remote.run("python3", "-c", escapes.ESCAPE, json.dumps(told))
    assert status == 0, said
    return int(said)


@pytest.mark.parametrize("kind", LABS)
def test_nothing_gets_out(kind: str, tmp_path: Path) -> None:
    """All that was sent is on the lab's own wire, at the other host's door, and at no door of the machine."""
    watch = Watch(os.urandom(16))
    with watch.watching(), lab_of(kind, PAIR, tmp_path) as lab:
        server = Remote(lab, "server")
        server.begin_capture()
        show_closed(lab, watch)
        server.frames()
        sent = tries(lab, watch, "client")
        time.sleep(0.3)
        arrived = [frame.data for frame in server.frames() if watch.marker in frame.data]
        assert not watch.seen and not watch.served
        escapes.from_the_machine(watch)
        deadline = time.monotonic() + 5
        while not (watch.seen and watch.served) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert watch.seen and watch.served, "the watch is blind"
    # A bridge passes no frame to 01-80-C2-00-00-0X on (IEEE 802.1D, section 7.12.6); all others it floods.
    groups = {frame[:6].hex(":") for frame in arrived}
    assert groups >= {mac for mac in escapes.GROUPS if not mac.startswith("01:80:c2")}
    assert sent > 100 and len(arrived) >= sent * 0.7
    assert any(frame[26:30] == bytes([203, 0, 113, 77]) for frame in arrived)


@pytest.mark.parametrize("kind", LABS)
def test_an_answer_to_a_forged_packet_stays_inside(kind: str, tmp_path: Path) -> None:
    """Also where the host that answers has been given a way out, as far as it can tell."""
    watch = Watch(os.urandom(16))
    with watch.watching(), lab_of(kind, PAIR, tmp_path) as lab:
        show_closed(lab, watch)
        server, client = Remote(lab, "server"), Remote(lab, "client")
        link = server.end.name
        for words in (
            ("neigh", "replace", escapes.GATEWAY4, "lladdr", escapes.NOBODY, "dev", link),
            ("route", "replace", "default", "via", escapes.GATEWAY4, "dev", link, "onlink"),
        ):
            assert server.run("ip", *words)[1] == 0
        client.begin_capture()
        forge = (
            "import socket,sys; s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((sys.argv[1],0));"
            "s.send(bytes.fromhex(sys.argv[2]))"
        )
        frame = bytes.fromhex((server.end.mac + client.end.mac).replace(":", "")) + echo_request(
            escapes.FORGED4, server.address(4), watch.marker
        )
        assert client.run("python3", "-c", forge, client.end.name, frame.hex())[1] == 0
        answers: list[bytes] = []
        deadline = time.monotonic() + 5
        while not answers and time.monotonic() < deadline:
            answers = [one.data for one in client.frames() if one.data[:6].hex(":") == escapes.NOBODY]
        assert answers and answers[0][30:34] == bytes([203, 0, 113, 77])  # it did answer
        time.sleep(0.2)
    assert not watch.seen and not watch.served


def echo_request(source: str, target: str, data: bytes) -> bytes:
    """An IPv4 packet with its EtherType: RFC 791, RFC 792."""
    message = b"\x08\x00\x00\x00\x00\x01\x00\x01" + data
    message = message[:2] + checksum(message) + message[4:]
    head = bytes([0x45, 0]) + (20 + len(message)).to_bytes(2, "big") + bytes([0, 1, 0, 0, 64, 1, 0, 0])
    head += ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    return b"\x08\x00" + head[:10] + checksum(head) + head[12:] + message


def checksum(data: bytes) -> bytes:
    total = sum(int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


ROUTED = Topology(
    (Host("client"), Host("gate", router=True), Host("server")),
    (Network("inside", ("client", "gate")), Network("outside", ("gate", "server"))),
)


@pytest.mark.parametrize("kind", LABS[:2])
def test_a_router_without_a_route_says_so_and_passes_nothing_on(kind: str, tmp_path: Path) -> None:
    watch = Watch(os.urandom(16))
    with watch.watching(), lab_of(kind, ROUTED, tmp_path) as lab:
        client, gate = Remote(lab, "client"), Remote(lab, "gate")
        show_closed(lab, watch)
        inside = lab.interfaces("gate")[0].ip4[0]
        assert client.run("ip", "route", "replace", "default", "via", inside)[1] == 0
        before = counters(gate)
        for target in escapes.FOREIGN4:
            socket = client.socket("udp")
            client.call("connect", [target, 9], on=socket)
            client.call("setsockopt", {"constant": "IPPROTO_IP"}, 11, 1, on=socket)  # IP_RECVERR: ip(7)
            client.call("send", watch.marker, on=socket)
            client.call("settimeout", 5, on=socket)
            assert client.reply("recv", 10, on=socket)["error"]["errno"] == "ENETUNREACH"
        after = counters(gate)
        assert after["InNoRoutes"] - before["InNoRoutes"] == len(escapes.FOREIGN4)
        assert after["ForwDatagrams"] == before["ForwDatagrams"]
    assert not watch.seen and not watch.served


def counters(host: Remote) -> dict[str, int]:
    """Counters of IP, as RFC 4293 and the kernel's extensions name them: /proc/net/snmp, /proc/net/netstat."""
    found: dict[str, int] = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        lines = host.text_of(path).splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            if names.split()[0] in ("Ip:", "IpExt:"):
                found |= dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
    return found


@pytest.mark.docker
def test_a_container_has_no_link_that_the_machine_has(tmp_path: Path) -> None:
    """Neither bridge nor port: what could be filtered is not there."""
    before = set(os.listdir("/sys/class/net"))  # noqa: PTH208
    with lab_of("docker", PAIR, tmp_path) as lab:
        macs = {end.mac for host in ("server", "client") for end in lab.interfaces(host)}
        ours = set(os.listdir("/sys/class/net")) - before  # noqa: PTH208
        ends = {name for name in ours if name.startswith(("port", "bridge"))}
        assert not ends and not macs & set(escapes.machine().macs)
