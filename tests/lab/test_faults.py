"""Faults on frames, without a lab: what each does, that none loses count, and that order is kept."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.faults import FAULTS, selecting
from lab.faults.frame import Frame
from lab.faults.headers import Headers, mended
from lab.faults.line import Line
from lab.faults.numbers import Numbers
from tests import frames

MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
ENDS = ("192.0.2.1", "192.0.2.2")
PARAMETERS: dict[str, dict[str, Any]] = {
    "drop": {}, "partition": {}, "duplicate": {}, "delay": {"by": 5_000}, "reorder": {"past": 2},
    "corrupt": {"at": None, "mend": False}, "truncate": {"length": 40}, "rate": {"bits_per_second": 10_000_000},
}  # fmt: skip


def datagram(number: int, target: str = MACS[1]) -> bytes:
    """A UDP datagram that says its number."""
    carried = frames.udp(*ENDS, 1000, 2000, b"number %06d" % number)
    return frames.ethernet(MACS[0], target, 0x0800, frames.ipv4(*ENDS, 17, carried))


def request(kind: str, **more: Any) -> dict[str, Any]:
    """What puts a fault in force."""
    plain = {"where": [], "to": None, "nth": None, "probability": None, "seed": 1}
    return {"name": kind, "kind": kind, "parameters": PARAMETERS[kind], **plain, **more}


def passed(line: Line, count: int, first: int = 0) -> list[bytes]:
    """What leaves of so many datagrams, a microsecond apart, up to the end of all delays."""
    left = []
    for number in range(first, first + count):
        now = 1_000_000 + number * 1_000
        left += [frame.data for frame in line.due(now)]
        left += [frame.data for frame in line.take(Frame(datagram(number), now, now))]
    left += [frame.data for frame in line.due(1 << 62)]
    return left


def numbers(left: list[bytes]) -> list[int]:
    """The numbers of whole datagrams."""
    return [int(data[49:55]) for data in left]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("drop", [0, 2, 3, 4]),
        ("partition", [0, 2, 3, 4]),
        ("duplicate", [0, 1, 1, 2, 3, 4]),
        ("delay", [0, 2, 3, 4, 1]),
        ("reorder", [0, 2, 3, 1, 4]),
    ],
)
def test_the_second_frame_is_struck_and_no_other(kind: str, expected: list[int]) -> None:
    line = Line()
    line.begin(request(kind, nth=[[2, 2]]))
    assert numbers(passed(line, 5)) == expected
    assert [(change["what"], change["nth"]) for change in line.changes] == [(kind, 2)]


def test_a_fault_that_strikes_every_frame_swaps_pairs() -> None:
    line = Line()
    line.begin({**request("reorder"), "parameters": {"past": 1}})
    assert numbers(passed(line, 6)) == [1, 0, 3, 2, 5, 4]


def test_ranges_and_lists_of_counts() -> None:
    line = Line()
    line.begin(request("drop", nth=[[1, 1], [3, 4], [7, None]]))
    assert numbers(passed(line, 9)) == [1, 4, 5]


def test_the_same_seed_chooses_the_same_frames() -> None:
    found = []
    for seed in (1, 1, 2):
        line = Line()
        line.begin(request("drop", probability=0.5, seed=seed))
        found.append(numbers(passed(line, 100)))
    assert found[0] == found[1] != found[2]
    assert 20 < len(found[0]) < 80


def test_corrupt_turns_one_byte_round_and_mends_only_when_told() -> None:
    for mend in (False, True):
        line = Line()
        line.begin({**request("corrupt"), "parameters": {"at": 20, "mend": mend}})
        (left,) = line.take(Frame(datagram(7), 1, 1))
        changed = [at for at in range(len(left.data)) if left.data[at] != datagram(7)[at]]
        assert changed == ([20, 24] if mend else [20])  # at 24 is the checksum of IP
        assert (mended(left.data) == left.data) is mend
        assert line.changes[0]["became"][0] == len(left.data)


@given(st.binary(max_size=90), st.booleans(), st.sampled_from(["tcp", "udp", "icmp"]), st.booleans())
def test_mended_checksums_are_right(payload: bytes, six: bool, kind: str, wrong: bool) -> None:
    ends = ("2001:db8::1", "2001:db8::2") if six else ENDS
    if kind == "tcp":
        protocol, carried = 6, frames.tcp(*ends, 1, 2, "PA", 7, 8, payload)
    elif kind == "udp" or six:
        protocol, carried = 17, frames.udp(*ends, 1, 2, payload)
    else:
        protocol, carried = 1, frames.icmp(8, 0, carried=payload)
    packet = frames.ipv6(*ends, protocol, carried) if six else frames.ipv4(*ends, protocol, carried)
    frame = frames.ethernet(*MACS, 0x86DD if six else 0x0800, packet)
    place = Headers(frame).transport + {6: 16, 17: 6, 1: 2}[protocol]
    broken = frame[:place] + bytes([frame[place] ^ 1]) + frame[place + 1 :] if wrong else frame
    assert mended(broken) == frame


def test_a_rate_spaces_frames_by_their_bits() -> None:
    line = Line()
    line.begin({**request("rate"), "parameters": {"bits_per_second": 8_000_000}})
    size = len(datagram(0))
    for number in range(3):
        assert line.take(Frame(datagram(number), 1000, 1000)) == []
    assert [frame.due_ns for frame in line.due(1 << 62)] == [1000 + size * 1000 * n for n in (1, 2, 3)]


def test_healing_lets_go_of_what_a_fault_holds_in_the_order_of_sending() -> None:
    line = Line()
    line.begin(request("delay", nth=[[1, 2]], name="late"))
    line.begin({**request("reorder", nth=[[1, 1]], name="other"), "parameters": {"past": 9}})
    for number in range(4):
        line.take(Frame(datagram(number), number + 1, number + 1))
    assert line.heal("other", 9) == []  # the first is held and delayed
    assert numbers([frame.data for frame in line.heal("late", 9)]) == [0, 1]
    assert line.next_ns is None and not line.forces
    line.begin(request("reorder"))
    assert line.take(Frame(datagram(8), 1, 1)) == []
    assert numbers([frame.data for frame in line.heal("reorder", 9)]) == [8]


def test_frames_for_a_group_are_struck_for_all_or_left_alone() -> None:
    to = {"macs": [MACS[1]], "addresses": []}
    among, udp = [[0, MACS[0], "server"]], [["UDP", "", None]]
    for alone, others, where, expected in (
        ([], among, [], []),
        ([0], [], [], ["drop"]),
        ([], among, udp, ["refused"]),
        ([], [], udp, []),  # none of the receivers is there
    ):
        line = Line()
        line.begin(request("drop", to={**to, "alone_on": alone, "among": others}, where=where))
        left = line.take(Frame(datagram(1, "ff:ff:ff:ff:ff:ff"), 1, 1))
        assert [change["what"] for change in line.changes] == expected
        assert bool(left) is (expected != ["drop"])


@pytest.mark.parametrize(
    ("mac", "more", "said"),
    [
        (MACS[0], {}, ("partition", "server")),
        (MACS[1], {}, ("refused", None)),  # the receivers know the sender by its own MAC
        (MACS[0], {"nth": [[1, 1]]}, ("refused", None)),
        (MACS[0], {"where": [["UDP", "", None]]}, ("refused", None)),
        (MACS[0], {"where": [["TCP", "", None]]}, None),
    ],
)
def test_a_partition_leaves_a_frame_for_a_group_to_its_receivers(
    mac: str, more: dict[str, Any], said: tuple[str, str | None] | None
) -> None:
    line = Line()
    to = {"macs": [MACS[1]], "addresses": [], "alone_on": [], "among": [[0, mac, "server"]]}
    line.begin(request("partition", to=to, **more))
    frame = Frame(datagram(1, "ff:ff:ff:ff:ff:ff"), 1, 1)
    assert line.take(frame) == [frame]
    assert [(one["what"], one.get("of")) for one in line.changes] == ([said] if said else [])


def test_a_receiver_is_known_by_its_mac_or_by_its_address() -> None:
    for to, struck in (
        ({"macs": [MACS[1]], "addresses": []}, True),
        ({"macs": [], "addresses": [ENDS[1]]}, True),
        ({"macs": [MACS[0]], "addresses": [ENDS[0]]}, False),
    ):
        line = Line()
        line.begin(request("drop", to={**to, "alone_on": [], "among": []}))
        assert bool(line.take(Frame(datagram(1), 1, 1))) is not struck


faults = st.lists(
    st.tuples(st.sampled_from(sorted(FAULTS)), st.one_of(st.none(), st.integers(1, 12)), st.booleans()),
    max_size=4,
)


@given(faults, st.integers(0, 30))
def test_no_mix_of_faults_loses_count_or_order(mix: list[tuple[str, int | None, bool]], count: int) -> None:
    line = Line()
    for place, (kind, nth, chance) in enumerate(mix):
        more: dict[str, Any] = {"nth": [[nth, nth]]} if nth else {"probability": 0.5} if chance else {}
        line.begin(request(kind, name=str(place), **more))
    left = passed(line, count)
    left += [frame.data for frame in line.release(1 << 40)] + [frame.data for frame in line.due(1 << 62)]
    done = [change["what"] for change in line.changes]
    dropped = done.count("drop") + done.count("partition")
    assert len(left) == count - dropped + done.count("duplicate")
    if not {"reorder", "delay", "rate", "corrupt", "truncate"} & {kind for kind, _, _ in mix}:
        assert numbers(left) == sorted(numbers(left))


@given(st.sampled_from(["delay", "rate"]), st.integers(1, 40))
def test_frames_that_are_all_put_off_keep_their_order(kind: str, count: int) -> None:
    line = Line()
    line.begin(request(kind))
    assert numbers(passed(line, count)) == list(range(count))


def test_what_faults_leave_behind_needs_no_garbage_collector() -> None:
    """The fault process has none."""
    line = Line()
    line.relative = True
    for kind in FAULTS:
        line.begin(request(kind, probability=0.5, where=[["UDP.len", ">", 5]]))
    gc.collect()
    gc.disable()
    try:
        passed(line, 200)
        line.heal("delay", 1 << 40)
        line.release(1 << 40)
        assert len(line.changes) > 100
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_what_is_diverted_are_whole_protocols() -> None:
    assert selecting.kinds_of([]) == [[-1, -1]]
    assert selecting.kinds_of([["UDP.dport", "", None]]) == [[0x0800, 17], [0x86DD, 17]]
    assert selecting.kinds_of([["IP.dst", "", None], ["TCP", "", None]]) == [[0x0800, 6]]
    assert selecting.kinds_of([["ARP.op", "", None]]) == [[0x0806, -1]]
    assert selecting.kinds_of([["len", "", None]]) == [[-1, -1]]


def of_ipv6(first: bool) -> bytes:
    """A fragment of a UDP datagram over IPv6, the first one or the second: RFC 8200, section 4.5."""
    ends = ("2001:db8::1", "2001:db8::2")
    whole = frames.udp(*ends, 1, 2, b"x" * 1600)
    header = bytes([17, 0]) + (1 if first else 1400).to_bytes(2, "big") + b"\0\0\0\7"
    return frames.ethernet(
        *MACS, 0x86DD, frames.ipv6(*ends, 44, header + (whole[:1400] if first else whole[1400:]))
    )


def test_the_checksum_of_a_fragment_is_its_datagrams() -> None:
    for fragment in (of_ipv6(True), of_ipv6(False)):
        assert mended(fragment) == fragment


def test_the_checksum_of_udp_covers_what_udp_says() -> None:
    """What follows behind UDP's own length is not of the datagram (RFC 768)."""
    short = frames.udp(*ENDS, 1, 2, b"abcd")
    whole = frames.ethernet(*MACS, 0x0800, frames.ipv4(*ENDS, 17, short + b"more"))
    place = 14 + 20 + 6
    assert mended(whole[:place] + b"\1\1" + whole[place + 2 :]) == whole
    none = whole[:place] + b"\0\0" + whole[place + 2 :]
    assert mended(none) == none
    bad = selecting.test_of([["UDP.chksum", "=", None]], Numbers())
    assert not bad(Headers(whole)) and bad(Headers(whole[:place] + b"\1\1" + whole[place + 2 :]))


