"""A compose file of somebody's own, brought up as a lab by real Docker: what fits, what does not, and what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from lab import docker_socket
from lab.compose import PROJECT
from lab.engines import docker_own
from lab.errors import LabError
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
def test_a_network_that_a_service_turns_out_not_to_be_on_is_said_before_the_first_step(
    tmp_path: Path,
) -> None:
    need_docker()
    services = SERVICES.replace("networks: [front]\n", "networks: ['${NOT_SET:-front}']\n").replace(
        "networks: {front: {}}", "networks: {front: {}, back: {name: behind}}"
    )
    steps = "  - {sleep: 1ms}\nnetworks: {back: [web], front: [client]}\n"
    played = play_file(written(tmp_path, steps, services), tmp_path / "run", "docker")
    assert played.info.problem == "service web is not on network back; it is on: front", played.info
    assert not played.steps("done")


@pytest.mark.docker
@pytest.mark.slow
def test_a_service_that_ends_meanwhile_is_told_by_its_own_status_and_log(tmp_path: Path) -> None:
    need_docker()
    program = (
        "import socket; server = socket.create_server(('', 8000)); server.accept(); "
        "print('my last words'); raise SystemExit(3)"
    )
    services = SERVICES.replace(COMMAND, f'[python3, -c, "{program}"]')
    steps = """\
  - client: {socket: c}
  - client: {connect: c, to: "web:8000"}
  - {sleep: 2s}
  - web: {socket: u, type: SOCK_DGRAM}
"""
    played = play_file(written(tmp_path, steps, services), tmp_path / "run", "docker")
    assert played.info.ending == "broken", played.info
    assert "host web is gone: its service ended with exit status 3: my last words" in played.info.problem


@pytest.mark.docker
@pytest.mark.slow
def test_programs_have_the_environment_of_the_service(tmp_path: Path) -> None:
    need_docker()
    services = SERVICES.replace("init: true,", "init: true, environment: {TOLD: by the file},")
    program = "import os; print(os.environ['TOLD'])"
    steps = f"""\
  - client: {{run: [python3, -c, "{program}"], as: p}}
  - client: {{stdout: p, gives: "by the file\\n"}}
"""
    played = play_file(written(tmp_path, steps, services), tmp_path / "run", "docker")
    assert played.judgement.verdict == "pass", played.judgement


@pytest.mark.docker
@pytest.mark.slow
def test_a_build_that_fails_is_told_by_its_end_and_leaves_nothing(tmp_path: Path) -> None:
    need_docker()
    marker = f"marker-{uuid.uuid4()}"
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text(
        f"FROM socket-lab/base\nRUN echo {marker} > /first\nRUN echo second-{marker}; false\n"
    )
    services = SERVICES.replace(
        "web:\n    image: socket-lab/base", "web:\n    build: {context: web, network: none}"
    )
    played = play_file(written(tmp_path, "  - {sleep: 1ms}\n", services), tmp_path / "run", "docker")
    assert played.info.ending == "broken" and f"\nsecond-{marker}\n" in played.info.problem, played.info
    assert left() == []
    containers = docker_socket.get("/containers/json", all="1")
    assert not [one for one in containers if marker in one["Command"]]
    for image in docker_socket.get("/images/json", all="1"):
        try:
            history = docker_socket.get(f"/images/{image['Id']}/history")
        except LabError:  # somebody else's, gone meanwhile
            continue
        assert marker not in str(history)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("things", [1, 2, 3])
def test_an_interrupted_start_leaves_nothing(tmp_path: Path, things: int, number: signal.Signals) -> None:
    """`things` of the network and the two services are there, and Docker is just making the next."""
    need_docker()
    path = written(tmp_path, "  - {sleep: 60s}\n")
    words = [sys.executable, "-m", "runner", "run", str(path), "--engine", "docker"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:

        def mine() -> list[Any]:
            found = [one for kind in docker_socket.labelled(PROJECT) for one in kind]
            return [one for one in found if f"_{process.pid}_" in one["Labels"][PROJECT]]

        deadline = time.monotonic() + 60
        while len(mine()) < things:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.005)
        process.send_signal(number)
        assert process.wait(30) == 130
    time.sleep(0.5)  # what Docker was asked for may come late
    assert mine() == []


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
