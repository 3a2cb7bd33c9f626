"""Addresses as they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.addresses import Address, read_address
from runner.errors import Misplaced
from runner.model import Surroundings

HERE = Surroundings(hosts=("server", "client"))
LENIENT = Surroundings(hosts=("server", "client"), lenient=True)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("server:80", "server", 80),
        (":80", "", 80),
        (":0", "", 0),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("192.0.2.1:65535", "192.0.2.1", 65535),
        ("localhost:80", "localhost", 80),
        ("<broadcast>:80", "<broadcast>", 80),
        ("www.example.com:80", "www.example.com", 80),
        ("server", "server", None),
        ("2001:db8::1", "2001:db8::1", None),
        ("/tmp/socket", None, None),
        ("@hidden", None, None),
        ("@hidden:1", None, None),
    ],
)
def test_forms(text: str, host: str | None, port: int | None) -> None:
    assert read_address(text, HERE) == Address(text, host, port)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("sever:80", 0, "there is no host 'sever'"),
        ("sever", 0, "there is no host 'sever'"),
        ("server:65536", 7, "from 0 to 65535"),
        ("server:-1", 7, "from 0 to 65535"),
        ("server:http", 7, "from 0 to 65535"),
        ("server:", 7, "from 0 to 65535"),
        ("[server]:80", 1, "an IPv6 address is wanted"),
        ("x:y:z", 0, "an address is wanted here"),
        ("[::1]", 0, "an address is wanted here"),
    ],
)
def test_mistakes(text: str, column: int, message: str) -> None:
    with pytest.raises(Misplaced, match=message) as caught:
        read_address(text, HERE)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "port"), [("server:65536", 65536), ("server:-1", -1), ("server:http", "http")]
)
def test_what_the_api_refuses_is_kept_where_raises_is_said(text: str, port: int | str) -> None:
    assert read_address(text, LENIENT).port == port
    assert read_address("nobody:1", LENIENT).host == "nobody"


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for around in (HERE, LENIENT):
        try:
            assert read_address(text, around).text == text
        except Misplaced as wrong:
            assert wrong.message
