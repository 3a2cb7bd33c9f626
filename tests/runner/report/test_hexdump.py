"""Bytes for a reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from runner.report import hexdump


def test_a_line_has_offset_numbers_and_characters() -> None:
    assert list(hexdump.lines(b"hello lab\n", 80)) == ["0000  68 65 6c 6c 6f 20 6c 61  62 0a  hello lab."]


def test_lines_of_the_same_dump_stand_under_each_other() -> None:
    assert list(hexdump.lines(b"0123456789", 40)) == [
        "0000  30 31 32 33 34 35 36 37  01234567",
        "0008  38 39                    89",
    ]


def test_what_is_too_much_is_counted() -> None:
    assert list(hexdump.lines(bytes(1500), 80, 4)) == ["0000  00 00 00 00  ....", "... 1,496 more bytes"]


def test_nothing_has_no_lines() -> None:
    assert list(hexdump.lines(b"", 80)) == []


@given(some.binary(max_size=200), some.integers(min_value=23, max_value=200))
def test_all_bytes_are_there_and_no_line_is_too_wide(data: bytes, room: int) -> None:
    lines = list(hexdump.lines(data, room))
    assert all(len(line) <= room and line.isprintable() for line in lines)
    begins = [int(line[:4], 16) for line in lines]
    parts = [data[begin:end] for begin, end in zip(begins, [*begins[1:], len(data)], strict=False)]
    for line, part in zip(lines, parts, strict=True):
        assert line[6:].replace("  ", " ").startswith(part.hex(" "))
    assert b"".join(parts) == data
