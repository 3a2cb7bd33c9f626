"""The docker engine where Docker or the runner stops: what is said, and that nothing stays."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from lab import docker_socket
from lab.container import IMAGE, OWNER_LABEL
from lab.engines.docker import ENGINE, clean_docker
from lab.engines.docker_lab import side_by_side
from lab.errors import HostGone, LabError
from lab.topology import Topology
from tests.engines import traces
from tests.needing import need_docker
from tests.waiting import eventually

pytestmark = pytest.mark.docker
ROOT = Path(__file__).resolve().parent.parent.parent
PAIR = Topology.simple("a", "b")


@pytest.fixture(autouse=True)
def _docker() -> None:
    need_docker()


def ours() -> set[str]:
    return traces.made_by("docker", os.getpid())


class Relay:
    """Passes bytes on to the real Docker engine, until it is cut: then Docker is gone, as far as anybody sees."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(50)
        self._ends: dict[socket.socket, socket.socket] = {}
        self._woken, self._wake = socket.socketpair()
        self._cut = False
        self._thread = threading.Thread(target=self._pass)
        self._thread.start()

    def _pass(self) -> None:
        while not self._cut:
            ready, _, _ = select.select([self._listener, self._woken, *self._ends], [], [])
            for one in ready:
                if one is self._listener:
                    self._accept()
                elif one in self._ends:
                    self._move(one)

    def _accept(self) -> None:
        near, far = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
        far.connect(docker_socket.DEFAULT.removeprefix("unix://"))
        self._ends |= {near: far, far: near}

    def _move(self, one: socket.socket) -> None:
        data = one.recv(1 << 16)
        if data:
            self._ends[one].sendall(data)
            return
        other = self._ends.pop(one)
        self._ends.pop(other)
        one.close()
        other.close()

    def cut(self) -> None:
        self._cut = True
        self._wake.send(b"x")
        self._thread.join()
        for one in (*self._ends, self._listener, self._woken, self._wake):
            one.close()


def test_docker_going_away_names_the_host_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(tmp_path / "s")
    before, made = ours(), set()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with pytest.raises(LabError) as error, ENGINE.up(PAIR, logs=tmp_path) as lab:
        with monkeypatch.context() as real:
            real.delenv("DOCKER_HOST")
            made = ours() - before
        relay.cut()
        with pytest.raises(HostGone, match=r"host a is gone: .*does not answer"):
            lab.agent("a").ask(timeout_s=10, do="interfaces")
    assert "does not answer" in error.value.what and "start docker" in error.value.remedy
    monkeypatch.delenv("DOCKER_HOST")
    assert len(made) == 3
    assert eventually(lambda: not ours() & made)  # hosts and switch ended with their input


CHILD = """
import sys, tempfile, time
from pathlib import Path
from lab.engines.docker import ENGINE
from lab.topology import Host, Network, Topology
topology = Topology((Host("a"), Host("b")), (Network("lab", ("a", "b")),))
with tempfile.TemporaryDirectory() as logs, ENGINE.up(topology, logs=Path(logs)) as lab:
    print("up", *lab.containers.values(), flush=True)
    time.sleep(60)
"""


def mounts(container: str) -> list[dict[str, Any]]:
    return list(docker_socket.get(f"/containers/{container}/json")["Mounts"])


def volumes() -> set[str]:
    return {one["Name"] for one in docker_socket.get("/volumes")["Volumes"] or ()}


def test_a_runner_that_is_killed_leaves_nothing_and_takes_nothing_along(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD]
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        mine = ours()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
            assert child.stdout is not None
            hosts = child.stdout.readline().split()[1:]
            made = traces.made_by("docker", child.pid)
            assert len(hosts) == 2 and len(made) == 3  # one of them the switch; no network
            mounted = [mount for host in hosts for mount in mounts(host)]
            (folder,) = {mount["Name"] for mount in mounted if mount["Type"] == "volume"}
            assert folder in volumes()
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert eventually(
                lambda: not traces.left_of("docker", child.pid, made)
            )  # they end with their input
            assert eventually(lambda: folder not in volumes())  # with the last of them what they shared
        assert ours() == mine
        assert lab.agent("a").ask(do="interfaces")


def test_clean_removes_hosts_too_and_says_what(tmp_path: Path) -> None:
    """Hosts whose Docker did not see the runner go; these were never the runner's at all."""
    name = f"socket-lab-test-{uuid.uuid4().hex[:8]}"
    program = "from lab import owner; print(owner.this_process())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    label = ["--label", f"{OWNER_LABEL}={done.stdout.strip()}"]
    command = ["docker", "run", "--detach", "--init", "--network", "none", "--name", name, *label, IMAGE]
    subprocess.run(command, capture_output=True, check=True)
    assert f"container {name}" in clean_docker()
    assert f"container {name}" not in clean_docker()


# Where a lab is only half made


@pytest.mark.slow
@pytest.mark.parametrize("there", [1, 2, 3])
def test_a_half_made_lab_ends_at_once_and_leaves_nothing(tmp_path: Path, there: int) -> None:
    """Ctrl-C as soon as so many containers are there: hosts that wait for the others have nothing to wait for."""
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nhosts: [a, b, c]\nsteps: [{sleep: 60s}]\n", encoding="utf-8")
    words = [sys.executable, "-m", "runner", "run", str(path), "--engine", "docker"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:

        def mine() -> list[Any]:
            containers, _ = docker_socket.labelled(OWNER_LABEL)
            return [one for one in containers if f":{process.pid}:" in one["Labels"][OWNER_LABEL]]

        deadline = time.monotonic() + 60
        while len(mine()) < there:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130, "a host waits for its switch for 20 s"
    time.sleep(0.5)  # what Docker was asked for may come late
    assert mine() == []


def test_the_first_error_ends_those_that_wait_for_others() -> None:
    given_up = threading.Event()

    def work(number: int) -> None:
        if number == 2:
            raise LabError("the second")
        if not given_up.wait(10):
            raise LabError("nobody told me")
        raise LabError(f"number {number} ended with that")

    with pytest.raises(LabError, match="the second"):
        side_by_side(work, [1, 2, 3], give_up=given_up.set)


def test_ctrl_c_goes_on_when_all_have_ended() -> None:
    given_up = threading.Event()
    ended = []

    def work(number: int) -> None:
        if number == 3:
            time.sleep(0.2)  # all have begun
            os.kill(os.getpid(), signal.SIGINT)
        assert given_up.wait(10)
        ended.append(number)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, [1, 2, 3], give_up=given_up.set)
    assert sorted(ended) == [1, 2, 3]
