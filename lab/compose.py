"""The lab of docker-compose.yml: `python -m lab.compose up|down|status`, and whether it is up.

Finding it is one question to Docker's socket, because `runner run` asks it each time: no SDK is imported for that.
Playing on it is `lab.engines.docker`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import docker_socket, images
from lab.container import CAPABILITIES, COMPOSE_LABEL, IMAGE, PROGRAMS
from lab.engine import Reporter
from lab.errors import LabError
from lab.topology import Host, Network, Topology

FOLDER = Path(__file__).resolve().parent.parent
"""The checkout: where docker-compose.yml is."""
PROJECT, SERVICE, WORKING_FOLDER = (
    f"com.docker.compose.{word}" for word in ("project", "service", "project.working_dir")
)
"""Labels that compose, old and new, puts on what it makes."""
HEALTHY_S = 30.0
NO_COMPOSE = "Install it (on Debian: apt-get install docker-compose), or play without it: runner run ... --engine netns."


@dataclass(frozen=True)
class ComposeHost:
    """A container of the compose lab: addresses as Docker gave them, `health` as its check says."""

    name: str
    container: str
    ip4: str
    ip6: str
    prefix4: int
    prefix6: int
    health: str


@dataclass(frozen=True)
class ComposeLab:
    """The compose lab that is up. `programs` is the folder that its hosts see as /programs."""

    project: str
    hosts: tuple[ComposeHost, ...]
    programs: Path | None

    def host(self, name: str) -> ComposeHost:
        """The host of that name; raises KeyError."""
        return {host.name: host for host in self.hosts}[name]


# Finding it -----------------------------------------------------------------------------------------------------


def running(folder: Path = FOLDER) -> ComposeLab | None:
    """The compose lab of a checkout, or None where it is not up, or no Docker answers."""
    try:
        containers = _containers(f"{WORKING_FOLDER}={folder}")
    except LabError:
        return None
    return _lab(containers)


def _containers(label: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = docker_socket.get(
        "/containers/json", all="1", filters=json.dumps({"label": [COMPOSE_LABEL, label]})
    )
    return found


def _lab(containers: Sequence[dict[str, Any]]) -> ComposeLab | None:
    if not containers or any(one["State"] != "running" for one in containers):
        return None
    hosts = sorted((_host(one) for one in containers), key=lambda host: host.name)
    mounts = [mount for mount in containers[0]["Mounts"] if mount["Destination"] == PROGRAMS]
    programs = Path(mounts[0]["Source"]) if mounts else None
    return ComposeLab(containers[0]["Labels"][PROJECT], tuple(hosts), programs)


def _host(container: dict[str, Any]) -> ComposeHost:
    (end,) = container["NetworkSettings"]["Networks"].values()
    status = container["Status"]
    health = next((word for word in ("unhealthy", "starting", "healthy") if word in status), "unknown")
    name = container["Labels"][SERVICE]
    return ComposeHost(
        name=name,
        container=container["Id"],
        ip4=end["IPAddress"],
        ip6=end["GlobalIPv6Address"],
        prefix4=end["IPPrefixLen"],
        prefix6=end["GlobalIPv6PrefixLen"],
        health=health,
    )


def fits(found: ComposeLab, topology: Topology) -> bool:
    """Whether a topology can be played on the compose lab: its hosts on one network, and nothing special about them.

    What the agent or the runner do themselves (users, capabilities that the hosts have, the environment of programs)
    is nothing special.
    """
    names = [host.name for host in topology.hosts]
    return (
        sorted(names) == [host.name for host in found.hosts]
        and len(topology.networks) == 1
        and _is_plain_network(topology.networks[0], names)
        and all(_is_plain(host) for host in topology.hosts)
        and (topology.programs is None or topology.programs.resolve() == found.programs)
    )


def _is_plain_network(network: Network, hosts: Sequence[str]) -> bool:
    return sorted(network.hosts) == sorted(hosts) and network == Network(network.name, network.hosts)


def _is_plain(host: Host) -> bool:
    plain = Host(
        host.name, IMAGE if host.image == IMAGE else None, capabilities=host.capabilities, user=host.user,
        environment=host.environment,
    )  # fmt: skip
    had = {name.removeprefix("CAP_") for name in host.capabilities or ()} <= set(CAPABILITIES)
    return host == plain and had


# Starting and stopping it ---------------------------------------------------------------------------------------


def up(report: Reporter) -> None:
    """Start it, building the image where needed, and wait until its hosts are healthy; raises LabError."""
    began = time.monotonic()
    _engine_answers()
    images.build(report)
    _no_rival()
    _compose("up", "--detach")
    found = _wait_until_healthy()
    report(f"The lab is up ({time.monotonic() - began:.1f} s):")
    for line in described(found):
        report(line)
    report("Next: runner run scenarios/tcp_echo.yaml")
    report(
        f"Or look around: docker exec -it {_container_name(found, 0)} bash; make lab-down takes it down again."
    )


def down(report: Reporter) -> None:
    """Stop it and remove all of it; raises LabError where something stays."""
    _engine_answers()
    label = f"{WORKING_FOLDER}={FOLDER}"
    if not _containers(label) and not _networks():
        report("The lab is not up.")
        return
    began = time.monotonic()
    _compose("down", "--timeout", "1")
    left = _containers(label)
    if left:
        names = ", ".join(one["Names"][0].lstrip("/") for one in left)
        raise LabError(f"these containers are still there: {names}", "Remove them with docker rm --force.")
    report(f"The lab is down ({time.monotonic() - began:.1f} s); nothing of it is left.")


def status(report: Reporter) -> bool:
    """Say whether it is up; raises LabError where Docker does not answer."""
    _engine_answers()
    found = running()
    if found is None:
        report("The lab is not up; make lab-up starts it.")
        return False
    report(f"The lab is up (compose project {found.project}):")
    for line in described(found):
        report(line)
    return True


def described(found: ComposeLab) -> list[str]:
    """A line for each host: name, addresses, health."""
    width = max(len(host.name) for host in found.hosts)
    return [f"  {host.name:{width}}  {host.ip4}  {host.ip6}  {host.health}" for host in found.hosts]


def _container_name(found: ComposeLab, number: int) -> str:
    name: str = docker_socket.get(f"/containers/{found.hosts[number].container}/json")["Name"]
    return name.lstrip("/")


def _engine_answers() -> None:
    """Raises LabError with what to do where no Docker engine answers."""
    docker_socket.get("/version")


def _networks() -> list[dict[str, Any]]:
    """The networks of this checkout's project: a start that failed half-way may have left one without hosts."""
    found: list[dict[str, Any]] = docker_socket.get(
        "/networks", filters=json.dumps({"label": [COMPOSE_LABEL]})
    )
    return [one for one in found if one["Labels"].get(PROJECT) == project()]


