"""Failure is as good as success: each trouble gives the right exit code, and says what happened, where, and what to do.

Everything here runs the real command line in a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.needing import need_docker

pytestmark = pytest.mark.slow  # plays on real hosts again and again

RUNNER = [sys.executable, "-m", "runner"]
ROOT = Path(__file__).resolve().parents[1]
ECHO = ROOT / "scenarios" / "tcp_echo.yaml"

SLOW = """\
name: something that takes a while
hosts: [server, client]
steps:
  - server: {socket: listener}
  - server: {bind: listener, to: ":8888"}
  - server: {listen: listener, backlog: 5}
  - server: {accept: listener, as: conn, blocks: true}
  - sleep: 20s
  - client: {socket: c}
"""


def run(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [*RUNNER, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, **options)  # type: ignore[call-overload]


def written(tmp_path: Path, text: str) -> Path:
    """A scenario file with this text."""
    path = tmp_path / "trouble.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def started(tmp_path: Path, path: Path, engine: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in the middle of a slow scenario: its accept has been shown as blocked."""
    command = [*RUNNER, "run", str(path), "--engine", engine, "--runs", str(tmp_path / "runs")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as process:
        try:
            history = tmp_path / "runs"
            deadline = time.monotonic() + 20
            while not any('"pending"' in one.read_text() for one in history.glob("*/history.jsonl")):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline, "the scenario never came to its blocked accept"
                time.sleep(0.02)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def descendants(pid: int) -> list[int]:
    """All processes below one, from /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def gone(pids: list[int]) -> bool:
    """Whether all these processes end within a few seconds (zombies count as ended)."""

    def lives(pid: int) -> bool:
        try:
            return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    deadline = time.monotonic() + 5
    while any(lives(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "name: nobody listens\nhosts: [server, client]\nsteps:\n"
        '  - client: {socket: c}\n  - client: {connect: c, to: "server:8888"}\n',
    )
    done = run("run", path, "--engine", "netns", "--runs", tmp_path / "runs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ECONNREFUSED" in done.stdout
    assert "trouble.yaml:5" in done.stdout


def test_a_wrong_payload_shows_both(tmp_path: Path) -> None:
    path = written(tmp_path, ECHO.read_text().replace("gives: one", "gives: uno", 1))
    assert "uno" in path.read_text()
    done = run("run", path, "--engine", "netns", "--runs", tmp_path / "runs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "uno" in done.stdout and "one" in done.stdout


def test_a_swapped_order_on_the_wire_fails(tmp_path: Path) -> None:
    lines = ECHO.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if "SYN" in line and "->" in line)
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    path = written(tmp_path, "\n".join(lines) + "\n")
    done = run("run", path, "--engine", "netns", "--runs", tmp_path / "runs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SYN,ACK" in done.stdout


def test_mistakes_are_told_all_at_once_with_their_places(tmp_path: Path) -> None:
    text = ECHO.read_text().replace("listen:", "lissen:", 1).replace("connect:", "conect:", 1)
    path = written(tmp_path, text)
    done = run("run", path, "--engine", "netns", "--runs", tmp_path / "runs")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "'listen'" in done.stderr and "'connect'" in done.stderr
    assert "^^^^^^" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run("run", tmp_path / "nothing.yaml")
    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr and "Traceback" not in done.stderr


def test_a_host_that_dies_in_the_middle_is_named(tmp_path: Path) -> None:
    with started(tmp_path, written(tmp_path, SLOW), "netns") as process:
        victim = max(descendants(process.pid))
        os.kill(victim, signal.SIGKILL)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 3, output
    assert "host client is gone" in output or "host server is gone" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("engine", ["netns", pytest.param("docker", marks=pytest.mark.docker)])
def test_ctrl_c_ends_the_run_and_leaves_nothing(tmp_path: Path, engine: str) -> None:
    if engine == "docker":
        need_docker()
    with started(tmp_path, written(tmp_path, SLOW), engine) as process:
        below = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert sum(line.split()[:1] == ["interrupted"] for line in output.splitlines()) == 1, output
    assert gone(below)
    (folder,) = (tmp_path / "runs").glob("*/")
    assert json.loads((folder / "run.json").read_text())["ending"] == "interrupted"
    assert (folder / "capture.pcapng").stat().st_size > 0


def test_kill_9_leaves_no_process(tmp_path: Path) -> None:
    with started(tmp_path, written(tmp_path, SLOW), "netns") as process:
        below = descendants(process.pid)
        assert len(below) >= 3
        process.kill()
        process.wait()
        assert gone(below)
    done = run("clean")
    assert done.returncode == 0, done.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "none", str(small)], check=True)
    try:
        done = run("run", ECHO, "--engine", "netns", "--runs", small)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "full" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_packets_that_the_capture_lost_make_the_verdict_unknown(tmp_path: Path) -> None:
    assert run("run", ECHO, "--engine", "netns", "--runs", tmp_path / "runs").returncode == 0
    (folder,) = (tmp_path / "runs").glob("*/")
    info = json.loads((folder / "run.json").read_text())
    info["captures"]["server"]["drops"] = 7
    (folder / "run.json").write_text(json.dumps(info))
    done = run("judge", folder)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "7" in done.stdout and "server" in done.stdout


def test_judging_again_gives_the_same_verdict(tmp_path: Path) -> None:
    assert run("run", ECHO, "--engine", "netns", "--runs", tmp_path / "runs").returncode == 0
    (folder,) = (tmp_path / "runs").glob("*/")
    first = json.loads((folder / "verdict.json").read_text())
    done = run("judge", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "verdict.json").read_text()) == first
