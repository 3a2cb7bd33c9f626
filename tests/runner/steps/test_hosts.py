"""Playbooks of the steps that something is done to a host by: pause, resume, kill, restart, link."""

from __future__ import annotations

import pytest

from runner.commands import HostCommand, KillHost, PauseHost, RestartHost, ResumeHost, SetLink
from runner.errors import Unmet
from tests.play import gave, play, raised, scope_of, step_of

SCOPE = scope_of()


@pytest.mark.parametrize(
    ("written", "command", "told"),
    [
        ("{pause: server}", PauseHost("server"), "pause server"),
        ("{resume: server}", ResumeHost("server"), "resume server"),
        ("{kill: server}", KillHost("server"), "kill server"),
        ("{restart: server}", RestartHost("server"), "restart server"),
        ("{link: client, to: down}", SetLink("client", False), "link client down"),
        ("{link: client, to: up, net: lab}", SetLink("client", True, "lab"), "link client up net lab"),
    ],
)
def test_each_asks_for_one_change(written: str, command: HostCommand, told: str) -> None:
    step = step_of(written, None)
    assert step.text() == told
    assert play(step, SCOPE, (command, gave())) is None


def test_what_cannot_be_fails_the_step() -> None:
    refused = raised("ValueError", None, "host server was killed before")
    with pytest.raises(Unmet, match="was killed before"):
        play(step_of("{kill: server}", None), SCOPE, (KillHost("server"), refused))
