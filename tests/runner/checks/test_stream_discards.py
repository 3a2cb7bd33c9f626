"""What a kernel throws away is no part of a stream: segments by hand, against a real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import streams
from runner.checks.stream import Stream
from runner.errors import Blind
from tests.playing import play_text
from tests.recorded import Recorded
from tests.runner.checks.echoes import examine

_STAMPED = "options: [[NOP], [NOP], [Timestamp, {}, 0]]"
NEXT, FRESH = "seq: 1001, ack: $sa.TCP.seq+1", _STAMPED.format(1002)
BY_HAND = """\
name: thrown away
hosts: {{server: {{}}, mallory: {{scripted: true}}}}
steps:
  - server: {{socket: l, type: SOCK_STREAM}}
  - server: {{bind: l, to: ":80"}}
  - server: {{listen: l, backlog: 5}}
  - mallory: {{send_packet: [{{IP: {{dst: server}}}}, {{TCP: {{sport: 4000, dport: 80, flags: S, seq: 1000,
      options: [[MSS, 1460], [SAckOK, ""], [Timestamp, 1000, 0]]}}}}]}}
  - mallory: {{sniff_packet: TCP.flags = SA, as: sa}}
  - mallory: {{send_packet: [{{IP: {{dst: server}}}}, {{TCP: {{sport: 4000, dport: 80, flags: A,
      seq: 1001, ack: $sa.TCP.seq+1, options: [[NOP], [NOP], [Timestamp, 1001, 0]]}}}}]}}
  - server: {{accept: l, as: conn}}
  - mallory: {{send_packet: [{{IP: {{dst: server, {ip}}}}}, {{TCP: {{sport: 4000, dport: 80, {tcp}}}}},
      {{data: {data}}}]}}
  - mallory: {{send_packet: [{{IP: {{dst: server}}}}, {{TCP: {{sport: 4000, dport: 80, flags: PA,
      seq: 1001, ack: $sa.TCP.seq+1, options: [[NOP], [NOP], [Timestamp, 1003, 0]]}}}}, {{data: good}}]}}
  - server: {{recv: conn, size: 9, gives: {gives}}}
expect:
  - stream: {{to: conn, is: {gives}}}
  - states: {{conn: [SYN_RECV, ESTABLISHED]}}
