"""What faults choose frames by, held to what checks say of the same frames."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.faults import selecting
from lab.faults.headers import Headers
from runner import conditions, fields
from runner.headers import decode
from runner.packets import Packet, Transmission
from tests.runner.scapy_frames import frames


def transmission(data: bytes) -> Transmission:
    """A frame as a check sees it."""
    packet = Packet(1, 0, "client", "eth0", "lab", "out", data, decode(data))
    return Transmission(packet, (), "client", "server", False)


def raw(condition: conditions.Condition) -> list[Any]:
    """A condition as `runner.strikes` hands it to the fault process, where no host is named."""
    operand: Any = condition.operand
    if isinstance(operand, frozenset):
        operand = {"flags": "".join(operand)}
    return [condition.field, condition.operator, [operand] if isinstance(operand, str) else operand]


@given(frames)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_layers_and_fields_are_those_of_checks(data: bytes) -> None:
    seen, found = transmission(data), Headers(data)
    for layer in selecting.LAYERS:
        if layer != "ARP":  # checks know ARP for other links too
            assert selecting.LAYERS[layer](found) == fields.has_layer(seen.sent, layer), layer
    for field, read in selecting.FIELDS.items():
        value = fields.value(seen.sent, field)
        if value is not None and selecting.LAYERS[field.partition(".")[0]](found):
            mine = read(found)
            assert (frozenset(str(value)) if field == "TCP.flags" else value) == mine, field


@given(frames, st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_fault_means_the_frames_that_a_check_counts(data: bytes, choice: st.DataObject) -> None:
    seen = transmission(data)
    field = choice.draw(st.sampled_from([*sorted(set(selecting.FIELDS) - {"TCP.flags"}), "len"]))
    value = seen.sent.header.length if field == "len" else fields.value(seen.sent, field)
    operators = ["=", "!="] if isinstance(value, str) else ["=", "!=", "<", "<=", ">", ">=", "has"]
    if value is None or (field == "len" and seen.sent.header.payload < 0):
        value = "02:00:00:00:00:01" if "hw" in field or "Ether.s" in field or "Ether.d" in field else 1
        if field.endswith(("src", "dst")) and value == 1:
            value = "192.0.2.1"
        operators = ["=", "!="]
    operator = choice.draw(st.sampled_from(operators))
    (condition,) = conditions.parse(f"{field} {operator} {value}")
    if selecting.LAYERS.get(field.partition(".")[0], bool)(Headers(data)) or field != "len":
        expected = conditions.holds(condition, seen, lambda address: address)
        if field != "len" or Headers(data).payload >= 0:
            assert selecting.test_of([raw(condition)])(Headers(data)) == expected, str(condition)


def test_flags_are_sets() -> None:
    (want,) = conditions.parse("TCP.flags has S")
    (exactly,) = conditions.parse("TCP.flags = SA")
    frame = bytes.fromhex(
        "0200000000020200000000010800" + "45000028000040004006" + "0000" + "c0000201c0000202"
    )
    for bits, has, equal in ((0x02, True, False), (0x12, True, True), (0x10, False, False)):
        found = Headers(frame + bytes(12) + bytes([0x50, bits]) + bytes(6))
        assert selecting.test_of([raw(want)])(found) is has
        assert selecting.test_of([raw(exactly)])(found) is equal
