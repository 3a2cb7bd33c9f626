"""What faults choose frames by, held to what checks say of the same frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.faults import readable, selecting
from lab.faults.headers import Headers
from lab.faults.numbers import Numbers
from lab.faults.options import options_text
from runner import conditions, dissect, fields
from runner.headers import decode
from runner.operands import ADDRESSES
from runner.packets import Packet, Transmission
from runner.quoting import quoted
from runner.sequence import RelativeNumbers
from runner.strikes import raw
from tests import frames as raw_frames
from tests.runner.scapy_frames import damaged_frames, frames

if TYPE_CHECKING:
    from lab.faults.readable import Test


def transmission(data: bytes) -> Transmission:
    """A frame as a check sees it."""
    packet = Packet(1, 0, "client", "eth0", "lab", "out", data, decode(data))
    return Transmission(packet, (), "client", "server", False)


def meant_by(*written: conditions.Condition) -> Test:
    """What a fault makes of conditions that name no host."""
    return selecting.test_of([raw(one, lambda _, text: [text]) for one in written], Numbers())


@given(damaged_frames)
def test_the_length_of_a_payload_is_that_of_checks(data: bytes) -> None:
    header = decode(data)
    assert Headers(data).payload == (header.length if header.payload >= 0 else -1)


@given(frames)
def test_layers_and_fields_are_those_of_checks(data: bytes) -> None:
    seen, found = transmission(data), Headers(data)
    for layer in readable.LAYERS:
        if layer != "ARP":  # checks know ARP for other links too
            assert readable.LAYERS[layer](found) == fields.has_layer(seen.sent, layer), layer
    for field, read in readable.FIELDS.items():
        has = readable.LAYERS.get(field.partition(".")[0])
        if has is not None and has(found):
            value = fields.value(seen.sent, field)
            assert (frozenset(str(value)) if field == "TCP.flags" else value) == read(found), field


@pytest.mark.parametrize("name", [*readable.FIELDS, *readable.LAYERS, *readable.RELATIVE])
def test_all_of_them_can_be_written(name: str) -> None:
    assert name in conditions.DERIVED or fields.known(name) is None


def fitting(field: str) -> st.SearchStrategy[Any]:
    """Values that may be compared with a field."""
    if field in ADDRESSES:
        mac = field.startswith("Ether") or ".hw" in field
        return st.just("02:00:00:00:00:01" if mac else "192.0.2.1")
    if field == "IP.flags":
        return st.sampled_from(["", "DF", "MF+DF", "evil"])
    return st.sampled_from(["MSS", "fe80::1"]) if field in readable.TEXTS else st.integers(0, 70)


@given(frames, st.data())
def test_a_fault_means_the_frames_that_a_check_counts(data: bytes, choice: st.DataObject) -> None:
    seen = transmission(data)
    field = choice.draw(st.sampled_from(sorted(set(readable.FIELDS) - {"TCP.flags"})))
    if field.startswith("ARP") and not readable.LAYERS["ARP"](Headers(data)):
        return  # checks know ARP for other links too
    own = seen.sent.header.length if field == "len" else fields.value(seen.sent, field)
    value = own if own is not None and choice.draw(st.booleans()) else choice.draw(fitting(field))
    textual = field in ADDRESSES or field in readable.TEXTS
    operators = ["=", "!="] if textual else ["=", "!=", "<", "<=", ">", ">=", "has"]
    operators += ["has"] if field in readable.TEXTS and field not in ADDRESSES else []
    written = quoted(str(value).encode()) if textual else value
    (condition,) = conditions.parse(f"{field} {choice.draw(st.sampled_from(operators))} {written}")
    expected = conditions.holds(condition, seen, lambda address: address)
    assert meant_by(condition)(Headers(data)) == expected, str(condition)


@given(frames, st.integers(14, 80), st.sampled_from(readable.CHECKED), st.sampled_from(["=", "!="]))
def test_bad_checksums_are_those_that_checks_find(data: bytes, place: int, layer: str, sign: str) -> None:
    broken = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] if place < len(data) else data
    (condition,) = conditions.parse(f"{layer}.chksum {sign} bad")
    expected = conditions.holds(condition, transmission(broken), lambda address: address)
    assert meant_by(condition)(Headers(broken)) == expected


@given(st.binary(max_size=40))
@example(bytes.fromhex("020405b4 0402 080a0000000100000002 01 030307"))
@example(bytes.fromhex("0101050a0000000100000002 2204abcd"))
@example(b"\x02")
def test_options_are_said_as_scapy_says_them(data: bytes) -> None:
    if not {25, 29} & set(data):  # scapy makes objects of these two, whose text nobody can know
        field = next(one for one in dissect.layers()["TCP"].fields_desc if one.name == "options")
        assert options_text(data) == str(field.m2i(None, data))


PORTS = (1000, 80)
ENDS = ("192.0.2.1", "192.0.2.2")
segments = st.lists(
    st.tuples(st.sampled_from(["S", "SA", "A", "PA", "FA", "R"]), st.integers(0, 40), st.integers(0, 40)),
    min_size=1,
)


@given(segments)
def test_relative_numbers_are_those_of_checks(sent: list[tuple[str, int, int]]) -> None:
    numbers, expected = Numbers(), RelativeNumbers()
    for flags, seq, ack in sent:
        segment = raw_frames.tcp(
            *ENDS, *PORTS, flags, 0xFFFFFFF0 + seq & 0xFFFFFFFF, 0xFFFFFFF8 + ack & 0xFFFFFFFF
        )
        frame = raw_frames.ethernet(
            "02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, raw_frames.ipv4(*ENDS, 6, segment)
        )
        found = Headers(frame)
        numbers.note(found)
        said = expected.of(transmission(frame).sent)
        assert numbers.seq(found) == said[0]
        assert numbers.ack(found) == (said[1] if "A" in flags else -1)


def test_flags_are_sets() -> None:
    (want,) = conditions.parse("TCP.flags has S")
    (exactly,) = conditions.parse("TCP.flags = SA")
    frame = bytes.fromhex(
        "0200000000020200000000010800" + "45000028000040004006" + "0000" + "c0000201c0000202"
    )
    for bits, has, equal in ((0x02, True, False), (0x12, True, True), (0x10, False, False)):
        found = Headers(frame + bytes(12) + bytes([0x50, bits]) + bytes(6))
        assert meant_by(want)(found) is has
        assert meant_by(exactly)(found) is equal
