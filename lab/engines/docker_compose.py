"""Playing on the hosts of the compose lab: an agent in each for as long as a run takes, and nothing else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.addressing import plan
from lab.compose import ComposeHost, ComposeLab
from lab.container import WORK_FOLDER
from lab.engines import guest
from lab.engines.attached import AttachedStream
from lab.engines.docker import saying
from lab.engines.docker_lab import DockerLab, engine_facts, side_by_side, stream
from lab.errors import LabError
from lab.topology import Network, Topology

START_S = 30.0
"""The longest that a container may take to have its links."""

if TYPE_CHECKING:
    from lab.engines.docker import Client


@contextlib.contextmanager
def on_compose(client: Client, found: ComposeLab, topology: Topology, logs: Path) -> Iterator[DockerLab]:
    """The compose lab as a topology's lab. Leaving brings back hosts that were paused or killed."""
    lab = DockerLab(client, topology, {"lab": f"the compose lab {found.project}", **engine_facts(client)})
    lab.containers = {host.name: host.container for host in found.hosts}
    streams: list[AttachedStream] = []
    ip6 = all(host.ip6 for host in found.hosts)
    planned = plan(Topology(topology.hosts, (_as_it_is(found, topology.networks[0]),)), ip6=ip6)

    def enter(host: ComposeHost) -> None:
        attached = _execute(client, host, logs / f"{host.name}.stderr")
        streams.append(attached)
        settings = guest.settings(first=host.ip4, forget=True)
        lab.begin(host.name, attached, settings, planned.interfaces[host.name])

    def again(name: str) -> None:
        [host] = [one for one in found.hosts if one.name == name]
        _start(client, host)
        enter(host)

    lab.start_again = again
    try:
        side_by_side(enter, found.hosts)
        yield lab
    finally:
        _resume(lab)
        side_by_side(AttachedStream.finish, streams)
        _start_again(client, lab)


def _start(client: Client, host: ComposeHost) -> None:
    """Start a container that was killed, and wait until it has its links; raises LabError."""
    with saying(f"starting host {host.name} again"):
        client.start(host.container)
        deadline = time.monotonic() + START_S
        while client.inspect_container(host.container)["State"]["Health"]["Status"] != "healthy":
            if time.monotonic() > deadline:
                raise LabError(f"host {host.name} is not healthy {START_S:g} s after it was started again")
            time.sleep(0.02)


def _execute(client: Client, host: ComposeHost, stderr: Path) -> AttachedStream:
    with saying(f"beginning the agent of host {host.name}"):
        command = ["python3", "-I", "-S", "-c", guest.READER]
        begun = client.exec_create(host.container, command, stdin=True, user="0:0", workdir=WORK_FOLDER)
        raw = client.exec_start(begun["Id"], socket=True)
        return stream(host.container, raw, stderr)


def _as_it_is(found: ComposeLab, network: Network) -> Network:
    """A scenario's network with its hosts in the order in which they have their addresses."""
    return replace(network, hosts=tuple(host.name for host in found.hosts))


def _resume(lab: DockerLab) -> None:
    for host in sorted(lab.paused):
        with contextlib.suppress(LabError):
            lab.resume(host)


def _start_again(client: Client, lab: DockerLab) -> None:
    """The compose lab goes on for the next run."""
    for host in sorted(lab.killed):
        with saying(f"starting host {host} again"):
            client.start(lab.containers[host])
