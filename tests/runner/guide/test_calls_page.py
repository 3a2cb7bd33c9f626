"""docs/c-and-python.md: made from what was recorded, true of what strace showed, and still true today."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from runner.guide import calls, recorded
from runner.guide.calls import Recording
from runner.report import c_form
from runner.steps import STEPS

AGAIN = "run `python -m runner.guide --calls` as root and commit what it changed"
SAME_AS = {
    "send": "sendto",
    "recv": "recvfrom",
    "accept": "accept4",
    "gethostname": "uname",
    "select": "pselect6",
}
"""A function of C's library -> the system call that it is."""


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return calls.read()


def test_the_page_in_the_repository_is_made_from_what_was_recorded() -> None:
    made = calls.page()
    assert calls.PAGE.read_text(encoding="utf-8") == made, "docs/c-and-python.md is stale: run `make docs`"


def test_every_call_of_the_table_is_on_the_page_with_a_scenario_that_there_is(
    recordings: list[Recording],
) -> None:
    page = calls.PAGE.read_text(encoding="utf-8")
    for one in recordings:
        assert f"Python  {one.call.python}" in page
        assert (recorded.SCENARIOS / f"{one.example.scenario}.yaml").exists(), one.example


def test_what_c_is_said_to_give_is_what_strace_saw(recordings: list[Recording]) -> None:
    compared = 0
    for one in recordings:
        form = c_form.of(one.call, one.kinds)
        name = form.whole.partition("(")[0]
        lines = [line for line in one.strace if line.startswith(f"{SAME_AS.get(name, name)}(")]
        if not lines or not re.fullmatch(r"\d+|-1 \w+", form.result):
            continue
        assert f" = {form.result}" in lines[0], (form.whole, lines[0])
        lengths = re.findall(r", (\d+|\{\d+\})\)$", form.done)  # of an address or an option
        assert all(length.strip("{}") in lines[0] for length in lengths), (form.whole, lines[0])
        compared += 1
    assert compared > 20


def test_what_needs_no_system_call_made_none(recordings: list[Recording]) -> None:
    for one in recordings:
        if c_form.of(one.call, one.kinds).result.startswith(c_form.NO_CALL):
            assert not [line for line in one.strace if not line.startswith("poll(")], one


def test_every_verb_of_sockets_is_there(recordings: list[Recording]) -> None:
    shown = {one.call.name for one in recordings}
    core = {"socket", "bind", "listen", "accept", "connect", "send", "sendall", "recv", "sendto", "recvfrom",
            "shutdown", "close", "setsockopt", "getsockopt", "getsockname", "getpeername", "settimeout"}  # fmt: skip
    assert core <= shown and core <= set(STEPS)


@pytest.mark.root
@pytest.mark.slow
def test_a_run_of_today_shows_the_same(recordings: list[Recording]) -> None:
    if os.geteuid() != 0 or shutil.which("strace") is None:
        pytest.skip("needs root and strace")
    for kept, fresh in zip(recordings, calls.record(), strict=True):
        assert calls.comparable(fresh) == calls.comparable(kept), f"{kept.example}: {AGAIN}"
