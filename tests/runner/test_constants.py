"""Constants by name, and the slips of a finger that are found."""

from __future__ import annotations

import socket

import pytest

from runner.commands import Constant
from runner.constants import KNOWN_CONSTANTS, constant
from runner.errors import Misplaced
from runner.model import Surroundings
from runner.numbers import NUMBERS, read_number

HERE = Surroundings()


@pytest.mark.parametrize(
    "name", ["AF_INET", "SO_REUSEADDR", "SOCK_STREAM|SOCK_NONBLOCK", "TCP_NEW_ONE", "SO_TYPE"]
)
def test_by_name(name: str) -> None:
    assert constant()(name, HERE) == Constant(name)


def test_spaces_and_numbers() -> None:
    assert constant()("MSG_OOB | MSG_PEEK", HERE) == Constant("MSG_OOB|MSG_PEEK")
    assert constant("SO_")("41", HERE) == 41
    assert constant()("0x10", HERE) == 16


@pytest.mark.parametrize(
    ("written", "prefixes", "column", "suggestion"),
    [
        ("SOCK_STREM", ("SOCK_",), 0, "SOCK_STREAM"),
        ("sock_stream", ("SOCK_",), 0, "SOCK_STREAM"),
        ("AF_INET|SOCK_STREAM", ("SOCK_",), 0, ""),
        ("MSG_PEEK|MSG_WIATALL", ("MSG_",), 9, "MSG_WAITALL"),
        ("", (), 0, ""),
        ("|", (), 0, ""),
    ],
)
def test_slips(written: str, prefixes: tuple[str, ...], column: int, suggestion: str) -> None:
    with pytest.raises(Misplaced) as caught:
        constant(*prefixes)(written, HERE)
    assert caught.value.column == column
    assert not suggestion or caught.value.suggestion == suggestion


@pytest.mark.parametrize(
    "name", ["AF_INET6", "IPPROTO_ICMPV6", "IPPROTO_IPV6", "TCP_FASTOPEN_CONNECT", "SO_TYPE", "MSG_MORE"]
)
def test_neighbours_that_exist_are_no_slips(name: str) -> None:
    assert constant()(name, HERE) == Constant(name)


def test_the_constants_for_suggestions_exist() -> None:
    from lab import agent

    unknown = [
        name for name in KNOWN_CONSTANTS if not name.startswith("SIG") and not _known(name, agent.CONSTANTS)
    ]
    assert not unknown


def _known(name: str, more: dict[str, int]) -> bool:
    import select

    return hasattr(socket, name) or hasattr(select, name) or name in more


@pytest.mark.parametrize("name", [name for name in NUMBERS if hasattr(socket, name)])
def test_numbers_are_those_of_this_kernel(name: str) -> None:
    assert NUMBERS[name] == getattr(socket, name)


def test_numbers_by_name() -> None:
    assert read_number("MSG_TRUNC|MSG_CTRUNC", HERE) == 0x28
    assert read_number("-1", HERE) == -1
    with pytest.raises(Misplaced) as caught:
        read_number("SOCK_STREM", HERE)
    assert caught.value.suggestion == "SOCK_STREAM"
