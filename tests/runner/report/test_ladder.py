"""The picture of a run, drawn from runs that were made by hand."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from runner.evidence import Evidence
from runner.report import ladder, timeline
from runner.report.paper import ASCII, UNICODE, Marks, Paper
from runner.report.rows import PLAIN, Details
from runner.report.text import width
from tests.recorded import MICROSECOND, Recorded


def drawn(
    seen: Evidence,
    columns: int = 80,
    marks: Marks = UNICODE,
    limit: int | None = None,
    details: Details = PLAIN,
) -> list[str]:
    """The lines of the picture."""
    page = Paper(io.StringIO(), columns, marks=marks)
    return list(ladder.draw(timeline.of(seen, limit=limit, states=details.states), page, details))


def echo() -> Recorded:
    """A connection, one message, its end."""
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 8888).made_by("c", "conn")
    began_ns = run.tick()
    connection.segment("client", "PA", b"hello lab")
    run.call("client", "c", "sendall", {"bytes": "hello lab"}, began_ns=began_ns, ended_ns=run.now_ns + 1)
    connection.segment("server", "A")
    run.call("server", "conn", "recv", 1024, value={"bytes": "hello lab"})
    connection.close("client")
    return run


def row_with(lines: list[str], *words: str) -> str:
    """The only line that has all these words."""
    (found,) = (line for line in lines if all(word in line for word in words))
    return found


@pytest.mark.parametrize("columns", [60, 80, 120, 160])
def test_two_hosts_are_columns_and_nothing_is_too_wide(tmp_path: Path, columns: int) -> None:
    lines = drawn(echo().evidence(tmp_path), columns)
    assert lines[0].split() == ["ms", "client", "server"]
    assert all(width(line) <= columns for line in lines)
    assert max(map(width, lines)) > columns * 0.6


def test_packets_are_arrows_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    lines = drawn(echo().evidence(tmp_path), 120)
    labels = [found[1] for line in lines if (found := re.search(r"─+ (.*) ─", line))]
    assert labels == [
        "SYN", "SYN,ACK", "ACK", 'PSH,ACK "hello lab"', "ACK", "FIN,ACK", "FIN,ACK", "ACK",
    ]  # fmt: skip
    assert "▶│" in row_with(lines, "PSH,ACK") and "┊◀" in row_with(lines, "SYN,ACK")


def test_a_call_stands_beside_the_packet_it_sent(tmp_path: Path) -> None:
    lines = drawn(echo().evidence(tmp_path), 120)
    assert 'c.sendall("hello lab")' in row_with(lines, "PSH,ACK")
    assert "c.connect(server:8888)" in next(line for line in lines if " SYN " in line)


def test_calls_stand_at_their_hosts_side_with_what_they_came_to(tmp_path: Path) -> None:
    lines = drawn(echo().evidence(tmp_path), 120)
    received = row_with(lines, "conn.recv(1024)")
    assert received.endswith('│ conn.recv(1024) = "hello lab"')
    assert "│" not in row_with(lines, "c.socket()").partition("c.socket()")[0]


def test_what_a_call_came_to_is_kept_when_its_arguments_do_not_fit(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"a long payload that takes all the room there is")
    run.call("server", "conn", "recvfrom", 65535, value={"bytes": "x" * 30})
    run.call(
        "client",
        "c",
        "connect",
        [run.ip("server"), 9],
        failure={"type": "E", "errno": "ECONNREFUSED", "text": ""},
    )
    lines = drawn(run.evidence(tmp_path), 80)
    assert "ECONNREF" in row_with(lines, "connect")


def test_a_blocked_call_dots_its_line_and_returns_on_one_of_its_own(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    began_ns = run.tick()
    run.udp("client", "server", 5000, 53, b"wake up")
    ended_ns = run.tick()
    asleep_ns = began_ns + MICROSECOND
    run.call("server", "s", "recv", 100, began_ns=began_ns, ended_ns=ended_ns, asleep_ns=asleep_ns,
             value={"bytes": "wake up"})  # fmt: skip
    lines = drawn(run.evidence(tmp_path))
    assert "┊ s.recv(100)" in lines[1] and "=" not in lines[1]
    assert "┊" in row_with(lines, "UDP")
    assert '│ └ recv = "wake up"' in lines[3]


def test_a_call_that_never_returned_says_so(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.call("server", "s", "accept", ended_ns=None)
    assert "never returned" in drawn(run.evidence(tmp_path))[1]


def test_a_lost_packet_ends_before_the_other_host(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"gone", lost=True)
    line = drawn(run.evidence(tmp_path))[1]
    assert "x│" in line and "▶" not in line


def test_a_doubled_packet_says_how_often_it_arrived(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    data = run.udp("client", "server", 5000, 53, b"twice")
    run.arrive("server", data, [run.now_ns + 70 * MICROSECOND])
    assert "(arrived 2 times)" in drawn(run.evidence(tmp_path), 120)[1]


def test_what_became_of_a_packet_stays_where_its_payload_has_no_room(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    data = run.udp("client", "server", 5000, 53, b"a payload that is far too long for eighty columns")
    run.arrive("server", data, [run.now_ns + 70 * MICROSECOND])
    line = drawn(run.evidence(tmp_path), 60)[1]
    assert "… (arrived 2 times)" in line and width(line) <= 60


@pytest.mark.parametrize(("columns", "rows"), [(66, 2), (80, 2), (160, 1)])
def test_long_names_of_hosts_do_not_run_into_each_other(tmp_path: Path, columns: int, rows: int) -> None:
    names = [f"fd00:1::aaaa:bbbb:{number}" for number in range(4)]
    run = Recorded(names)
    run.call(names[3], "s", "listen", 5)
    lines = drawn(run.evidence(tmp_path), columns)
    heads = lines[:-1]
    assert len(heads) == rows, heads
    assert sorted(word for line in heads for word in line.split() if ":" in word) == names
    assert all(width(line) <= columns for line in lines)
    body = [number for number, mark in enumerate(lines[-1]) if mark == "│"]
    for line in heads[1:]:
        assert {number for number, mark in enumerate(line) if mark == "│"} <= set(body)


def test_without_columns_ends_stand_beneath_each_other(tmp_path: Path) -> None:
    names = [f"host{'x' * number}" for number in range(6)]
    run = Recorded(names)
    for one in names[1:]:
        run.udp(names[0], one, 5000, 53, b"x")
    lines = drawn(run.evidence(tmp_path), 80)[1:]
    assert len({line.index("▶") for line in lines}) == len({line.index("UDP") for line in lines}) == 1


def test_a_hostile_payload_is_escaped(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"\x1b[2J\r\n\xe2\x80\xae")
    run.call("client", "c", "send", {"base64": "G1syShtdMDsH4oCu"})
    written = "\n".join(drawn(run.evidence(tmp_path), 160))
    assert written.replace("\n", "").isprintable()
    assert "\\x1b[2J" in written


def test_arrows_of_three_hosts_span_the_columns_between(tmp_path: Path) -> None:
    run = Recorded(["client", "gate", "server"])
    run.udp("client", "server", 5000, 53, b"far")
    run.udp("client", "gate", 5000, 53, b"near")
    run.call("gate", "g", "recv", 10, value={"bytes": "near"})
    lines = drawn(run.evidence(tmp_path), 100)
    assert lines[0].split() == ["ms", "client", "gate", "server"]
    assert lines[1].rstrip().endswith("▶│") and "UDP" in lines[1]
    assert lines[2].count("│") == 3 and "▶│" in lines[2] and not lines[2].endswith("▶│")
    assert '│ g.recv(10) = "near"' in lines[3]


def test_a_broadcast_has_a_head_at_each_host_that_got_it(tmp_path: Path) -> None:
    run = Recorded(["one", "two", "three"])
    data = (
        bytes.fromhex("ffffffffffff")
        + bytes.fromhex(run.end("two").mac.replace(":", ""))
        + b"\x88\xb5"
        + b"x" * 50
    )
    run.frame("two", data, ["one", "three"])
    line = drawn(run.evidence(tmp_path), 100)[1]
    assert "│◀" in line and "▶│" in line


def test_too_many_hosts_become_a_list(tmp_path: Path) -> None:
    names = [f"host{number}" for number in range(9)]
    run = Recorded(names)
    run.udp("host0", "host8", 5000, 53, b"far")
    lines = drawn(run.evidence(tmp_path), 80)
    assert 'host0 ─▶ host8  UDP "far"' in lines[1]


def test_ascii_where_there_is_no_more(tmp_path: Path) -> None:
    stream = io.StringIO()
    Paper(stream, 80, marks=ASCII).lines(drawn(echo().evidence(tmp_path), 80, ASCII))
    assert stream.getvalue().isascii()


def test_a_long_run_is_folded_and_says_how_much(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for number in range(50):
        run.udp("client", "server", 5000, 53, str(number).encode())
    seen = run.evidence(tmp_path)
    lines = drawn(seen, limit=12)
    assert len(lines) == 1 + 12 + 1
    assert "38 more calls and packets" in lines[9]
    assert len(drawn(seen)) == 51


def test_states_that_were_read_stand_at_their_hosts_side(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"x")
    run.state("client", "c", "TIME_WAIT")
    assert "c is TIME_WAIT │" in drawn(run.evidence(tmp_path))[2]


def test_nothing_at_all(tmp_path: Path) -> None:
    assert "nothing happened" in drawn(Recorded(["a", "b"]).evidence(tmp_path))[0]


def test_housekeeping_is_left_out_and_counted(tmp_path: Path) -> None:
    from tests import frames

    run = Recorded(["client", "server"])
    report = frames.ipv6("fe80::1", "ff02::16", 58, b"\x8f\0\0\0\0\0\0\0")
    run.frame("client", frames.ethernet(run.end("client").mac, "33:33:00:00:00:16", 0x86DD, report))
    run.udp("client", "server", 5000, 53, b"x")
    made = timeline.of(run.evidence(tmp_path))
    assert (made.hidden, len(made.moments)) == (1, 1)


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_calls_may_be_written_in_c(tmp_path: Path, columns: int) -> None:
    lines = drawn(echo().evidence(tmp_path), columns, details=Details(in_c=True))
    assert all(width(line) <= columns for line in lines)
    assert "= 9" in row_with(lines, "send", "PSH,ACK")
    assert any("└ connect" in line for line in lines)
    if columns == 160:
        row_with(lines, 'connect(c, {AF_INET, "10.0.0.2", 8888}, 16)')
        row_with(lines, 'recv(conn, "hello lab", 1024, 0) = 9')


def test_states_stand_beside_the_packets_that_made_them(tmp_path: Path) -> None:
    lines = drawn(echo().evidence(tmp_path), 120, details=Details(states=True))
    assert "● c ESTABLISHED" in row_with(lines, " SYN,ACK ")
    assert "● conn SYN_RECV" in row_with(lines, " SYN ")
    told = [found[1] for line in lines for found in re.finditer(r"● (\w+ \w+)", line)]
    assert [one for one in told if one.startswith("c ")] == [
        "c SYN_SENT", "c ESTABLISHED", "c FIN_WAIT1", "c FIN_WAIT2", "c TIME_WAIT",
    ]  # fmt: skip
    assert "● " not in "".join(drawn(echo().evidence(tmp_path / "plain"), 120))


def test_states_need_no_character_that_ascii_lacks(tmp_path: Path) -> None:
    lines = drawn(
        echo().evidence(tmp_path), 120, ASCII, details=Details(in_c=True, states=True, payloads=True)
    )
    assert "* c ESTABLISHED" in row_with(lines, " SYN,ACK ")


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_payloads_stand_under_their_arrows(tmp_path: Path, columns: int) -> None:
    lines = drawn(echo().evidence(tmp_path), columns, details=Details(payloads=True))
    (place,) = (number for number, line in enumerate(lines) if "PSH,ACK" in line)
    assert "0000  68 65 6c 6c" in lines[place + 1]
    assert lines[place + 1].index("0000") > lines[place].index("◀" if "◀" in lines[place] else "│")
    assert sum("0000  " in line for line in lines) == 1
    assert all(width(line) <= columns for line in lines)


def test_of_a_long_payload_only_the_beginning_is_shown(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, bytes(1000))
    few = drawn(run.evidence(tmp_path), 160, details=Details(payloads=True))
    assert any("... 936 more bytes" in line for line in few)
    whole = drawn(run.evidence(tmp_path / "w"), 160, details=Details(payloads=True, payload_limit=None))
    assert sum("00 00 00 00" in line for line in whole) == 32  # of 32 bytes each


def test_details_are_kept_where_there_are_too_many_hosts_for_columns(tmp_path: Path) -> None:
    run = Recorded([f"host{number}" for number in range(12)])
    run.udp("host0", "host1", 5000, 53, b"hello")
    lines = drawn(run.evidence(tmp_path), 80, details=Details(in_c=True, states=True, payloads=True))
    row_with(lines, "0000  68 65 6c 6c 6f  hello")


def test_states_that_cannot_be_told_are_said(tmp_path: Path) -> None:
    drawn_states = timeline.of(echo().evidence(tmp_path, drops={"client": 3}), states=True)
    assert [one.partition(":")[0] for one in drawn_states.untold] == ["the states of c cannot be told"]
    assert any(isinstance(one, timeline.Entered) and one.socket == "conn" for one in drawn_states.moments)
