"""Containers and networks made for one run, and removed after it, whatever happened.

A container runs the agent itself, at the end of an attached stream: when the runner is gone its input ends,
then it ends, and Docker removes the container. Networks of a killed runner wait for `clean_docker`.
"""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab import docker_socket
from lab.container import IMAGE, RUN_LABEL
from lab.engines import docker_plan
from lab.engines.attached import AttachedStream
from lab.engines.docker import NOT_FOUND, explanation, remove_container, remove_network, saying, status
from lab.engines.docker_lab import DockerLab, engine_facts, side_by_side, stream
from lab.engines.docker_plan import Layout
from lab.errors import LabError, Unsupported
from lab.topology import Host, Network, Topology

if TYPE_CHECKING:
    from lab.engines.docker import Client

TRIES = 5
"""How often subnets are chosen anew when another run took one at the same moment."""
_ROUTES = Path("/proc/net/route")


@contextlib.contextmanager
def made_for_the_run(
    client: Client, topology: Topology, logs: Path, labels: Mapping[str, str]
) -> Iterator[DockerLab]:
    """Make networks and containers for a topology; leaving removes all that bears the run's label."""
    lab = DockerLab(client, topology, {"lab": "containers of its own", **engine_facts(client)})
    streams: dict[str, AttachedStream] = {}
    try:
        making = _Making(client, _with_networks(client, topology, labels), logs, streams)
        side_by_side(lambda host: making.host(host, lab), topology.hosts)
        yield lab
    finally:
        side_by_side(AttachedStream.close, list(streams.values()))
        _remove_run(client, labels[RUN_LABEL])


def _with_networks(client: Client, topology: Topology, labels: Mapping[str, str]) -> Layout:
    """Choose subnets and make the networks; where one of them was taken meanwhile, all are chosen anew."""
    run = labels[RUN_LABEL]
    for attempt in range(TRIES):
        with saying("looking at the networks there are"):
            taken = docker_plan.taken_subnets(client.networks(), _routes())
        layout = docker_plan.layout(topology, f"{run}{attempt or ''}", labels, taken)

        def make(network: Network, layout: Layout = layout) -> None:
            with saying(f"making network {network.name}"):
                client.create_network(**docker_plan.network_arguments(layout, network))

        try:
            side_by_side(make, layout.topology.networks)
            return layout
        except LabError as error:
            if "overlaps" not in error.what:
                raise
            clash = error
            _remove_run(client, run)
    raise LabError(
        clash.what, "The subnets that the scenario asks for are in use; the netns engine has no such limit."
    )


def _routes() -> str:
    try:
        return _ROUTES.read_text(encoding="ascii")
    except OSError:
        return ""


class _Making:
    """Makes the hosts of one layout; `streams` gets each stream as soon as there is one."""

    def __init__(
        self, client: Client, layout: Layout, logs: Path, streams: dict[str, AttachedStream]
    ) -> None:
        self._client = client
        self._layout = layout
        self._logs = logs
        self._streams = streams
        self._lock = threading.Lock()

    def host(self, host: Host, lab: DockerLab) -> None:
        """Make a host and begin its agent, once more without each optional sysctl that the kernel lacks."""
        sysctls = docker_plan.sysctls(host)
        while True:
            try:
                container, attached = self._started(host, sysctls)
                break
            except LabError as error:
                sysctls.pop(_lacking(host, sysctls, error))
        lab.containers[host.name] = container
        planned = self._layout.plan.interfaces[host.name]
        lab.begin(host.name, attached, docker_plan.guest_settings(self._layout, host.name), planned)

    def _started(self, host: Host, sysctls: Mapping[str, str]) -> tuple[str, AttachedStream]:
        container = self._created(host, sysctls)
        try:
            attached = self._attached(host, container)
            with saying(f"starting host {host.name}"):
                self._client.start(container)
        except LabError:
            remove_container(self._client, container)
            raise
        return container, attached

    def _created(self, host: Host, sysctls: Mapping[str, str]) -> str:
        config = docker_plan.container_config(self._layout, host, sysctls)
        name = self._layout.container_name(host.name)
        with saying(f"making host {host.name}"):
            try:
                made = self._client.create_container_from_config(config, name)  # type: ignore[no-untyped-call]
            except OSError as error:
                if status(error) != NOT_FOUND or "image" not in explanation(error).lower():
                    raise
                image = host.image or IMAGE
                remedy = (
                    "Build it: make images" if image == IMAGE else f"Pull or build it: docker pull {image}"
                )
                raise LabError(
                    f"the image {image} of host {host.name} is not on this machine", remedy
                ) from None
            container: str = made["Id"]
            for end in self._layout.plan.interfaces[host.name][1:]:
                self._client.connect_container_to_network(
                    container, self._layout.network_name(end.network), **docker_plan.connection(end)
                )
            if host.files:
                self._client.put_archive(container, "/", archive(host.files))
        return container

    def _attached(self, host: Host, container: str) -> AttachedStream:
        with saying(f"attaching to host {host.name}"):
            wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            raw = self._client.attach_socket(container, params=wanted)
            made = stream(container, raw, self._logs / f"{host.name}.stderr")
        with self._lock:
            self._streams[container] = made
        return made


def _lacking(host: Host, sysctls: Mapping[str, str], error: LabError) -> str:
    """The sysctl to go on without that an error speaks of: an optional one, or one that only we want.

    Raises Unsupported for one that the host needs and cannot have, LabError for a value that the kernel refuses,
    and the error itself where it speaks of none.
    """
    said = error.what.replace("/", ".")
    for key in sorted(sysctls, key=len, reverse=True):
        if not re.search(rf"(?<![\w.]){re.escape(key)}(?!\w)|sys\.{re.escape(key)}(?!\w)", said):
            continue
        if "invalid argument" in said:
            raise LabError(
                f"host {host.name}: the kernel refuses {sysctls[key]!r} for the sysctl {key}"
            ) from None
        if key not in host.sysctls:
            return key
        raise Unsupported(f"host {host.name} cannot have the sysctl {key}: {_reason(said)}") from None
    raise error


def _reason(said: str) -> str:
    if "permission denied" in said or "not in a separate" in said or "not allowed" in said:
        return "it is the machine's, not a host's"
    return "this kernel lacks it"


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of files, by their paths in the host; everyone may read and run them."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, contents in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(contents), 0o755
            tar.addfile(entry, io.BytesIO(contents))
    return made.getvalue()


# Removing -------------------------------------------------------------------------------------------


def _remove_run(client: Client, run: str) -> None:
    """Remove the containers of a run, then its networks."""
    containers, networks = docker_socket.labelled(f"{RUN_LABEL}={run}")
    side_by_side(lambda one: remove_container(client, one["Id"]), containers)
    side_by_side(lambda one: remove_network(client, one["Id"]), networks)
