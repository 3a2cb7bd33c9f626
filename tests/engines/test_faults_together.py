"""Faults where they meet each other, frames alike, hosts that are stopped, and frames with tags; on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.engine import Engine
from runner import evidence
from tests.playing import Played, play_text

pytestmark = pytest.mark.slow  # plays on real hosts again and again

HEAD = """
name: faults together
hosts: [s, c]
steps:
  - s: {socket: u, type: SOCK_DGRAM, family: AF_INET6}
  - s: {bind: u, to: ":9000"}
  - c: {socket: x, type: SOCK_DGRAM, family: AF_INET6}
  - c: {connect: x, to: "s:9000"}
"""


def play(engine: Engine, folder: Path, steps: str, expect: str = "") -> Played:
    """What came of these steps after `HEAD`."""
    return play_text(
        f"{HEAD}{steps}expect:\n{expect or '  - count: {flow: tcp, is: 0}'}\n", folder, engine.name
    )


def passed(played: Played) -> bool:
    """Whether it did; says why not."""
    assert not played.steps("failed"), played.reason
    assert played.judgement.verdict == "pass", played.judgement
    return True


def stories(played: Played) -> list[tuple[str, int, tuple[str, ...]]]:
    """Of each datagram sent: what it carries, how often it arrived, and what is said of it."""
    found = evidence.load(played.folder).transmissions
    return [
        (one.sent.payload.decode(), len(one.arrivals), one.struck)
        for one in found
        if one.sent.header.dport == 9000 and one.sent.payload
    ]


def test_of_frames_alike_each_has_its_own_story(engine: Engine, tmp_path: Path) -> None:
    steps = """
  - {fault: drop, from: c, to: s, where: UDP, nth: 1}
  - {fault: duplicate, from: c, to: s, where: UDP, nth: 1}
  - {fault: delay, from: c, to: s, where: UDP, nth: 3, by: 60ms}
  - repeat: {for: {i: 1..4}, steps: [{c: {send: x, data: same}}]}
  - repeat: {for: {i: 1..4}, steps: [{s: {recv: u, size: 9, gives: same}}]}
"""
    expect = """
  - flow: udp x
    packets: |
      c -x s  UDP  "same"
      c -> s  UDP  "same"
      c -> s  UDP  "same"
      c -> s  UDP  "same"
"""
    played = play(engine, tmp_path, steps, expect)
    assert passed(played)
    assert stories(played) == [
        ("same", 0, ("dropped",)), ("same", 2, ("doubled",)), ("same", 1, ("delayed 60ms",)), ("same", 1, ()),
    ]  # fmt: skip
    late = evidence.load(played.folder).transmissions
    [delayed] = [one for one in late if one.struck == ("delayed 60ms",)]
    assert 60_000_000 <= delayed.arrivals[0].time_ns - delayed.sent.time_ns < 160_000_000


@pytest.mark.parametrize(
    ("healed", "took", "left"), [("short", "500ms..5s", "1s"), ("long", "..500ms", "20ms")]
)
def test_to_heal_one_of_two_delays_leaves_the_other(
    engine: Engine, tmp_path: Path, healed: str, took: str, left: str
) -> None:
    steps = f"""
  - {{fault: delay, from: c, where: UDP, by: 1s, as: long}}
  - {{fault: delay, from: c, where: UDP, by: 20ms, as: short}}
  - c: {{send: x, data: one}}
  - {{heal: {healed}}}
  - s: {{recv: u, size: 9, gives: one, takes: {took}}}
"""
    played = play(engine, tmp_path, steps)
    assert passed(played)
    [(_, arrived, said)] = stories(played)
    assert arrived == 1 and set(said) == {f"delayed {left}", "held back"}


def test_what_a_healed_fault_lets_go_meets_those_that_began_later(engine: Engine, tmp_path: Path) -> None:
    steps = """
  - {fault: reorder, from: c, where: UDP, nth: 1, as: held}
  - {fault: drop, from: c, where: UDP, nth: 1}
  - c: {send: x, data: one}
  - {heal: held}
  - c: {send: x, data: two}
  - s: {recv: u, size: 9, gives: two}
