"""`runner doctor`: what this machine can do; for all it cannot, why and what to do about it.

Each finding comes from really trying. Nothing is changed on the machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import engine as engines
from lab.errors import LabError

if TYPE_CHECKING:
    from runner.report.paper import Paper

PATIENCE_S = 20
"""How long a program gets to say its version."""


@dataclass(frozen=True)
class Ability:
    """One thing that this machine can do or not. `needed` is true of engines: one of them must be there."""

    name: str
    there: bool
    said: str
    remedy: str = ""
    needed: bool = False


def examine() -> list[Ability]:
    """Everything that matters for playing scenarios and looking at captures."""
    found = [_python(), _kernel()]
    found += [_engine(name) for name in engines.ENGINES]
    if any(one.name == "engine docker" and one.there for one in found):
        found += [*_limits(), _compose(), _image()]
    return [*found, _servers(), *_readers()]


def can_play(found: Iterable[Ability]) -> bool:
    """Whether there is any engine."""
    return any(one.there for one in found if one.needed)


def show(found: Iterable[Ability], paper: Paper) -> None:
    """A line for each ability, with what to do below those that are missing."""
    from runner.report import text
    from runner.report.paper import Style

    found = list(found)
    for one in found:
        mark = paper.marks.passed if one.there else paper.marks.failed if one.needed else "-"
        style: Style = "good" if one.there else "bad" if one.needed else "waits"
        lines = text.wrapped(one.said, paper.width - 18)
        paper.line(f"{paper.styled(f'{mark:<2}', style)}{one.name:<15} {lines[0]}")
        for line in (*lines[1:], *(text.lines(one.remedy) if one.remedy and not one.there else ())):
            paper.line(f"{'':<17} {line}")
    paper.line()
    if can_play(found):
        names = [one.name.removeprefix("engine ") for one in found if one.needed and one.there]
        paper.line(f"Scenarios can be played here: {' and '.join(names)}.")
    else:
        paper.line(paper.styled("No scenario can be played here: there is no engine.", "bad"))


def _python() -> Ability:
    version = platform.python_version()
    return Ability("Python", sys.version_info >= (3, 11), version, "Python 3.11 or newer is needed.")


def _kernel() -> Ability:
    system, release = platform.system(), platform.release()
    return Ability(
        "kernel",
        system == "Linux",
        f"{system} {release}, {platform.machine()}",
        "Hosts are made of Linux namespaces or containers: use a Linux machine, or a virtual one.",
    )


def _engine(name: str) -> Ability:
    """Whether an engine can be used, by asking it: it tries."""
    title = f"engine {name}"
    try:
        problem = engines.find(name).ready()
    except LabError as error:
        problem = error
    except ImportError as error:
        said = f"its package is missing: {error}"
        return Ability(title, False, said, "Install this project again: make .venv", True)
    if problem is not None:
        return Ability(title, False, problem.what, problem.remedy, True)
    if name == "netns":
        who = "as root" if os.geteuid() == 0 else "without root, in user namespaces"
        return Ability(title, True, f"works {who}", needed=True)
    return Ability(title, True, f"works{_server()}", needed=True)


def _server() -> str:
    """Which engine answers at Docker's socket, to be put behind `works`."""
    from lab import docker_server

    try:
        return f": {docker_server.ask().title}"
    except LabError:
        return ""


def _limits() -> list[Ability]:
    """Whether memory, processes and processor time of containers are bounded."""
    from lab import docker_server

    try:
        server = docker_server.ask()
    except LabError:
        return []
    if not server.unlimited:
        return [Ability("limits", True, "memory, processes and processor time of containers are bounded")]
    said = f"{server.name} does not bound {' and '.join(server.unlimited)} of containers: {server.why}"
    remedy = "Scenarios are played all the same; do not play here what you do not trust."
    return [Ability("limits", False, said, remedy)]


def _compose() -> Ability:
    for words in (["docker", "compose", "version", "--short"], ["docker-compose", "version", "--short"]):
        version = _first_line(words)
        if version:
            return Ability("docker compose", True, f"{version} ({words[0]})")
    return Ability(
        "docker compose",
        False,
        "is missing",
        "`make lab-up` needs it. On Debian and Ubuntu: apt-get install docker-compose",
    )


def _image() -> Ability:
    from lab import images
    from lab.container import IMAGE, SERVERS_IMAGE

    try:
        if images.is_built():
            servers = images.recipes(SERVERS_IMAGE)
            more = f", {SERVERS_IMAGE} too" if servers else f"; {SERVERS_IMAGE} is not (make images)"
            return Ability("image", True, f"{IMAGE} is built{more}")
    except LabError as error:
        return Ability("image", False, error.what, error.remedy)
    return Ability(
        "image", False, f"{IMAGE} is not built yet, or its recipe has changed", "Build it: make images"
    )


def _servers() -> Ability:
    """What scenarios need of the machine where hosts are namespaces; containers have an image with all of it."""
    from runner.requirements import PACKAGES

    folders = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [name for name in PACKAGES if shutil.which(name, path=folders) is None]
    if not missing:
        return Ability("servers", True, f"{', '.join(PACKAGES)} are here")
    packages = " ".join(PACKAGES[name] for name in missing)
    remedy = f"Scenarios with them are skipped on netns. On Debian and Ubuntu: apt-get install {packages}"
    return Ability("servers", False, f"missing: {', '.join(missing)}", remedy)


def _readers() -> list[Ability]:
    """Programs to look at a capture with; nothing needs them."""
    found = [
        (name, _first_line([name, "--version"])) for name in ("wireshark", "tshark") if shutil.which(name)
    ]
    if found:
        return [Ability(name, True, said or "is installed") for name, said in found]
    remedy = "Captures can be opened with either (`runner inspect` needs none): apt-get install wireshark"
    return [Ability("wireshark", False, "neither wireshark nor tshark is here", remedy)]


def _first_line(words: list[str]) -> str:
    """What a program says first, or nothing where it is not there or fails."""
    if shutil.which(words[0]) is None:
        return ""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip().partition("\n")[0]
