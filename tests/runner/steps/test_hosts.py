"""Playbooks of the steps that something is done to a host by: pause, resume, kill, restart, link."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.commands import HostCommand, KillHost, PauseHost, RestartHost, ResumeHost, SetLink
from runner.errors import Unmet
from tests.play import gave, play, raised, scope_of, step_of
from tests.runner.loading import load, mistakes

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


NETWORKS = """\
name: n
hosts: [a, b, c]
networks: {one: [a, b], two: [b, c]}
steps:
"""


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{link: a, net: twos, to: down}", ["5:20: there is no network 'twos' (two)"]),
        ("{link: a, net: two, to: down}", ["5:20: host a is not on network two (but on one)"]),
        ("{link: d, net: one, to: down}", ["5:12: there is no host 'd'"]),
    ],
)
def test_a_link_that_is_not_there_is_a_mistake(written: str, told: list[str]) -> None:
    assert mistakes(f"{NETWORKS}  - {written}\n") == told


@pytest.mark.parametrize("written", ["{link: b, net: two, to: down}", "{link: a, to: down}"])
def test_links_that_are_there(written: str) -> None:
    assert load(f"{NETWORKS}  - {written}\n").steps[0].verb == "link"


def test_a_link_whose_network_is_known_later_is_told_when_it_is_played() -> None:
    assert load(
        f"{NETWORKS}  - a: {{socket: s}}\n  - a: {{getsockname: s, as: x}}\n  - {{link: a, net: $x, to: down}}\n"
    )


def test_the_networks_of_a_compose_file_are_known_when_it_is_played(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {a: {image: any}}\n")
    text = "name: n\nhosts: [a]\nlab: {compose: compose.yml}\nsteps: [{link: a, net: back, to: down}]\n"
    assert load(text, folder=tmp_path)
