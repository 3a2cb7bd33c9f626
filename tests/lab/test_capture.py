"""Captures: ring records become frames, frames become a file that the real tools read, any file becomes
frames.
"""

from __future__ import annotations

import mmap
import select
import shutil
import socket
import struct
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import capture, ring
from lab.capture import CaptureError, Frame

ENDS = [("client", "eth0"), ("server", "eth0"), ("server", "eth1")]


def record(
    data: bytes,
    *,
    index: int = 2,
    kind: int = 0,
    status: int = 1,
    tag: int = 0,
    tag_type: int = 0,
    last: bool,
) -> bytes:
    """A record as tpacket_rcv() in net/packet/af_packet.c lays it out."""
    mac = 82
    size = (mac + len(data) + 15) & ~15
    head = struct.pack(
        "=6I2HIIHH8x",
        0 if last else size,
        7,
        5,
        len(data),
        len(data),
        status,
        mac,
        mac + 14,
        0,
        tag,
        tag_type,
        0,
    )
    address = struct.pack("=H2siHBB8s", 17, b"\x08\x00", index, 1, kind, 6, b"")
    return (head + address).ljust(mac, b"\0") + data.ljust(size - mac, b"\0")


def test_records_of_a_ring_become_frames() -> None:
    records = record(b"a" * 60, kind=4, last=False) + record(b"b" * 61, index=3, last=True)
    assert list(ring.frames_of(records, "client", {2: "eth0", 3: "eth1"})) == [
        Frame(7_000_000_005, "client", "eth0", "out", b"a" * 60, 60),
        Frame(7_000_000_005, "client", "eth1", "in", b"b" * 61, 61),
    ]


def test_a_vlan_tag_that_the_kernel_took_out_is_put_back() -> None:
    data = bytes(range(14)) + b"x" * 46
    [frame] = ring.frames_of(
        record(data, status=1 | 0x10 | 0x40, tag=0x2005, tag_type=0x88A8, last=True), "a", {}
    )
    assert frame.data == data[:12] + b"\x88\xa8\x20\x05" + data[12:]
    assert frame.length == 64
    [frame] = ring.frames_of(record(data, status=1 | 0x10, tag=7, last=True), "a", {2: "eth0"})
    assert frame.data[12:16] == b"\x81\x00\x00\x07"


@given(cut=st.integers(0, 400), at=st.integers(0, 400), by=st.integers(1, 255))
def test_damaged_records_give_frames_or_capture_errors(cut: int, at: int, by: int) -> None:
    records = bytearray(
        record(b"a" * 60, last=False) + record(b"b" * 60, last=False) + record(b"c" * 60, last=True)
    )
    records[at % len(records)] ^= by
    try:
        frames = list(ring.frames_of(bytes(records[: len(records) - cut]), "a", {2: "eth0"}))
    except CaptureError:
        return
    assert len(frames) <= len(records)


@pytest.mark.root
def test_records_of_the_kernels_own_ring() -> None:
    """The layout is the kernel's: a real TPACKET_V3 ring on the loopback interface."""
    try:
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        pytest.skip("needs CAP_NET_RAW")
    with packets:
        packets.setsockopt(263, 10, 2)  # SOL_PACKET, PACKET_VERSION, TPACKET_V3
        packets.setsockopt(263, 5, struct.pack("7I", 1 << 18, 2, 2048, 256, 10, 0, 0))  # PACKET_RX_RING
        memory = mmap.mmap(packets.fileno(), 1 << 19)
        packets.bind(("lo", 3))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"into the ring", ("127.0.0.1", 9))
        poll = select.poll()
        poll.register(packets, select.POLLIN)
        assert poll.poll(2000)
        count, first, length = struct.unpack_from("=III", memory, 12)
        frames = list(ring.frames_of(memory[first:length], "here", {1: "lo"}))
        memory.close()
    ours = [frame for frame in frames if b"into the ring" in frame.data]
    assert count >= 2
    assert {(frame.interface, frame.direction) for frame in ours} == {("lo", "out"), ("lo", "in")}


# --- files ----------------------------------------------------------------------------------------

frame_lists = st.lists(
    st.builds(
        lambda time_ns, end, direction, data, cut: Frame(time_ns, *end, direction, data, len(data) + cut),
        st.integers(0, 2**63),
        st.sampled_from(ENDS),
        st.sampled_from(["out", "in"]),
        st.binary(max_size=200),
        st.sampled_from([0, 0, 1, 5000]),
    ),
    max_size=20,
)


@given(frames=frame_lists, comment=st.text(max_size=50))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, frames: list[Frame], comment: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.pcapng"
    assert capture.write(path, frames, ENDS, {ENDS[0]: 3}, comment) == len(frames)
    assert list(capture.read(path)) == sorted(frames, key=lambda frame: frame.time_ns)


def sample(path: Path) -> list[Frame]:
    """A small capture on disk, and its frames."""
    frames = [
        Frame(
            1_700_000_000_000_000_001 + n,
            *ENDS[n % 3],
            "out" if n % 2 else "in",
            bytes([2] * (60 + n)),
            60 + n,
        )
        for n in range(9)
    ]
    capture.write(path, frames, ENDS, {end: n for n, end in enumerate(ENDS)}, "a comment")
    return frames


