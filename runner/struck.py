"""What faults did to the packets of a run: from the history's records to the frames they speak of.

Works on one run's records and packets; knows no file and no check. A frame is found by its sender, its length and its
CRC-32, and of several alike by the time at which it was sent.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.history import FaultRecord
from runner.packets import Packet
from runner.values import duration_text

_WORDS = {
    "drop": "dropped", "partition": "cut off", "duplicate": "doubled", "reorder": "overtaken", "corrupt": "corrupted",
    "truncate": "truncated", "refused": "fault refused",
}  # fmt: skip


@dataclass(frozen=True)
class Struck:
    """`words` say for packet numbers what was done to the frame (`dropped`, `delayed 10ms`), in order. `originals` lead
    from (network, length, CRC-32) of a frame whose bytes were changed to the bytes that were sent.
    """

    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    originals: Mapping[tuple[str, int, int], bytes] = field(default_factory=dict)

    def sent_as(self, packet: Packet) -> bytes:
        """The bytes that a packet had when it was sent."""
        if not self.originals or packet.direction == "out":
            return packet.data
        key = (packet.network, len(packet.data), zlib.crc32(packet.data))
        return self.originals.get(key, packet.data)


def find(records: Iterable[FaultRecord], packets: Sequence[Packet]) -> Struck:
    """The packets that the records speak of."""
    changes = [record for record in records if record.length]
    if not changes:
        return Struck()
    sent = _sent({record.host for record in changes}, packets)
    words: defaultdict[int, list[str]] = defaultdict(list)
    originals: dict[tuple[str, int, int], bytes] = {}
    changed: dict[tuple[str, str, int, int], Packet] = {}
    for record in changes:
        end = (record.host or "", record.interface)
        key = (*end, record.length, record.crc)
        alike = sent.get(key)
        packet = min(alike, key=lambda one: abs(one.time_ns - record.at_ns)) if alike else changed.get(key)
        if packet is None:
            continue
        word = word_of(record)
        if word not in words[packet.number]:  # a frame doubled before is struck twice
            words[packet.number].append(word)
        if record.became is not None:
            length, crc = record.became
            originals[(packet.network, length, crc)] = packet.data
            changed[(*end, length, crc)] = packet
    return Struck({number: tuple(said) for number, said in words.items()}, originals)


def _sent(
    hosts: set[str | None], packets: Sequence[Packet]
) -> Mapping[tuple[str, str, int, int], list[Packet]]:
    """What these hosts sent, by host, interface, length and CRC-32."""
    found: defaultdict[tuple[str, str, int, int], list[Packet]] = defaultdict(list)
    for packet in packets:
        if packet.direction == "out" and packet.host in hosts:
            found[(packet.host, packet.interface, len(packet.data), zlib.crc32(packet.data))].append(packet)
    return found


def word_of(record: FaultRecord) -> str:
    """What was done to a frame, in a word or two: `dropped`, `delayed 10ms`."""
    if record.what == "partition" and record.text:
        return f"cut off from {record.text}"
    if record.what in _WORDS:
        return _WORDS[record.what]
    return f"delayed {duration_text(round(record.later_ns, -3))}"
