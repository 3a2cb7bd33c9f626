"""Playbooks of the steps that make sockets, join them and end them."""

from __future__ import annotations

from typing import Any

import pytest

from runner.commands import Call, Constant
from runner.errors import Unmet
from runner.reading import read_text
from tests.play import REFUSED, gave, play, raised, scope_of, socket, step_of, try_step

INET, STREAM = Constant("AF_INET"), Constant("SOCK_STREAM")


def test_socket_makes_a_socket_of_the_common_kind() -> None:
    asked = Call("client", "socket", (INET, STREAM), makes="c")
    assert play(step_of("{socket: c}"), scope_of(), (asked, gave({"object": "c"}))) is None


def test_socket_passes_what_is_said() -> None:
    step = step_of("{socket: r, family: AF_INET6, type: SOCK_RAW|SOCK_NONBLOCK, proto: IPPROTO_ICMPV6}")
    arguments = (Constant("AF_INET6"), Constant("SOCK_RAW|SOCK_NONBLOCK"), Constant("IPPROTO_ICMPV6"))
    play(step, scope_of(), (Call("client", "socket", arguments, makes="r"), gave({"object": "r"})))
    assert step.text() == "socket r family AF_INET6 type SOCK_RAW|SOCK_NONBLOCK proto IPPROTO_ICMPV6"


def test_a_socket_that_cannot_be_made() -> None:
    step = step_of("{socket: s, proto: IPPROTO_UDP, raises: EPROTONOSUPPORT}")
    asked = Call("client", "socket", (INET, STREAM, Constant("IPPROTO_UDP")), makes="s")
    play(step, scope_of(), (asked, raised("OSError", "EPROTONOSUPPORT")))
    with pytest.raises(Unmet, match="expected it to raise EPROTONOSUPPORT"):
        play(step, scope_of(), (asked, gave({"object": "s"})))


def test_socketpair_makes_two() -> None:
    asked = Call("client", "socketpair", (Constant("AF_UNIX"), STREAM, 0), makes="a,b")
    assert play(step_of("{socketpair: [a, b]}"), scope_of(), (asked, gave([{}, {}]))) is None


@pytest.mark.parametrize(
    ("to", "family", "kind", "argument"),
    [
        ("server:80", "AF_INET", "SOCK_STREAM", ("192.0.2.1", 80)),
        ("server:80", "AF_INET6", "SOCK_STREAM", ("2001:db8::1", 80)),
        ("[::ffff:192.0.2.1]:80", "AF_INET6", "SOCK_STREAM", ("::ffff:192.0.2.1", 80)),
        (":80", "AF_INET", "SOCK_STREAM", ("", 80)),
        ("localhost:80", "AF_INET", "SOCK_STREAM", ("localhost", 80)),
        ("203.0.113.9:80", "AF_INET", "SOCK_DGRAM", ("203.0.113.9", 80)),
        ("server", "AF_INET", "SOCK_RAW", ("192.0.2.1", 0)),
        ("/tmp/s", "AF_UNIX", "SOCK_STREAM", "/tmp/s"),
        ("s", "AF_UNIX", "SOCK_STREAM", "s"),
        ("@hidden", "AF_UNIX", "SOCK_STREAM", "\0hidden"),
    ],
)
def test_an_address_is_what_the_family_takes(to: str, family: str, kind: str, argument: Any) -> None:
    step = step_of(f'{{connect: c, to: "{to}", raises: {{any: [ECONNREFUSED]}}}}')
    asked = Call("client", "connect", (argument,), on="c")
    play(step, scope_of(socket("c", family=family, kind=kind)), (asked, REFUSED))


def test_an_address_of_another_family_is_a_list_of_its_parts() -> None:
    asked = Call("client", "bind", (("eth0", 0x0800),), on="p")
    play(step_of("{bind: p, to: [eth0, 0x0800]}"), scope_of(socket("p", family="AF_PACKET")), (asked, gave()))


def test_a_port_that_the_api_refuses_is_a_mistake_only_without_raises() -> None:
    document = read_text('{bind: c, to: ":65536"}', "f")
    assert try_step(document) is None
    assert "from 0 to 65535" in document.mistakes[0].message
    assert document.mistakes[0].column == 17
    step = step_of('{bind: c, to: ":65536", raises: OverflowError}')
    asked = Call("client", "bind", (("", 65536),), on="c")
    play(step, scope_of(socket("c")), (asked, raised("OverflowError", None, "bind(): port must be 0-65535.")))


def test_success_is_expected_where_nothing_is_said() -> None:
    step = step_of('{connect: c, to: "server:9"}')
    asked = Call("client", "connect", (("192.0.2.1", 9),), on="c")
    play(step, scope_of(socket("c")), (asked, gave()))
    with pytest.raises(Unmet, match="expected success, and it raised ECONNREFUSED: Connection refused"):
        play(step, scope_of(socket("c")), (asked, REFUSED))


@pytest.mark.parametrize(
    "name", ["ECONNREFUSED", "ConnectionRefusedError", "OSError", "{any: [EPIPE, ECONNREFUSED]}"]
)
def test_raises_names_errno_or_exception_or_one_above_it(name: str) -> None:
    step = step_of(f'{{connect: c, to: "server:9", raises: {name}}}')
    play(step, scope_of(socket("c")), (Call("client", "connect", (("192.0.2.1", 9),), on="c"), REFUSED))


@pytest.mark.parametrize("name", ["ETIMEDOUT", "TimeoutError", "ValueError", "gaierror"])
def test_raises_something_else(name: str) -> None:
    step = step_of(f'{{connect: c, to: "server:9", raises: {name}}}')
    with pytest.raises(Unmet, match=f"expected it to raise {name}, and it raised ECONNREFUSED"):
        play(step, scope_of(socket("c")), (Call("client", "connect", (("192.0.2.1", 9),), on="c"), REFUSED))


