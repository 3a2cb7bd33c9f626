"""Engines that answer at Docker's socket, by what they answered when they were tried (docs/engines.md)."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from lab import docker_server, docker_socket
from lab.errors import EngineMissing

DOCKER = {"Version": "20.10.24+dfsg1", "Components": [{"Name": "Engine"}, {"Name": "containerd"}]}
PODMAN = {"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}
ALL = {"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True}
SECCOMP = "name=seccomp,profile=default"


@pytest.mark.parametrize(
    ("version", "info", "title", "unlimited"),
    [
        (DOCKER, {**ALL, "SecurityOptions": [SECCOMP], "CgroupVersion": "1"}, "Docker 20.10.24+dfsg1", ()),
        (
            DOCKER,
            {"SecurityOptions": [SECCOMP, "name=rootless"], "CgroupVersion": "1", "CgroupDriver": "none"},
            "Docker 20.10.24+dfsg1, rootless",
            ("memory", "processes", "processor time"),
        ),
        (
            DOCKER,
            {**ALL, "SecurityOptions": ["name=rootless"], "CgroupVersion": "2"},
            "Docker 20.10.24+dfsg1, rootless",
            (),
        ),
        (
            PODMAN,
            {**ALL, "SecurityOptions": [SECCOMP], "Rootless": True, "CgroupVersion": "1"},
            "Podman 4.3.1, rootless",
            ("memory", "processes", "processor time"),
        ),
        (PODMAN, {**ALL, "PidsLimit": False, "CgroupVersion": "2"}, "Podman 4.3.1", ("processes",)),
        ({}, {}, "Docker ?", ("memory", "processes", "processor time")),
    ],
)
def test_servers_are_known(
    version: dict[str, Any], info: dict[str, Any], title: str, unlimited: tuple[str, ...]
) -> None:
    server = docker_server.told(version, info)
    assert (server.title, server.unlimited) == (title, unlimited)
    assert bool(server.why) == bool(unlimited)


def test_another_engines_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_socket, "DEFAULT", f"unix://{tmp_path}/none")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(docker_socket, "other_sockets", _only_in(tmp_path))
    with pytest.raises(EngineMissing) as without:
        docker_socket.get("/version")
    assert "apt-get install docker.io" in without.value.remedy
    (tmp_path / "podman").mkdir()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "podman" / "podman.sock"))
        with pytest.raises(EngineMissing) as beside:
            docker_socket.get("/version")
    assert f"export DOCKER_HOST=unix://{tmp_path}/podman/podman.sock" in beside.value.remedy


def _only_in(folder: Path) -> Any:
    real = docker_socket.other_sockets
    return lambda: [path for path in real() if path.startswith(str(folder))]


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ({"Names": ["/server", "/other/alias"], "Id": "f" * 64}, "server"),
        ({"Names": [], "Id": "0123456789abcdef"}, "0123456789ab"),
        ({"Names": None, "Id": "0123456789abcdef"}, "0123456789ab"),
    ],
)
def test_a_container_whose_name_the_engine_has_lost_goes_by_its_id(listed: dict[str, Any], name: str) -> None:
    assert docker_socket.name_of(listed) == name
