"""Fragments put together: a stream over a link that takes only pieces of segments, and pieces that never came."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.engine import Engine
from runner import evidence, fragments
from tests.playing import play_text

pytestmark = pytest.mark.slow

NARROW = """
name: segments in pieces
hosts: [a, b]
networks:
  narrow: {hosts: [a, b], mtu: 68}
steps:
  - b: {socket: l}
  - b: {bind: l, to: ":8888"}
  - b: {listen: l}
  - a: {socket: c}
  - a: {connect: c, to: "b:8888"}
  - b: {accept: l, as: x}
  - a: {sendall: c, data: {repeat: z, times: 100}}
  - b: {recv: x, size: 100, flags: MSG_WAITALL, gives: {repeat: z, times: 100}}
expect:
  - stream: {from: c, to: x}
"""


def test_a_stream_of_segments_in_pieces_is_whole(engine: Engine, tmp_path: Path) -> None:
    """68 bytes are the least that IPv4 allows (RFC 791, section 3.2): no segment of TCP passes in one."""
    played = play_text(NARROW, tmp_path, engine.name)
    assert played.judgement.verdict == "pass", played.judgement
    came = [one for one in evidence.load(played.folder).packets if one.host == "b" and one.direction == "in"]
    pieces = [one for one in came if one.header.more or one.header.fragment]
    assert len(pieces) >= 4
    whole = list(fragments.put_together(pieces))
    assert b"".join(one.payload for one in whole) == b"z" * 100
    assert not any(one.header.more for one in whole)
    without = [one for one in pieces if one is not pieces[1]]
    assert len(list(fragments.put_together(without))) == len(whole) - 1
    assert [one.payload for one in fragments.put_together(reversed(pieces[:2]))] == [whole[0].payload]
