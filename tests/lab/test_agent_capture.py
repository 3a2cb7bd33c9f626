"""What an agent captures: everything, once, in order, at once, and what it says of what it lost."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import ring
from lab.capture import Frame
from tests.agents import Host, in_a_namespace, namespace_agent

pytestmark = [in_a_namespace, pytest.mark.slow]

EXPERIMENTAL = 0x88B5
"""The EtherType that IEEE 802 leaves for experiments."""
RING = 16 << 20


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that captures, with a packet socket `out` that sends from eth0 to eth1."""
    with namespace_agent(tmp_path, quiet()) as made:
        prepare(made, RING)
        yield made


def quiet() -> str:
    """No neighbour discovery: what is captured is what the test sends."""
    return "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"


def prepare(host: Host, ring: int) -> None:
    host.channel.ask(do="offload")
    assert host.channel.ask(do="capture", ring=ring) is None
    host.value("socket", {"constant": "AF_PACKET"}, {"constant": "SOCK_RAW"}, 0, makes="out")
    host.value("bind", ["eth0", EXPERIMENTAL], on="out")


def frame(number: int, length: int = 60) -> bytes:
    head = (
        b"\x02\0\0\0\0\x02"
        + b"\x02\0\0\0\0\x01"
        + EXPERIMENTAL.to_bytes(2, "big")
        + number.to_bytes(4, "big")
    )
    return head.ljust(length, b".")


def send(host: Host, number: int, length: int = 60) -> None:
    host.value("send", {"base64": base64.b64encode(frame(number, length)).decode()}, on="out")


def fetch(host: Host) -> tuple[list[Frame], dict[str, Any]]:
    """All frames of one request, and its value."""
    value = host.channel.ask(10, do="frames")
    names = {int(index): name for index, name in value["interfaces"].items()}
    frames: list[Frame] = []
    for block in value["blocks"]:
        records = base64.b64decode(block)
        assert ends_with_a_last_record(records)
        frames += ring.frames_of(records, "client", names)
    return frames, value


def ends_with_a_last_record(records: bytes) -> bool:
    """Whether tp_next_offset leads through the block to a record that says it is the last."""
    offset = 0
    while following := int.from_bytes(records[offset : offset + 4], sys.byteorder):
        offset += following
    return offset < len(records)


def seen(frames: list[Frame], interface: str) -> list[int]:
    """The numbers of our frames that were seen at an interface."""
    kind = EXPERIMENTAL.to_bytes(2, "big")
    return [
        int.from_bytes(one.data[14:18], "big")
        for one in frames
        if one.interface == interface and one.data[12:14] == kind
    ]


def test_a_frame_is_there_as_soon_as_it_was_sent(host: Host) -> None:
    for number in range(300):
        send(host, number)
        frames, _ = fetch(host)
        assert seen(frames, "eth0") == [number]


def test_both_ends_are_told_with_direction_time_and_all_bytes(host: Host) -> None:
    before = time.time_ns()
    send(host, 7, 1514)
    time.sleep(0.02)
    frames, value = fetch(host)
    assert [(one.interface, one.direction) for one in frames] == [("eth0", "out"), ("eth1", "in")]
    assert {one.data for one in frames} == {frame(7, 1514)}
    assert all(before <= one.time_ns <= time.time_ns() for one in frames)
    assert (value["packets"], value["drops"], value["more"]) == (2, 0, False)


def test_blocks_that_the_kernel_closes_lose_and_double_nothing(host: Host) -> None:
    """Drained before, in the middle of and after the time at which the kernel closes a block with little in it."""
    got: list[int] = []
    for number in range(60):
        send(host, number)
        if number % 3 == 0:
            got += seen(fetch(host)[0], "eth0")
        time.sleep(0.008)
    time.sleep(0.15)
    got += seen(fetch(host)[0], "eth0")
    assert got == list(range(60))


FLOOD = """
import socket, sys, time
count, length, burst = map(int, sys.argv[1:])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("eth0", 0x88B5))
head = bytes.fromhex("020000000002020000000001") + (0x88B5).to_bytes(2, "big")
for number in range(count):
    out.send((head + number.to_bytes(4, "big")).ljust(length, b"."))
    if burst and number % burst == 0:
        time.sleep(0.001)
"""


def flood(host: Host, count: int, length: int, burst: int = 0) -> int:
    """Begin to send; returns the id of the request that waits for its end. A pause of 1 ms follows each burst."""
    argv = ["python3", "-c", FLOOD, str(count), str(length), str(burst)]
    reply = host.request(do="run", argv=argv, makes="flood")
    assert "value" in reply, reply
    return host.channel.post({"do": "call", "on": "flood", "method": "wait"})


def fetch_while(host: Host, waiting: int) -> tuple[list[Frame], dict[str, Any]]:
    """All frames until that request was replied to, and after; the last value."""
    frames: list[Frame] = []
    while not any(message["id"] == waiting for message in host.channel.queued()):
        frames += fetch(host)[0]
    time.sleep(0.02)
    more, value = True, {}
    while more:
        some, value = fetch(host)
        frames += some
        more = value["more"]
    return frames, value


