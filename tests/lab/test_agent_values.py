"""Values on their way to the program in every host and back: constants, structs, bytes, what JSON cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import agent
from tests.agents import Host, constant


def test_constants_are_looked_up_and_or_ed_in_the_host(shared: Host) -> None:
    shared.value("socketpair", makes="a1,b1")
    shared.value("send", {"bytes": "x"}, on="a1")
    assert shared.value("recv", 1, constant("MSG_PEEK|MSG_DONTWAIT"), on="b1") == b"x"
    assert shared.value("recv", 1, constant("MSG_DONTWAIT"), on="b1") == b"x"
    assert shared.error("recv", 1, constant("MSG_DONTWAIT"), on="b1") == ("BlockingIOError", "EAGAIN")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("AF_INET", 2),
        ("IP_RECVERR", 11),
        ("IPV6_RECVERR", 25),
        ("TCP_INFO", 11),
        ("EPOLLIN", 1),
        ("POLLOUT", 4),
    ],
)
def test_a_constant_is_found_in_python_or_in_the_kernels_headers(name: str, number: int) -> None:
    assert agent.constant(name) == number


@pytest.mark.parametrize("name", ["SO_NONSENSE", "socket", "CONSTANTS", "", "has_ipv6", "__name__"])
def test_a_constant_that_nobody_has_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match="has no constant"):
        agent.constant(name)


def test_missing_constants_agree_with_those_that_python_has() -> None:
    """The table is only looked at where Python lacks one; where it does not, both must say the same."""
    import socket

    different = {
        name: (value, getattr(socket, name))
        for name, value in agent.CONSTANTS.items()
        if hasattr(socket, name) and int(getattr(socket, name)) != value
    }
    assert different == {}


def test_structs_are_packed_and_lists_become_tuples_unless_they_say_otherwise(shared: Host) -> None:
    shared.value("socket", makes="packed")
    shared.value(
        "setsockopt", constant("SOL_SOCKET"), constant("SO_LINGER"), {"pack": ["ii", 1, 7]}, on="packed"
    )
    got = shared.value("getsockopt", constant("SOL_SOCKET"), constant("SO_LINGER"), 8, on="packed")
    assert got == b"\x01\0\0\0\x07\0\0\0"
    assert shared.error("send", {"list": [1, 2]}, on="packed") == ("TypeError", None)
    assert shared.call("send", {"list": [1]}, on="packed")["error"]["text"].endswith("'list'")
    assert shared.call("send", {"dict": {"a": 1}}, on="packed")["error"]["text"].endswith("'dict'")
    assert shared.call("send", [1], on="packed")["error"]["text"].endswith("'tuple'")


def test_the_index_of_an_interface_is_looked_up_in_the_host(shared: Host) -> None:
    assert shared.value("if_indextoname", {"interface": "lo"}) == "lo"
    assert shared.error("if_indextoname", {"interface": "eth77"}) == ("OSError", None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"bytes": 1}, '"bytes" must be a text'),
        ({"bytes": "\u00e9"}, '"bytes" must be ASCII'),
        ({"base64": "a"}, '"base64" is not base64'),
        ({"pack": []}, '"pack" must be a list'),
        ({"object": 1}, '"object" must be a text'),
        ({"unknown": 1}, "a map of an unknown kind: unknown"),
        ({}, "a map of an unknown kind"),
    ],
)
def test_a_value_that_is_none_makes_its_request_malformed(shared: Host, value: Any, said: str) -> None:
    assert said in shared.call("bytes", value)["malformed"]
    shared.value("socket", makes=f"free {said}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_decode_undoes_encode_through_json(value: Any) -> None:
    assert agent.decode(json.loads(json.dumps(agent.encode(value)))) == value


def test_what_json_cannot_say_is_told_as_python_writes_it() -> None:
    assert agent.encode(3j) == {"repr": "3j"}
    assert agent.encode((1, b"\0")) == [1, {"base64": "AA=="}]
    assert agent.encode(b"two\nlines") == {"bytes": "two\nlines"}
    assert agent.decode({"object": "c"}) == {"object": "c"}
