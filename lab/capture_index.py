"""Where the frames of a capture file are: one array element a frame, for files of millions.

The file is mapped, not read; a loop walks from block to block and NumPy reads all their heads at once. What
`lab.capture.read` gives one frame at a time is the same: a property test holds the two to each other. What
the bytes of a frame mean is the runner's affair.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lab import capture
from lab.capture import CaptureError, Source

Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]
_AT_ONCE = 1 << 16
"""So many blocks are read at once: what is held meanwhile stays small."""
_LATEST_NS = 1 << 62
"""A damaged timestamp must not wrap around."""
_BLOCK_HEAD, _BLOCK_LEAST = 28, 32


@dataclass(frozen=True, eq=False)
class Index:
    """The frames of a capture, in the order of the file.

    `raw` is the file. For each frame: `begin` where its bytes are in the file, `kept` how many, `length` how
    many it had on the wire, `time_ns` when it was seen (CLOCK_REALTIME), `source` which of `sources` saw it.
    `damage` says what is wrong with the file behind the last frame, or nothing.
    """

    raw: Bytes
    begin: Integers
    kept: Integers
    length: Integers
    time_ns: Integers
    source: Integers
    sources: tuple[Source, ...]
    damage: str = ""

    def picked(self, rows: Integers) -> Index:
        """The index of some of the frames, in that order."""
        names = ("begin", "kept", "length", "time_ns", "source")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def frame(self, row: int) -> bytes:
        """The bytes of one frame."""
        begin = int(self.begin[row])
        return self.raw[begin : begin + int(self.kept[row])].tobytes()


def windows(raw: Bytes, begin: Integers, size: int) -> Bytes:
    """`size` bytes from each of these places on, a row each; every place must have so many behind it."""
    if not len(begin):
        return np.empty((0, size), np.uint8)
    return np.lib.stride_tricks.sliding_window_view(raw, size)[begin]


def read(path: Path) -> Index:
    """The index of a pcap or pcapng file; damage ends it where `lab.capture.read` would raise.

    Raises CaptureError where the file is neither, OSError where it cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        if magic == b"\x0a\x0d\x0d\x0a":
            return _Pcapng(file, _mapped(path)).index()
        for order in "<>":
            unit = capture.PCAP.get(struct.unpack(order + "I", magic)[0]) if len(magic) == 4 else None
            if unit is not None:
                return _pcap(_mapped(path), order, unit)
    raise CaptureError("this is neither a pcap nor a pcapng file", 0)