def test_a_frame_is_overtaken_on_its_own_link() -> None:
    line = Line()
    line.begin({**request("reorder", nth=[[1, 1]]), "parameters": {"past": 1}})
    assert line.take(Frame(datagram(0), 1, 1, wire=0)) == []
    assert numbers([one.data for one in line.take(Frame(datagram(1), 2, 2, wire=1))]) == [1]
    assert numbers([one.data for one in line.take(Frame(datagram(2), 3, 3, wire=0))]) == [2, 0]


def test_what_is_let_go_before_its_time_is_noted_with_when() -> None:
    line = Line()
    line.begin(request("delay"))
    line.begin({**request("reorder", nth=[[1, 1]]), "parameters": {"past": 9}})
    line.take(Frame(datagram(0), 1_000, 1_000))
    line.take(Frame(datagram(1), 2_000, 2_000))
    assert line.heal("delay", 4_000) and not line.heal("delay", 4_000)
    assert [(one["at"], one["later"]) for one in line.changes if one["what"] == "freed"] == [
        (2_000, 2_000), (1_000, 3_000),
    ]  # fmt: skip
    assert numbers([one.data for one in line.release(9_000)]) == [0]
    assert line.changes[-1]["fault"] == "reorder" and line.changes[-1]["later"] == 8_000
