"""What every engine must do: one suite, played on each. An engine is done when it passes."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.capture import Frame
from lab.engine import Engine, Kills, Pauses
from lab.errors import HostGone, LabError, Unsupported
from lab.topology import Host, Network, Topology
from tests.engines import traces
from tests.engines.remote import REUSE, WAIT_S, Remote
from tests.waiting import eventually

pytestmark = pytest.mark.slow  # plays on real hosts again and again

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = "192.0.2.1"
PAIR = Topology.simple("server", "client")


def with_server(**settings: Any) -> Topology:
    """A lab of two whose server has settings of its own."""
    return Topology((Host("server", **settings), Host("client")), PAIR.networks)


# Names, addresses, calls


def test_names_resolve(server: Remote, client: Remote) -> None:
    for asking, asked in ((server, client), (client, server), (client, client)):
        for version, family in ((4, "AF_INET"), (6, "AF_INET6")):
            found = asking.call(
                "getaddrinfo", asked.host, 80, {"constant": family}, {"constant": "SOCK_STREAM"}
            )
            assert found[0][4][:2] == [asked.address(version), 80]


def test_interfaces_are_those_that_the_host_has(server: Remote) -> None:
    seen = {one["name"]: one for one in server.channel.ask(WAIT_S, do="interfaces")}
    end = server.end
    assert seen[end.name]["mac"] == end.mac
    assert seen[end.name]["mtu"] == end.mtu
    said = json.dumps(seen[end.name])
    assert all(f'"{address}' in said for address in (*end.ip4, *end.ip6))


@pytest.mark.parametrize("version", [4, 6])
def test_udp_passes(server: Remote, client: Remote, version: int) -> None:
    receiving, to = server.bound("udp", version)
    sending, sender = client.bound("udp", version)
    assert client.call("sendto", b"hello", to[:2], on=sending) == 5
    data, address = server.call("recvfrom", 100, on=receiving)
    assert (data, address[:2]) == (b"hello", sender[:2])


@pytest.mark.parametrize("version", [4, 6])
def test_tcp_passes(server: Remote, client: Remote, version: int) -> None:
    ours, theirs = client.connect_to(server, version)
    client.call("sendall", b"hello", on=ours)
    client.call("close", on=ours)
    assert server.call("recv", 100, {"constant": "MSG_WAITALL"}, on=theirs) == b"hello"
    assert server.call("recv", 100, on=theirs) == b""


def test_first_packet_arrives_at_once(engine: Engine, tmp_path: Path) -> None:
    with engine.up(PAIR, logs=tmp_path) as lab:
        server, client = Remote(lab, "server"), Remote(lab, "client")
        receiving, to = server.bound("udp")
        sending = client.socket("udp")
        began = client.reply("sendto", b"first", to, on=sending)["began"]
        took = server.reply("recv", 100, on=receiving)["ended"] - began
        assert took < 900_000_000  # a stall is of a second


def test_a_failing_call_gives_its_errno(server: Remote, client: Remote) -> None:
    _, address = server.bound("tcp")
    error = client.reply("connect", address, on=client.socket("tcp"))["error"]
    assert (error["type"], error["errno"]) == ("ConnectionRefusedError", "ECONNREFUSED")


def test_a_blocked_call_is_told_and_ends_when_data_comes(server: Remote, client: Remote) -> None:
    receiving, to = server.bound("udp")
    pending = server.post("recv", 100, on=receiving, watch=True)
    deadline = time.monotonic() + WAIT_S
    notices: list[Any] = []
    while not notices and time.monotonic() < deadline:
        notices = [one for one in server.channel.receive() if one.get("id") == pending]
        time.sleep(0.001)
    assert [one.get("syscall") for one in notices] == ["recvfrom"]
    client.call("sendto", b"now", to, on=client.socket("udp"))
    reply = server.channel.wait(pending, WAIT_S)
    assert reply["value"] == {"bytes": "now"}
    assert reply["ended"] > notices[0]["asleep"]


# Captures


def ours(frames: Iterable[Frame], text: bytes) -> list[bytes]:
    """Frames that carry a text, in order."""
    return [frame.data for frame in frames if text in frame.data]


def test_captures_on_both_ends_see_the_same_frames(server: Remote, client: Remote) -> None:
    receiving, to = server.bound("udp")
    sending = client.socket("udp")
    for number in range(20):
        client.call("sendto", b"same-%d." % number, to, on=sending)
    assert server.call("recv", 100, on=receiving) == b"same-0."
    sent, arrived = client.frames(), server.frames()
    assert len(ours(sent, b"same-")) == 20
    assert eventually(lambda: arrived.extend(server.frames()) or len(ours(arrived, b"same-")) >= 20)
    assert ours(sent, b"same-") == ours(arrived, b"same-")
    assert {frame.direction for frame in sent if b"same-" in frame.data} == {"out"}
    assert {frame.direction for frame in arrived if b"same-" in frame.data} == {"in"}


def internet_checksum(data: bytes) -> int:
    """RFC 1071: 0 over data that holds its right checksum."""
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_checksum_is_right(packet: bytes) -> bool:
    """Of an IPv4 packet with TCP in it: the sum over pseudo header and segment (RFC 9293, section 3.1)."""
    header = (packet[0] & 15) * 4
    segment = packet[header : int.from_bytes(packet[2:4], "big")]
    return internet_checksum(packet[12:20] + b"\0\x06" + len(segment).to_bytes(2, "big") + segment) == 0


def test_offloads_are_off(server: Remote, client: Remote) -> None:
    client.frames()
    mine, theirs = client.connect_to(server)
    client.call("sendall", bytes(30_000), on=mine)
    assert server.call("recv", 30_000, {"constant": "MSG_WAITALL"}, on=theirs) == bytes(30_000)
    port = client.call("getsockname", on=mine)[1].to_bytes(2, "big")
    segments = [
        frame.data
        for frame in client.frames()
        if frame.data[12:14] == b"\x08\0"
        and frame.data[23] == 6
        and port in (frame.data[34:36], frame.data[36:38])
    ]
    assert len(segments) > 20
    assert max(map(len, segments)) <= 14 + client.end.mtu
    assert all(tcp_checksum_is_right(segment[14:]) for segment in segments)


# What a host is


def test_a_host_does_not_forward(server: Remote) -> None:
    assert server.text_of("/proc/sys/net/ipv4/ip_forward").strip() == "0"


def test_the_host_name_is_the_hosts(server: Remote) -> None:
    assert server.call("gethostname") == "server"


def test_programs_are_there_and_cannot_be_changed(server: Remote, programs: Path) -> None:
    assert server.run("/programs/say", "this") == ("said this\n", 0)
    assert server.run("sh", "-c", "echo bad > /programs/say")[1] != 0
    assert server.run("sh", "-c", "echo bad > /programs/new")[1] != 0
    assert sorted(path.name for path in programs.iterdir()) == ["say"]


def test_hosts_share_no_files(server: Remote, client: Remote) -> None:
    assert server.run("sh", "-c", "echo mine > /tmp/mine")[1] == 0
    assert client.run("cat", "/tmp/mine")[1] != 0
    for remote in (server, client):  # the same path in both: neither is in the other's way
        name = remote.socket("udp")
        remote.call("close", on=name)
        unix = f"unix of {remote.host}"
        remote.call("socket", {"constant": "AF_UNIX"}, {"constant": "SOCK_DGRAM"}, makes=unix)
        remote.call("bind", "/tmp/socket", on=unix)


def test_sysctls_limits_and_files_are_the_hosts_own(engine: Engine, tmp_path: Path) -> None:
    topology = with_server(
        sysctls={"net.ipv4.tcp_syn_retries": "2", "net.ipv4.no_such_setting?": "1"},
        limits={"nofile": 333},
        files={"/etc/lab-note": b"a note\n", "/tmp/deep/down": b"\x00\xff"},
    )
    with engine.up(topology, logs=tmp_path) as lab:
        server, client = Remote(lab, "server"), Remote(lab, "client")
        assert server.text_of("/proc/sys/net/ipv4/tcp_syn_retries").strip() == "2"
        assert client.text_of("/proc/sys/net/ipv4/tcp_syn_retries").strip() != "2"
        assert server.run("sh", "-c", "ulimit -n")[0] == "333\n"
        assert server.text_of("/etc/lab-note") == "a note\n"
        assert server.run("sh", "-c", "od -An -tx1 /tmp/deep/down")[0].split() == ["00", "ff"]
        assert client.run("cat", "/etc/lab-note")[1] != 0


@pytest.mark.parametrize("key", ["net.ipv4.no_such_setting", "kernel.core_pattern", "net.core.rmem_max"])
def test_a_sysctl_that_no_host_has_is_unsupported(engine: Engine, tmp_path: Path, key: str) -> None:
    with pytest.raises(Unsupported, match=key), engine.up(with_server(sysctls={key: "1"}), logs=tmp_path):
        pass


# Several networks

THREE = Topology(
    (Host("left"), Host("gate", router=True), Host("door", router=True), Host("right")),
    (
        Network("inside", ("left", "gate")),
        Network("between", ("gate", "door"), mtu=1280),
        Network("outside", ("door", "right")),
    ),
)


def test_routers_forward_between_networks(engine: Engine, tmp_path: Path) -> None:
    with engine.up(THREE, logs=tmp_path) as lab:
        left, right = Remote(lab, "left"), Remote(lab, "right")
        for version in (4, 6):
            mine, theirs = left.connect_to(right, version)
            left.call("sendall", b"through two", on=mine)
            assert right.call("recv", 11, {"constant": "MSG_WAITALL"}, on=theirs) == b"through two"
        gate = Remote(lab, "gate")
        assert gate.text_of("/proc/sys/net/ipv4/ip_forward").strip() == "1"
        assert [end.network for end in lab.interfaces("gate")] == ["inside", "between"]
        seen = {one["name"]: one["mtu"] for one in gate.channel.ask(WAIT_S, do="interfaces")}
        assert [seen[end.name] for end in lab.interfaces("gate")] == [1500, 1280]


# Nothing gets out, nothing is left


@contextmanager
def watching_the_machine() -> Iterator[Any]:
    """A function that tells whether a text was seen on any interface of this machine."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as seeing:
        seeing.setblocking(False)

        def saw(text: bytes, within_s: float) -> bool:
            deadline = time.monotonic() + within_s
            while (left := deadline - time.monotonic()) > 0:
                if select.select([seeing], [], [], left)[0] and text in seeing.recv(65536):
                    return True
            return False

        yield saw


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to watch the machine's own interfaces")
def test_a_scenario_cannot_reach_outside(client: Remote) -> None:
    sending = client.socket("udp")
    with watching_the_machine() as saw:
        reply = client.reply("sendto", b"going outside", [OUTSIDE, 9], on=sending)
        if "error" in reply:
            assert reply["error"]["errno"] in ("ENETUNREACH", "EHOSTUNREACH")
        with socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM
        ) as own:  # else seeing nothing would prove nothing
            own.sendto(b"on the machine itself", ("127.0.0.1", 9))
        assert saw(b"on the machine itself", 5)
        assert not saw(b"going outside", 0.3)