"""


def played(folder: Path, tcp: str, *, ip: str = "ttl: 64", data: str = "evil", gives: str = "good") -> str:
    """The verdict of a connection into which a segment with that header comes before the right one."""
    run = play_text(BY_HAND.format(tcp=tcp, ip=ip, data=data, gives=gives), folder)
    assert not run.steps("failed"), run.reason
    return run.judgement.verdict


@pytest.mark.parametrize(
    "tcp",
    [
        f"flags: PA, {NEXT}, chksum: 0x1111, {FRESH}",
        f"flags: P, seq: 1001, {FRESH}",
        f"flags: SPA, {NEXT}, {FRESH}",
        f"flags: S, seq: 1001, {FRESH}",
        f"flags: PA, seq: 1001, ack: $sa.TCP.seq+100001, {FRESH}",
        f"flags: PA, seq: 1001, ack: $sa.TCP.seq+3000000000, {FRESH}",
        f"flags: PA, {NEXT}, {_STAMPED.format(900)}",
        f"flags: PA, seq: 500001001, ack: $sa.TCP.seq+1, {FRESH}",
    ],
)
def test_what_a_kernel_throws_away_is_no_part_of_the_stream(tcp: str, tmp_path: Path) -> None:
    assert played(tmp_path, tcp) == "pass"


def test_nor_is_what_has_a_damaged_ip_header(tmp_path: Path) -> None:
    assert played(tmp_path, f"flags: PA, {NEXT}, {FRESH}", ip="chksum: 0x1111") == "pass"


@pytest.mark.parametrize(
    "tcp",
    [f"flags: PA, {NEXT}, {FRESH}", f"flags: PA, {NEXT}", f"flags: PA, {NEXT}, {_STAMPED.format(1000)}"],
)
def test_what_it_takes_is(tcp: str, tmp_path: Path) -> None:
    """A segment without a timestamp is taken too (RFC 7323 section 3.2 lets it), and one that is older by one."""
    assert played(tmp_path, tcp, gives="evil") == "pass"


@pytest.mark.parametrize(
    "tcp",
    [
        f"flags: FA, {NEXT}, {_STAMPED.format(900)}",
        f"flags: FA, seq: 500001001, ack: $sa.TCP.seq+1, {FRESH}",
        f"flags: F, seq: 1001, {FRESH}",
        f"flags: R, seq: 1001, chksum: 0x1111, {FRESH}",
        f"flags: R, seq: 1005, {FRESH}",
    ],
)
def test_nor_does_it_change_a_state(tcp: str, tmp_path: Path) -> None:
    assert played(tmp_path, tcp, data='""') == "pass"


@pytest.mark.parametrize("flags", ["R", "FA"])
def test_nor_does_what_has_a_damaged_ip_header(flags: str, tmp_path: Path) -> None:
    assert played(tmp_path, f"flags: {flags}, {NEXT}, {FRESH}", ip="chksum: 0x1111", data='""') == "pass"


SYN_DATA = """\
name: data on a SYN
hosts: {server: {}, mallory: {scripted: true}}
steps:
  - server: {socket: l, type: SOCK_STREAM}
  - server: {bind: l, to: ":80"}
  - server: {listen: l, backlog: 5}
  - mallory: {send_packet: [{IP: {dst: server}}, {TCP: {sport: 4000, dport: 80, flags: S, seq: 1000}}, {data: early}]}
  - mallory: {sniff_packet: TCP.flags = SA and TCP.ack = 1001, as: sa}
  - mallory: {send_packet: [{IP: {dst: server}}, {TCP: {sport: 4000, dport: 80, flags: PA, seq: 1001,
      ack: $sa.TCP.seq+1}}, {data: LATER}]}
  - server: {accept: l, as: conn}
  - server: {recv: conn, size: 9, gives: LATER}
expect:
  - stream: {to: conn, is: LATER}
"""


def test_data_on_a_syn_that_nobody_acknowledged(tmp_path: Path) -> None:
    run = play_text(SYN_DATA, tmp_path)
    assert run.judgement.verdict == "pass", run.judgement


def both(ack: int) -> Recorded:
    """Two segments of the same bytes; the first acknowledges what it should not."""
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).made_by("c", "conn")
    begin = connection.next["client"]
    connection.segment("client", "PA", b"evil", seq=begin, ack=ack).segment(
        "client", "PA", b"good", seq=begin
    )
    run.call("server", "conn", "recv", value={"bytes": "good"})
    return run


def test_where_kernels_differ_nothing_is_known(tmp_path: Path) -> None:
    """Before RFC 5961's limit became that of Linux 6.7, old acknowledgements were taken from a window before."""
    run = both(ack=4_900)
    wire = streams.wire_to(run.evidence(tmp_path / "seen"), "conn")
    assert wire.data == b"evil"
    assert wire.doubt.startswith("packet ")
    with pytest.raises(Blind, match="before the first"):
        examine(Stream, {"stream": {"to": "conn", "is": "good"}}, run, tmp_path / "run")


def test_what_was_never_sent_cannot_be_acknowledged(tmp_path: Path) -> None:
    (found,) = examine(Stream, {"stream": {"to": "conn", "is": "good"}}, both(ack=5_002), tmp_path / "run")
    assert found.verdict == "pass"


def test_a_syn_that_nobody_answers_begins_nothing(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).made_by("c", "conn").send("client", b"one")
    connection.segment("client", "S", seq=900_000).send("client", b"two")
    assert streams.wire_to(run.evidence(tmp_path / "run"), "conn").data == b"onetwo"


def test_a_new_connection_follows_the_one_before(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).made_by("c", "conn").send("client", b"one")
    connection.next = {"client": 900_000, "server": 800_000}
    connection.open().send("client", b"two").send("server", b"back")
    seen = run.evidence(tmp_path / "run")
    assert streams.wire_to(seen, "conn").data == b"onetwo"
    assert streams.wire_to(seen, "c").data == b"back"
