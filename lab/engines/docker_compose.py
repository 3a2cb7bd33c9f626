"""Playing on the hosts of the compose lab: an agent in each for as long as a run takes, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.compose import ComposeHost, ComposeLab
from lab.container import WORK_FOLDER
from lab.engine import Interface
from lab.engines import guest
from lab.engines.attached import AttachedStream
from lab.engines.docker import saying
from lab.engines.docker_lab import DockerLab, engine_facts, side_by_side, stream
from lab.errors import LabError
from lab.topology import Network, Topology

if TYPE_CHECKING:
    from lab.engines.docker import Client


@contextlib.contextmanager
def on_compose(client: Client, found: ComposeLab, topology: Topology, logs: Path) -> Iterator[DockerLab]:
    """The compose lab as a topology's lab. Leaving brings back hosts that were paused or killed."""
    lab = DockerLab(client, topology, {"lab": f"the compose lab {found.project}", **engine_facts(client)})
    lab.containers = {host.name: host.container for host in found.hosts}
    streams: list[AttachedStream] = []

    def enter(host: ComposeHost) -> None:
        attached = _execute(client, host, logs / f"{host.name}.stderr")
        streams.append(attached)
        settings = guest.settings(first=host.ip4, forget=True)
        lab.begin(host.name, attached, settings, [_planned(host, topology.networks[0])])

    try:
        side_by_side(enter, found.hosts)
        yield lab
    finally:
        _resume(lab)
        side_by_side(AttachedStream.finish, streams)
        _start_again(client, lab)


def _execute(client: Client, host: ComposeHost, stderr: Path) -> AttachedStream:
    with saying(f"beginning the agent of host {host.name}"):
        command = ["python3", "-I", "-S", "-c", guest.READER]
        begun = client.exec_create(host.container, command, stdin=True, user="0:0", workdir=WORK_FOLDER)
        raw = client.exec_start(begun["Id"], socket=True)
        return stream(host.container, raw, stderr)


def _planned(host: ComposeHost, network: Network) -> Interface:
    """What compose says of a host's end; the agent knows the rest."""
    return Interface(
        host=host.name,
        network=network.name,
        name="",
        mac="",
        ip4=(host.ip4,),
        ip6=(host.ip6,) if host.ip6 else (),
        prefix4=host.prefix4,
        prefix6=host.prefix6,
        mtu=network.mtu,
    )


def _resume(lab: DockerLab) -> None:
    for host in sorted(lab.paused):
        with contextlib.suppress(LabError):
            lab.resume(host)


def _start_again(client: Client, lab: DockerLab) -> None:
    """The compose lab goes on for the next run."""
    for host in sorted(lab.killed):
        with saying(f"starting host {host} again"):
            client.start(lab.containers[host])
