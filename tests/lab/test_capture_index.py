"""The index of a capture says of every frame what `lab.capture.read` says, for any file, damaged ones too."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import capture, capture_index
from lab.capture import CaptureError
from lab.capture_index import Index

END = ("client", "eth0")
LATEST_NS = 1 << 62
"""Where the index holds damaged times."""
Told = list[tuple[int, str, str, bytes, int, int]]


def by_reader(path: Path) -> tuple[Told, bool]:
    """What the reader gives, and whether it came to damage."""
    told: Told = []
    try:
        for one in capture.read(path):
            time_ns = max(min(one.time_ns, LATEST_NS), -LATEST_NS)
            told.append((time_ns, one.host, one.interface, one.data, one.length, one.link))
    except CaptureError:
        return told, True
    return told, False


def by_index(path: Path) -> tuple[Told, bool]:
    try:
        index = capture_index.read(path)
    except CaptureError:
        return [], True
    return [told_of(index, row) for row in range(len(index.begin))], bool(index.damage)


def told_of(index: Index, row: int) -> tuple[int, str, str, bytes, int, int]:
    source = index.sources[int(index.source[row])]
    time_ns, length = max(int(index.time_ns[row]), -LATEST_NS), int(index.length[row])
    return time_ns, source.host, source.name, index.frame(row), length, source.link


def block(order: str, kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


@st.composite
def sections(draw: st.DrawFn) -> bytes:
    """A section of a pcapng: interfaces of any resolution, packet blocks of all three kinds, strange ones."""
    order = draw(st.sampled_from("<>"))
    whole = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    for _ in range(draw(st.integers(1, 2))):
        resolution = draw(st.sampled_from([None, 6, 9, 3, 12, 0x8A]))
        options = struct.pack(order + "HH", 2, 5) + draw(st.sampled_from([b"a:eth", b"b:eth"])) + b"\0\0\0"
        if resolution is not None:
            options += struct.pack(order + "HHB3x", 9, 1, resolution)
        if draw(st.booleans()):
            options += struct.pack(order + "HHq", 14, 8, draw(st.integers(0, 5)))
        link = draw(st.sampled_from([1, 101, 113]))
        whole += block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options)
    for _ in range(draw(st.integers(0, 8))):
        data = draw(st.binary(max_size=70))
        padded = data + b"\0" * (-len(data) % 4)
        ticks, number = draw(st.integers(0, 1 << 60)), draw(st.integers(0, 2))
        kept = len(data)
        match draw(st.sampled_from([6, 6, 6, 6, 2, 3, 5, 0xBAD])):
            case 6:
                head = struct.pack(order + "5I", number, ticks >> 32, ticks & 0xFFFFFFFF, kept, kept + 3)
                flags = struct.pack(order + "HHIHH", 2, 4, 2, 0, 0) if draw(st.booleans()) else b""
                whole += block(order, 6, head + padded + flags)
            case 2:
                head = struct.pack(order + "2H4I", number, 0, ticks >> 32, ticks & 0xFFFFFFFF, kept, kept)
                whole += block(order, 2, head + padded)
            case 3:
                whole += block(order, 3, struct.pack(order + "I", kept) + padded)
            case kind:
                whole += block(order, kind, padded)
    return whole


@given(whole=st.lists(sections(), min_size=1, max_size=3).map(b"".join), data=st.data())
def test_any_pcapng(tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pcapng"
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 2))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(changed[: data.draw(st.integers(28, len(changed)))]))
    assert by_index(path) == by_reader(path)


@given(
    order=st.sampled_from("<>"),
    magic=st.sampled_from([0xA1B2C3D4, 0xA1B23C4D]),
    records=st.lists(st.tuples(st.integers(0, 1 << 32), st.binary(max_size=50)), max_size=6),
    cut=st.integers(0, 60),
)
def test_any_pcap(
    tmp_path_factory: pytest.TempPathFactory,
    order: str,
    magic: int,
    records: list[tuple[int, bytes]],
    cut: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pcap"
    whole = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 101)
    for second, data in records:
        whole += struct.pack(order + "4I", second & 0xFFFFFFFF, 999_999, len(data), len(data) + 1) + data
    path.write_bytes(whole[: max(24, len(whole) - cut)])
    assert by_index(path) == by_reader(path)


def test_what_stands_before_the_damage_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture.write(path, [capture.Frame(n, *END, "in", bytes(60), 60) for n in range(5)], [END])
    path.write_bytes(path.read_bytes()[:-10])
    index = capture_index.read(path)
    assert len(index.begin) == 4 and "block" in index.damage


def test_a_timestamp_beyond_all_times_does_not_wrap(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture.write(path, [capture.Frame((1 << 64) - 1, *END, "in", bytes(60), 60)], [END])
    assert int(capture_index.read(path).time_ns[0]) == LATEST_NS


@pytest.mark.parametrize("content", [b"", b"\x0a\x0d\x0d\x0a", b"no capture", b"\xd4\xc3\xb2\xa1"])
def test_what_is_no_capture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    told, damaged = by_index(tmp_path / "x")
    assert not told and damaged
