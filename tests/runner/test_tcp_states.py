"""TCP states from packets and calls: the table of RFC 9293, row by row, and what contradicts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import Blind
from runner.evidence import Evidence
from runner.tcp_states import Change, states_of
from tests import frames
from tests.playing import play_text
from tests.recorded import Connection, Recorded

SHUT_WR = {"constant": "SHUT_WR"}


def begun() -> tuple[Recorded, Connection]:
    """A connection that is open, with its sockets c and conn."""
    run = Recorded(["client", "server"])
    return run, run.connection("client", "server", 40000, 80).made_by("c", "conn")


def names(seen: Evidence, socket: str) -> list[str]:
    return [change.state for change in states_of(seen, socket)]


def test_a_whole_life_closed_in_four_packets_and_in_three(tmp_path: Path) -> None:
    for packets in (3, 4):
        run, connection = begun()
        connection.send("client", b"hello").close("client", packets)
        seen = run.evidence(tmp_path / str(packets))
        assert names(seen, "listener") == ["LISTEN"]
        assert names(seen, "c") == ["SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"]
        assert names(seen, "conn") == ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]


def test_each_change_has_its_time_and_its_packet_on_that_host(tmp_path: Path) -> None:
    run, _ = begun()
    seen = run.evidence(tmp_path)
    sent, answered = states_of(seen, "c")
    assert sent == Change("SYN_SENT", seen.packets[0].time_ns, 1)
    assert (answered.state, answered.packet) == ("ESTABLISHED", 4)
    assert seen.packets[3].host == "client"
    assert seen.packets[3].direction == "in"
    [listening] = states_of(seen, "listener")
    assert (listening.time_ns, listening.packet) == (seen.calls("listener")[2].ended_ns, None)


def test_a_half_close(tmp_path: Path) -> None:
    run, connection = begun()
    connection.segment("client", "FA").segment("server", "A").send("server", b"more")
    seen = run.evidence(tmp_path)
    assert names(seen, "c")[2:] == ["FIN_WAIT1", "FIN_WAIT2"]
    assert names(seen, "conn")[2:] == ["CLOSE_WAIT"]


def test_both_close_at_once(tmp_path: Path) -> None:
    run, connection = begun()
    client, server = connection.next["client"], connection.next["server"]
    data = frames.tcp("10.0.0.1", "10.0.0.2", 40000, 80, "FA", client, server)
    other = frames.tcp("10.0.0.2", "10.0.0.1", 80, 40000, "FA", server, client)
    packets = [
        run.packet("client", "server", 6, data, lost=True),
        run.packet("server", "client", 6, other, lost=True),
    ]
    for host, packet in zip(("server", "client"), packets, strict=True):
        run.arrive(host, packet, [run.tick()])
    connection.next = {"client": client + 1, "server": server + 1}
    connection.segment("client", "A").segment("server", "A")
    seen = run.evidence(tmp_path)
    assert names(seen, "c")[2:] == names(seen, "conn")[2:] == ["FIN_WAIT1", "CLOSING", "TIME_WAIT"]


def test_both_open_at_once(tmp_path: Path) -> None:
    run = Recorded(["a", "b"])
    for host, near, far in (
        ("a", ["10.0.0.1", 1000], ["10.0.0.2", 2000]),
        ("b", ["10.0.0.2", 2000], ["10.0.0.1", 1000]),
    ):
        run.call(host, f"at_{host}", "socket", local=near, peer=far)
    connection = run.connection("a", "b", 1000, 2000)
    first = frames.tcp("10.0.0.1", "10.0.0.2", 1000, 2000, "S", connection.next["a"])
    other = frames.tcp("10.0.0.2", "10.0.0.1", 2000, 1000, "S", connection.next["b"])
    packets = [run.packet("a", "b", 6, first, lost=True), run.packet("b", "a", 6, other, lost=True)]
    for host, packet in zip(("b", "a"), packets, strict=True):
        run.arrive(host, packet, [run.tick()])
    a, b = connection.next["a"], connection.next["b"]
    connection.next = {"a": a + 1, "b": b + 1}
    connection.segment("a", "SA", seq=a).segment("b", "SA", seq=b).segment("a", "A").segment("b", "A")
    seen = run.evidence(tmp_path)
    assert names(seen, "at_a") == names(seen, "at_b") == ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]


def test_a_refused_connect_and_a_second_try(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.call("client", "c", "socket", local=["0.0.0.0", 0])
    failure = {"type": "ConnectionRefusedError", "errno": "ECONNREFUSED", "text": ""}
    began_ns = run.tick()
    run.connection("client", "server", 40000, 80).segment("client", "S").segment("server", "RA")
    run.call("client", "c", "connect", ["10.0.0.2", 80], local=["0.0.0.0", 0], failure=failure,
             began_ns=began_ns, ended_ns=run.tick())  # fmt: skip
    run.connection("client", "server", 40001, 80).open()
    run.call("client", "c", "connect", ["10.0.0.2", 80], local=["10.0.0.1", 40001], peer=["10.0.0.2", 80])
    assert names(run.evidence(tmp_path), "c") == ["SYN_SENT", "CLOSE", "SYN_SENT", "ESTABLISHED"]


@pytest.mark.parametrize(
    ("failed", "states"),
    [
        ("EHOSTUNREACH", ["SYN_SENT", "CLOSE"]),  # nobody answered the ARP requests
        ("ENETUNREACH", []),  # no route: the kernel never began
        ("EADDRNOTAVAIL", []),
        (None, ["SYN_SENT"]),  # settimeout: the kernel goes on
    ],
)
def test_connects_without_a_packet(tmp_path: Path, failed: str | None, states: list[str]) -> None:
    run = Recorded(["client", "server"])
    run.call("client", "c", "socket", local=["0.0.0.0", 0])
    failure = {"type": "OSError", "errno": failed, "text": ""}
    run.call("client", "c", "connect", ["10.0.0.9", 80], local=["0.0.0.0", 0], failure=failure)
    assert names(run.evidence(tmp_path), "c") == states


def test_resets(tmp_path: Path) -> None:
    run, connection = begun()
    connection.segment("client", "RA")
    seen = run.evidence(tmp_path)
    assert names(seen, "c")[-1] == names(seen, "conn")[-1] == "CLOSE"


def test_a_forged_reset_needs_the_exact_number(tmp_path: Path) -> None:
    run, connection = begun()
    connection.segment("server", "RA", seq=connection.next["server"] + 100)
    run.records.append(run.call("client", "c", "getpeername"))
    assert names(run.evidence(tmp_path / "a"), "c")[-1] == "ESTABLISHED"
    connection.segment("server", "RA", seq=connection.next["server"])
    assert names(run.evidence(tmp_path / "b"), "c")[-1] == "CLOSE"


def test_a_fin_that_overtook_data_counts_when_the_data_has_come(tmp_path: Path) -> None:
    run, connection = begun()
    begin = connection.next["client"]
    connection.segment("client", "PA", b"data", lost=True).segment("client", "FA").segment(
        "server", "A", seq=5001
    )
    assert names(run.evidence(tmp_path / "a"), "conn")[-1] == "ESTABLISHED"
    connection.segment("client", "PA", b"data", seq=begin)
    seen = run.evidence(tmp_path / "b")
    assert names(seen, "conn")[-1] == "CLOSE_WAIT"
    assert states_of(seen, "conn")[-1].packet == seen.packets[-1].number


def test_a_segment_with_a_wrong_checksum_does_nothing(tmp_path: Path) -> None:
    run, connection = begun()
    data = frames.tcp(
        "10.0.0.1", "10.0.0.2", 40000, 80, "FA", connection.next["client"], connection.next["server"]
    )
    run.packet("client", "server", 6, data[:16] + b"\0\1" + data[18:])
    seen = run.evidence(tmp_path)
    assert names(seen, "conn")[-1] == "ESTABLISHED"
    assert names(seen, "c")[-1] == "FIN_WAIT1"


def test_a_fin_that_waits_behind_data_that_cannot_be_sent(tmp_path: Path) -> None:
    """A close with a full window: the kernel is in FIN_WAIT1 at once, the FIN follows later."""
    run, connection = begun()
    run.call("client", "c", "shutdown", SHUT_WR)
    seen = run.evidence(tmp_path / "a")
    assert states_of(seen, "c")[-1][0] == "FIN_WAIT1"
    assert states_of(seen, "c")[-1].packet is None
    connection.segment("client", "FA").segment("server", "A")
    assert names(run.evidence(tmp_path / "b"), "c")[-2:] == ["FIN_WAIT1", "FIN_WAIT2"]


def test_a_socket_that_a_file_keeps_open_is_not_closed(tmp_path: Path) -> None:
    run, _ = begun()
    run.call("client", "c", "makefile", made="f")
    run.call("client", "c", "close")
    assert names(run.evidence(tmp_path), "c")[-1] == "ESTABLISHED"


def test_giving_up(tmp_path: Path) -> None:
    run, connection = begun()
    connection.segment("client", "PA", b"anybody", lost=True)
    run.call("client", "c", "recv", 9, failure={"type": "TimeoutError", "errno": None, "text": "timed out"})
    assert names(run.evidence(tmp_path / "a"), "c")[-1] == "ESTABLISHED"
    run.call("client", "c", "recv", 9, failure={"type": "TimeoutError", "errno": "ETIMEDOUT", "text": ""})
    assert names(run.evidence(tmp_path / "b"), "c")[-1] == "CLOSE"


def test_closing_what_was_never_connected(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.call("client", "c", "socket", local=["0.0.0.0", 0])
    run.call("client", "c", "close")
    run.call("server", "listener", "socket", local=["0.0.0.0", 0])
    run.call("server", "listener", "listen", 1, local=["0.0.0.0", 80])
    run.call("server", "listener", "close")
    seen = run.evidence(tmp_path)
    assert names(seen, "c") == []
    assert names(seen, "listener") == ["LISTEN", "CLOSE"]


def test_an_earlier_connection_on_the_same_ports_is_not_its_own(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 80).open().close("client")
    again = run.connection("client", "server", 40000, 80)
    again.next = {"client": 900_000, "server": 800_000}
    again.made_by("c", "conn")
    seen = run.evidence(tmp_path)
    assert names(seen, "conn") == ["SYN_RECV", "ESTABLISHED"]
    assert states_of(seen, "conn")[0].packet == 14


# --- what the kernel says -------------------------------------------------------------------------


def test_a_reading_that_agrees(tmp_path: Path) -> None:
    run, connection = begun()
    run.state("client", "c", "ESTABLISHED")
    run.tick(30_000_000)
    connection.close("client")
    run.state("client", "c", "FIN_WAIT2")  # a moment ago
    run.tick(30_000_000)
    run.state("client", "c", "TIME_WAIT")
    run.state("server", "conn", "gone")
    run.state("server", "listener", "LISTEN")
    assert names(run.evidence(tmp_path), "c")[-1] == "TIME_WAIT"
    assert names(run.evidence(tmp_path), "conn")[-1] == "CLOSE"


@pytest.mark.parametrize("said", ["CLOSE_WAIT", "SYN_SENT", "gone", "CLOSE"])
def test_a_reading_that_disagrees_makes_blind(tmp_path: Path, said: str) -> None:
    run, _ = begun()
    run.tick(30_000_000)
    run.state("client", "c", said)
    with pytest.raises(
        Blind, match=f"the kernel said that c was {said}, its packets and calls say ESTABLISHED"
    ):
        states_of(run.evidence(tmp_path), "c")


def test_before_anything_happened_the_kernel_says_close(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.call("client", "c", "socket", local=["0.0.0.0", 0])
    run.state("client", "c", "CLOSE")
    assert names(run.evidence(tmp_path), "c") == []


def test_what_cannot_be_told_makes_blind(tmp_path: Path) -> None:
    run, _ = begun()
    run.call("client", "u", "socket", type="SOCK_DGRAM", local=["0.0.0.0", 0])
    seen = run.evidence(tmp_path)
    with pytest.raises(Blind, match="u is no TCP socket"):
        states_of(seen, "u")
    with pytest.raises(Blind, match="no call made a socket x"):
        states_of(seen, "x")
    with pytest.raises(Blind, match="dropped 3 packets"):
        states_of(run.evidence(tmp_path, drops={"client": 3}), "c")


CROSSED = """\
name: both open at once, as figure 8 of RFC 9293 has it
hosts: {client: {}, mallory: {scripted: true}}
steps:
  - client: {socket: c, type: SOCK_STREAM}
  - client: {bind: c, to: ":5555"}
  - client: {connect: c, to: "mallory:80", blocks: true, as: connecting}
  - mallory: {sniff_packet: TCP.flags = S, as: syn}
  - mallory: {send_packet: [{IP: {dst: client}}, {TCP: {sport: 80, dport: 5555, flags: S, seq: 7000}}]}
  - mallory: {send_packet: [{IP: {dst: client}}, {TCP: {sport: 80, dport: 5555, flags: SA, seq: 7000,
      ack: $syn.TCP.seq+1}}]}
  - client: {returns: connecting}
