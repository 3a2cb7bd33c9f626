"""Steps as they happen: a line each, with what it came to and how long it took."""

from __future__ import annotations

import io
from typing import Any

import pytest

from runner.history import CallRecord, StepRecord, StepStatus
from runner.report.live import Live
from runner.report.paper import ASCII, Paper
from runner.report.text import width


def step(status: StepStatus, text: str = "connect c to server:8888", **rest: Any) -> StepRecord:
    """A step of a scenario, at its line 7."""
    return StepRecord(
        4, 0, "folder/echo.yaml", 7, rest.pop("host", "client"), "connect", text, status, **rest
    )


def call(**rest: Any) -> CallRecord:
    """A call that took 85 microseconds."""
    fields: dict[str, Any] = {
        "ended_ns": 85_000,
        "object": "c",
        "name": "recv",
        "python": "c.recv(10)",
    } | rest
    return CallRecord(4, "client", began_ns=0, **fields)


def shown(record: StepRecord, *calls: CallRecord, columns: int = 80, colour: bool = False) -> str:
    """What the terminal gets."""
    stream = io.StringIO()
    Live(Paper(stream, columns, colour)).step(record, calls)
    return stream.getvalue()


def test_a_step_that_passed() -> None:
    line = shown(step("passed"), call(value={"bytes": "hello"}))
    assert line.split() == ["4", "client", "connect", "c", "to", "server:8888", "✓", '"hello",', "85", "us"]


def test_a_step_that_is_blocked_and_one_that_was() -> None:
    assert shown(step("pending")).endswith(" … asleep in the kernel\n")
    assert shown(step("pending"), columns=100).endswith(" … blocked: asleep in the kernel\n")
    assert "was blocked 2 ms" in shown(step("passed"), call(asleep_ns=5, ended_ns=2_000_000))


def test_a_step_that_failed_says_where_and_why() -> None:
    failed = shown(step("failed", reason="expected success\ngot ECONNREFUSED"), call())
    first, *reason = failed.splitlines()
    assert "✗ echo.yaml:7" in first
    assert [line.strip() for line in reason] == ["expected success", "got ECONNREFUSED"]


def test_a_try_that_is_made_again_is_not_shown() -> None:
    assert shown(step("again")) == ""


def test_a_step_that_was_not_done() -> None:
    first, reason = shown(step("skipped", reason="c was never made")).splitlines()
    assert first.endswith("- not done") and reason.strip() == "c was never made"


def test_an_errno_that_was_expected() -> None:
    failure = {"type": "ConnectionRefusedError", "errno": "ECONNREFUSED", "text": "refused"}
    assert "✓ ECONNREFUSED, 85 us" in shown(step("passed"), call(failure=failure))


@pytest.mark.parametrize("status", ["passed", "pending", "failed", "broken", "skipped"])
def test_hostile_text_is_escaped(status: StepStatus) -> None:
    evil = "\x1b[2J\r\u202e"
    written = shown(step(status, text=evil, host=evil, reason=evil), call(value={"bytes": evil}))
    assert written.replace("\n", "").isprintable()


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_long_step_stays_on_its_line(columns: int) -> None:
    lines = shown(
        step("passed", text="sendall c data " + "x" * 300), call(value={"bytes": "y" * 20}), columns=columns
    )
    (line,) = lines.splitlines()
    assert width(line) <= columns
    assert "us" in line


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b[32m✓" in shown(step("passed"), colour=True)
    assert "\x1b" not in shown(step("passed"))


def test_without_unicode_the_marks_are_words() -> None:
    stream = io.StringIO()
    Live(Paper(stream, 80, marks=ASCII)).step(step("failed", reason="no"), ())
    assert "FAILED" in stream.getvalue() and stream.getvalue().isascii()
