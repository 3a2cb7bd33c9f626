"""Playing on a compose file of somebody's own: its services are the hosts, as they are, under a project of the run.

Nothing of a service is changed: its network, its programs, its image. Beside it runs a container of the same image (so
that needs a Python) in the network and among the processes of the service, with the capabilities to capture: there
the agent makes the scenario's calls. The project's name says whose it is, so that `clean_projects` finds what a
killed run left.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import compose, compose_commands, docker_socket, owner
from lab.container import CAPABILITIES, OWNER_LABEL, PROCESSES
from lab.engine import Interface
from lab.engines import built, docker_plan, guest
from lab.engines.attached import AttachedStream
from lab.engines.docker import explanation, remove_container, remove_network, saying
from lab.engines.docker_lab import NO_PYTHON, DockerLab, engine_facts, side_by_side, stream
from lab.errors import LabError
from lab.topology import DEFAULT_NETWORK, Topology

if TYPE_CHECKING:
    from lab.engines.docker import Client

PREFIX = "socket-lab-own_"
QUIET_S = 2.0
"""For so long nothing may appear any more of a project whose making was interrupted."""
REMOVED_S = 20.0
"""The longest that its removal may take."""
HEARD_S = 2.0
"""The longest until Docker knows that a service has ended."""
START_S = 120.0
"""The longest that services may take until they run and are healthy."""
DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
"""What Docker gives a container whose file says nothing (moby, oci/caps/defaults.go)."""


@dataclass(frozen=True)
class _Service:
    """A service that runs: its host's name, its container, and what Docker says of it."""

    name: str
    container: str
    told: Mapping[str, Any]


@contextlib.contextmanager
def on_own(client: Client, file: Path, topology: Topology, logs: Path) -> Iterator[DockerLab]:
    """Bring the file's services up, and enter those that are hosts; leaving removes all of them."""
    this = owner.this_process()
    project = f"{PREFIX}{this.replace(':', '_')}_{uuid.uuid4().hex[:8]}"
    labels = {compose.PROJECT: project, OWNER_LABEL: this}
    lab = OwnLab(client, topology, {"lab": f"the services of {file.name}", **engine_facts(client)})
    streams: list[AttachedStream] = []

    def enter(service: _Service) -> None:
        config = _beside(service, topology, labels)
        lab.beside[service.name], attached = _begun(client, service, config, logs)
        streams.append(attached)
        lab.begin(
            service.name,
            attached,
            guest.settings(first=None, foreign=True),
            _ends(service, project, topology),
        )
        own = capabilities(service.told["HostConfig"]) & {*CAPABILITIES}
        lab.agent(service.name).ask(do="privileges", capabilities=sorted(own), user=None)

    def again(name: str) -> None:
        remove_container(client, lab.beside[name])
        with saying(f"starting host {name} again"):
            client.start(lab.containers[name])
        [service] = _wait(client, project, [name])
        enter(service)

    lab.start_again = again
    try:
        _up(client, file, project)
        services = _wait(client, project, [host.name for host in topology.hosts])
        lab.containers = {one.name: one.container for one in services}
        side_by_side(enter, services)
        yield lab
    finally:
        side_by_side(AttachedStream.close, streams)
        _remove(client, project)


class OwnLab(DockerLab):
    """Services whose first process is their own program: to stop one is Docker's affair.

    `beside` are the containers of their agents.
    """

    def __init__(self, client: Client, topology: Topology, told: Mapping[str, str]) -> None:
        super().__init__(client, topology, told)
        self.beside: dict[str, str] = {}

    def _reached_by(self, host: str) -> str:
        return self.beside[host]

    def pause(self, host: str) -> None:
        super().pause(host)
        with saying(f"pausing host {host}"):
            self._client.pause(self.containers[host])

    def resume(self, host: str) -> None:
        with saying(f"resuming host {host}"):
            self._client.unpause(self.containers[host])
        super().resume(host)


def capabilities(config: Mapping[str, Any]) -> set[str]:
    """What the processes of a container have, by its HostConfig."""
    if config.get("Privileged"):
        return {*CAPABILITIES, *DEFAULT_CAPABILITIES}
    dropped = {one.upper().removeprefix("CAP_") for one in config.get("CapDrop") or ()}
    added = {one.upper().removeprefix("CAP_") for one in config.get("CapAdd") or ()}
    left = set() if "ALL" in dropped else {*DEFAULT_CAPABILITIES} - dropped
    return {*CAPABILITIES, *DEFAULT_CAPABILITIES} if "ALL" in added else left | added