def project() -> str:
    """The project name that compose takes for this checkout: its folder's, without what compose leaves out."""
    name = os.environ.get("COMPOSE_PROJECT_NAME") or FOLDER.name
    return "".join(one for one in name.lower() if one.isalnum() or one in "_-").lstrip("_-") or "default"


def _no_rival() -> None:
    """Raises LabError where a checkout in another folder of the same name has its lab up: compose would take it over."""
    for one in _containers(f"{PROJECT}={project()}"):
        folder = one["Labels"].get(WORKING_FOLDER, "")
        if folder != str(FOLDER):
            raise LabError(
                f"the lab of another checkout, {folder}, is up under the same project name {project()!r}",
                "Take it down there (make lab-down), or give this one a name: COMPOSE_PROJECT_NAME=other make lab-up.",
            )


def _wait_until_healthy() -> ComposeLab:
    deadline = time.monotonic() + HEALTHY_S
    while True:
        found = running()
        if found is not None and all(host.health == "healthy" for host in found.hosts):
            return found
        if time.monotonic() > deadline:
            states = (
                ", ".join(f"{host.name} is {host.health}" for host in found.hosts) if found else "none runs"
            )
            raise LabError(
                f"the lab's hosts are not healthy after {HEALTHY_S:g} s: {states}", "See: docker compose logs"
            )
        time.sleep(0.05)


def _compose(*arguments: str) -> None:
    """Run compose, new or old, in the checkout; raises LabError with its last words when it fails."""
    done = subprocess.run(
        [*_command(), *arguments], cwd=FOLDER, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode == 0:
        return
    said = images.last_line(done.stderr)
    remedy = ""
    if "overlaps" in said:
        remedy = "Another network has this subnet. Give the lab another: SOCKET_LAB_SUBNET6=fdXX:XXXX::/64 make lab-up."
    raise LabError(f"docker compose {arguments[0]} failed: {said}", remedy)


def _command() -> list[str]:
    """How compose is called here: `docker compose` where that is installed, else `docker-compose`."""
    if shutil.which("docker-compose") is None or _has_plugin():
        if not _has_plugin():
            raise LabError("neither docker compose nor docker-compose is installed", NO_COMPOSE)
        return ["docker", "compose"]
    return ["docker-compose"]


def _has_plugin() -> bool:
    return images.docker("compose", "version", check=False).returncode == 0


def main(arguments: Sequence[str]) -> int:
    """0 when done, 2 for a wrong command line, 3 where it could not be done (or, for status, is not up)."""
    commands: dict[str, Callable[[Reporter], object]] = {"up": up, "down": down, "status": status}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m lab.compose up|down|status", file=sys.stderr)
        return 2
    try:
        done = commands[arguments[0]](lambda line: print(line, flush=True))
    except LabError as error:
        print(error, file=sys.stderr)
        return 3
    return 3 if done is False else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
