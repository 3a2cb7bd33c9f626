"""Starting, stopping and describing the lab of docker-compose.yml, through compose itself, old or new.

What compose does not say in a sentence (no engine, no compose, a rival of the same name) is said here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from lab import compose, docker_socket, images
from lab.compose import ComposeLab
from lab.container import COMPOSE_LABEL
from lab.engine import Reporter
from lab.errors import LabError

HEALTHY_S = 30.0
END_S = 10.0
"""The longest that compose may take to end once it was interrupted."""
LINES_TOLD = 10
"""So many of its last lines compose's error tells: the end of a build's output, say."""
_PROGRESS = re.compile(r"(Creating|Starting|Recreating) .*( driver( \S+)?|\.\.\.|\.\.\. done)\s*$")
NO_COMPOSE = "Install it (on Debian: apt-get install docker-compose), or play without it: --engine netns."


def up(report: Reporter) -> None:
    """Start it, building the image where needed, and wait until its hosts are healthy; raises LabError."""
    began = time.monotonic()
    _engine_answers()
    images.build(report)
    _no_rival()
    before = compose.running()
    if before is not None and any(host.health == "unhealthy" for host in before.hosts):
        report("The lab is up, but not healthy: it is taken down first.")
        _compose("down", "--timeout", "1", "--volumes")
    _compose("up", "--detach")
    found = _wait_until_healthy()
    report(f"The lab is up ({time.monotonic() - began:.1f} s):")
    for line in described(found):
        report(line)
    report("Next: runner run scenarios/tcp_echo.yaml")
    report(f"Or look around: docker exec -it {_container_name(found)} bash")
    report("make lab-down takes it down again.")


def down(report: Reporter) -> None:
    """Stop it and remove all of it; raises LabError where something stays."""
    _engine_answers()
    label = f"{compose.WORKING_FOLDER}={compose.FOLDER}"
    if not compose.containers(label) and not _volumes():
        report("The lab is not up.")
        return
    began = time.monotonic()
    _compose("down", "--timeout", "1", "--volumes")
    left = compose.containers(label)
    if left:
        names = ", ".join(docker_socket.name_of(one) for one in left)
        raise LabError(f"these containers are still there: {names}", "Remove them with docker rm --force.")
    report(f"The lab is down ({time.monotonic() - began:.1f} s); nothing of it is left.")


def status(report: Reporter) -> None:
    """Say whether it is up; raises LabError where Docker does not answer."""
    _engine_answers()
    found = compose.running()
    if found is None:
        report("The lab is not up; make lab-up starts it.")
        return
    report(f"The lab is up (compose project {found.project}):")
    for line in described(found):
        report(line)


def described(found: ComposeLab) -> list[str]:
    """A line for each host: name, addresses, health."""
    width = max(len(host.name) for host in found.hosts)
    return [f"  {host.name:{width}}  {host.ip4}  {host.ip6}  {host.health}" for host in found.hosts]


def _container_name(found: ComposeLab) -> str:
    name: str = docker_socket.get(f"/containers/{found.hosts[-1].container}/json")["Name"]
    return name.lstrip("/")


def _engine_answers() -> None:
    """Raises LabError with what to do where no Docker engine answers."""
    docker_socket.get("/version")


def _volumes() -> list[dict[str, Any]]:
    """The volumes of this checkout's project: a start that failed half-way may have left one."""
    found = docker_socket.get("/volumes", filters=json.dumps({"label": [COMPOSE_LABEL]}))["Volumes"] or []
    return [one for one in found if one["Labels"].get(compose.PROJECT) == project()]


def project() -> str:
    """The project name that compose takes: the folder's name, without what compose leaves out."""
    name = os.environ.get("COMPOSE_PROJECT_NAME") or compose.FOLDER.name
    return "".join(one for one in name.lower() if one.isalnum() or one in "_-").lstrip("_-") or "default"


def _no_rival() -> None:
    """Raises LabError where another checkout has its lab up under this name: compose would take it over."""
    for one in compose.containers(f"{compose.PROJECT}={project()}"):
        folder = one["Labels"].get(compose.WORKING_FOLDER, "")
        if folder != str(compose.FOLDER):
            raise LabError(
                f"the lab of another checkout, {folder}, is up under the same project name {project()!r}",
                "Take it down there (make lab-down), or name this one: COMPOSE_PROJECT_NAME=x make lab-up",
            )


def _wait_until_healthy() -> ComposeLab:
    deadline = time.monotonic() + HEALTHY_S
    while True:
        found = compose.running()
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
    """Run compose in the checkout; raises LabError with its last words when it fails."""
    run(arguments, compose.FOLDER)


def run(
    arguments: Sequence[str], folder: Path, *, options: Sequence[str] = (), said: IO[str] | None = None
) -> None:
    """Run compose, new or old, in a folder; raises LabError with its last words when it fails.

    `options` stand before the command: which file, which project. `said` is a file that gets what compose says. Where
    the caller is interrupted compose is too, and has ended before that goes on.
    """
    with contextlib.ExitStack() as stack:
        output = said or stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
        process = subprocess.Popen(
            [*_command(), *options, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},  # the old one, so that its words come in their order
            start_new_session=True,  # Ctrl-C is ours, and passed on
        )
        try:
            status = process.wait()
        except BaseException:
            _end(process)
            raise
        if status != 0:
            output.seek(0)
            raise LabError(f"docker compose {arguments[0]} failed: {last_words(output.read())}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt compose and what it started, and wait until it has ended."""
    try:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(END_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_words(text: str) -> str:
    """The last lines of what compose said, without those about what it made; several begin on a line of their own."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not _PROGRESS.match(line)]
    if not lines:
        return "no reason given"
    return lines[0].strip() if len(lines) == 1 else "\n" + "\n".join(lines[-LINES_TOLD:])


def _command() -> list[str]:
    """How compose is called here: `docker compose` where that is installed, else `docker-compose`."""
    if shutil.which("docker-compose") is None or _has_plugin():
        if not _has_plugin():
            raise LabError("neither docker compose nor docker-compose is installed", NO_COMPOSE)
        return ["docker", "compose"]
    return ["docker-compose"]


def _has_plugin() -> bool:
    return images.docker("compose", "version", check=False).returncode == 0
