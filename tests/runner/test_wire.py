"""What was sent is paired with what arrived of it, whatever happened on the way."""

from __future__ import annotations

import zlib
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runner import wire
from runner.evidence import Evidence
from runner.headers import decode
from runner.history import FaultRecord
from runner.packets import Packet
from runner.rundir import CaptureInfo
from tests import frames
from tests.recorded import FLIGHT_NS, Recorded, interface

BROADCAST = "ff:ff:ff:ff:ff:ff"


def arrivals(seen: Evidence) -> list[list[str]]:
    """The hosts that each transmission arrived at."""
    return [[copy.host for copy in one.arrivals] for one in seen.transmissions]


def test_a_frame_sent_and_its_arrival_are_one_transmission(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 6000, b"hello")
    [one] = run.evidence(tmp_path).transmissions
    assert (one.source, one.target, one.lost) == ("client", "server", False)
    assert (one.sent.host, one.sent.direction) == ("client", "out")
    assert [(copy.host, copy.direction) for copy in one.arrivals] == [("server", "in")]
    assert one.sent.network == "lab"


def test_a_lost_frame(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 6000, b"one", lost=True)
    run.udp("client", "server", 5000, 6000, b"two")
    assert [one.lost for one in run.evidence(tmp_path).transmissions] == [True, False]


def test_of_identical_frames_the_lost_one_is_the_one_before_whose_successor_nothing_came(
    tmp_path: Path,
) -> None:
    """The same datagram sent again is the same bytes: the time says which of them arrived."""
    for lost in range(3):
        run = Recorded(["client", "server"])
        for number in range(3):
            run.udp("client", "server", 5000, 6000, b"ping", lost=number == lost)
        seen = run.evidence(tmp_path / str(lost))
        assert [one.lost for one in seen.transmissions] == [number == lost for number in range(3)]


