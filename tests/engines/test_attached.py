"""Docker's frames are taken apart however they were cut, and stderr goes to its file."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.engines.attached import AttachedStream, _Frames

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=12)


def framed(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for kind, data in frames)


@given(frames=FRAMES, cuts=st.lists(st.integers(1, 50), min_size=1))
def test_frames_however_they_are_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    whole, taker = framed(frames), _Frames()
    said, aside, turn = b"", b"", 0
    while whole:
        piece, whole = whole[: cuts[turn % len(cuts)]], whole[cuts[turn % len(cuts)] :]
        out, err = taker.feed(piece)
        said, aside, turn = said + out, aside + err, turn + 1
    assert said == b"".join(data for kind, data in frames if kind == 1)
    assert aside == b"".join(data for kind, data in frames if kind == 2)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[AttachedStream, socket.socket]:
    ours, theirs = socket.socketpair()
    early = framed([(2, b"early ")])[:9]
    return AttachedStream(ours, tmp_path / "stderr", lambda: "it fell over", early=early), theirs


def test_a_stream_from_beginning_to_end(pair: tuple[AttachedStream, socket.socket], tmp_path: Path) -> None:
    stream, docker = pair
    docker.sendall(b"arly " + framed([(1, b"hello\n"), (2, b"alas")]))
    assert stream.receive() == b"hello\n"
    assert stream.receive() is None
    stream.send(b"request\n")
    assert docker.recv(100) == b"request\n"  # what goes in has no frame
    assert stream.last_words() == "early alas"
    assert (tmp_path / "stderr").read_text() == "early alas"
    docker.close()
    assert stream.receive() == b""
    assert stream.ending() == "it fell over"
    stream.close()


def test_only_stderr_is_nothing_yet(pair: tuple[AttachedStream, socket.socket]) -> None:
    stream, docker = pair
    docker.sendall(b"arly " + framed([(2, b"x" * 1000)]))
    assert stream.receive() is None
    docker.close()
    stream.close()


def test_what_was_said_to_the_end_is_kept(pair: tuple[AttachedStream, socket.socket], tmp_path: Path) -> None:
    stream, docker = pair
    docker.sendall(b"arly " + framed([(1, b"unread"), (2, b"last")]))
    stream.close()
    assert (tmp_path / "stderr").read_text() == "early last"
    docker.close()


def test_finish_waits_for_the_end(pair: tuple[AttachedStream, socket.socket]) -> None:
    stream, docker = pair
    docker.settimeout(5)
    docker.sendall(b"arly ")
    docker.shutdown(socket.SHUT_WR)
    stream.finish()
    assert docker.recv(10) == b""
    docker.close()
