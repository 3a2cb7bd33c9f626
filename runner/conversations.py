"""Which packets of a capture belong together: flows of columns, both directions in one.

A flow has two ends (address and port) and a protocol; a SYN with another number on the same ports begins a new
one (RFC 9293 section 3.4.1), as Wireshark counts its streams. Also which frames are copies of others, where
several interfaces saw the same. Knows no text.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.capture_index import Index, Integers, windows
from runner.columns import Columns, Truth, Wide
from runner.headers import ACK, SYN, TCP

COMPARED = 128
"""So many bytes of a frame, and its length, say whether it is a copy of another: headers and checksums are
among them.
"""


@dataclass(frozen=True, eq=False)
class Conversations:
    """`flow` is the number of each packet's flow, in the order in which they began; `reverse` whether it goes
    against the flow's first packet; `first` is the first packet of each flow.
    """

    flow: Integers
    reverse: Truth
    first: Integers


def group(columns: Columns) -> Conversations:
    """The flows of packets in the order of time."""
    while True:  # two flows of one hash are as good as impossible; then other numbers tell them apart
        source = _end(columns, source=True, constants=(constants := _constants()))
        target = _end(columns, source=False, constants=constants)
        mixed = _mixed(source + target + columns.protocol.astype(np.uint64) * constants[3])
        _, first, flow = np.unique(mixed, return_index=True, return_inverse=True)
        same = _same(columns, first[flow])
        if (same[0] | same[1]).all():
            break
    return _in_order(_split(columns, flow, ~same[0]))


def _constants() -> Wide:
    return np.array([secrets.randbits(64) | 1 for _ in range(4)], np.uint64)


def _mixed(values: Wide) -> Wide:
    """Every bit of the result depends on every bit of the value (a multiply and shift hash)."""
    values = values ^ (values >> np.uint64(32))
    values = values * np.uint64(0x9E3779B97F4A7C15)
    return values ^ (values >> np.uint64(29))


def _end(columns: Columns, *, source: bool, constants: Wide) -> Wide:
    high, low, port = (
        (columns.source_high, columns.source_low, columns.sport)
        if source
        else (columns.target_high, columns.target_low, columns.dport)
    )
    return _mixed(high * constants[0] + low * constants[1] + port.astype(np.uint64) * constants[2])


def _same(columns: Columns, other: Integers) -> tuple[Truth, Truth]:
    """Whether each packet has the ends of another one: in the same order, in reverse order."""
    alike = (columns.protocol == columns.protocol[other]) & (columns.version == columns.version[other])
    addresses = (columns.source_high, columns.source_low, columns.target_high, columns.target_low)
    turned = (*addresses[2:], *addresses[:2])
    ports = (columns.sport, columns.dport)
    along, against = alike.copy(), alike
    for one, two in zip(addresses, turned, strict=True):
        along &= one == one[other]
        against &= one == two[other]
    for port, facing in zip(ports, ports[::-1], strict=True):
        along &= port == port[other]
        against &= port == facing[other]
    return along, against


def _split(columns: Columns, flow: Integers, reverse: Truth) -> tuple[Integers, Truth]:
    """Begin a new flow at each SYN whose number is not the one with which its direction began."""
    has_flags = (columns.protocol == TCP) & columns.whole & (columns.version > 0)
    syn = has_flags & (columns.flags & (SYN | ACK) == SYN)
    if not syn.any():
        return flow, reverse
    order = np.argsort(flow, kind="stable")
    sorted_flow = flow[order]
    first = order[np.searchsorted(sorted_flow, flow)]
    usual = syn[first] & (columns.seq[first] == columns.seq) & ~reverse
    doubtful = np.unique(flow[syn & ~usual])
    if not len(doubtful):
        return flow, reverse
    found, turned, following = flow.astype(np.int64), reverse.copy(), int(flow.max()) + 1
    begins = np.searchsorted(sorted_flow, doubtful)
    ends = np.searchsorted(sorted_flow, doubtful, side="right")
    for begin, end in zip(begins, ends, strict=True):
        rows = order[begin:end]
        starts = _beginnings(columns, rows[has_flags[rows]], reverse)
        for start in starts:
            part = rows[rows >= start]
            found[part] = following
            turned[part] = reverse[part] ^ reverse[start]
            following += 1
    return found, turned


def _beginnings(columns: Columns, rows: Integers, reverse: Truth) -> list[int]:
    """The packets of one flow, after its first, with which another connection begins."""
    base: dict[bool, int] = {}
    starts = []
    for row in rows:
        side, flags, seq = bool(reverse[row]), int(columns.flags[row]), int(columns.seq[row])
        is_syn = flags & SYN != 0
        if is_syn and not flags & ACK and base.get(side, seq) != seq:
            base = {}
            starts.append(int(row))
        base.setdefault(side, seq if is_syn else seq - 1 & 0xFFFFFFFF)
        if flags & ACK:
            base.setdefault(not side, int(columns.ack[row]) - 1 & 0xFFFFFFFF)
    return starts


def _in_order(found: tuple[Integers, Truth]) -> Conversations:
    """Flows numbered in the order in which they began."""
    flow, reverse = found
    if not len(flow):
        return Conversations(flow, reverse, flow)
    _, first, dense = np.unique(flow, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return Conversations(rank[dense], reverse, first[order])


def originals(index: Index) -> Integers:
    """The frames that are no copies, in the order of time: the k-th at one interface and the k-th of the same
    bytes at another are one.

    Where one interface saw all of them, every frame is an original.
    """
    by_time = np.argsort(index.time_ns, kind="stable")
    ends = _ends(index)
    if len(np.unique(ends)) < 2:
        return by_time
    content = _content(index)[by_time]
    order = np.lexsort((np.arange(len(content)), ends[by_time], content))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (content[order][1:] != content[order][:-1]) | (np.diff(ends[by_time][order]) != 0)
    places = np.arange(len(order))
    rank = np.empty(len(order), np.uint64)
    rank[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    _, first = np.unique(_mixed(content + rank * _constants()[0]), return_index=True)
    return by_time[np.sort(first)]


def _ends(index: Index) -> NDArray[np.int64]:
    """The interface of each frame, those of the same host and name in several sections being one."""
    numbers: dict[tuple[str, str], int] = {}
    named = [numbers.setdefault((one.host, one.name), len(numbers)) for one in index.sources] or [0]
    return np.array(named, np.int64)[index.source]


def _content(index: Index) -> Wide:
    """A hash of the bytes of each frame."""
    constants = np.array([secrets.randbits(64) | 1 for _ in range(COMPARED // 8)], np.uint64)
    found = np.empty(len(index.begin), np.uint64)
    padded = np.concatenate((index.raw[-COMPARED:], np.zeros(COMPARED, np.uint8)))
    tail = len(index.raw) - min(COMPARED, len(index.raw))
    for first in range(0, len(found), 1 << 16):
        part = slice(first, first + (1 << 16))
        begin, kept = index.begin[part], index.kept[part]
        near = begin > tail
        seen = np.zeros((len(begin), COMPARED), np.uint8)
        seen[~near] = windows(index.raw, begin[~near], COMPARED)
        seen[near] = windows(padded, begin[near] - tail, COMPARED)
        seen[np.arange(COMPARED) >= kept[:, None]] = 0
        words = seen.view(np.uint64)
        found[part] = _mixed((words * constants).sum(axis=1) + kept.astype(np.uint64) * constants[0])
    return found
