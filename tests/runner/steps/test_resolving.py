"""Playbooks of the steps that ask for names, addresses and byte orders."""

from __future__ import annotations

from typing import Any

import pytest

from runner.commands import Call, Constant
from runner.errors import Unmet
from tests.play import gave, play, raised, scope_of, step_of

SCOPE = scope_of()
ANSWER = [[2, 1, 6, "", ["192.0.2.1", 80]], [10, 1, 6, "", ["2001:db8::1", 80, 0, 0]]]


def test_getaddrinfo_passes_up_to_the_last_that_is_said() -> None:
    play(
        step_of("{getaddrinfo: server, port: http}"),
        SCOPE,
        (Call("client", "getaddrinfo", ("server", "http")), gave(ANSWER)),
    )
    step = step_of("{getaddrinfo: server, port: 80, type: SOCK_STREAM}")
    asked = Call("client", "getaddrinfo", ("server", 80, 0, Constant("SOCK_STREAM")))
    value = play(step, SCOPE, (asked, gave(ANSWER)))
    assert value[0] == {"family": 2, "type": 1, "proto": 6, "canonname": "", "address": ["192.0.2.1", 80]}


@pytest.mark.parametrize(
    ("gives", "holds"),
    [
        ('["192.0.2.1:80", "[2001:db8::1]:80"]', True),
        ('["192.0.2.1:80"]', False),
        ('["[2001:db8::1]:80", "192.0.2.1:80"]', False),
        ('{has: "server:80"}', True),
        ('{has: "client:80"}', False),
        ("{length: 2}", True),
        ("{length: 1}", False),
    ],
)
def test_what_getaddrinfo_gives_is_in_order(gives: str, holds: bool) -> None:
    step = step_of(f"{{getaddrinfo: server, port: 80, gives: {gives}}}")
    asked = (Call("client", "getaddrinfo", ("server", 80)), gave(ANSWER))
    if holds:
        play(step, SCOPE, asked)
    else:
        with pytest.raises(Unmet, match="192.0.2.1:80"):
            play(step, SCOPE, asked)


def test_an_unknown_name_is_an_error_of_getaddrinfo() -> None:
    step = step_of("{getaddrinfo: nobody.invalid, raises: EAI_NONAME}")
    play(
        step,
        SCOPE,
        (Call("client", "getaddrinfo", ("nobody.invalid", None)), raised("gaierror", "EAI_NONAME")),
    )
    step = step_of("{gethostbyname: nobody.invalid, raises: gaierror}")
    play(
        step, SCOPE, (Call("client", "gethostbyname", ("nobody.invalid",)), raised("gaierror", "EAI_NONAME"))
    )


def test_hosts_stand_for_their_addresses() -> None:
    asked = Call("client", "gethostbyname", ("server",))
    play(step_of("{gethostbyname: server, gives: server}"), SCOPE, (asked, gave("192.0.2.1")))
    play(step_of("{gethostbyname: server, gives: 192.0.2.1}"), SCOPE, (asked, gave("192.0.2.1")))
    with pytest.raises(Unmet, match="expected client, and it gave"):
        play(step_of("{gethostbyname: server, gives: client}"), SCOPE, (asked, gave("192.0.2.1")))


def test_names_of_hosts() -> None:
    play(
        step_of("{gethostname: true, gives: client}"), SCOPE, (Call("client", "gethostname"), gave("client"))
    )
    play(step_of('{getfqdn: "", gives: client}'), SCOPE, (Call("client", "getfqdn"), gave("client")))
    play(step_of("{getfqdn: server}"), SCOPE, (Call("client", "getfqdn", ("server",)), gave("server")))
    step = step_of('{getnameinfo: "server:80", flags: NI_NUMERICSERV, gives: {host: server, service: "80"}}')
    asked = Call("client", "getnameinfo", (("192.0.2.1", 80), Constant("NI_NUMERICSERV")))
    assert play(step, SCOPE, (asked, gave(["server", "80"]))) == {"host": "server", "service": "80"}


@pytest.mark.parametrize(
    ("written", "arguments", "value"),
    [
        ("inet_aton: 192.0.2.1, gives: {hex: c0000201}", ("192.0.2.1",), b"\xc0\0\2\1"),
        ("inet_ntoa: {hex: c0000201}, gives: 192.0.2.1", (b"\xc0\0\2\1",), "192.0.2.1"),
        (
            "inet_pton: '::1', family: AF_INET6, gives: {length: 16}",
            (Constant("AF_INET6"), "::1"),
            bytes(15) + b"\1",
        ),
        ("inet_ntop: {hex: c0000201}, gives: 192.0.2.1", (Constant("AF_INET"), b"\xc0\0\2\1"), "192.0.2.1"),
        ("htons: 1, gives: 256", (1,), 256),
        ("ntohs: 256, gives: 1", (256,), 1),
        ("htonl: 1, gives: 0x1000000", (1,), 1 << 24),
        ("ntohl: 0x1000000, gives: 1", (1 << 24,), 1),
    ],
)
def test_functions_of_bytes_and_byte_orders(written: str, arguments: tuple[Any, ...], value: Any) -> None:
    verb = written.partition(":")[0]
    step = step_of(f"{{{written}}}")
    play(step, SCOPE, (Call("client", verb, arguments), gave(value)))
    with pytest.raises(Unmet):
        play(
            step, SCOPE, (Call("client", verb, arguments), gave(b"other" if isinstance(value, bytes) else 77))
        )
