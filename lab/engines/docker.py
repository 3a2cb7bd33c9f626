"""The docker engine: hosts are containers, of the compose lab where that fits, else made for the run.

The only module that imports Docker's SDK, and late. What Docker is told is worked out in
`lab.engines.docker_plan`; what every container is given stands in `lab.container`.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab import compose, docker_socket, owner
from lab.container import IMAGE, OWNER_LABEL, RUN_LABEL
from lab.docker_socket import START_DOCKER
from lab.engine import Lab
from lab.errors import EngineMissing, LabError
from lab.topology import Topology

if TYPE_CHECKING:
    from docker import APIClient

    Client = APIClient

TIMEOUT_S = 60
"""The longest that one request to Docker may take."""
NOT_FOUND, CONFLICT = 404, 409


class DockerEngine:
    """Makes topologies real with the Docker engine of this machine; also on the compose lab where it `shares` that."""

    def __init__(self, *, shares: bool = True) -> None:
        self._shares = shares

    @property
    def name(self) -> str:
        return "docker"

    def alone(self) -> DockerEngine:
        return DockerEngine(shares=False)

    def ready(self) -> LabError | None:
        """None, or why not: no engine answers, the SDK is missing, the image is not built."""
        try:
            docker_socket.get("/version")
            _import()
        except LabError as error:
            return error
        try:
            docker_socket.get(f"/images/{IMAGE}/json")
        except LabError:
            return EngineMissing(
                f"the image of the hosts, {IMAGE}, is not built yet", "Build it: make images"
            )
        return None

    @contextlib.contextmanager
    def up(self, topology: Topology, *, logs: Path) -> Iterator[Lab]:
        """The compose lab of this checkout where it is up, free and fits; else containers of its own."""
        from lab.engines.docker_compose import on_compose
        from lab.engines.docker_hosts import made_for_the_run
        from lab.engines.docker_own import on_own

        with connected() as client, contextlib.ExitStack() as stack:
            if topology.compose is not None:
                yield stack.enter_context(on_own(client, topology.compose, topology, logs))
                return
            found = compose.running() if self._shares else None
            if found is not None and compose.fits(found, topology) and _is_only_user(stack):
                yield stack.enter_context(on_compose(client, found, topology, logs))
            else:
                labels = {RUN_LABEL: uuid.uuid4().hex[:8], OWNER_LABEL: owner.this_process()}
                yield stack.enter_context(made_for_the_run(client, topology, logs, labels))


def _is_only_user(stack: contextlib.ExitStack) -> bool:
    """Whether no other run plays on the compose lab, from now on until the stack ends.

    A lock on docker-compose.yml (flock(2)): it goes with the process, and leaves nothing.
    """
    import fcntl

    file = stack.enter_context((compose.FOLDER / "docker-compose.yml").open("rb"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def connected() -> Iterator[Client]:
    """A client of the machine's Docker engine; raises EngineMissing where none answers."""
    docker_socket.get("/version")
    sdk = _import()
    with saying("connecting to Docker"):
        client = sdk(base_url=docker_socket.address(), version="auto", timeout=TIMEOUT_S)
    try:
        yield client
    finally:
        client.close()


def _import() -> type[APIClient]:
    try:
        from docker import APIClient
    except ImportError as error:
        problem = f"Docker's SDK for Python cannot be imported: {error}"
        raise EngineMissing(problem, "Install it: pip install docker") from None
    return APIClient


# Errors ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """Turn what the SDK raises into a LabError that says during `what` it happened."""
    from docker.errors import DockerException

    try:
        yield
    except (OSError, DockerException) as error:  # requests' errors are OSErrors
        if explanation(error):
            raise LabError(f"{what}: Docker says: {explanation(error)}") from None
        raise LabError(
            f"{what}: the Docker engine does not answer any more ({error})", START_DOCKER
        ) from None


def explanation(error: BaseException) -> str:
    """What Docker itself said about a request that it refused; empty where it said nothing."""
    return str(getattr(error, "explanation", None) or "").strip()


def status(error: BaseException) -> int:
    """The HTTP status of a request that Docker refused, or 0."""
    return int(getattr(error, "status_code", None) or 0)


# Removing -------------------------------------------------------------------------------------------


def clean_docker() -> list[str]:
    """Remove containers, and compose projects, of runs whose process is gone; returns what was removed, a line each.

    Touches nothing else, and not the compose lab. An empty list where no Docker engine answers.
    """
    try:
        docker_socket.get("/version")
    except LabError:
        return []
    from lab.engines.docker_own import clean_projects

    removed = []
    containers, _ = docker_socket.labelled(OWNER_LABEL)
    with connected() as client:
        removed += clean_projects(client)
        for one in containers:
            if owner.is_gone(one["Labels"][OWNER_LABEL]):
                remove_container(client, one["Id"])
                removed.append(f"container {docker_socket.name_of(one)}")
    return removed


def remove_container(client: Client, container: str) -> None:
    """Kill and remove a container; returns when it is gone, also where Docker removes it meanwhile."""
    with saying(f"removing container {container[:12]}"):
        try:
            client.remove_container(container, force=True, v=True)
        except OSError as error:
            # On its way: Docker says so, Podman that it cannot stop what has stopped.
            if status(error) == CONFLICT or "state improper" in explanation(error):
                _wait_until_removed(client, container)
            elif status(error) != NOT_FOUND:
                raise


def _wait_until_removed(client: Client, container: str) -> None:
    try:
        client.wait(container, timeout=TIMEOUT_S, condition="removed")
    except OSError as error:
        if status(error) != NOT_FOUND:
            raise


def remove_network(client: Client, network: str) -> None:
    """Remove a network with whatever is still connected to it taken off first."""
    with saying(f"removing network {network[:12]}"):
        try:
            client.remove_network(network)
        except OSError as error:
            if status(error) == NOT_FOUND:
                return
            for container in client.inspect_network(network)["Containers"]:
                client.disconnect_container_from_network(container, network, force=True)
            client.remove_network(network)


ENGINE = DockerEngine()
