"""The measures of `make bench`: for each what is timed, its reference, and what it needs.

Each function makes its samples with the product as a user has it; a reference does the same job by hand.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import compose
from lab import engine as engines
from lab.container import IMAGE
from lab.engine import Lab
from lab.topology import Topology
from runner.recorder import Recorder

ROOT = Path(__file__).resolve().parents[2]
RUNNER = [sys.executable, "-m", "runner"]
ECHO = "scenarios/tcp_echo.yaml"


@dataclass(frozen=True)
class Measure:
    """One row: seconds of a sample of ours, seconds of one of the reference."""

    title: str
    ours: Callable[[], float]
    reference: Callable[[], float]
    reference_title: str
    rounds: int = 9
    missing: Callable[[], str] = lambda: ""


def environment() -> dict[str, str]:
    """Ours, with compiled modules kept between runs as everybody has them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: list[str]) -> float:
    """Wall time of a command as a whole process; raises CalledProcessError when it fails."""
    began = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    return time.perf_counter() - began


def by_hand() -> float:
    """Two namespaces, tcpdump in both, an echo server and a client, with ip(8)."""
    return seconds(["sh", "tests/bench/reference_echo.sh"])


def namespaces_with_ip() -> float:
    """Only the two namespaces and their link, with one `ip -batch`."""
    name = f"bench-{os.getpid()}"
    batch = (
        f"netns add {name}-a\nnetns add {name}-b\n"
        f"link add eth0 netns {name}-a type veth peer name eth0 netns {name}-b\n"
    )
    began = time.perf_counter()
    subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True)
    for end, address in (("a", "10.99.0.1/24"), ("b", "10.99.0.2/24")):
        inside = f"addr add {address} dev eth0\nlink set lo up\nlink set eth0 up\n"
        subprocess.run(["ip", "-n", f"{name}-{end}", "-batch", "-"], input=inside.encode(), check=True)
    took = time.perf_counter() - began
    subprocess.run(
        ["ip", "-batch", "-"], input=f"netns del {name}-a\nnetns del {name}-b\n".encode(), check=True
    )
    return took


@contextmanager
def lab_of(engine: str, scratch: Path) -> Iterator[Lab]:
    """A lab of the two hosts of the compose file."""
    made = engines.find(engine)
    problem = made.ready()
    if problem:
        raise problem
    with made.up(Topology.simple("server", "client"), logs=scratch) as lab:
        yield lab


def up_and_capturing(scratch: Path, *, cold: bool) -> float:
    """Two hosts on netns until both agents answered with offloads off and captures on."""
    engine = engines.find("netns")
    if not cold:
        engine.ready()
        time.sleep(0.1)
    began = time.perf_counter()
    with engine.up(Topology.simple("server", "client"), logs=scratch) as lab:
        Recorder(lab, ["server", "client"]).begin()
        return time.perf_counter() - began


def step(engine: str, scratch: Path) -> float:
    """One call and its reply through an agent: the median of 500."""
    with lab_of(engine, scratch) as lab:
        agent = lab.agent("client")
        agent.ask(do="call", function="socket", arguments=[], makes="s")
        samples = []
        for _ in range(500):
            began = time.perf_counter()
            agent.ask(do="call", on="s", method="fileno", arguments=[])
            samples.append(time.perf_counter() - began)
    return sorted(samples)[len(samples) // 2]


def bare_echo() -> float:
    """The median of 500 round trips of 100 bytes between two processes over a socket pair."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        while data := theirs.recv(1000):
            theirs.sendall(data)
        os._exit(0)
    theirs.close()
    samples = []
    for _ in range(500):
        began = time.perf_counter()
        ours.sendall(b"x" * 100)
        ours.recv(1000)
        samples.append(time.perf_counter() - began)
    ours.close()
    os.waitpid(child, 0)
    return sorted(samples)[len(samples) // 2]


def lab_up_and_down() -> float:
    """The compose lab taken down and started again, as `make lab-down` and `make lab-up` do it."""
    command = [sys.executable, "-m", "lab.compose"]
    return seconds([*command, "down"]) + seconds([*command, "up"])


def containers_by_hand() -> float:
    """Two containers on a network of their own, started and removed with docker(1)."""
    name = f"bench-{os.getpid()}"
    hosts = [f"{name}-{end}" for end in ("a", "b")]
    began = time.perf_counter()
    seconds(["docker", "network", "create", "--internal", name])
    for host in hosts:
        seconds(["docker", "run", "-d", "--init", "--name", host, "--network", name, IMAGE, "sleep", "60"])
    seconds(["docker", "rm", "-f", *hosts])
    seconds(["docker", "network", "rm", name])
    return time.perf_counter() - began


def no_compose_lab() -> str:
    """Why a measure on the compose lab cannot be taken, or nothing."""
    return "" if compose.running() else "no compose lab is up (make lab-up)"


def no_ip() -> str:
    """Why a reference made with ip(8) and tcpdump cannot be taken, or nothing."""
    if os.geteuid() != 0:
        return "the reference needs root"
    return "" if shutil.which("ip") and shutil.which("tcpdump") else "ip and tcpdump are not installed"


def all_of(scratch: Path) -> Iterator[Measure]:
    """Every measure, in the order of the table."""
    run = [*RUNNER, "run", ECHO, "--runs", str(scratch / "runs")]
    yield Measure(
        "two hosts up, answering, capturing (warm)",
        lambda: up_and_capturing(scratch, cold=False),
        namespaces_with_ip,
        "the bare namespaces with ip -batch",
        missing=no_ip,
    )
    yield Measure(
        "two hosts up, answering, capturing (cold)",
        lambda: up_and_capturing(scratch, cold=True),
        namespaces_with_ip,
        "the bare namespaces with ip -batch",
        missing=no_ip,
    )
    yield Measure(
        "runner run tcp_echo.yaml --engine netns",
        lambda: seconds([*run, "--engine", "netns"]),
        by_hand,
        "namespaces, tcpdump, echo by hand",
        missing=no_ip,
    )
    yield Measure(
        "runner run tcp_echo.yaml on the compose lab",
        lambda: seconds([*run, "--engine", "docker"]),
        by_hand,
        "namespaces, tcpdump, echo by hand",
        missing=lambda: no_ip() or no_compose_lab(),
    )
    yield Measure(
        "one step on netns", lambda: step("netns", scratch), bare_echo, "an echo between two processes"
    )
    yield Measure(
        "one step on Docker",
        lambda: step("docker", scratch),
        bare_echo,
        "an echo between two processes",
        missing=no_compose_lab,
    )
    yield Measure(
        "make lab-down and make lab-up",
        lab_up_and_down,
        containers_by_hand,
        "two containers with docker(1)",
        rounds=3,
        missing=no_compose_lab,
    )
