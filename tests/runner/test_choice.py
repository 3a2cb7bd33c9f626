"""Which engine plays which scenario: the compose lab those that fit it, netns the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import compose
from lab import engine as engines
from lab.compose import ComposeHost, ComposeLab
from lab.errors import LabError
from lab.topology import Topology
from runner import choice, scenario

UP = ComposeLab("mine", tuple(ComposeHost(name, name, "", "", "") for name in ("client", "server")), None)


class Ready:
    """An engine that is ready, and does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ready(self) -> LabError | None:
        return None


@pytest.fixture
def lab_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {name: Ready(name) for name in ("netns", "docker")}
    monkeypatch.setattr(engines, "find", lambda name: made[name])
    monkeypatch.setattr(compose, "running", lambda: UP)


def topology(folder: Path, *hosts: str) -> Topology:
    path = folder / f"{'-'.join(hosts)}.yaml"
    step = f"{{{hosts[0]}: {{socket: s, type: SOCK_DGRAM}}}}"
    path.write_text(f"name: x\nhosts: [{', '.join(hosts)}]\nsteps:\n  - {step}\n", encoding="utf-8")
    return scenario.load(path, checks={}).topology


def names(chosen: choice.Choice, *of: Topology) -> list[str]:
    return [chosen.engine_of(one).name for one in of]


@pytest.mark.usefixtures("lab_up")
def test_each_scenario_has_the_engine_that_fits_it(tmp_path: Path) -> None:
    fits, other = topology(tmp_path, "server", "client"), topology(tmp_path, "a", "b", "c")
    chosen = choice.choose("auto", [fits, other, fits])
    assert names(chosen, fits, other, fits) == ["docker", "netns", "docker"]
    assert chosen.name == "docker and netns"
    assert "2 of 3 scenarios" in chosen.why


@pytest.mark.usefixtures("lab_up")
@pytest.mark.parametrize(("hosts", "engine"), [(("server", "client"), "docker"), (("a", "b"), "netns")])
def test_one_engine_where_one_does(tmp_path: Path, hosts: tuple[str, ...], engine: str) -> None:
    one = topology(tmp_path, *hosts)
    chosen = choice.choose("auto", [one, one])
    assert (chosen.name, names(chosen, one)) == (engine, [engine])


@pytest.mark.usefixtures("lab_up")
def test_what_is_asked_for_plays_all(tmp_path: Path) -> None:
    other: Any = topology(tmp_path, "a", "b")
    assert names(choice.choose("docker", [other]), other) == ["docker"]
    assert names(choice.choose("auto", [other], side_by_side=True), other) == ["netns"]


@pytest.mark.usefixtures("lab_up")
def test_docker_plays_what_has_a_compose_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = topology(tmp_path, "server", "client")
    own, other = replace(plain, compose=tmp_path / "compose.yml"), topology(tmp_path, "a", "b")
    assert names(choice.choose("auto", [own, plain, other]), own, plain, other) == [
        "docker",
        "docker",
        "netns",
    ]
    monkeypatch.setattr(compose, "running", lambda: None)
    assert names(choice.choose("auto", [own]), own) == ["docker"]
    assert names(choice.choose("auto", [own, plain]), own, plain) == ["docker", "netns"]
