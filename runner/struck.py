"""What faults did to the packets of a run: from the history's records to the frames they speak of.

Works on one run's records and packets; knows no file and no check. A frame is found by its sender, its length and its
CRC-32, and of several alike by the time at which it was sent.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.history import FaultRecord
from runner.packets import Packet
from runner.values import duration_text

_WORDS = {
    "drop": "dropped", "partition": "cut off", "duplicate": "doubled", "reorder": "overtaken", "corrupt": "corrupted",
    "truncate": "truncated", "refused": "fault refused", "doubted": "perhaps cut off", "freed": "held back",
}  # fmt: skip


@dataclass(frozen=True)
class Left:
    """A copy of a frame that faults let pass: its length and CRC-32, how much later it left in nanoseconds, and which
    hosts were cut off from it.
    """

    length: int
    crc: int
    later_ns: int = 0
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Struck:
    """`words` say for packet numbers what was done to the frame (`dropped`, `delayed 10ms`), in order, and `left` which
    copies that left of it. `originals` lead from (network, length, CRC-32) of a frame whose bytes were changed to the
    bytes that were sent.
    """

    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    left: Mapping[int, tuple[Left, ...]] = field(default_factory=dict)
    originals: Mapping[tuple[str, int, int], bytes] = field(default_factory=dict)

    def copies(self, packet: Packet) -> tuple[Left, ...]:
        """What left of a packet that was sent: itself, where no fault struck it."""
        found = self.left.get(packet.number)
        return (Left(len(packet.data), zlib.crc32(packet.data)),) if found is None else found

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
    found: dict[int, _Story] = {}
    originals: dict[tuple[str, int, int], bytes] = {}
    changed: dict[tuple[str, str, int, int], Packet] = {}
    for record in changes:
        end = (record.host or "", record.interface)
        key = (*end, record.length, record.crc)
        packet = _meant(sent.get(key), record) or changed.get(key)
        if packet is None:
            continue
        found.setdefault(packet.number, _Story(packet)).add(record)
        if record.became is not None:
            length, crc = record.became
            originals[(packet.network, length, crc)] = packet.data
            changed[(*end, length, crc)] = packet
    words = {number: tuple(story.words.values()) for number, story in found.items()}
    return Struck(words, {number: tuple(story.left) for number, story in found.items()}, originals)


def _meant(alike: Sequence[Packet] | None, record: FaultRecord) -> Packet | None:
    """Of packets with the same bytes the one that a record speaks of: its fault process had it right after."""
    if not alike:
        return None
    before = [one for one in alike if one.time_ns <= record.at_ns]
    return before[-1] if before else min(alike, key=lambda one: one.time_ns - record.at_ns)


class _Story:
    """What records say of one packet that was sent, one after the other."""

    def __init__(self, packet: Packet) -> None:
        self.words: dict[tuple[str, str], str] = {}
        self.left = [Left(len(packet.data), zlib.crc32(packet.data))]
        self._struck: Counter[str] = Counter()

    def add(self, record: FaultRecord) -> None:
        """The next one; a fault's word is told once, also where it struck a frame that was doubled before."""
        if record.what == "freed":
            for told in [one for one in self.words if one[0] == record.fault]:
                self.words[told] = word_of(record)
            self.left = [replace(one, later_ns=record.later_ns) for one in self.left]
            return
        self.words[(record.fault, record.what)] = word_of(record)
        place = self._struck[record.fault]
        self._struck[record.fault] += 1
        alike = [
            at for at, one in enumerate(self.left) if (one.length, one.crc) == (record.length, record.crc)
        ]
        if not alike:
            return
        self._strike(record, alike[min(place, len(alike) - 1)])

    def _strike(self, record: FaultRecord, at: int) -> None:
        one = self.left[at]
        if record.what == "partition" and record.text:
            self.left[at] = replace(one, without=one.without.union(record.text.split(", ")))
        elif record.what in ("drop", "partition"):
            del self.left[at]
            self._struck[record.fault] -= 1
        elif record.what == "duplicate":
            self.left.insert(at, one)
        elif record.became is not None:
            self.left[at] = replace(one, length=record.became[0], crc=record.became[1])
            self._struck[record.fault] -= 1
        else:
            self.left[at] = replace(one, later_ns=one.later_ns + record.later_ns)


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