def test_identical_frames_that_are_all_delayed_are_paired_in_order(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    data = frames.ethernet(run.end("client").mac, run.end("server").mac, 0x0800, b"same")
    times = [run.frame("client", data) for _ in range(4)]
    run.arrive("server", data, [at_ns + 10_000_000 for at_ns in times])
    seen = run.evidence(tmp_path)
    assert [one.arrivals[0].time_ns - one.sent.time_ns for one in seen.transmissions] == [10_000_000] * 4


def test_a_doubled_frame_arrives_twice_once_sent(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    data = frames.ethernet(run.end("client").mac, run.end("server").mac, 0x0800, b"same")
    run.frame("client", data, ["server"], flight_ns=[FLIGHT_NS, 2 * FLIGHT_NS])
    run.frame("client", data, ["server"])
    assert arrivals(run.evidence(tmp_path)) == [["server", "server"], ["server"]]


def test_a_broadcast_is_lost_only_if_it_arrived_nowhere(tmp_path: Path) -> None:
    run = Recorded(["a", "b", "c"])
    data = frames.ethernet(run.end("a").mac, BROADCAST, 0x0806, b"who has")
    run.frame("a", data, ["b", "c"])
    run.frame("a", data[:-1] + b"1", ["c"])
    run.frame("a", data[:-1] + b"2", [])
    seen = run.evidence(tmp_path)
    assert arrivals(seen) == [["b", "c"], ["c"], []]
    assert [one.lost for one in seen.transmissions] == [False, False, True]
    assert {one.target for one in seen.transmissions} == {BROADCAST}


def test_a_copy_that_a_bridge_floods_to_others_is_no_arrival(tmp_path: Path) -> None:
    run = Recorded(["a", "b", "c"])
    data = frames.ethernet(run.end("a").mac, run.end("b").mac, 0x0800, b"first of all")
    run.frame("a", data, ["c"])
    seen = run.evidence(tmp_path)
    assert arrivals(seen) == [[]]
    assert seen.transmissions[0].lost
    assert seen.view(seen.packets[1]).sent.host == "c"


def test_nothing_is_called_lost_that_was_not_looked_for(tmp_path: Path) -> None:
    missing = Recorded(["client", "server"], captures={"server": CaptureInfo(missing="it was killed")})
    missing.udp("client", "server", 5000, 6000, b"x", lost=True)
    assert [one.lost for one in missing.evidence(tmp_path / "a").transmissions] == [False]
    dropped = Recorded(["client", "server"])
    dropped.udp("client", "server", 5000, 6000, b"x", lost=True)
    assert [one.lost for one in dropped.evidence(tmp_path / "b", {"server": 1}).transmissions] == [False]
    nobody = Recorded(["client", "server"])
    nobody.frame("client", frames.ethernet(nobody.end("client").mac, "02:00:00:00:00:99", 0x0800, b"x"))
    assert [one.lost for one in nobody.evidence(tmp_path / "c").transmissions] == [False]


def test_a_frame_from_outside_is_a_transmission_of_its_own(tmp_path: Path) -> None:
    run = Recorded(["a", "b", "c"])
    outside = "02:42:00:00:00:01"
    data = frames.ethernet(outside, BROADCAST, 0x0800, frames.ipv4("10.0.0.254", "10.0.0.255", 17, b""))
    at_ns = run.tick()
    run.arrive("b", data, [at_ns])
    run.arrive("c", data, [at_ns + 5])
    seen = run.evidence(tmp_path)
    assert arrivals(seen) == [["b", "c"]]
    assert (seen.transmissions[0].source, seen.transmissions[0].target) == ("10.0.0.254", "10.0.0.255")


def test_a_frame_altered_on_its_way_is_not_sent_twice(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    data = run.udp("client", "server", 5000, 6000, b"hello", lost=True)
    run.arrive("server", data[:-1] + b"0", [run.now_ns + FLIGHT_NS])
    seen = run.evidence(tmp_path)
    assert [one.lost for one in seen.transmissions] == [True]
    assert [one.payload for one in seen.captured("server")] == [b"hell0"]
    assert seen.view(seen.captured("server")[0]).source == "client"


def test_a_packet_that_a_router_passes_on_is_another_transmission(tmp_path: Path) -> None:
    ends = [
        interface("a", 1, "left", link=1),
        interface("gate", 9, "left", link=1),
        interface("gate", 9, "right", "eth1", link=2),
        interface("b", 2, "right", link=2),
    ]
    run = Recorded(["a", "gate", "b"], ends)
    for ttl, near, far, network in ((64, ends[0], ends[1], "left"), (63, ends[2], ends[3], "right")):
        packet = frames.ipv4("10.1.0.1", "10.2.0.2", 253, b"through", ttl=ttl)
        run.frame(near.host, frames.ethernet(near.mac, far.mac, 0x0800, packet), [far.host], network=network)
    seen = run.evidence(tmp_path)
    assert [(one.sent.host, one.sent.network) for one in seen.transmissions] == [
        ("a", "left"),
        ("gate", "right"),
    ]
    assert [(one.source, one.target) for one in seen.transmissions] == [("a", "b")] * 2


def test_owners_know_mapped_and_link_local_addresses() -> None:
    owners = wire.owners_of([interface("a", 1)])
    assert owners["02:00:00:00:00:01"] == owners["10.0.0.1"] == owners["fd00::1"] == "a"
    assert owners["fe80::ff:fe00:1"] == "a"
    assert wire.canonical("::ffff:10.0.0.1") == "10.0.0.1"
    assert wire.canonical("FD00:0:0::1%eth0") == "fd00::1"


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([0, 1, 1, 1, 2])), max_size=25),
    st.randoms(),
)
def test_every_copy_is_paired_once_and_never_before_it_was_sent(
    sent: list[tuple[bytes, int]], random: Random
) -> None:
    """For any mix of loss and doubling: frames sent = transmissions, arrivals = frames arrived."""
    run = Recorded(["client", "server"])
    for content, copies in sent:
        data = frames.ethernet(run.end("client").mac, run.end("server").mac, 0x0800, content)
        run.frame("client", data, ["server"], flight_ns=[FLIGHT_NS + n for n in range(copies)])
    order = sorted(run.frames, key=lambda frame: frame.time_ns)
    packets = [
        Packet(number, one.time_ns, one.host, one.interface, "lab", one.direction, one.data, decode(one.data))
        for number, one in enumerate(order, 1)
    ]
    shuffled = list(packets)
    random.shuffle(shuffled)
    pairing = wire.pair(shuffled, run.interfaces, {"client": CaptureInfo(), "server": CaptureInfo()})
    assert [one.sent.number for one in pairing.transmissions] == [
        packet.number for packet in packets if packet.direction == "out"
    ]
    copies_seen = [copy.number for one in pairing.transmissions for copy in one.arrivals]
    assert sorted(copies_seen) == [packet.number for packet in packets if packet.direction == "in"]
    assert pairing.copies.keys() == {packet.number for packet in packets}
    for one in pairing.transmissions:
        assert all(copy.time_ns >= one.sent.time_ns for copy in one.arrivals)
        assert one.lost == (not one.arrivals)


def test_of_frames_alike_that_were_on_their_way_at_once_the_dropped_one_did_not_arrive(
    tmp_path: Path,
) -> None:
    for lost in range(2):
        run = Recorded(["client", "server"])
        data = frames.ethernet(run.end("client").mac, run.end("server").mac, 0x0800, b"same")
        times = [run.frame("client", data) for _ in range(2)]
        run.arrive("server", data, [times[1] + 10_000])
        struck = FaultRecord(
            "loss", "drop", times[lost], "client", "eth0", length=len(data), crc=zlib.crc32(data)
        )
        run.records.append(struck)
        seen = run.evidence(tmp_path / str(lost))
        assert [one.lost for one in seen.transmissions] == [number == lost for number in range(2)]
