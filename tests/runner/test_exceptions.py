"""Errno names and exceptions: which there are, and which stand for which."""

from __future__ import annotations

import pytest

from runner.commands import Failure
from runner.errors import Misplaced
from runner.exceptions import errno_number, is_failure, read_failure
from runner.model import Surroundings

REFUSED = Failure("ConnectionRefusedError", "ECONNREFUSED", "")
WOULD_BLOCK = Failure("BlockingIOError", "EAGAIN", "")
UNKNOWN = Failure("gaierror", "EAI_NONAME", "")
TIMEOUT = Failure("TimeoutError", None, "timed out")


@pytest.mark.parametrize(
    ("name", "failure", "fits"),
    [
        ("ECONNREFUSED", REFUSED, True),
        ("ConnectionRefusedError", REFUSED, True),
        ("ConnectionError", REFUSED, True),
        ("OSError", REFUSED, True),
        ("error", REFUSED, True),
        ("ValueError", REFUSED, False),
        ("ECONNRESET", REFUSED, False),
        ("gaierror", REFUSED, False),
        ("EWOULDBLOCK", WOULD_BLOCK, True),
        ("EAGAIN", WOULD_BLOCK, True),
        ("EAI_NONAME", UNKNOWN, True),
        ("gaierror", UNKNOWN, True),
        ("OSError", UNKNOWN, True),
        ("TimeoutError", TIMEOUT, True),
        ("timeout", TIMEOUT, True),
        ("ETIMEDOUT", TIMEOUT, False),
    ],
)
def test_what_stands_for_what(name: str, failure: Failure, fits: bool) -> None:
    assert is_failure(name, failure) is fits


@pytest.mark.parametrize(
    ("name", "suggestion"), [("ECONREFUSED", "ECONNREFUSED"), ("TimeoutEror", "TimeoutError")]
)
def test_unknown_names_are_suggested(name: str, suggestion: str) -> None:
    with pytest.raises(Misplaced) as caught:
        read_failure(name, Surroundings())
    assert caught.value.suggestion == suggestion


def test_numbers() -> None:
    assert errno_number("ECONNREFUSED") == 111
    with pytest.raises(Misplaced) as caught:
        errno_number("ECONNREFUSE")
    assert caught.value.suggestion == "ECONNREFUSED"
