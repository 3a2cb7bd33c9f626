"""Which lab is meant by `runner shell HOST` and `runner watch` where several are up.

Docker's list of containers is given here; that the real one is read is tested with the engine.
"""

from __future__ import annotations

from typing import Any

import pytest

from lab import compose, docker_socket, running
from lab.container import RUN_LABEL
from lab.errors import LabError
from lab.running import Note
from runner import keeping
from runner.errors import UsageError


def _container(run: str, host: str, created: int) -> dict[str, Any]:
    name = f"/socket-lab-{run}-{host}" if host else f"/socket-lab-{run}"
    return {"Names": [name], "Labels": {RUN_LABEL: run}, "Id": f"{run}.{host}", "Created": created}


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two runs on Docker, the longer one named last; what was entered is put into the list."""
    made = [_container("bb", "server", 20), _container("bb", "", 19), _container("aa", "client", 11)]
    made += [_container("aa", "server", 10), _container("aa", "", 9)]
    found: list[Any] = []
    monkeypatch.setattr(running, "running", list)
    monkeypatch.setattr(running, "enter", lambda process, argv: found.append(process) or 0)
    monkeypatch.setattr(compose, "running", lambda: None)
    monkeypatch.setattr(docker_socket, "get", lambda *words, **more: made)
    monkeypatch.setattr(keeping, "_enter_container", lambda container, argv: found.append(container) or 0)
    return found


def test_hosts_of_one_lab_are_watched_and_its_switch_is_none(entered: list[Any]) -> None:
    assert keeping.hosts_up() == ["server", "client"]
    with pytest.raises(UsageError, match="has no host 'srever'; there are: server, client"):
        keeping.hosts_up(["srever"])


def test_what_is_entered_is_the_host_that_is_watched(entered: list[Any]) -> None:
    assert keeping.enter("server", ["id"]) == 0
    assert entered == ["aa.server"]


def test_a_lab_that_a_run_keeps_comes_first(entered: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [Note("one", "", {"server": 1}), Note("two", "", {"server": 2, "gate": 3})]
    monkeypatch.setattr(running, "running", lambda: notes)
    assert keeping.hosts_up() == ["server"]
    for host in ("server", "gate", "client"):
        keeping.enter(host, ["id"])
    assert entered == [1, 3, "aa.client"]


def test_without_a_lab_it_is_said_how_to_have_one(
    entered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_socket, "get", lambda *words, **more: [])
    with pytest.raises(LabError, match="no lab is up"):
        keeping.hosts_up()
    with pytest.raises(LabError, match="no lab is up"):
        keeping.enter("server", ["id"])