def test_at_hundreds_of_megabits_nothing_is_lost(host: Host) -> None:
    """Both ends are in one host, whose ring so takes twice what the wire does."""
    count = 10_000
    frames, value = fetch_while(host, flood(host, count, 1514, burst=40))
    assert value["drops"] == 0
    assert seen(frames, "eth0") == seen(frames, "eth1") == list(range(count))
    assert value["packets"] == len(frames)


def test_of_a_flood_every_frame_is_kept_once_and_in_order_or_counted(host: Host) -> None:
    """As fast as they can be sent while all is fetched: what a busy machine has to drop is counted."""
    frames, value = fetch_while(host, flood(host, 20_000, 700))
    numbers = seen(frames, "eth0")
    assert numbers == sorted(set(numbers))
    assert len(frames) + value["drops"] == value["packets"] == 40_000


def test_what_is_not_fetched_is_kept_and_handed_out_in_parts(host: Host) -> None:
    count = 8_000  # 24 MB at both ends: more than the ring, and than one reply
    host.channel.wait(flood(host, count, 1514, burst=40), 20)
    time.sleep(0.02)
    frames, value = fetch(host)
    assert value["more"]
    while value["more"]:
        some, value = fetch(host)
        assert sum(len(block) for block in value["blocks"]) < 4 << 20
        frames += some
    assert seen(frames, "eth0") == list(range(count))
    assert value["drops"] == 0


def test_loopback_is_not_captured(host: Host) -> None:
    host.value("socket", {"constant": "AF_INET"}, {"constant": "SOCK_DGRAM"}, makes="udp")
    host.value("sendto", {"bytes": "to myself"}, ["127.0.0.1", 9], on="udp")
    send(host, 1)
    frames, value = fetch(host)
    assert {one.interface for one in frames} <= {"eth0", "eth1"}
    assert "lo" not in value["interfaces"].values()


def test_a_capture_survives_an_interface_that_goes_down_and_one_that_comes(host: Host) -> None:
    send(host, 1)
    script = (
        "ip link set eth0 down; ip link add eth2 type veth peer name eth3; ip link set eth2 up; ip link set eth3 up; "
        "ip link set eth0 up"
    )
    host.request(do="run", argv=["sh", "-c", script], makes="ip")
    assert host.value("wait", on="ip") == {"exit": 0}
    host.value("socket", {"constant": "AF_PACKET"}, {"constant": "SOCK_RAW"}, 0, makes="new")
    host.value("bind", ["eth2", EXPERIMENTAL], on="new")
    sending = {"base64": base64.b64encode(frame(3)).decode()}
    got: list[Frame] = []
    deadline = time.monotonic() + 3
    while not ({1, 2} <= set(seen(got, "eth0")) and seen(got, "eth2")) and time.monotonic() < deadline:
        host.call("send", sending, on="new")  # links that have just come up swallow frames for a moment
        if 2 not in seen(got, "eth0"):
            host.call("send", {"base64": base64.b64encode(frame(2)).decode()}, on="out")
        time.sleep(0.01)
        got += fetch(host)[0]
    assert set(seen(got, "eth0")) == {1, 2}
    assert set(seen(got, "eth2")) == {3}


def test_frames_that_find_no_room_are_counted(tmp_path: Path) -> None:
    """Two blocks, and an agent that is stopped: the kernel has to drop."""
    import signal

    with namespace_agent(tmp_path, quiet()) as host:
        prepare(host, 1)
        argv = ["python3", "-c", "import time\ntime.sleep(0.3)\n" + FLOOD, "4000", "1514", "0"]
        host.request(do="run", argv=argv, makes="flood")
        host.process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        host.process.send_signal(signal.SIGCONT)
        host.value("wait", on="flood")
        frames, value = fetch(host)
        while value["more"]:
            some, value = fetch(host)
            frames += some
    assert value["drops"] > 0
    assert len(frames) + value["drops"] == value["packets"] == 8000


def test_a_file_that_cannot_be_written_loses_no_count(tmp_path: Path) -> None:
    with namespace_agent(tmp_path, f"{quiet()} && ulimit -f 0") as host:
        prepare(host, RING)
        for number in range(10):
            send(host, number)
        time.sleep(0.25)
        frames, value = fetch(host)
    assert value["spool_error"].startswith("EFBIG")
    assert (len(frames), value["drops"], value["packets"]) == (0, 20, 20)


def test_one_capture_at_a_time_and_none_without_having_begun(host: Host, tmp_path: Path) -> None:
    reply = host.request(do="capture", ring=RING)
    assert "already" in reply["error"]["text"]
    (tmp_path / "other").mkdir()
    with namespace_agent(tmp_path / "other") as other:
        assert "does not capture" in other.request(do="frames")["error"]["text"]


def test_a_capture_goes_on_when_calls_have_lost_their_privileges(host: Host) -> None:
    reply = host.request(do="privileges", capabilities=[], user="nobody")
    assert "value" in reply
    send(host, 5)
    assert seen(fetch(host)[0], "eth0") == [5]
    assert (
        host.error("socket", {"constant": "AF_PACKET"}, {"constant": "SOCK_RAW"}, 0, makes="no")[1] == "EPERM"
    )
