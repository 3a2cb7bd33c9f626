"""What doctor says, by the answers of engines and programs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys

import pytest

from lab import docker_server
from lab import engine as engines
from lab.errors import EngineMissing
from runner import doctor
from runner.doctor import Ability
from runner.report.paper import Paper


class Answering:
    """An engine that says whether it is ready."""

    name = "netns"

    def __init__(self, problem: Exception | None) -> None:
        self._problem = problem

    def ready(self) -> Exception | None:
        return self._problem


def shown(found: list[Ability]) -> str:
    """What a reader sees."""
    stream = io.StringIO()
    doctor.show(found, Paper(stream))
    return stream.getvalue()


@pytest.mark.slow
def test_this_machine_is_examined_for_real() -> None:
    found = {one.name: one for one in doctor.examine()}
    assert found["Python"].there and found["kernel"].there
    assert {"engine docker", "engine netns"} <= found.keys()
    for one in found.values():
        assert one.there or one.said


def test_an_engine_that_is_not_ready_says_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = EngineMissing("user namespaces are forbidden", "Set user.max_user_namespaces to 1000.")
    monkeypatch.setattr(engines, "find", lambda name: Answering(problem))
    found = doctor.examine()
    assert not doctor.can_play(found)
    written = shown(found)
    assert "user namespaces are forbidden" in written and "max_user_namespaces to 1000" in written
    assert "No scenario can be played here" in written


def test_one_engine_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"docker": EngineMissing("no Docker engine answers", "Start it."), "netns": None}
    monkeypatch.setattr(engines, "find", lambda name: Answering(answers[name]))
    found = doctor.examine()
    assert doctor.can_play(found)
    assert "Scenarios can be played here: netns." in shown(found)


def test_an_engine_whose_package_is_missing_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Answering:
        raise ModuleNotFoundError("No module named 'docker'")

    monkeypatch.setattr(engines, "find", find)
    assert "its package is missing" in shown(doctor.examine())


def test_a_machine_without_tools_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(engines, "find", lambda name: Answering(None))
    written = shown(doctor.examine())
    assert "apt-get install docker-compose" in written
    assert "apt-get install wireshark" in written


@pytest.mark.slow
def test_servers_that_are_missing_are_said_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor.shutil, "which", lambda name, path="": None if name in ("bird", "cc") else name
    )
    (found,) = (one for one in doctor.examine() if one.name == "servers")
    assert not found.there and found.said == "missing: bird, cc"
    assert "apt-get install bird2 gcc libc6-dev" in found.remedy
    assert doctor.can_play([found, Ability("engine netns", True, "works", needed=True)])


@pytest.mark.slow
def test_the_engine_behind_dockers_socket_is_named_with_what_it_cannot_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    podman = docker_server.Server(
        "Podman", "4.3.1", True, ("memory", "processes"), "this machine has cgroup v1"
    )
    monkeypatch.setattr(engines, "find", lambda name: Answering(None))
    monkeypatch.setattr(docker_server, "ask", lambda: podman)
    written = shown(doctor.examine())
    assert "works: Podman 4.3.1, rootless" in written
    assert "does not bound memory and processes" in " ".join(written.split()) and "cgroup v1" in written


WITHOUT = """
echo 0 >/proc/sys/user/max_user_namespaces
exec setpriv --bounding-set -all --inh-caps -all "$@"
"""


@pytest.mark.slow
def test_a_machine_without_user_namespaces_for_real() -> None:
    """In a user namespace that may have no other below it, and without any capability."""
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("needs unshare and setpriv")
    words = ["unshare", "-U", "-r", "sh", "-c", WITHOUT, "sh", sys.executable, "-m", "runner", "doctor"]
    environment = {**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=60)
    if "unshare:" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 3, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert "user namespaces are switched off" in told and "sysctl -w user.max_user_namespaces=15000" in told
    assert "no Docker engine here" in told and "No scenario can be played here" in told
