"""One question to a Docker engine, without its SDK: a GET over its Unix socket, answered within milliseconds.

For what is asked on every start; all that changes something goes through the SDK or the docker command.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any
from urllib.parse import quote, urlencode

from lab.errors import EngineMissing, LabError

DEFAULT = "unix:///var/run/docker.sock"
TIMEOUT_S = 10.0
NO_DOCKER = (
    "Install and start Docker (on Debian: apt-get install docker.io docker-compose), "
    "or play without it: runner run ... --engine netns."
)
START_DOCKER = "Start it (sudo systemctl start docker), or play without it: runner run ... --engine netns."
NOT_ALLOWED = "Run this as root, or add yourself to the group docker; or play without it: --engine netns."


def get(path: str, **query: str) -> Any:
    """The answer to a GET of Docker's API, decoded from JSON.

    Raises EngineMissing with what to do where no engine answers, LabError where it answers with an error.
    """
    target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
    # HTTP/1.0: the answer is one piece and ends with the connection (RFC 1945, section 7.2.2).
    answer = _exchange(f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode("ascii"))
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not status:
        raise EngineMissing(f"what answers at {address()} is no Docker engine", START_DOCKER)
    data = json.loads(body) if body.strip() else None
    if status[0] != b"200":
        said = data.get("message", "") if isinstance(data, dict) else ""
        raise LabError(f"Docker: {said or status[0].decode()}")
    return data


def labelled(label: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Containers, running or not, and networks that bear a label (`KEY` or `KEY=VALUE`), as Docker lists them."""
    filters = json.dumps({"label": [label]})
    return get("/containers/json", all="1", filters=filters), get("/networks", filters=filters)


def name_of(container: dict[str, Any]) -> str:
    """What a container in such a list is called; the beginning of its id where an engine that crashed has lost that."""
    names = container["Names"] or [container["Id"][:12]]
    return str(names[0]).lstrip("/")


def address() -> str:
    """Where Docker is, as DOCKER_HOST says it."""
    return os.environ.get("DOCKER_HOST") or DEFAULT


def other_sockets() -> list[str]:
    """Where rootless Docker and Podman have their sockets by default, as far as they are there."""
    own = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    known = (f"{own}/docker.sock", f"{own}/podman/podman.sock", "/run/podman/podman.sock")
    return [path for path in known if os.access(path, os.R_OK | os.W_OK)]


def _elsewhere() -> str:
    """What to do where another engine's socket is there; empty where none is, or one was named."""
    found = other_sockets()
    if not found or os.environ.get("DOCKER_HOST"):
        return ""
    return f"There is another engine's socket; to use it: export DOCKER_HOST=unix://{found[0]}"


def _exchange(request: bytes) -> bytes:
    where = address()
    if not where.startswith("unix://"):
        raise EngineMissing(
            f"DOCKER_HOST is {where}", "The lab wants the engine of this machine: unset DOCKER_HOST."
        )
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(where.removeprefix("unix://"))
            connection.sendall(request)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
            return b"".join(parts)
    except FileNotFoundError:
        raise EngineMissing(
            f"no Docker engine here: there is no {where}", _elsewhere() or NO_DOCKER
        ) from None
    except PermissionError:
        raise EngineMissing(
            f"no permission to talk to Docker at {where}", _elsewhere() or NOT_ALLOWED
        ) from None
    except OSError as error:
        raise EngineMissing(f"the Docker engine does not answer at {where}: {error}", START_DOCKER) from None