def test_takes_is_measured_by_the_host() -> None:
    step = step_of('{connect: c, to: "server:9", raises: ECONNREFUSED, takes: 2s..10s}')
    assert step.limit_ns == 10_000_000_000
    asked = Call("client", "connect", (("192.0.2.1", 9),), on="c")
    refused = raised("ConnectionRefusedError", "ECONNREFUSED", took_ns=3_000_000_000)
    play(step, scope_of(socket("c")), (asked, refused))
    with pytest.raises(Unmet, match=r"expected it to take 2s..10s, and it took 0.001 ms"):
        play(step, scope_of(socket("c")), (asked, REFUSED))


@pytest.mark.parametrize(
    ("takes", "limit_ns"), [("2s..", 7_000_000_000), ("..1s", 1_000_000_000), ("3s", 3_000_000_000)]
)
def test_the_end_of_takes_is_how_long_the_scenario_waits(takes: str, limit_ns: int) -> None:
    assert step_of(f"{{listen: s, takes: {takes}}}").limit_ns == limit_ns


def test_listen_accept_shutdown_and_close() -> None:
    scope = scope_of(socket("s", "server"), socket("c"))
    play(
        step_of("{listen: s, backlog: 5}", "server"), scope, (Call("server", "listen", (5,), on="s"), gave())
    )
    play(step_of("{listen: s}", "server"), scope, (Call("server", "listen", (), on="s"), gave()))
    play(
        step_of("{shutdown: c, how: SHUT_WR}"),
        scope,
        (Call("client", "shutdown", (Constant("SHUT_WR"),), on="c"), gave()),
    )
    play(step_of("{close: c}"), scope, (Call("client", "close", on="c"), gave()))


def test_accept_makes_a_socket_and_tells_where_it_comes_from() -> None:
    step = step_of("{accept: s, as: conn, blocks: true, gives: {from: client}}", "server")
    asked = Call("server", "accept", on="s", makes="conn", blocks="yes")
    scope = scope_of(socket("s", "server"))
    play(step, scope, (asked, gave([{"object": "conn"}, ["192.0.2.2", 40000]])))
    with pytest.raises(Unmet, match="expected from to be client, and it was 192.0.2.9:40000"):
        play(step, scope, (asked, gave([{"object": "conn"}, ["192.0.2.9", 40000]])))
    assert step.text() == "accept s as conn"


def test_connect_ex_expects_zero_where_nothing_is_said() -> None:
    asked = Call("client", "connect_ex", (("192.0.2.1", 9),), on="c")
    scope = scope_of(socket("c"))
    quiet, told = (
        step_of('{connect_ex: c, to: "server:9"}'),
        step_of('{connect_ex: c, to: "server:9", gives: ECONNREFUSED}'),
    )
    assert play(quiet, scope, (asked, gave(0))) == 0
    assert play(told, scope, (asked, gave(111))) == 111
    with pytest.raises(Unmet, match=r"expected 0, and it gave 111 \(ECONNREFUSED\)"):
        play(quiet, scope, (asked, gave(111)))
    with pytest.raises(Unmet, match=r"expected 111 \(ECONNREFUSED\), and it gave 0"):
        play(told, scope, (asked, gave(0)))


def test_an_address_without_a_port_fits_any() -> None:
    scope, asked = scope_of(socket("c")), Call("client", "getsockname", on="c")
    assert play(step_of("{getsockname: c, gives: client}"), scope, (asked, gave(["192.0.2.2", 5]))) == [
        "192.0.2.2",
        5,
    ]
    with pytest.raises(Unmet, match="expected client:6, and it gave 192.0.2.2:5"):
        play(step_of('{getsockname: c, gives: "client:6"}'), scope, (asked, gave(["192.0.2.2", 5])))


def test_unix_addresses_are_told_as_they_are_written() -> None:
    scope, asked = scope_of(socket("u", family="AF_UNIX")), Call("client", "getsockname", on="u")
    play(step_of('{getsockname: u, gives: "@hidden"}'), scope, (asked, gave(b"\0hidden")))
    play(step_of("{getsockname: u, gives: /tmp/s}"), scope, (asked, gave("/tmp/s")))
    with pytest.raises(Unmet, match='expected /tmp/x, and it gave "@hidden"'):
        play(step_of("{getsockname: u, gives: /tmp/x}"), scope, (asked, gave(b"\0hidden")))


def test_peers_descriptors_and_copies() -> None:
    scope = scope_of(socket("c"))
    peer = step_of('{getpeername: c, gives: "server:80"}')
    play(peer, scope, (Call("client", "getpeername", on="c"), gave(["192.0.2.1", 80])))
    play(step_of("{fileno: c, gives: 3..}"), scope, (Call("client", "fileno", on="c"), gave(7)))
    play(step_of("{detach: c, gives: 7}"), scope, (Call("client", "detach", on="c"), gave(7)))
    play(step_of("{dup: c, as: d}"), scope, (Call("client", "dup", on="c", makes="d"), gave({"object": "d"})))


def test_a_call_that_returns_judges_says_nothing_itself() -> None:
    step = step_of("{recv: c, size: 1, as: r, blocks: true}")
    step.link(None, judged_elsewhere=True)
    asked = Call("client", "recv", (1,), on="c", blocks="yes")
    assert play(step, scope_of(socket("c")), (asked, raised("ConnectionResetError", "ECONNRESET"))) is None
