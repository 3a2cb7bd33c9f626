"""Images are built where they are missing or out of date, and only then."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import images
from lab.container import BASE_IMAGE, RECIPE_LABEL
from lab.errors import LabError
from tests.needing import need_docker


def test_a_digest_sees_names_contents_modes_and_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM x")
    file.chmod(0o644)
    seen = [images.digest(tmp_path, ["a"])]
    assert images.digest(tmp_path, ["a"]) == seen[0]
    seen.append(images.digest(tmp_path, ["b"]))
    file.chmod(0o755)
    seen.append(images.digest(tmp_path, ["a"]))
    file.write_text("FROM y")
    seen.append(images.digest(tmp_path, ["a"]))
    (tmp_path / "more").touch()
    seen.append(images.digest(tmp_path, ["a"]))
    (tmp_path / "more").rename(tmp_path / "other")
    seen.append(images.digest(tmp_path, ["a"]))
    assert len(set(seen)) == len(seen)


def test_no_docker_command_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=r"(?s)docker command cannot be run.*--engine netns"):
        images.build(lambda line: None)


def test_no_engine_is_said_and_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_docker()  # the docker command, at least
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert images.main() == 3
    assert "Docker does not answer" in capsys.readouterr().err


def test_without_mmdebstrap_and_registry_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt-get install mmdebstrap"):
        images._bootstrap("socket-lab-test/none", "a=b")


@pytest.mark.parametrize(
    ("failing", "said"), [("mmdebstrap", "mmdebstrap: E: no mirror"), ("docker", "import: no space")]
)
def test_a_base_that_fails_says_whose_words_they_are(
    failing: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Commands of these names that fail stand in for a mirror that is away and a disk that is full."""
    words = {"mmdebstrap": "E: no mirror", "docker": "no space"}
    for name, text in words.items():
        script = "cat >/dev/null\n" if name == "docker" else ""
        if name == failing:
            script += f"echo '{text}' >&2\nexit 1\n"
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match=said):
        images._bootstrap("socket-lab-test/none", "a=b")


# On Docker ------------------------------------------------------------------------------------------


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the recipes whose host image has a name of its own; the base is the real one, so nothing is fetched."""
    need_docker()
    folder = tmp_path / "images"
    shutil.copytree(images.FOLDER, folder)
    name = f"socket-lab-test/{uuid.uuid4().hex[:8]}"
    yield folder, name
    images.docker("image", "rm", "--force", name, check=False)


@pytest.mark.docker
def test_an_image_is_built_once_and_again_when_its_recipe_changed(recipe: tuple[Path, str]) -> None:
    folder, name = recipe
    told: list[str] = []
    assert images.build(told.append, folder=folder, name=name)
    assert len(told) == 1 and name in told[0]
    assert not images.build(told.append, folder=folder, name=name)
    assert len(told) == 1
    first = images.recipes(name)[name]
    with (folder / "host/Dockerfile").open("a") as file:
        file.write("ENV CHANGED=1\n")
    assert images.build(told.append, folder=folder, name=name)
    assert images.recipes(name)[name] != first


@pytest.mark.docker
def test_a_dockerfile_that_fails_is_a_sentence(recipe: tuple[Path, str]) -> None:
    folder, name = recipe
    (folder / "host/Dockerfile").write_text(f"FROM {BASE_IMAGE}\nCOPY nothing /\n")
    with pytest.raises(LabError, match=r"docker build: .*nothing"):
        images.build(lambda line: None, folder=folder, name=name)
    assert name not in images.recipes(name)


@pytest.mark.docker
@pytest.mark.slow
def test_the_image_with_servers_carries_the_c_programs_and_their_source(recipe: tuple[Path, str]) -> None:
    folder, name = recipe
    images.build(lambda line: None)
    assert images.build_servers(lambda line: None, folder=folder, name=name)
    assert not images.build_servers(lambda line: None, folder=folder, name=name)
    for program in sorted(images.PROGRAMS.glob("*.c")):
        words = ("run", "--rm", "--network", "none", name, "cat", f"/usr/local/src/socket-lab/{program.name}")
        assert images.docker(*words).stdout == program.read_text(encoding="utf-8")
        words = ("run", "--rm", "--network", "none", name, "sh", "-c", f"command -v {program.stem}")
        assert images.docker(*words).stdout == f"/usr/local/bin/{program.stem}\n"
    for server in ("dnsmasq", "snmpd", "bird", "cc"):
        images.docker("run", "--rm", "--network", "none", name, "sh", "-c", f"command -v {server}")


@pytest.mark.docker
@pytest.mark.slow
def test_the_base_is_made_from_debian_packages() -> None:
    """Made by today's recipe: just now, or before if it is still there."""
    need_docker()
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    wanted = images.digest(images.FOLDER / "base", images.PACKAGES)
    name, made = BASE_IMAGE, ""
    if images.recipes(name) != {name: wanted} or not is_imported(name):
        name = made = f"socket-lab-test/{uuid.uuid4().hex[:8]}"
        images._bootstrap(made, f"{RECIPE_LABEL}={wanted}")
    try:
        assert images.recipes(name) == {name: wanted}
        needed = "import socket, json, ctypes, select, mmap, threading, fcntl, termios; print('all there')"
        done = images.docker("run", "--rm", "--network", "none", name, "python3", "-I", "-S", "-c", needed)
        assert done.stdout == "all there\n"
        for command in ("ip", "ss", "tcpdump", "ps"):
            images.docker("run", "--rm", "--network", "none", name, "sh", "-c", f"command -v {command}")
    finally:
        if made:
            images.docker("image", "rm", "--force", made, check=False)


def is_imported(name: str) -> bool:
    """Whether an image was made of packages (`docker import`), and not of an image of a registry."""
    return images.docker("history", "--format", "{{.Comment}}", name).stdout.startswith("Imported from -")
