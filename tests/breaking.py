"""How one fact of a recorded run is broken: a frame of the capture, or the outcome of a call.

Which facts must be noticed is the affair of `tests/test_mutations.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lab import agent
from runner import dissect
from runner.conditions import Condition
from runner.headers import ACK, FIN, RST, SYN, TCP, UDP
from runner.history import CallRecord, StateRecord
from runner.ladder import Line
from runner.packets import Packet

# --- frames -------------------------------------------------------------------------------------------

Break = Callable[[bytes, Packet], bytes | None]
"""A frame as it should not have been; None: it never was."""


def missing(data: bytes, packet: Packet) -> None:
    """The frame never was."""


def reset(data: bytes, packet: Packet) -> bytes:
    """TCP's RST flag the other way round (RFC 9293 section 3.1: byte 13)."""
    return _flipped(data, packet.header.transport + 13, 0x04)


def finish(data: bytes, packet: Packet) -> bytes:
    """TCP's FIN flag the other way round."""
    return _flipped(data, packet.header.transport + 13, 0x01)


def other_byte(data: bytes, packet: Packet) -> bytes:
    """The last byte of the payload is another one."""
    return _flipped(data, packet.header.payload + packet.header.length - 1, 0x01)


def other_content(data: bytes, packet: Packet) -> bytes:
    """Every byte of the payload is another one."""
    return _inverted(data, packet.header.payload, packet.header.length)


@dataclass(frozen=True)
class OtherField:
    """The bytes of a field are others: all its bits the other way round."""

    layer: str
    field: str

    @property
    def __name__(self) -> str:
        return f"{self.layer}.{self.field}"

    def place(self, data: bytes) -> tuple[int, int]:
        """Where its bytes begin in a frame, and how many they are; of no length where scapy does not tell."""
        fields = (one for layer in dissect.anatomy(data) if layer.name == self.layer for one in layer.fields)
        return next(((one.begin, one.length) for one in fields if one.name == self.field), (0, 0))

    def __call__(self, data: bytes, packet: Packet) -> bytes:
        return _inverted(data, *self.place(data))


def _flipped(data: bytes, place: int, bits: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= bits
    return bytes(changed)


def _inverted(data: bytes, begin: int, length: int) -> bytes:
    end = begin + length
    return data[:begin] + bytes(one ^ 0xFF for one in data[begin:end]) + data[end:]


def breaks_of(packet: Packet, line: Line | None, *, strict: bool) -> Iterator[Break]:
    """What can be broken about a packet so that it matters to the ladder whose line it is; None: it rides along.

    Nobody promises how many pure ACKs there are, unless the ladder says `acks: strict`.
    """
    header = packet.header
    if header.protocol == TCP:
        yield reset
        yield finish
    is_acknowledgement = header.protocol == TCP and header.flags & (SYN | FIN | RST | ACK) == ACK
    if line is None or (is_acknowledgement and not header.length and not strict):
        return
    yield missing
    yield from broken_fields(packet, line)
    if header.protocol in (TCP, UDP) and header.length > 0 and line.payload is not None:
        yield broken_bytes(line)


def broken_bytes(line: Line) -> Break:
    """What is broken of a payload that a line says, or of which it says the beginning."""
    return other_content if line.prefix else other_byte


def broken_fields(packet: Packet, line: Line) -> Iterator[Break]:
    """What a line's conditions name, where one value is wanted: the field, or all of the payload it is somewhere in."""
    for one in line.conditions:
        layer, _, field = one.field.partition(".")
        if not field or not _is_exact(one):
            continue
        broken = OtherField(layer, field)
        if broken.place(packet.data)[1]:
            yield broken
        elif packet.header.protocol in (TCP, UDP) and packet.header.length > 0:
            yield other_content


def _is_exact(condition: Condition) -> bool:
    """Whether any other value fails: not so with ranges, nor with `!=`, and of checksums one only is not bad."""
    if condition.field.endswith(".chksum"):
        return condition.operator == "!="
    return condition.operator in ("=", "has")


# --- calls --------------------------------------------------------------------------------------------

INPUT_OUTPUT = {"type": "OSError", "errno": "EIO", "text": "broken"}
OF_NO_KIND = {"type": "RuntimeError", "errno": None, "text": "broken"}
NO_PACKET = {"type": "TimeoutError", "errno": None, "text": "no such packet came"}
SOMEBODY = ["198.51.100.99", 7]
SUCCESS: dict[str, Any] = {
    "accept": [None, SOMEBODY],
    "recvfrom": [b"success", SOMEBODY],
    "recvmsg": [b"success", [], 0, SOMEBODY],
}
"""What a call gives that should have failed, where that is more than a value."""


def failed(record: CallRecord) -> Iterator[CallRecord]:
    """The same call failed, where it did not."""
    if record.failure is None:
        yield replace(record, failure=NO_PACKET if record.name == "sniff_packet" else INPUT_OUTPUT)


def broken_answers(record: CallRecord | StateRecord) -> Iterator[CallRecord | StateRecord]:
    """The same call with another outcome."""
    if isinstance(record, StateRecord):
        yield replace(record, state="CLOSING" if record.state != "CLOSING" else "LISTEN")
    elif record.failure is not None:
        yield replace(record, failure=INPUT_OUTPUT if record.failure["errno"] else OF_NO_KIND)
        yield replace(record, failure=None, value=agent.encode(SUCCESS.get(record.name, b"success")))
    elif record.name == "sniff_packet" or record.value is None:
        yield from failed(record)
    else:
        yield from failed(record)
        yield replace(record, value=agent.encode(other_value(agent.decode(record.value))))


def other_value(value: Any) -> Any:
    """Another value of that type, as far from it as can be."""
    match value:
        case bool():
            return not value
        case int():
            return -7
        case float():
            return 99.5
        case str():
            return "another"
        case bytes():
            return b"\0 other bytes" + value[:1]
        case dict():
            return {key: other_value(part) for key, part in value.items()}
        case [str(), int(), *_]:
            return SOMEBODY
        case list() | tuple() if value:
            return [other_value(one) for one in value]
        case list() | tuple():
            return [b"something"]
    return "another"
