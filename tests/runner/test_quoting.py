"""Bytes in quotes read back as the bytes they were, and nothing hostile gets out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import quoting
from runner.errors import Misplaced


@given(st.binary(max_size=80))
def test_quoted_bytes_read_back(data: bytes) -> None:
    text = quoting.quoted(data)
    assert quoting.unquoted(text) == data
    assert re.fullmatch(quoting.QUOTED, text)
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (r'"a\n\r\t\\\"\x00\xFF\0"', b'a\n\r\t\\"\x00\xff\0'),
        ('"größe"', "größe".encode()),
        ('""', b""),
    ],
)
def test_escapes(text: str, data: bytes) -> None:
    assert quoting.unquoted(text) == data


@pytest.mark.parametrize(("text", "column"), [(r'"ab\q"', 3), (r'"\x4"', 1), (r'"\xzz"', 1)])
def test_an_escape_that_is_none(text: str, column: int) -> None:
    with pytest.raises(Misplaced) as caught:
        quoting.unquoted(text)
    assert caught.value.column == column


def test_a_dollar_is_escaped() -> None:
    assert quoting.quoted(b"$x") == r'"\x24x"', "a scenario would fill in a name there"


def test_long_bytes_are_shortened_as_a_prefix() -> None:
    assert quoting.quoted(b"abcdef", 3) == '"abc"...'
    assert quoting.quoted(b"abc", 3) == '"abc"'


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_the_first_difference(one: bytes, other: bytes) -> None:
    place = quoting.first_difference(one, other)
    if place is None:
        assert one == other
    else:
        assert one[:place] == other[:place]
        assert one[place : place + 1] != other[place : place + 1]


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [(b"ab", b"abc", 2), (b"abc", b"ab", 2), (b"", b"a", 0), (b"abcdefX", b"abcdefY", 6), (b"Xa", b"Ya", 0)],
)
def test_first_differences_written_out(one: bytes, other: bytes, place: int) -> None:
    assert quoting.first_difference(one, other) == place


def test_around_a_place() -> None:
    data = bytes(range(65, 91)) * 3
    assert quoting.around(data, 40, 2, 3) == '..."MNOPQ"...'
    assert quoting.around(b"short", 1) == '"short"'