def _up(client: Client, file: Path, project: str) -> None:
    """Have compose bring the file up; where it does not, nothing is left of that. Raises LabError."""
    before = built.images(client)
    options = ["--project-name", project, "--file", str(file)]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            compose_commands.run(["up", "--detach", "--build"], file.parent, options=options, said=said)
        except BaseException as error:
            said.seek(0)
            _remove_for_good(client, project, 0 if isinstance(error, LabError) else QUIET_S)
            built.remove(client, said.read(), before)
            raise


def _wait(client: Client, project: str, wanted: Sequence[str]) -> list[_Service]:
    """The services that are hosts, once each runs and is healthy if it has a check; raises LabError."""
    deadline = time.monotonic() + START_S
    while True:
        services = _services(client, project)
        for name in wanted:
            if name not in services:
                there = ", ".join(sorted(services)) or "none"
                raise LabError(f"the compose file starts no service {name}; it starts: {there}")
            _check(client, services[name])
        waiting = [name for name in wanted if not _is_ready(services[name])]
        if not waiting:
            return [services[name] for name in wanted]
        if time.monotonic() > deadline:
            raise LabError(f"after {START_S:g} s these services are not healthy: {', '.join(waiting)}")
        time.sleep(0.05)


def _services(client: Client, project: str) -> dict[str, _Service]:
    found = {}
    for one in docker_socket.labelled(f"{compose.PROJECT}={project}")[0]:
        name = one["Labels"].get(compose.SERVICE)
        if name is None:  # the container of an agent
            continue
        with saying(f"looking at service {name}"):
            found[name] = _Service(name, one["Id"], client.inspect_container(one["Id"]))
    return found


def _check(client: Client, service: _Service) -> None:
    """Raise LabError with a service's last words where it has ended, or is not healthy."""
    state = service.told["State"]
    ended = state["Status"] in ("exited", "dead")
    if not ended and (state.get("Health") or {}).get("Status") != "unhealthy":
        return
    how = f"ended with exit status {state['ExitCode']}" if ended else "is not healthy"
    raise LabError(f"service {service.name} {how}{_last_words(client, service)}")


def _last_words(client: Client, service: _Service) -> str:
    """The end of a service's log, after a colon; empty where it said nothing, or its log is kept elsewhere."""
    try:
        said = client.logs(service.container, tail=5).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return f": {said}" if said else ""


def _how_it_ended(client: Client, service: _Service) -> str:
    """A few words on how a service ended, with which its agent ends; raises OSError where Docker does not tell.

    The kernel ends the agent first, and Docker hears of the service's end a moment later.
    """
    deadline = time.monotonic() + HEARD_S
    while True:
        state = client.inspect_container(service.container)["State"]
        if state["Restarting"] or state["StartedAt"] != service.told["State"]["StartedAt"]:
            return f"its service ended, and Docker started it again{_last_words(client, service)}"
        if not state["Running"]:
            killed = ", out of memory" if state["OOMKilled"] else ""
            words = _last_words(client, service)
            return f"its service ended with exit status {state['ExitCode']}{killed}{words}"
        if time.monotonic() > deadline:
            return "its agent ended, its service still runs"
        time.sleep(0.05)


def _is_ready(service: _Service) -> bool:
    state = service.told["State"]
    return bool(state["Running"]) and (state.get("Health") or {}).get("Status", "healthy") == "healthy"


def _ends(service: _Service, project: str, topology: Topology) -> list[Interface]:
    """The ends of a service on its networks, under the names that the compose file gives those."""
    networks: Mapping[str, Mapping[str, Any]] = service.told["NetworkSettings"]["Networks"]
    called = _compose_names(project)
    ends = {called.get(key, key): end for key, end in networks.items() if end["IPAddress"]}
    if not ends:
        raise LabError(
            f"service {service.name} is on no network of its own, so nothing of it can be captured"
        )
    there = ", ".join(ends)
    unsaid = [network.name for network in topology.networks] == [DEFAULT_NETWORK]
    for network in () if unsaid else topology.networks_of(service.name):
        if network.name not in ends:
            raise LabError(f"service {service.name} is not on network {network.name}; it is on: {there}")
    if len(topology.networks) == 1 and len(ends) > 1:
        raise LabError(
            f"service {service.name} is on several networks: {there}",
            "Say in the scenario who is on which: networks: {"
            + f"{next(iter(ends))}: [{service.name}, ..]"
            + "}",
        )
    return [
        Interface(
            host=service.name,
            network=DEFAULT_NETWORK if unsaid else key,
            name="",
            mac=end["MacAddress"],
            ip4=(end["IPAddress"],),
            ip6=(end["GlobalIPv6Address"],) if end["GlobalIPv6Address"] else (),
            prefix4=end["IPPrefixLen"],
            prefix6=end["GlobalIPv6PrefixLen"] or 64,
            mtu=0,
        )
        for key, end in ends.items()
    ]


