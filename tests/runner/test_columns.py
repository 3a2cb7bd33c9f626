"""Columns say of every frame what `runner.headers` says of it alone, on every link, cut off or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import capture, capture_index
from lab.capture import Frame
from runner import columns
from runner.headers import TCP, decode
from tests.runner.scapy_frames import frames


def check(path: Path, datas: list[bytes], link: int) -> None:
    whole = [Frame(n, "a", "eth0", "in", data, len(data), link) for n, data in enumerate(datas)]
    capture.write(path, whole, [("a", "eth0")])
    made = columns.read(capture_index.read(path))
    for row, data in enumerate(datas):
        header = decode(data, link)
        assert int(made.version[row]) == header.version
        assert int(made.protocol[row]) == (header.protocol if header.version else header.ether_type)
        ends = (header.src, header.dst) if header.version else (header.source_mac, header.target_mac)
        assert (made.address(row, source=True), made.address(row, source=False)) == ends
        assert [int(one[row]) for one in (made.sport, made.dport, made.seq, made.ack, made.flags)] == [
            header.sport, header.dport, header.seq, header.ack, header.flags
        ]  # fmt: skip
        assert (int(made.window[row]), int(made.length[row])) == (header.window, header.length)
        assert bool(made.whole[row]) == (header.transport >= 0)


def with_padding(data: bytes) -> bytes:
    return data + bytes(80)


@given(
    packets=st.lists(frames, min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 90), max_size=12),
    padded=st.booleans(),
)
def test_frames_of_every_kind(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes], cuts: list[int], padded: bool
) -> None:
    datas = [bytes(one) for one in packets]
    datas += [data[:cut] for data, cut in zip(datas, cuts, strict=False)]
    if padded:  # so that the last ones too are read at once
        datas += [bytes(100), bytes(100)]
    check(tmp_path_factory.getbasetemp() / "columns.pcapng", datas, 1)


@given(
    packets=st.lists(frames, min_size=1, max_size=8),
    link=st.sampled_from([(101, b""), (0, b"\2\0\0\0"), (113, bytes(14)), (276, None), (12, b"")]),
)
def test_frames_of_other_links(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes], link: tuple[int, bytes | None]
) -> None:
    number, head = link
    datas = []
    for one in packets:
        data = bytes(one)
        kind, rest = data[12:14], data[14:]
        datas.append(
            kind + bytes(18) + rest if head is None else head + kind + rest if number == 113 else head + rest
        )
    check(tmp_path_factory.getbasetemp() / "links.pcapng", [*datas, bytes(100)], number)


@given(st.lists(st.binary(max_size=120), max_size=20))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, datas: list[bytes]) -> None:
    begin = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0E"
    check(
        tmp_path_factory.getbasetemp() / "bytes.pcapng",
        [*datas, *(begin + one for one in datas), bytes(99)],
        1,
    )


def test_the_usual_frames_are_not_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of this would be right and slow."""
    from tests import frames as by_hand

    segment = by_hand.tcp("10.0.0.1", "10.0.0.2", 5, 6, "S")
    data = by_hand.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x800,
                            by_hand.ipv4("10.0.0.1", "10.0.0.2", TCP, segment))  # fmt: skip
    whole = [Frame(n, "a", "eth0", "in", data, len(data)) for n in range(500)]
    capture.write(tmp_path / "x.pcapng", whole, [("a", "eth0")])
    alone: list[bytes] = []
    monkeypatch.setattr(columns, "decode", lambda data, link: alone.append(data) or decode(data, link))
    made = columns.read(capture_index.read(tmp_path / "x.pcapng"))
    assert (made.dport == 6).all() and len(alone) == 1  # the last one is too near to the end of the file