def test_two_labs_at_once_do_not_meet(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with engine.up(PAIR, logs=tmp_path / "one") as one, engine.up(PAIR, logs=tmp_path / "other") as other:
        for lab, text in ((one, b"of the one"), (other, b"of the other")):
            server, client = Remote(lab, "server"), Remote(lab, "client")
            receiving = server.socket("udp")
            server.call("setsockopt", *REUSE, on=receiving)
            server.call("bind", ["", 7000], on=receiving)
            client.call("sendto", text, ["server", 7000], on=client.socket("udp"))
            assert server.call("recv", 100, on=receiving) == text


def test_a_lab_that_cannot_be_made_says_so(engine: Engine, tmp_path: Path) -> None:
    topology = Topology((Host("server"), Host("client")), (Network("lab", ("server", "client"), mtu=3),))
    with pytest.raises(LabError), engine.up(topology, logs=tmp_path):
        pass


# Hosts that end or stop


def test_a_host_that_dies_is_an_error_that_names_it(engine: Engine, tmp_path: Path) -> None:
    with engine.up(PAIR, logs=tmp_path) as lab:
        assert isinstance(lab, Kills)
        server, client = Remote(lab, "server"), Remote(lab, "client")
        client.begin_capture()
        mine, theirs = client.connect_to(server)
        pending = server.post("recv", 100, on=theirs)
        lab.kill("server")
        with pytest.raises(HostGone, match="server"):
            server.channel.wait(pending, WAIT_S)
        time.sleep(0.1)
        port = client.call("getsockname", on=mine)[1].to_bytes(2, "big")
        to_client = [
            frame.data for frame in client.frames() if frame.direction == "in" and frame.data[36:38] == port
        ]
        assert len(to_client) == 1  # the SYN,ACK: a power cut sends no FIN and no RST


def test_a_paused_host_still_answers_by_its_kernel(engine: Engine, tmp_path: Path) -> None:
    with engine.up(PAIR, logs=tmp_path) as lab:
        assert isinstance(lab, Pauses)
        server, client = Remote(lab, "server"), Remote(lab, "client")
        listening, address = server.listener()
        pending = server.post("accept", on=listening, makes="late")
        lab.pause("server")
        client.call("connect", address, on=client.socket("tcp"))
        time.sleep(0.2)
        assert not select.select([server.channel.fileno()], [], [], 0)[0]
        lab.resume("server")
        assert "value" in server.channel.wait(pending, WAIT_S)


# Nothing is left

# Not the hosts of the compose lab: where it is up, an engine would use it and rightly leave it there.
RUNNER = """
import sys, time
from pathlib import Path
from lab import engine as engines
from lab.topology import Topology
engine = engines.find(sys.argv[1])
with engine.up(Topology.simple("near", "far"), logs=Path(sys.argv[2])) as lab:
    print("up", flush=True)
    if sys.argv[3] == "raise":
        raise SystemExit(3)
    if sys.argv[3] == "stay":
        time.sleep(600)
    sys.stdin.readline()
print("down", flush=True)
sys.stdin.readline()
"""


@contextmanager
def running_a_lab(engine: Engine, logs: Path, what: str) -> Iterator[tuple[subprocess.Popen[str], set[str]]]:
    """A process that has a lab up, and what there is because of it."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, engine.name, str(logs), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "up\n"
            made = traces.made_by(engine.name, process.pid)
            assert len(made) >= 3
            yield process, made
        finally:
            process.kill()


def test_leaving_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    before = set(Path("/tmp").iterdir())
    with running_a_lab(engine, tmp_path, "leave") as (process, made):
        assert process.stdin is not None and process.stdout is not None
        print("leave", file=process.stdin, flush=True)
        assert process.stdout.readline() == "down\n"
        assert eventually(lambda: not traces.left_of(engine.name, process.pid, made))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far.stderr", "near.stderr"]
    assert not [path for path in set(Path("/tmp").iterdir()) - before if "socket-lab" in path.name]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_runner_leaves_nothing(engine: Engine, tmp_path: Path, number: signal.Signals) -> None:
    with running_a_lab(engine, tmp_path, "stay") as (process, made):
        process.send_signal(number)
        process.wait(30)
        if engine.name == "docker":  # containers belong to the engine's daemon: what cannot vanish is cleaned
            from lab.engines.docker import clean_docker

            clean_docker()
        assert eventually(lambda: not traces.left_of(engine.name, process.pid, made))
