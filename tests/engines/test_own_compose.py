"""A compose file of somebody's own, brought up as a lab by real Docker: what fits, what does not, and what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab import docker_socket
from lab.compose import PROJECT
from lab.engines import docker_own
from runner import scenario
from runner.checks import CHECKS
from runner.errors import ScenarioError
from tests.needing import need_docker
from tests.playing import play_file

ROOT = Path(__file__).resolve().parents[2]
SERVICES = """\
services:
  web:
    image: socket-lab/base
    command: [python3, -m, http.server, "8000"]
    networks: [front]
  client: {image: socket-lab/base, command: [sleep, "600"], init: true, networks: [front]}
networks: {front: {}}
"""
COMMAND = '[python3, -m, http.server, "8000"]'
HEALTH = """\
    healthcheck:
      test: [CMD, python3, -c, "import socket; socket.create_connection(('localhost', 8000))"]
      interval: 1s
"""
SCENARIO = """\
name: own
lab: {compose: compose.yml}
hosts: [web, client]
steps:
"""


def written(folder: Path, steps: str, services: str = SERVICES) -> Path:
    (folder / "compose.yml").write_text(services)
    path = folder / "own.yaml"
    path.write_text(SCENARIO + steps)
    return path


def left() -> list[str]:
    """Projects of runs that Docker still has something of."""
    containers, networks = docker_socket.labelled(PROJECT)
    names = {one["Labels"][PROJECT] for one in (*containers, *networks)}
    return sorted(one for one in names if one.startswith(docker_own.PREFIX) and f"_{os.getpid()}_" in one)


@pytest.mark.docker
@pytest.mark.slow
def test_services_are_paused_killed_and_started_again(tmp_path: Path) -> None:
    need_docker()
    steps = """\
  - pause: web
  - resume: web
  - client: {socket: c}
  - client: {connect: c, to: "web:8000"}
  - restart: web
  - client: {send: c, data: x}
  - client: {recv: c, size: 10, raises: ECONNRESET}
expect:
  - count: {flow: tcp c, where: TCP.flags has F, is: 0}
"""
    services = SERVICES.replace("    networks: [front]\n", HEALTH + "    networks: [front]\n")
    path = written(tmp_path, steps, services)
    played = play_file(path, tmp_path / "run", "docker")
    assert played.judgement.verdict == "pass", played.judgement
    assert left() == []


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize(
    ("services", "said"),
    [
        (SERVICES.replace("    command: [p", "    profiles: [x]\n    command: [p"),
            "starts no service web; it starts: client"),
        (SERVICES.replace(COMMAND, '[sh, -c, "echo my last words; exit 3"]'), "my last words"),
        (SERVICES.replace("networks: {front: {}}", "networks: {front: {}, back: {}}").replace(
            "networks: [front]}", "networks: [front, back]}"), "is on several networks"),
        (SERVICES.replace("networks: {front: {}}", "networks: {front: [}"), "docker compose up failed"),
    ],
    ids=["no such service", "a service that ends", "several networks", "no compose file"],
)  # fmt: skip
def test_what_does_not_fit_is_said_and_nothing_is_left(tmp_path: Path, services: str, said: str) -> None:
    need_docker()
    played = play_file(written(tmp_path, "  - {sleep: 1ms}\n", services), tmp_path / "run", "docker")
    assert played.info.ending == "broken" and said in played.info.problem, played.info
    assert left() == []


@pytest.mark.docker
@pytest.mark.slow
def test_clean_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    need_docker()
    path = written(tmp_path, "  - {sleep: 60s}\n")
    words = [sys.executable, "-m", "runner", "run", str(path), "--engine", "docker"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def mine() -> list[dict[str, Any]]:
            containers, _ = docker_socket.labelled(PROJECT)
            return [one for one in containers if f"_{process.pid}_" in one["Labels"][PROJECT]]

        deadline = time.monotonic() + 60
        while len(mine()) < 4:  # two services, and an agent beside each
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert mine(), "a killed run leaves its services"
    cleaned = subprocess.run(
        [sys.executable, "-m", "runner", "clean"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert f"_{process.pid}_" in cleaned.stdout, cleaned
    assert mine() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lab: {compose: nowhere.yml}\nhosts: [a]\nsteps: []\n", "there is no compose file 'nowhere.yml'"),
        ("lab: {docker: x}\nhosts: [a]\nsteps: []\n", "lab has one key, compose"),
        (
            "lab: {compose: compose.yml}\nhosts: {a: {router: true}}\nsteps: []\n",
            "capabilities, user and env only",
        ),
    ],
)
def test_mistakes_have_their_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "compose.yml").write_text(SERVICES)
    (tmp_path / "x.yaml").write_text("name: x\n" + text)
    with pytest.raises(ScenarioError, match=said) as raised:
        scenario.load(tmp_path / "x.yaml", checks=CHECKS)
    assert "x.yaml:2:" in str(raised.value) or "x.yaml:3:" in str(raised.value)


def test_capabilities_are_those_of_the_service() -> None:
    assert "NET_ADMIN" not in docker_own.capabilities({})
    assert docker_own.capabilities({"CapDrop": ["ALL"], "CapAdd": ["CAP_NET_ADMIN"]}) == {"NET_ADMIN"}
    assert "SYS_CHROOT" not in docker_own.capabilities({"CapDrop": ["SYS_CHROOT"]})
    assert "NET_ADMIN" in docker_own.capabilities({"Privileged": True})


def test_a_project_tells_whose_it_is() -> None:
    project = f"{docker_own.PREFIX}0a-1b_402_77_1234_deadbeef"
    assert docker_own._owner(project) == "0a-1b:402:77:1234"
    assert docker_own._project_of(f"{project}_web:latest") == project
    assert docker_own._project_of(f"{project}-web:latest") == project
    assert docker_own._project_of("somebody_elses:latest") == ""
