"""What can fail below a run: a disk that is full, and a Docker engine that is stopped or killed and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.container import IMAGE
from tests.fire.measured import ECHO, Finding, experiment, run, start
from tests.test_failures import gone
from tests.waiting import eventually

SIZES = ("4k", "12k", "20k", "32k", "48k", "1m")
SLOW = """\
name: something that takes a while
hosts: [server, client]
steps:
  - server: {socket: listener}
  - server: {bind: listener, to: ":8888"}
  - server: {listen: listener, backlog: 5}
  - server: {accept: listener, as: conn, blocks: true}
  - sleep: 60s
"""
READY_S = 30


@experiment("runs into a file system that is full, of six sizes", engine="netns", needs="root")
def full_disk(folder: Path) -> Finding:
    """Nothing fits, or only a part: exit code 3 with the reason, or a run that is whole."""
    codes = []
    for size in SIZES:
        small = folder / size
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(small)], check=True)
        try:
            done = run("run", ECHO, "--engine", "netns", "--runs", small)
        finally:
            subprocess.run(["umount", str(small)], check=True)
        assert done.code in (0, 3) and "Traceback" not in done.said, f"{size}: {done.code}\n{done.said}"
        assert done.code == 0 or "space" in done.said or "full" in done.said, f"{size}: {done.said}"
        codes.append(done.code)
    assert codes[0] == 3, "the smallest is too small"
    return Finding(
        len(SIZES), f"{codes.count(3)} ended with exit code 3 and the reason, {codes.count(0)} fitted"
    )


class OwnDocker:
    """A Docker engine of our own, beside the machine's: its own socket, data, and no rule of the machine's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "daemon.json").write_text("{}", encoding="ascii")
        self.environment = {"DOCKER_HOST": f"unix://{folder}/s"}

    def start(self) -> None:
        """Start it and wait until it answers; skips the test where it cannot be had on this machine."""
        options = {
            "config-file": "daemon.json", "data-root": "data", "exec-root": "exec", "pidfile": "pid",
        }  # fmt: skip
        words = [f"--{name}={self._folder / path}" for name, path in options.items()]
        words += [f"--host=unix://{self._folder}/s", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        (self._folder / "pid").unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["dockerd", *words], stdout=log, stderr=log, process_group=0)
        if not eventually(lambda: self.docker("version") or self._process.poll() is not None, READY_S):  # type: ignore[union-attr]
            pytest.skip("a second Docker engine does not start within 30 s here")
        if self._process.poll() is not None:
            tail = (self._folder / "log").read_text(encoding="utf-8", errors="replace")[-300:]
            pytest.skip(f"a second Docker engine cannot be had here: {tail}")

    def docker(self, *words: str) -> bool:
        """Whether a docker command succeeds with it."""
        environment = {**os.environ, **self.environment}
        return (
            subprocess.run(["docker", *words], capture_output=True, env=environment, check=False).returncode
            == 0
        )

    def listed(self) -> list[str]:
        """All containers, and networks that are not Docker's own."""
        found = []
        for words in (("ps", "--all"), ("network", "ls", "--filter", "type=custom")):
            environment = {**os.environ, **self.environment}
            said = subprocess.run(
                ["docker", *words, "--quiet"], capture_output=True, text=True, env=environment, check=True
            )
            found += said.stdout.split()
        return found

    def load(self) -> None:
        """Give it the image of the hosts, from the machine's engine."""
        environment = {**os.environ, **self.environment}
        words = ["docker", "load", "--quiet"]
        with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
            subprocess.run(words, stdin=saved.stdout, env=environment, check=True, capture_output=True)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)
        # Its containerd ends with it; where nobody collects what has ended, a new dockerd takes the number for alive.
        file = self._folder / "exec/containerd/containerd.pid"
        if file.exists() and gone([int(file.read_text(encoding="ascii"))]):
            file.unlink(missing_ok=True)

    def remove(self) -> None:
        """End it, and what it left: its containers' helpers, then mounts below its data."""
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGTERM)
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()[::-1]:
            target = line.split()[4]
            if target.startswith(str(self._folder)):
                subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)


@contextmanager
def own_docker() -> Iterator[OwnDocker]:
    """A Docker engine of our own that is up and has the image. Its folder's name is short, as its sockets' must be."""
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as folder:
        made = OwnDocker(Path(folder))
        try:
            made.start()
            made.load()
            yield made
        finally:
            made.remove()


@experiment("restarts of the Docker engine in the middle of a run (SIGTERM, SIGKILL)", engine="docker")
def docker_restarted(folder: Path) -> Finding:
    """The run ends with exit code 3 and says that Docker is gone; after the restart `clean` leaves nothing."""
    path = folder / "slow.yaml"
    path.write_text(SLOW, encoding="utf-8")
    longest = 0.0
    with own_docker() as docker:
        for number in (signal.SIGTERM, signal.SIGKILL):
            runs = folder / number.name
            words = ("run", path, "--engine", "docker", "--runs", runs)
            with start(*words, environment=docker.environment) as process:
                assert eventually(lambda runs=runs: _is_in_the_middle(runs), 60)  # type: ignore[misc]
                docker.end(number)
                began = time.monotonic()
                said, _ = process.communicate(timeout=60)
                longest = max(longest, time.monotonic() - began)
            assert process.returncode == 3, said
            assert "Docker engine does not answer any more" in " ".join(said.split()), said
            assert "Traceback" not in said
            docker.start()
            cleaned = run("clean", environment=docker.environment)
            assert cleaned.code == 0, cleaned.said
            assert eventually(lambda: not docker.listed()), docker.listed()
    return Finding(
        2, f"exit code 3 within {longest:.1f} s, Docker named as the reason; nothing left after `clean`"
    )


def _is_in_the_middle(runs: Path) -> bool:
    return any('"pending"' in one.read_text(encoding="utf-8") for one in runs.glob("*/history.jsonl"))