expect:
  - states: {c: [SYN_SENT, SYN_RECV, ESTABLISHED]}
"""
FINS = """\
name: a FIN that is out of the window, and the right one
hosts: {server: {}, mallory: {scripted: true}}
steps:
  - server: {socket: l, type: SOCK_STREAM}
  - server: {bind: l, to: ":80"}
  - server: {listen: l, backlog: 5}
  - mallory: {send_packet: [{IP: {dst: server}}, {TCP: {sport: 4000, dport: 80, flags: S, seq: 1000}}]}
  - mallory: {sniff_packet: TCP.flags = SA, as: sa}
  - mallory: {send_packet: [{IP: {dst: server}}, {TCP: {sport: 4000, dport: 80, flags: A, seq: 1001,
      ack: $sa.TCP.seq+1}}]}
  - server: {accept: l, as: conn}
  - mallory: {send_packet: [{IP: {dst: server}}, {TCP: {sport: 4000, dport: 80, flags: FA, seq: SEQ,
      ack: $sa.TCP.seq+1}}]}
  - mallory: {send_packet: [{IP: {dst: server}}, {TCP: {sport: 4000, dport: 80, flags: FA, seq: 1001,
      ack: $sa.TCP.seq+1}}]}
  - server: {recv: conn, size: 9, gives: ''}
expect:
  - states: {conn: [SYN_RECV, ESTABLISHED, CLOSE_WAIT]}
"""


@pytest.mark.parametrize(
    "scenario",
    [CROSSED, FINS.replace("SEQ", "500001001"), FINS.replace("SEQ", "1005")],
    ids=["crossed", "fin out of the window", "fin in it"],
)
def test_as_a_kernel_does(scenario: str, tmp_path: Path) -> None:
    played = play_text(scenario, tmp_path)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)
