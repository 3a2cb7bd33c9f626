"""The lab of docker-compose.yml: whether it is up, who fits it, and `python -m lab.compose up|down|status`.

Finding it is one question to Docker's socket, because `runner run` asks it each time: no SDK is imported for
that. Playing on it is `lab.engines.docker`; starting and stopping it is `lab.compose_commands`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import docker_socket
from lab.container import CAPABILITIES, COMPOSE_LABEL, COMPOSE_SWITCH, IMAGE, PROGRAMS
from lab.errors import LabError
from lab.topology import Host, Network, Topology

if TYPE_CHECKING:
    from lab.engine import Interface

FOLDER = Path(__file__).resolve().parent.parent
"""The checkout: where docker-compose.yml is."""
PROJECT, SERVICE, NETWORK, WORKING_FOLDER = (
    f"com.docker.compose.{word}" for word in ("project", "service", "network", "project.working_dir")
)
"""Labels that compose, old and new, puts on what it makes."""


@dataclass(frozen=True)
class ComposeHost:
    """A container of the compose lab: addresses as `lab.engines.joined` gave them, `health` as its check says."""

    name: str
    container: str
    ip4: str
    ip6: str
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


# Finding it -----------------------------------------------------------------------------------------


def running(folder: Path = FOLDER) -> ComposeLab | None:
    """The compose lab of a checkout, or None where it is not up, or no Docker answers."""
    try:
        found = containers(f"{WORKING_FOLDER}={folder}")
    except LabError:
        return None
    return _lab(found)


def containers(label: str) -> list[dict[str, Any]]:
    """Containers of compose labs with a label (`KEY=VALUE`), running or not, as Docker's API lists them."""
    found: list[dict[str, Any]] = docker_socket.get(
        "/containers/json", all="1", filters=json.dumps({"label": [COMPOSE_LABEL, label]})
    )
    return found


def _lab(made: Sequence[dict[str, Any]]) -> ComposeLab | None:
    if not made or any(one["State"] != "running" for one in made):
        return None
    from lab.addressing import plan  # late: most machines have no such lab up

    hosts = {one["Labels"][SERVICE]: one for one in made if one["Labels"][COMPOSE_LABEL] != COMPOSE_SWITCH}
    topology = Topology.simple(*sorted(hosts))
    planned = plan(topology, ip6=Path("/proc/net/if_inet6").exists())
    mounts = [mount for one in hosts.values() for mount in one["Mounts"] if mount["Destination"] == PROGRAMS]
    programs = Path(mounts[0]["Source"]) if mounts else None
    ends = [_host(hosts[host.name], planned.interfaces[host.name][0]) for host in topology.hosts]
    return ComposeLab(made[0]["Labels"][PROJECT], tuple(ends), programs)


def _host(container: dict[str, Any], end: Interface) -> ComposeHost:
    status = container["Status"]
    health = next((word for word in ("unhealthy", "starting", "healthy") if word in status), "unknown")
    return ComposeHost(end.host, container["Id"], end.ip4[0], end.ip6[0] if end.ip6 else "", health)


def fits(found: ComposeLab, topology: Topology) -> bool:
    """Whether a topology can be played on the compose lab: its hosts, one network, and nothing special.

    What is unusual does not: where the machine's own filter looks at what bridges pass on (br_netfilter), its bridge,
    unlike those made for a run, drops what is malformed.

    What the agent or the runner do themselves is nothing special: users, capabilities that the hosts have,
    the environment of programs.
    """
    names = [host.name for host in topology.hosts]
    return (
        sorted(names) == [host.name for host in found.hosts]
        and len(topology.networks) == 1
        and not topology.unusual
        and topology.compose is None
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


# The command ----------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """0 when done, 2 for a wrong command line, 3 where it could not be done."""
    from lab import compose_commands

    commands = {"up": compose_commands.up, "down": compose_commands.down, "status": compose_commands.status}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m lab.compose up|down|status", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]](lambda line: print(line, flush=True))
    except LabError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