@given(data=st.data())
def test_damage_gives_frames_or_capture_errors_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    base = tmp_path_factory.getbasetemp()
    path, other = base / "whole.pcapng", base / "damaged.pcapng"
    sample(path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    other.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    try:
        for frame in capture.read(other):
            assert len(frame.data) <= len(whole)
    except CaptureError as error:
        assert 0 <= error.offset <= len(whole)


def test_a_file_that_ends_in_the_middle_gives_what_came_before(tmp_path: Path) -> None:
    frames = sample(tmp_path / "whole.pcapng")
    whole = (tmp_path / "whole.pcapng").read_bytes()
    (tmp_path / "cut.pcapng").write_bytes(whole[: whole.index(b"\2" * 64) + 10])
    found = []
    with pytest.raises(CaptureError, match="ends in the middle"):
        for frame in capture.read(tmp_path / "cut.pcapng"):
            found.append(frame)
    assert found == frames[:4]


@pytest.mark.parametrize(
    "content", [b"", b"\x0a", b"neither a capture nor anything else", b"\x0a\x0d\x0d\x0a"]
)
def test_what_is_no_capture_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CaptureError):
        list(capture.read(tmp_path / "x"))


def test_a_length_that_is_damage_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.pcap"
    path.write_bytes(
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + struct.pack("<IIII", 0, 0, 1 << 31, 60)
    )
    tracemalloc.start()
    with pytest.raises(CaptureError, match="damage"):
        list(capture.read(path))
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_packet_that_is_larger_than_its_block_is_damage(tmp_path: Path) -> None:
    sample(tmp_path / "x.pcapng")
    whole = bytearray((tmp_path / "x.pcapng").read_bytes())
    at = whole.index(b"\2" * 60) - 8  # where the first packet's captured length is
    assert struct.unpack_from("<I", whole, at)[0] == 60
    struct.pack_into("<I", whole, at, 61 + 16)
    (tmp_path / "x.pcapng").write_bytes(whole)
    with pytest.raises(CaptureError, match="does not fit into its block"):
        list(capture.read(tmp_path / "x.pcapng"))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap_files_of_both_orders_and_units(tmp_path: Path, order: str, magic: int, unit: int) -> None:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    (tmp_path / "x.pcap").write_bytes(head + struct.pack(order + "IIII", 9, 77, 3, 60) + b"abc")
    assert list(capture.read(tmp_path / "x.pcap")) == [
        Frame(9_000_000_000 + 77 * unit, "", "", "in", b"abc", 60)
    ]


def block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (None, 5_000_001, 5_000_001_000),
        (3, 1500, 1_500_000_000),
        (0x81, 3, 1_500_000_000),
        (9, 7, 7),
        (12, 2500, 2),
    ],
)
def test_pcapng_of_other_writers(
    tmp_path: Path, order: str, resolution: int | None, ticks: int, time_ns: int
) -> None:
    """Both byte orders, any resolution, offsets, names without a host, blocks we do not know, all packet
    blocks.
    """
    options = struct.pack(order + "HH", 2, 4) + b"any\0"
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    options += struct.pack(order + "HHq", 14, 8, 10)
    data = struct.pack(order + "IIIII", 0, 0, ticks, 2, 2) + b"hi\0\0"
    whole = (
        block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + options)
        + block(order, 0x0BAD, b"who knows what..")
        + block(order, 6, data)
        + block(order, 3, struct.pack(order + "I", 3) + b"abc\0")
        + block(order, 2, struct.pack(order + "HHIIII", 0, 0, 0, ticks, 2, 2) + b"hi\0\0")
    )
    (tmp_path / "x.pcapng").write_bytes(whole * 2)
    enhanced = Frame(time_ns + 10_000_000_000, "", "any", "in", b"hi", 2)
    simple = Frame(10_000_000_000, "", "any", "in", b"abc", 3)
    assert list(capture.read(tmp_path / "x.pcapng")) == [enhanced, simple, enhanced] * 2


def needs(program: str) -> str:
    """The program, or skip with the reason."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}")
    return found


@pytest.fixture
def written(tmp_path: Path) -> Iterator[tuple[Path, list[Frame]]]:
    path = tmp_path / "x.pcapng"
    yield path, sample(path)


def test_tshark_reads_it_without_a_warning(written: tuple[Path, list[Frame]]) -> None:
    path, frames = written
    fields = ["frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction", "frame.len"]
    command = [
        needs("tshark"),
        "-r",
        str(path),
        "-T",
        "fields",
        *(part for field in fields for part in ("-e", field)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert said == []
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        [
            f"{frame.time_ns // 10**9}.{frame.time_ns % 10**9:09d}",
            f"{frame.host}:{frame.interface}",
            {"in": "0x00000001", "out": "0x00000002"}[frame.direction],
            str(frame.length),
        ]
        for frame in frames
    ]


def test_capinfos_reads_it_with_the_drop_counts(written: tuple[Path, list[Frame]]) -> None:
    path, frames = written
    done = subprocess.run([needs("capinfos"), "-M", str(path)], capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if "Running as user" not in line] == []
    assert f"Number of packets:   {len(frames)}" in done.stdout
    assert "Number of interfaces in file: 3" in done.stdout
    assert "Capture comment:     a comment" in done.stdout
    whole = path.read_bytes()
    counts = []
    while (
        at := whole.find(struct.pack("<II", 5, 40), 0)
    ) >= 0:  # interface statistics with one option of 8 bytes
        interface, option, length, drops = struct.unpack("<I8xHHQ", whole[at + 8 : at + 32])
        counts.append((interface, option, length, drops))
        whole = whole[at + 40 :]
    assert counts == [(0, 5, 8, 0), (1, 5, 8, 1), (2, 5, 8, 2)]


def test_an_empty_capture_is_one_too(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    assert capture.write(path, [], ENDS) == 0
    assert list(capture.read(path)) == []
    done = subprocess.run([needs("tshark"), "-r", str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == ""
