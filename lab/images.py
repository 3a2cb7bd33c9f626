"""Builds the images of the lab's hosts: `python -m lab.images`.

The base comes from a registry where one answers, else from the Debian packages that this machine's apt is set
up for. An image is built again only when what it is made of changed: its label holds a digest of that. No
image of anybody else is touched, and nothing here starts a container.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab import debian
from lab.container import BASE_IMAGE, IMAGE, RECIPE_LABEL, SERVERS_IMAGE
from lab.docker_socket import START_DOCKER
from lab.engine import Reporter
from lab.errors import LabError

FOLDER = Path(__file__).resolve().parent.parent / "images"
PROGRAMS = FOLDER.parent / "scenarios" / "programs"
"""The programs of the scenarios: those in C are compiled into an image."""
PACKAGES = ("iproute2", "libpython3-stdlib", "procps", "python3-minimal", "tcpdump")
"""What the agent needs (Python with its library), and what people look around with."""
PULLED = "debian:bookworm-slim"
REGISTRY_S = 6.0
"""A registry that says nothing for so long is not there."""


def build(report: Reporter, *, folder: Path = FOLDER, name: str = IMAGE, base: str = BASE_IMAGE) -> bool:
    """Bring both images up to date, telling `report` what is done; False when there was nothing to do.

    Raises LabError with what to do about it when an image cannot be built.
    """
    wanted_base = digest(folder / "base", PACKAGES)
    wanted = digest(folder / "host", (wanted_base,))
    have = recipes(name, base)
    if have.get(name) == wanted:
        return False
    if have.get(base) != wanted_base:
        _build_base(report, folder / "base", base, f"{RECIPE_LABEL}={wanted_base}")
    report(f"Building {name} from images/host/Dockerfile.")
    _docker_build(folder / "host", name, f"{RECIPE_LABEL}={wanted}", {})
    return True


def build_servers(
    report: Reporter, *, folder: Path = FOLDER, name: str = SERVERS_IMAGE, programs: Path = PROGRAMS
) -> bool:
    """Bring the image with real servers and C programs up to date, as `build` does; it is made from the hosts' own."""
    beneath = digest(folder / "host", (digest(folder / "base", PACKAGES),))
    with tempfile.TemporaryDirectory() as made:
        context = Path(made) / "servers"
        shutil.copytree(folder / "servers", context)
        (context / "programs").mkdir()
        for source in sorted(programs.glob("*.c")):
            shutil.copyfile(source, context / "programs" / source.name)
        wanted = digest(context, (beneath,))
        if recipes(name).get(name) == wanted:
            return False
        report(f"Building {name} from images/servers/Dockerfile (about half a minute).")
        _docker_build(context, name, f"{RECIPE_LABEL}={wanted}", {})
    return True


def is_built() -> bool:
    """Whether the hosts' image is there and up to date; raises LabError where Docker does not answer."""
    wanted = digest(FOLDER / "host", (digest(FOLDER / "base", PACKAGES),))
    return recipes(IMAGE).get(IMAGE) == wanted


def digest(folder: Path, more: Sequence[str]) -> str:
    """A digest of all files of a folder (names, modes and contents) and of what else an image is made of."""
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            executable = bool(path.stat().st_mode & 0o100)
            told.update(f"{path.relative_to(folder)}\0{executable}\0{path.stat().st_size}\0".encode())
            told.update(path.read_bytes())
    told.update("\0".join(more).encode())
    return told.hexdigest()[:16]


def recipes(*names: str) -> dict[str, str]:
    """Image name -> the digest in its label, for images that are there. Raises LabError without Docker."""
    done = docker("image", "inspect", *names, check=False)
    if done.returncode != 0 and "no such image" not in done.stderr.lower():
        raise LabError(f"Docker does not answer: {last_line(done.stderr)}", START_DOCKER)
    found: dict[str, str] = {}
    for one in json.loads(done.stdout or "[]"):
        for tag in one.get("RepoTags") or ():
            labels = one["Config"].get("Labels") or {}
            found[tag.removesuffix(":latest")] = labels.get(RECIPE_LABEL, "")
    return found


