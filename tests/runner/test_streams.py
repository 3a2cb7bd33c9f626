"""Segments in any order, any number of times, give the bytes that were sent, up to the first hole."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from runner import streams
from tests.recorded import Recorded

PIECES = st.lists(st.tuples(st.integers(0, 39), st.integers(1, 20)), min_size=1, max_size=12)


@given(st.binary(min_size=40, max_size=40), PIECES, st.booleans())
def test_reassembly_gives_what_is_covered_from_the_beginning(
    data: bytes, pieces: list[tuple[int, int]], opened: bool
) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80)
    connection.made_by("c", "conn")
    if not opened:  # no SYN was seen: the first byte is the lowest one that was
        run.frames.clear()
        pieces = [(0, 1), *pieces]
    begin = connection.next["client"]
    for offset, length in pieces:
        part = data[offset : offset + length]
        connection.segment("client", "PA", part, seq=(begin + offset) & 0xFFFFFFFF)
    covered = {place for offset, length in pieces for place in range(offset, min(40, offset + length))}
    whole = next((place for place in range(41) if place not in covered), 40)
    with TemporaryDirectory() as folder:
        evidence = run.evidence(Path(folder) / "run")
        for wire in (streams.wire_from(evidence, "c"), streams.wire_to(evidence, "conn")):
            assert wire.data == data[:whole]
            assert (wire.hole is not None) == (max(covered) > whole)


def test_a_new_connection_on_the_same_ports_follows(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).made_by("c", "conn").send("client", b"one")
    connection.next = {"client": 900_000, "server": 800_000}
    connection.open().send("client", b"two")
    assert streams.wire_from(run.evidence(tmp_path / "run"), "c").data == b"onetwo"


def test_bytes_before_a_fin_that_are_missing_are_a_hole(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).made_by("c", "conn")
    connection.segment("client", "PA", b"lost", lost=True).segment("client", "FA")
    evidence = run.evidence(tmp_path / "run")
    assert streams.wire_from(evidence, "c") == streams.WireStream(b"lost", 1, None)
    assert streams.wire_to(evidence, "conn") == streams.WireStream(b"", 0, 0)


def test_sockets_that_no_capture_shows(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 80).made_by("c", "conn")
    run.call("client", "near", "connect", local=["127.0.0.1", 5], peer=["127.0.0.1", 6])
    run.call("client", "u", "connect", type="SOCK_DGRAM", local=["10.0.0.1", 5], peer=["10.0.0.2", 6])
    evidence = run.evidence(tmp_path / "run")
    assert streams.is_on_wire(evidence, "c")
    assert not streams.is_on_wire(evidence, "near")
    assert not streams.is_on_wire(evidence, "u")