def _mapped(path: Path) -> Bytes:
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def _pcap(raw: Bytes, order: str, unit: int) -> Index:
    if len(raw) < 24:
        raise CaptureError("the file ends in the middle of a block", 4)
    size_at, data, size = struct.Struct(order + "I").unpack_from, raw.data, len(raw)
    link = size_at(data, 20)[0] & 0xFFFF
    offsets, offset, damage = array("q"), 24, ""
    append = offsets.append
    while offset + 16 <= size:
        kept = size_at(data, offset + 8)[0]
        if kept > capture.LARGEST:
            damage = str(CaptureError(f"a length of {kept} bytes is damage", offset))
            break
        following = offset + 16 + kept
        if following > size:
            damage = str(CaptureError("the file ends in the middle of a block", offset))
            break
        append(offset)
        offset = following
    if offset < size and not damage:
        damage = str(CaptureError("the file ends in the middle of a record", offset))
    places = np.frombuffer(offsets, np.int64) if offsets else np.empty(0, np.int64)
    heads = np.empty((len(places), 4), np.int64)
    for first in range(0, len(places), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        heads[part] = windows(raw, places[part], 16).view(f"{order}u4")
    seconds, fraction, kept_bytes, length = heads.T
    return Index(
        raw,
        places + 16,
        kept_bytes.copy(),
        np.maximum(length, kept_bytes),
        seconds * 1_000_000_000 + fraction * unit,
        np.zeros(len(places), np.int64),
        (Source("", "", link, 0, 1, 1, 0),),
        damage,
    )


class _Pcapng:
    """Walks the blocks; heads of enhanced packet blocks are gathered, everything else goes to
    `lab.capture.Blocks`.
    """

    def __init__(self, file: BinaryIO, raw: Bytes) -> None:
        self._raw = raw
        self._blocks = capture.Blocks(file)
        self._file = file
        self._parts: list[Integers] = []  # rows: begin, kept, length, time_ns, source
        self._sources: list[Source] = []
        self._base = 0
        self._pending = array("q")

    def index(self) -> Index:
        damage = ""
        try:
            self._walk()
            self._gather()
        except CaptureError as error:
            damage = str(error)
        self._parts.append(np.empty((5, 0), np.int64))
        begin, kept, length, time_ns, source = np.concatenate(self._parts, axis=1)
        sources = (*self._sources, *self._blocks.sources)
        return Index(self._raw, begin, kept, length, time_ns, source, sources, damage)

    def _walk(self) -> None:
        """All blocks; raises CaptureError with what was gathered before in place."""
        data, size, offset = self._raw.data, len(self._raw), 0
        head, append = struct.Struct("<II").unpack_from, self._pending.append
        while offset < size:
            if size - offset < 8:
                self._stop("the file ends in the middle of a block", offset)
            kind, total = head(data, offset)
            if kind == capture.PACKET and total >= _BLOCK_LEAST and not total & 3 and offset + total <= size:
                append(offset)
                offset += total
                continue
            offset = self._other(data, offset)
            head = struct.Struct(self._blocks.order + "II").unpack_from
            append = self._pending.append

    def _stop(self, what: str, offset: int) -> None:
        self._gather()
        raise CaptureError(what, offset)

    def _other(self, data: memoryview, offset: int) -> int:
        """A block that is no plain enhanced packet block; returns where the next one begins."""
        first = bytes(data[offset : offset + 8])
        kind: int
        total: int
        kind, total = struct.unpack(self._blocks.order + "II", first)
        self._gather()
        self._file.seek(offset + 8)
        self._blocks.offset = offset
        if kind == capture.SECTION:
            self._sources += self._blocks.sources
            self._base = len(self._sources)
            return offset + self._blocks.begin_section(first)
        frame = self._blocks.take(kind, total)
        if frame is not None:
            self._add_one(frame, kind, offset)
        return offset + total

    def _add_one(self, frame: capture.Frame, kind: int, offset: int) -> None:
        """A frame of an old or a simple packet block."""
        number = 0
        if kind != capture.SIMPLE_PACKET:
            layout = "I" if kind == capture.PACKET else "H"
            number = struct.unpack_from(self._blocks.order + layout, self._raw.data, offset + 8)[0]
        begin = offset + (12 if kind == capture.SIMPLE_PACKET else _BLOCK_HEAD)
        time_ns = min(frame.time_ns, _LATEST_NS)
        values = (begin, len(frame.data), frame.length, time_ns, self._base + number)
        self._parts.append(np.array(values, np.int64).reshape(5, 1))

    def _gather(self) -> None:
        """Read the heads of the enhanced packet blocks that were walked over; raises CaptureError for the
        first that is damaged, with those before it in place.
        """
        places = np.array(self._pending, np.int64)
        self._pending = array("q")
        for first in range(0, len(places), _AT_ONCE):
            self._gather_some(places[first : first + _AT_ONCE])

    def _gather_some(self, places: Integers) -> None:
        order = f"{self._blocks.order}u4"
        heads = windows(self._raw, places, _BLOCK_HEAD).view(order).astype(np.int64)
        _, total, number, high, low, kept, length = heads.T
        ends = windows(self._raw, places + total - 4, 4).view(order).ravel()
        sources = self._blocks.sources
        problems = (
            (ends != total, "a block does not end with its length"),
            (number >= len(sources), "a packet of an interface that is not described"),
            (kept > total - _BLOCK_LEAST, "a packet does not fit into its block"),
            (total > capture.LARGEST, "a block so large is damage"),
        )
        wrong = np.logical_or.reduce([mask for mask, _ in problems])
        good = int(np.argmax(wrong)) if wrong.any() else len(places)
        ticks = (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
        part = slice(0, good)
        times = _times(ticks[part], number[part], sources)
        begin, longest = places[part] + _BLOCK_HEAD, np.maximum(length, kept)[part]
        self._parts.append(np.stack((begin, kept[part], longest, times, number[part] + self._base)))
        if good < len(places):
            what = next(text for mask, text in problems if mask[good])
            raise CaptureError(what, int(places[good]))


def _times(ticks: NDArray[np.uint64], number: Integers, sources: list[Source]) -> Integers:
    """Timestamps in nanoseconds, by the resolution of each frame's interface."""
    times = np.empty(len(ticks), np.int64)
    for one in np.unique(number):
        source, mask = sources[int(one)], number == one
        mine = ticks[mask]
        if 1_000_000_000 % source.divide == 0:
            factor = 1_000_000_000 // source.divide
            latest = np.uint64(_LATEST_NS // factor)
            exact = np.minimum(mine, latest).astype(np.int64) * factor
            exact[mine > latest] = _LATEST_NS
        else:  # finer than a nanosecond, or in powers of two: rare
            scaled = (int(tick) * source.multiply // source.divide for tick in mine)
            exact = np.array([min(tick, _LATEST_NS) for tick in scaled], np.int64)
        add = min(max(source.add, -_LATEST_NS), _LATEST_NS)
        times[mask] = np.minimum(exact, _LATEST_NS - max(add, 0)) + add
    return times