def _compose_names(project: str) -> dict[str, str]:
    """Docker's names of a project's networks, each with the name that the compose file has for it."""
    _, networks = docker_socket.labelled(f"{compose.PROJECT}={project}")
    return {
        one["Name"]: one["Labels"][compose.NETWORK] for one in networks if compose.NETWORK in one["Labels"]
    }


def _beside(service: _Service, topology: Topology, labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of the API's request for the container of a service's agent."""
    same = f"container:{service.container}"
    return {
        **docker_plan.agents_container(labels, service.told["Image"]),
        "Env": service.told["Config"]["Env"],
        "WorkingDir": "/",
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": same,
            "PidMode": same,
            "VolumesFrom": [f"{service.container}:ro"],
            "CapDrop": ["ALL"],
            "CapAdd": list(CAPABILITIES),
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": PROCESSES,
            "Mounts": [docker_plan.programs(topology)],
            "LogConfig": {"Type": "none"},
        },
    }


def _begun(
    client: Client, service: _Service, config: dict[str, Any], logs: Path
) -> tuple[str, AttachedStream]:
    """The container of a service's agent, started, and the stream to it; raises LabError."""
    with saying(f"entering service {service.name}"):
        made: str = client.create_container_from_config(config)["Id"]  # type: ignore[no-untyped-call]
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        raw = client.attach_socket(made, params=wanted)
        how = functools.partial(_how_it_ended, client, service)
        attached = stream(made, raw, logs / f"{service.name}.stderr", how)
        try:
            client.start(made)
        except OSError as error:
            if "executable file not found" not in explanation(error):
                raise
            raise LabError(f"the image of service {service.name} has no python3", NO_PYTHON) from None
    return made, attached


# Removing -------------------------------------------------------------------------------------------


def _remove_for_good(client: Client, project: str, quiet_s: float) -> None:
    """Remove all of a project until nothing came for so long: Docker carries out what it was last asked also when
    who asked has ended. Raises LabError where something stays."""
    quiet_since = began = time.monotonic()
    while True:
        late = time.monotonic() - began > REMOVED_S
        try:
            if _remove(client, project):
                quiet_since = time.monotonic()
        except LabError:  # something is just being made of it
            if late or not quiet_s:
                raise
            quiet_since = time.monotonic()
        if late or time.monotonic() - quiet_since >= quiet_s:
            return
        time.sleep(0.1)


def _remove(client: Client, project: str) -> list[str]:
    """Remove all that a project has, with the images that were built for it; a line for each thing."""
    label = f"{compose.PROJECT}={project}"
    containers, networks = docker_socket.labelled(label)
    side_by_side(lambda one: remove_container(client, one["Id"]), containers)
    side_by_side(lambda one: remove_network(client, one["Id"]), networks)
    removed = [f"container {docker_socket.name_of(one)}" for one in containers]
    removed += [f"network {one['Name']}" for one in networks]
    with saying(f"removing the volumes and images of {project}"):
        for volume in client.volumes(filters={"label": [label]})["Volumes"] or ():
            client.remove_volume(volume["Name"], force=True)
            removed.append(f"volume {volume['Name']}")
        for image in client.images():
            for tag in image["RepoTags"] or ():
                if tag.startswith((f"{project}_", f"{project}-")):
                    client.remove_image(tag, force=True)
                    removed.append(f"image {tag}")
    return removed


def clean_projects(client: Client) -> list[str]:
    """Remove the projects of runs whose process is gone; a line for each thing that was removed."""
    containers, networks = docker_socket.labelled(compose.PROJECT)
    with saying("looking for projects of killed runs"):
        volumes = client.volumes(filters={"label": [compose.PROJECT]})["Volumes"] or []
        tags = [tag for image in client.images() for tag in image["RepoTags"] or ()]
    found = {one["Labels"][compose.PROJECT] for one in (*containers, *networks, *volumes)}
    found |= {_project_of(tag) for tag in tags}
    gone = sorted(one for one in found if one.startswith(PREFIX) and owner.is_gone(_owner(one)))
    return [line for project in gone for line in _remove(client, project)]


def _owner(project: str) -> str:
    """Whose a project is: its name without the beginning and the run."""
    return ":".join(project.removeprefix(PREFIX).split("_")[:4])


def _project_of(tag: str) -> str:
    """The project that an image was built for, as far as its name tells: the service follows the run's eight digits."""
    parts = tag.split("_")
    return (
        "_".join([*parts[:5], parts[5].partition("-")[0]])
        if tag.startswith(PREFIX) and len(parts) > 5
        else ""
    )
