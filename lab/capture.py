"""Captured frames: into one pcapng file, and back out of any pcap or pcapng file.

Bytes and where they were seen only: what the bytes mean is the runner's affair. Nothing here talks to an
agent. Sources: draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Literal

Direction = Literal["out", "in"]
End = tuple[str, str]
"""A host's name and its interface's."""

ETHERNET = 1
"""LINKTYPE_ETHERNET, the link of every frame that a lab makes."""


class CaptureError(ValueError):
    """A capture is damaged or none at all. `offset` is where, in bytes from its beginning."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} (at byte {offset})")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as one end saw it.

    `time_ns` is CLOCK_REALTIME; `length` the bytes on the wire, which is len(data) unless the capture cut it;
    `link` the file format's number of the link (LINKTYPE). Files that do not tell the direction give `in`.
    """

    time_ns: int
    host: str
    interface: str
    direction: Direction
    data: bytes
    length: int
    link: int = ETHERNET


# --- writing --------------------------------------------------------------------------------------

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, _STATISTICS, PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
_COMMENT, _APPLICATION, _NAME, _RESOLUTION, _TIME_OFFSET, _FLAGS, _DROPPED = 1, 4, 2, 9, 14, 2, 5
_BYTE_ORDER = 0x1A2B3C4D
_ENHANCED = struct.Struct("<7I")
_ENHANCED_END = struct.Struct("<HHIII")
_DIRECTIONS = {"in": 1, "out": 2}


def write(
    path: Path,
    frames: Iterable[Frame],
    interfaces: Sequence[End],
    drops: Mapping[End, int] | None = None,
    comment: str = "",
) -> int:
    """Write a pcapng file, sorted by time; returns how many frames it has.

    Each end gets an interface named `HOST:INTERFACE`, in the order given; ends that only frames know come
    after them. `drops` are frames that the kernel dropped, kept in interface statistics at the end.
    """
    ordered = sorted(frames, key=attrgetter("time_ns"))
    numbers = {end: number for number, end in enumerate(dict.fromkeys(interfaces))}
    links = dict.fromkeys(numbers, ETHERNET)
    for frame in ordered:
        end = (frame.host, frame.interface)
        numbers.setdefault(end, len(numbers))
        links[end] = frame.link
    with path.open("wb", buffering=1 << 20) as file:
        file.write(_section(comment))
        for end in numbers:
            file.write(_interface(end, links[end]))
        for frame in ordered:
            file.write(_packet(numbers[(frame.host, frame.interface)], frame))
        last = ordered[-1].time_ns if ordered else 0
        for end, dropped in (drops or {}).items():
            if end in numbers:
                file.write(_statistics(numbers[end], last, dropped))
    return len(ordered)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _section(comment: str) -> bytes:
    options = _option(_APPLICATION, b"Socket Lab")
    if comment:
        options = _option(_COMMENT, comment.encode()[:65_000]) + options
    return _block(SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + options + _option(0, b""))


def _interface(end: End, link: int) -> bytes:
    host, name = end
    named = f"{host}:{name}" if host else name
    options = _option(_NAME, named.encode()) + _option(_RESOLUTION, b"\x09") + _option(0, b"")
    return _block(INTERFACE, struct.pack("<HHI", link, 0, 0) + options)


def _packet(interface: int, frame: Frame) -> bytes:
    kept = len(frame.data)
    padding = -kept % 4
    total = _ENHANCED.size + kept + padding + _ENHANCED_END.size
    high, low = frame.time_ns >> 32, frame.time_ns & 0xFFFFFFFF
    head = _ENHANCED.pack(PACKET, total, interface, high, low, kept, frame.length)
    tail = _ENHANCED_END.pack(_FLAGS, 4, _DIRECTIONS[frame.direction], 0, total)
    return head + frame.data + b"\0" * padding + tail


def _statistics(interface: int, time_ns: int, dropped: int) -> bytes:
    body = struct.pack("<III", interface, time_ns >> 32, time_ns & 0xFFFFFFFF)
    return _block(_STATISTICS, body + _option(_DROPPED, struct.pack("<Q", dropped)) + _option(0, b""))


# --- reading --------------------------------------------------------------------------------------

LARGEST = 16 << 20
"""No block and no frame is larger than this many bytes: a damaged length must not fill the memory."""
_MOST_INTERFACES = 1 << 16
PCAP = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
"""Magic number of a pcap file -> nanoseconds of one unit of its fractions of seconds."""


def read(path: Path) -> Iterator[Frame]:
    """The frames of a pcap or pcapng file, in its order, one at a time.

    The host is what stands before the first colon of an interface's name, or empty. Blocks that we do not
    know are skipped. Raises CaptureError for damage, after the frames before it; OSError where the file
    cannot be read.
    """
    with path.open("rb", buffering=1 << 18) as file:
        magic = file.read(4)
        if magic == b"\x0a\x0d\x0d\x0a":
            yield from Blocks(file).frames()
            return
        for order in "<>":
            unit = PCAP.get(struct.unpack(order + "I", magic)[0]) if len(magic) == 4 else None
            if unit is not None:
                yield from _pcap_frames(file, order, unit)
                return
    raise CaptureError("this is neither a pcap nor a pcapng file", 0)


def _exactly(file: BinaryIO, length: int, offset: int) -> bytes:
    """So many bytes of the file; raises CaptureError where it ends before."""
    if length > LARGEST:
        raise CaptureError(f"a length of {length} bytes is damage", offset)
    data = file.read(length)
    if len(data) < length:
        raise CaptureError("the file ends in the middle of a block", offset)
    return data


def _pcap_frames(file: BinaryIO, order: str, unit: int) -> Iterator[Frame]:
    link = (
        struct.unpack(order + "I", _exactly(file, 20, 4)[16:])[0] & 0xFFFF
    )  # the upper half speaks of the checksum
    record = struct.Struct(order + "IIII")
    offset = 24
    while head := file.read(16):
        if len(head) < 16:
            raise CaptureError("the file ends in the middle of a record", offset)
        seconds, fraction, kept, length = record.unpack(head)
        data = _exactly(file, kept, offset)
        yield Frame(seconds * 1_000_000_000 + fraction * unit, "", "", "in", data, max(length, kept), link)
        offset += 16 + kept


@dataclass(frozen=True, slots=True)
class Source:
    """An interface of a section: a timestamp times `multiply`, divided by `divide`, plus `add` is in
    nanoseconds.
    """

    host: str
    name: str
    link: int
    kept: int
    multiply: int
    divide: int
    add: int


class Blocks:
    """Reads blocks; holds the byte order and the interfaces of the section it is in, and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.offset = 0
        self.order = "<"
        self.sources: list[Source] = []
        self._readers = {PACKET: self._enhanced_frame, SIMPLE_PACKET: self._simple_frame}
        self._readers[OLD_PACKET] = self._old_frame
        self._set_order("<")

    def _set_order(self, order: str) -> None:
        self.order = order
        self._head = struct.Struct(order + "II")
        self._enhanced = struct.Struct(order + "5I")
        self._old = struct.Struct(order + "HHIIII")
        self._flags_option = struct.Struct(order + "HHI")
        self.sources = []

    def frames(self) -> Iterator[Frame]:
        """All frames; the file's first four bytes have been read by the caller."""
        self._file.seek(0)
        read, take = self._file.read, self.take
        while head := read(8):
            if len(head) < 8:
                raise CaptureError("the file ends in the middle of a block", self.offset)
            kind, total = self._head.unpack(head)
            if kind == SECTION:
                total = self.begin_section(head)
            elif (frame := take(kind, total)) is not None:
                yield frame
            self.offset += total

    def take(self, kind: int, total: int) -> Frame | None:
        """Read the rest of a block that begins no section, behind its first eight bytes: its frame, if it has one."""
        if total < 12 or total % 4:
            raise CaptureError(f"a block of {total} bytes is damage", self.offset)
        if reader := self._readers.get(kind):
            if total < 12 + (4 if kind == SIMPLE_PACKET else 20):
                raise CaptureError("a packet block is too short", self.offset)
            return reader(self._body(total))
        if kind == INTERFACE:
            self._add_source(self._body(total))
        else:
            self._skip(total)
        return None

    def _body(self, total: int) -> bytes:
        data = _exactly(self._file, total - 8, self.offset)
        if data[-4:] != self._head.pack(0, total)[4:]:
            raise CaptureError("a block does not end with its length", self.offset)
        return data[:-4]

    def _skip(self, total: int) -> None:
        left = total - 12
        while left:
            left -= len(_exactly(self._file, min(left, 1 << 20), self.offset))
        if _exactly(self._file, 4, self.offset) != self._head.pack(0, total)[4:]:
            raise CaptureError("a block does not end with its length", self.offset)

    def begin_section(self, head: bytes) -> int:
        """Read a section header behind its first eight bytes; returns its length."""
        magic = _exactly(self._file, 4, self.offset)
        for order in "<>":
            if struct.unpack(order + "I", magic)[0] == _BYTE_ORDER:
                self._set_order(order)
                break
        else:
            raise CaptureError("a section has no byte order", self.offset)
        total: int = self._head.unpack(head)[1]
        if total < 28 or total % 4:
            raise CaptureError(f"a section header of {total} bytes is damage", self.offset)
        rest = _exactly(self._file, total - 12, self.offset)
        if rest[-4:] != head[4:]:
            raise CaptureError("a section header does not end with its length", self.offset)
        if struct.unpack_from(self.order + "H", rest)[0] != 1:
            raise CaptureError("a pcapng of another version", self.offset)
        return total

    def _options(self, data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
        while offset + 4 <= len(data):
            code, length = struct.unpack_from(self.order + "HH", data, offset)
            offset += 4
            if code == 0:
                return
            if offset + length > len(data):
                raise CaptureError("an option does not fit into its block", self.offset)
            yield code, data[offset : offset + length]
            offset += length + -length % 4

    def _add_source(self, body: bytes) -> None:
        if len(body) < 8 or len(self.sources) >= _MOST_INTERFACES:
            raise CaptureError("a description of an interface is damaged", self.offset)
        link, kept = struct.unpack_from(self.order + "HxxI", body)
        name, resolution, add = "", 6, 0
        for code, value in self._options(body, 8):
            if code == _NAME:
                name = value.decode("utf-8", "replace").rstrip("\0")
            elif code == _RESOLUTION and len(value) == 1:
                resolution = value[0]
            elif code == _TIME_OFFSET and len(value) == 8:
                add = struct.unpack(self.order + "q", value)[0] * 1_000_000_000
        power, base = resolution & 0x7F, 2 if resolution & 0x80 else 10
        host, colon, interface = name.partition(":")
        if not colon:
            host, interface = "", name
        self.sources.append(Source(host, interface, link, kept, 1_000_000_000, base**power, add))

    def _source(self, number: int) -> Source:
        if number >= len(self.sources):
            raise CaptureError(f"a packet of an interface that is not described ({number})", self.offset)
        return self.sources[number]

    def _enhanced_frame(self, body: bytes) -> Frame:
        number, high, low, kept, length = self._enhanced.unpack_from(body)
        return self._frame(body, 20, number, high << 32 | low, kept, length)

    def _old_frame(self, body: bytes) -> Frame:
        number, _, high, low, kept, length = self._old.unpack_from(body)
        return self._frame(body, 20, number, high << 32 | low, kept, length)

    def _simple_frame(self, body: bytes) -> Frame:
        length = struct.unpack_from(self.order + "I", body)[0]
        source = self._source(0)
        kept = min(length, len(body) - 4, source.kept or length)
        return Frame(source.add, source.host, source.name, "in", body[4 : 4 + kept], length, source.link)

    def _frame(self, body: bytes, begin: int, number: int, ticks: int, kept: int, length: int) -> Frame:
        source = self._source(number)
        after = begin + kept
        if after > len(body):
            raise CaptureError("a packet does not fit into its block", self.offset)
        options = after + -kept % 4
        code = 0
        if len(body) - options == 12:  # as we write them: nothing but the flags
            code, size, flags = self._flags_option.unpack_from(body, options)
        if code != _FLAGS or size != 4:
            flags = self._flags(body, options)
        direction: Direction = "out" if flags & 3 == 2 else "in"
        time_ns = ticks * source.multiply // source.divide + source.add
        data = body[begin:after]
        return Frame(time_ns, source.host, source.name, direction, data, max(length, kept), source.link)

    def _flags(self, body: bytes, offset: int) -> int:
        for code, value in self._options(body, offset):
            if code == _FLAGS and len(value) == 4:
                flags: int = struct.unpack(self.order + "I", value)[0]
                return flags
        return 0
