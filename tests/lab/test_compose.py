"""The lab of docker-compose.yml: what it says, who fits it, and that it starts and stops as promised."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import compose, compose_commands, container, docker_socket
from lab.addressing import plan
from lab.compose import ComposeHost, ComposeLab
from lab.engines.docker_plan import extra_hosts
from lab.errors import EngineMissing, LabError
from lab.topology import Host, Network, Topology
from tests.needing import compose_checkout

ROOT = Path(__file__).resolve().parent.parent.parent
FOUND = ComposeLab(
    "main",
    tuple(
        ComposeHost(name, name * 3, "192.0.2.1", "2001:db8::1", "healthy") for name in ("client", "server")
    ),
    ROOT / "scenarios/programs",
)


def said() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return data


@pytest.mark.parametrize("name", ["server", "client"])
def test_hosts_are_given_what_the_engine_gives(name: str) -> None:
    host = said()["services"][name]
    assert host["image"] == container.IMAGE
    assert sorted(host["cap_add"]) == sorted(container.CAPABILITIES)
    assert host["cap_drop"] == ["ALL"]
    assert host["sysctls"] == {**container.SYSCTLS, **container.QUIET_SYSCTLS}
    assert host["mem_limit"] == f"{container.MEMORY_BYTES >> 30}g"
    assert host["memswap_limit"] == host["mem_limit"]
    assert host["pids_limit"] == container.PROCESSES
    assert (host["cpu_period"], host["cpu_quota"]) == (container.CPU_PERIOD_US, container.CPU_QUOTA_US)
    assert host["ulimits"] == container.LIMITS
    assert host["dns"] == [container.RESOLVER]
    assert host["dns_opt"] == list(container.RESOLVER_OPTIONS)
    assert f"./scenarios/programs:{container.PROGRAMS}:ro" in host["volumes"]
    assert all(one.endswith(":ro") for one in host["volumes"])
    assert host["hostname"] == name
    assert host["init"] is True
    assert "no-new-privileges:true" in host["security_opt"]
    assert host["labels"] == {container.COMPOSE_LABEL: "compose"}
    assert "privileged" not in host and "ports" not in host


def test_no_container_has_a_network_of_dockers() -> None:
    services = said()["services"]
    assert sorted(services) == ["client", "server", "switch"] and "networks" not in said()
    assert all(one["network_mode"] == "none" and "ports" not in one for one in services.values())


def test_the_switch_may_do_nothing_but_switch() -> None:
    switch = said()["services"]["switch"]
    assert (switch["cap_drop"], switch["cap_add"]) == (["ALL"], ["NET_ADMIN"])
    assert "no-new-privileges:true" in switch["security_opt"] and "privileged" not in switch
    assert switch["read_only"] is True and switch["labels"] == {
        container.COMPOSE_LABEL: container.COMPOSE_SWITCH
    }
    there = switch["sysctls"].items()
    assert there <= container.SWITCH_SYSCTLS.items()  # but those that a kernel may lack


def test_hosts_are_known_by_the_addresses_that_they_get() -> None:
    hosts = said()["services"]["client"]
    names = hosts["command"][-1].rpartition("joined ")[2].split()
    assert sorted(hosts["extra_hosts"]) == sorted(
        extra_hosts(plan(Topology.simple(*sorted(names))).interfaces)
    )
    assert sorted([*names, "switch"]) == sorted(said()["services"])


def simple(**changes: Any) -> Topology:
    return Topology(
        (replace(Host("server"), **changes), Host("client")), (Network("lab", ("server", "client")),)
    )


@pytest.mark.parametrize(
    "topology",
    [
        Topology.simple("server", "client"),
        Topology.simple("client", "server", programs=ROOT / "scenarios/programs"),
        simple(user="nobody", capabilities=("NET_RAW", "CAP_KILL"), environment={"A": "b"}),
        simple(image=container.IMAGE),
        Topology((Host("server"), Host("client")), (Network("other name", ("client", "server")),)),
    ],
)
def test_plain_topologies_fit(topology: Topology) -> None:
    assert compose.fits(FOUND, topology)


@pytest.mark.parametrize(
    "topology",
    [
        Topology.simple("server"),
        Topology.simple("server", "client", "third"),
        Topology.simple("server", "clients"),
        Topology.simple("server", "client", programs=ROOT / "scenarios"),
        Topology((Host("server"), Host("client")), ()),
        Topology((Host("server"), Host("client")), (Network("lab", ("server",)),)),
        Topology((Host("server"), Host("client")), (Network("lab", ("server", "client"), mtu=1400),)),
        Topology((Host("server"), Host("client")), (Network("lab", ("server", "client"), "192.0.2.0/24"),)),
        replace(Topology.simple("server", "client"), unusual=True),
        simple(image="debian"),
        simple(sysctls={"net.ipv4.tcp_sack": "0"}),
        simple(limits={"nofile": 10}),
        simple(files={"/a": b""}),
        simple(router=True),
        simple(addresses={"lab": ("192.0.2.7",)}),
        simple(capabilities=("NET_RAW", "SYS_NICE")),
    ],
)
def test_special_topologies_do_not_fit(topology: Topology) -> None:
    assert not compose.fits(FOUND, topology)


# Without Docker -------------------------------------------------------------------------------------


def test_no_engine_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(EngineMissing, match=r"(?s)no Docker engine here.*--engine netns"):
        docker_socket.get("/version")
    assert compose.running() is None


def test_an_engine_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(EngineMissing, match="unset DOCKER_HOST"):
        docker_socket.get("/version")


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_commands_without_an_engine_end_with_3(command: str, tmp_path: Path) -> None:
    done = run_compose(command, DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert done.returncode == 3
    assert "no Docker engine here" in done.stderr and "--engine netns" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["up", "down"]])
def test_a_wrong_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert compose.main(arguments) == 2
    assert "up|down|status" in capsys.readouterr().err


class Answering:
    """Something that answers one connection at a Unix socket with given bytes."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.asked = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener.accept()[0] as connection:
            while b"\r\n\r\n" not in self.asked:
                self.asked += connection.recv(4096)
            for start in range(0, len(self._answer), 7):
                connection.sendall(self._answer[start : start + 7])

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b'HTTP/1.0 200 OK\r\nA: b\r\n\r\n{"Version": "20.10"}', {"Version": "20.10"}),
        (b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "no such image"}', LabError),
        (b"HTTP/1.0 500 Oh\r\n\r\n", LabError),
        (b"", EngineMissing),
    ],
)
def test_answers_of_the_socket(
    answer: bytes, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Answering(tmp_path / "s", answer)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    try:
        if isinstance(outcome, type):
            with pytest.raises(outcome):
                docker_socket.get("/x")
        else:
            assert docker_socket.get("/x", filters='{"a": 1}') == outcome
            assert engine.asked.startswith(b"GET /x?filters=%7B%22a%22%3A%201%7D HTTP/1.0\r\n")
    finally:
        engine.close()


# On Docker ------------------------------------------------------------------------------------------


def run_compose(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.compose", command],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    with compose_checkout(tmp_path) as folder:
        yield folder


def spoken(command: str) -> tuple[int, str]:
    lines: list[str] = []
    getattr(compose_commands, command)(lines.append)
    return len(lines), "\n".join(lines)


@pytest.mark.docker
def test_up_and_down(checkout: Path) -> None:
    assert "is not up" in spoken("status")[1]
    assert "is not up" in spoken("down")[1]
    up = spoken("up")[1]
    found = compose.running()
    assert found is not None
    assert [host.name for host in found.hosts] == ["client", "server"]
    assert found.programs == checkout / "scenarios/programs"
    for host in found.hosts:
        assert host.health == "healthy"
        assert host.ip4 in up and host.ip6 in up
    assert "runner run scenarios/tcp_echo.yaml" in up
    assert found.host("server").ip4 in spoken("status")[1]
    again = spoken("up")[1]
    assert compose.running() == found and "is up" in again
    assert "nothing of it is left" in spoken("down")[1]
    assert compose.running() is None
    left = json.dumps({"label": [f"{compose.PROJECT}={compose_commands.project()}"]})
    assert docker_socket.get("/containers/json", all="1", filters=left) == []
    assert docker_socket.get("/networks", filters=left) == []
    assert not docker_socket.get("/volumes", filters=left)["Volumes"]


@pytest.mark.docker
def test_hosts_can_be_looked_into_by_hand(checkout: Path) -> None:
    spoken("up")
    found = compose.running()
    assert found is not None

    def inside(host: str, *command: str) -> str:
        where = [found.host(host).container if found else "", *command]
        return subprocess.run(["docker", "exec", *where], capture_output=True, text=True, timeout=30).stdout

    assert "server" in inside("client", "getent", "hosts", "server")
    assert "eth0" in inside("client", "tcpdump", "--list-interfaces")
    ask = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('server', 9))"
    capture = 'tcpdump -i eth0 -w /tmp/x -c 1 arp & ip neigh flush all; sleep 1; python3 -c "$0"; wait'
    inside("client", "sh", "-c", capture, ask)
    assert int(inside("client", "stat", "--format=%s", "/tmp/x")) > 24
    assert inside("server", "sh", "-c", "touch /etc/x /programs/x 2>/dev/null || echo refused") == "refused\n"


@pytest.mark.docker
def test_a_rival_of_the_same_name_is_not_taken_over(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken("up")
    other = checkout.parent / "other"
    shutil.copytree(checkout, other)
    with monkeypatch.context() as moved:
        moved.setattr(compose, "FOLDER", other)
        with pytest.raises(LabError, match="COMPOSE_PROJECT_NAME") as error:
            compose_commands.up(lambda line: None)
    assert str(checkout) in str(error.value)
    assert compose.running() is not None