def docker(
    *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the docker command; raises LabError when it is missing or, with `check`, when it fails."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    except OSError as error:
        raise LabError(
            f"the docker command cannot be run: {error.strerror}",
            "Install Docker (on Debian: apt-get install docker.io), or play without it: --engine netns.",
        ) from None
    if check and done.returncode != 0:
        raise LabError(f"docker {arguments[0]}: {last_line(done.stderr or done.stdout)}")
    return done


def last_line(text: str) -> str:
    """The last line of what a command said that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


# The base -------------------------------------------------------------------------------------------


def _build_base(report: Reporter, folder: Path, base: str, label: str) -> None:
    began = time.monotonic()
    if _pulled():
        report(f"Building {base}: {PULLED} from a registry, with {' '.join(PACKAGES)}.")
        _docker_build(folder, base, label, {"packages": " ".join(PACKAGES)})
    else:
        report(f"Building {base} from Debian packages with mmdebstrap (no registry answers; about 20 s).")
        _bootstrap(base, label)
    report(f"{base} is built ({time.monotonic() - began:.0f} s).")


def _pulled() -> bool:
    """Whether the registry's Debian image is here, or can be had; False as soon as no registry answers."""
    if docker("image", "inspect", PULLED, check=False).returncode == 0:
        return True
    with subprocess.Popen(
        ["docker", "pull", PULLED],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as pull:
        assert pull.stdout is not None
        answered, _, _ = select.select([pull.stdout], [], [], REGISTRY_S)
        if not answered:
            pull.kill()
            return False
        pull.stdout.read()
        return pull.wait() == 0


def _bootstrap(base: str, label: str) -> None:
    """Make the base from Debian packages, piped into `docker import` as it is made."""
    if shutil.which("mmdebstrap") is None:
        raise LabError(
            "no registry answers, and mmdebstrap, which builds the base image without one, is not installed",
            "Install it (Debian and Ubuntu: apt-get install mmdebstrap), or pull debian:bookworm-slim.",
        )
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        with subprocess.Popen(
            list(_mmdebstrap()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        ) as making:
            imported = subprocess.run(
                ["docker", "import", "--change", f"LABEL {label}", "-"],
                stdin=making.stdout,
                capture_output=True,
                text=True,
            )
        image = imported.stdout.strip()
        if making.returncode != 0:
            if image:
                docker("image", "rm", image, check=False)  # half an image
            said.seek(0)
            problem = f"mmdebstrap: {last_line(said.read())}"
            raise LabError(problem, "Is a Debian mirror within reach? See apt's sources.")
    if imported.returncode != 0:
        raise LabError(f"docker import: {last_line(imported.stderr)}")
    docker("tag", image, base)  # only now: an older base stays until there is a new one


def _mmdebstrap() -> Iterator[str]:
    release = debian.release()
    yield from (
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        "--format=tar",
    )
    yield from (f"--aptopt={option}" for option in debian.options())
    yield "--dpkgopt=path-exclude=/usr/share/doc/*"
    yield "--dpkgopt=path-exclude=/usr/share/man/*"
    yield "--dpkgopt=path-exclude=/usr/share/locale/*"
    yield from (release.codename, "-", *release.sources)


def _docker_build(folder: Path, name: str, label: str, arguments: Mapping[str, str]) -> None:
    settings = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    # The classic builder: BuildKit asks a registry for the image named in FROM, also where it is here. The machine's
    # own network: what its apt reaches, a proxy on it included, the build reaches too.
    docker(
        "build",
        "--network",
        "host",
        "--tag",
        name,
        "--label",
        label,
        *settings,
        str(folder),
        environment={"DOCKER_BUILDKIT": "0"},
    )


def main() -> int:
    """Build what is missing and say so; 0, or 3 where it cannot be built."""
    try:
        built = {IMAGE: build(_say)}
        built[SERVERS_IMAGE] = build_servers(_say)
    except LabError as error:
        print(error, file=sys.stderr)
        return 3
    for name, anew in built.items():
        print(f"{name} is ready." if anew else f"{name} is up to date.")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
