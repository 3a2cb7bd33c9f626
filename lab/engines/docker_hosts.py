"""Containers made for one run, and removed after it, whatever happened: its hosts, and the switch between them.

A container runs the agent itself, at the end of an attached stream: when the runner is gone its input ends,
then it ends, and Docker removes the container. What Docker did not get to waits for `clean_docker`.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab import docker_socket
from lab.container import IMAGE, OWN_IMAGES, RUN_LABEL, SWITCH_SYSCTLS
from lab.engines import docker_plan
from lab.engines.attached import AttachedStream
from lab.engines.docker import NOT_FOUND, explanation, remove_container, saying, status
from lab.engines.docker_lab import DockerLab, engine_facts, side_by_side, stream
from lab.engines.docker_plan import Layout
from lab.errors import LabError, Unsupported
from lab.topology import Host, Topology

if TYPE_CHECKING:
    from lab.engines.docker import Client

SWITCH_SAID = "(switch).stderr"
_HAS_IP6 = Path("/proc/net/if_inet6")


@contextlib.contextmanager
def made_for_the_run(
    client: Client, topology: Topology, logs: Path, labels: Mapping[str, str]
) -> Iterator[DockerLab]:
    """Make a switch and hosts for a topology; leaving removes all that bears the run's label."""
    lab = DockerLab(client, topology, {"lab": "containers of its own", **engine_facts(client)})
    streams: dict[str, AttachedStream] = {}
    layout = docker_plan.layout(topology, labels[RUN_LABEL], labels, ip6=_HAS_IP6.exists())
    try:
        making = _Making(client, layout, logs, streams)
        lab.start_again = lambda name: making.again(topology.host(name), lab)
        # In a thread too: a request to Docker that was interrupted may be carried out after all was removed.
        [switch] = side_by_side(lambda make: make(), [making.switch])
        begin: list[Callable[[], None]] = [functools.partial(making.begin_switch, switch, lab)]
        begin += [functools.partial(making.host, host, lab) for host in topology.hosts]
        side_by_side(lambda work: work(), begin, give_up=making.give_up)
        yield lab
    finally:
        side_by_side(AttachedStream.close, list(streams.values()))
        _remove_run(client, labels[RUN_LABEL])
        _remove_if_empty(logs / SWITCH_SAID)


def _remove_if_empty(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def _is_there(sysctl: str) -> bool:
    """Whether the machine's kernel has that setting."""
    return Path("/proc/sys", *sysctl.split(".")).exists()


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
        self._given_up = False

    def give_up(self) -> None:
        """Remove what is there, and start nothing more: with that ends who waits, as hosts do for the switch."""
        self._given_up = True  # first: who makes a container now looks at it before that is started
        _remove_run(self._client, self._layout.run)

    def _start(self, container: str) -> None:
        if self._given_up:
            raise LabError("the lab is not made any more")
        self._client.start(container)

    def switch(self) -> str:
        """Make the switch's container, which has to be there before hosts can share its folder; returns its id."""
        sysctls = {key: value for key, value in SWITCH_SYSCTLS.items() if _is_there(key)}
        config = docker_plan.switch_config(self._layout, sysctls)
        with saying("making the switch"):
            made = self._client.create_container_from_config(config, self._layout.switch_name)  # type: ignore[no-untyped-call]
        return str(made["Id"])

    def begin_switch(self, container: str, lab: DockerLab) -> None:
        """Start the switch; hosts join as soon as it listens."""
        attached = self._attached("(switch)", container, self._logs / SWITCH_SAID)
        with saying("starting the switch"):
            self._start(container)
        lab.begin_switch(attached, docker_plan.switch_request(self._layout))

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

    def again(self, host: Host, lab: DockerLab) -> None:
        """Make a host that was killed anew; Docker removes the old container by itself, and its name must be free."""
        old = lab.containers[host.name]
        remove_container(self._client, old)
        with self._lock:
            self._streams.pop(old).close()
        self.host(host, lab)

    def _started(self, host: Host, sysctls: Mapping[str, str]) -> tuple[str, AttachedStream]:
        container = self._created(host, sysctls)
        try:
            attached = self._attached(f"host {host.name}", container, self._logs / f"{host.name}.stderr")
            with saying(f"starting host {host.name}"):
                self._start(container)
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
                raise _without_image(host) from None
            container: str = made["Id"]
            if host.files:
                self._client.put_archive(container, "/", archive(host.files))
        return container

    def _attached(self, who: str, container: str, stderr: Path) -> AttachedStream:
        with saying(f"attaching to {who}"):
            wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            raw = self._client.attach_socket(container, params=wanted)
            made = stream(container, raw, stderr)
        with self._lock:
            self._streams[container] = made
        return made


def _without_image(host: Host) -> LabError:
    """What to say of a host whose image is not here: one of ours is for the scenarios that name it alone."""
    image = host.image or IMAGE
    if image in OWN_IMAGES and host.image:
        return Unsupported(f"host {host.name} wants the image {image}, which is not built yet: make images")
    remedy = "Build it: make images" if image == IMAGE else f"Pull or build it: docker pull {image}"
    return LabError(f"the image {image} of host {host.name} is not on this machine", remedy)


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
        if key not in docker_plan.needed_sysctls(host):
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
    """Remove the containers of a run; the folder that they share goes with the last of them."""
    containers, _ = docker_socket.labelled(f"{RUN_LABEL}={run}")
    side_by_side(lambda one: remove_container(client, one["Id"]), containers)
