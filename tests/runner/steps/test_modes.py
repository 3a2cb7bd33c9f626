"""Playbooks of the steps about time: how long calls may wait, and sleep."""

from __future__ import annotations

import pytest

from runner.commands import Call, Sleep
from runner.errors import Unmet
from runner.reading import read_text
from tests.play import gave, play, scope_of, socket, step_of, try_step

SCOPE = scope_of(socket("c"))


@pytest.mark.parametrize(("written", "seconds"), [("2s", 2.0), ("250ms", 0.25), ("0s", 0.0), ("None", None)])
def test_settimeout_has_a_unit(written: str, seconds: float | None) -> None:
    step = step_of(f"{{settimeout: c, value: {written}}}")
    play(step, SCOPE, (Call("client", "settimeout", (seconds,), on="c"), gave()))


def test_settimeout_without_a_unit_or_negative() -> None:
    document = read_text("{settimeout: c, value: 5}", "f")
    assert try_step(document) is None
    assert "needs a unit" in document.mistakes[0].message
    document = read_text("{settimeout: c, value: -1s}", "f")
    assert try_step(document) is None
    step = step_of("{settimeout: c, value: -1s, raises: ValueError}")
    assert next(step.perform(SCOPE)) == Call("client", "settimeout", (-1.0,), on="c")


def test_gettimeout_gives_a_duration() -> None:
    asked = Call("client", "gettimeout", on="c")
    assert play(step_of("{gettimeout: c, gives: 2.5s}"), SCOPE, (asked, gave(2.5))) == 2_500_000_000
    play(step_of("{gettimeout: c, gives: None}"), SCOPE, (asked, gave(None)))
    with pytest.raises(Unmet, match="expected None, and it gave 2s"):
        play(step_of("{gettimeout: c, gives: None}"), SCOPE, (asked, gave(2.0)))
    with pytest.raises(Unmet, match="expected 2s, and it gave None"):
        play(step_of("{gettimeout: c, gives: 2s}"), SCOPE, (asked, gave(None)))


def test_blocking() -> None:
    play(
        step_of("{setblocking: c, flag: false}"),
        SCOPE,
        (Call("client", "setblocking", (False,), on="c"), gave()),
    )
    play(
        step_of("{getblocking: c, gives: false}"), SCOPE, (Call("client", "getblocking", on="c"), gave(False))
    )
    with pytest.raises(Unmet, match="expected false, and it gave true"):
        play(
            step_of("{getblocking: c, gives: false}"),
            SCOPE,
            (Call("client", "getblocking", on="c"), gave(True)),
        )


def test_a_truth_value_is_true_or_false_only() -> None:
    document = read_text("{setblocking: c, flag: no}", "f")
    assert try_step(document) is None
    assert document.mistakes[0].suggestion == "false"


def test_sleep() -> None:
    step = step_of("{sleep: 100ms}", None)
    assert play(step, SCOPE, (Sleep(100_000_000), gave())) is None
    assert step.text() == "sleep 100ms"