"""
    played = play(engine, tmp_path, steps)
    assert passed(played)
    assert stories(played) == [("one", 0, ("held back", "dropped")), ("two", 1, ())]


def test_a_paused_host_still_answers_through_faults(engine: Engine, tmp_path: Path) -> None:
    """Its kernel does, and the wire is not the host's; what would need its agent is refused, and says why."""
    steps = """
  - s: {socket: l}
  - s: {bind: l, to: ":80"}
  - s: {listen: l}
  - {fault: delay, from: s, where: TCP, by: 5ms, as: slow}
  - pause: s
  - c: {socket: t}
  - c: {connect: t, to: "s:80", takes: 5ms..2s}
  - {heal: slow}
"""
    played = play(engine, tmp_path, steps)
    assert [one.number for one in played.steps("failed")] == [12]
    assert "host s is paused" in played.reason


def test_a_tagged_frame_passes_whole_and_is_known_by_what_it_carries(engine: Engine, tmp_path: Path) -> None:
    below = "{Ether: {dst: s}}, {Dot1Q: {vlan: 5}}, {IP: {src: c, dst: s}}"
    tagged = f"{{send_packet: [{below}, {{UDP: {{sport: 1, dport: 9}}}},"
    steps = f"""
  - {{fault: drop, from: c, where: len > 60000}}
  - {{fault: drop, from: c, where: UDP, nth: 2}}
  - c: {tagged} {{data: whole}}]}}
  - c: {tagged} {{data: lost}}]}}
"""
    expect = """
  - flow: udp c s
    packets: |
      c -> s  UDP  "whole"
      c -x s  UDP  "lost"
"""
    played = play(engine, tmp_path, steps, expect)
    assert passed(played)
    [copy] = [
        one for one in evidence.load(played.folder).packets if one.direction == "in" and b"whole" in one.data
    ]
    assert copy.data[12:18] == bytes.fromhex("810000050800")


def test_without_from_hosts_that_are_named_send_to_each_other_as_well(engine: Engine, tmp_path: Path) -> None:
    played = play(
        engine, tmp_path, "  - {fault: drop, to: [s, c], where: UDP}\n  - c: {send: x, data: one}\n"
    )
    assert passed(played)
    assert stories(played) == [("one", 0, ("dropped",))]


def test_a_mended_first_fragment_is_still_part_of_its_datagram(engine: Engine, tmp_path: Path) -> None:
    steps = """
  - {fault: corrupt, from: c, where: IPv6 and len > 1000, nth: 1, at: 21, mend: true}
  - c: {send: x, data: {repeat: y, times: 2000}}
  - s: {recv: u, size: 3000, gives: {repeat: y, times: 2000}, takes: ..2s}
"""
    assert passed(play(engine, tmp_path, steps))


def test_a_partition_that_changes_while_a_broadcast_is_on_its_way_is_no_verdict(
    engine: Engine, tmp_path: Path
) -> None:
    text = """
name: a partition and a broadcast
hosts: [a, b, c]
steps:
  - a: {socket: x, type: SOCK_DGRAM}
  - a: {setsockopt: x, option: SO_BROADCAST, value: 1}
  - {fault: partition, from: a, to: b, as: split}
  - {fault: delay, from: a, where: UDP, by: 30ms}
  - a: {sendto: x, data: one, to: "255.255.255.255:9000"}
  - {heal: split}
expect:
  - count: {flow: tcp, is: 0}
"""
    played = play_text(text, tmp_path, engine.name)
    assert played.judgement.verdict == "unknown"
    assert "changed while it was on its way" in str(played.judgement)


def test_a_partition_of_all_hosts_from_nobody_is_refused(engine: Engine, tmp_path: Path) -> None:
    played = play(engine, tmp_path, "  - {fault: partition, from: [s, c]}\n")
    assert "nobody left for the other one" in played.reason
