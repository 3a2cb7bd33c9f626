"""Scenarios side by side, for real: the command line on namespaces, with all its reports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.fire.leftovers import in_docker
from tests.needing import need_docker
from tests.test_failures import ROOT, descendants, gone, run

pytestmark = pytest.mark.slow  # plays on real hosts again and again

QUIET = """\
name: {name}
hosts: [server, client]
steps:
  - sleep: {sleep}
  - server: {{socket: s, type: SOCK_DGRAM}}
  - server: {{getsockopt: s, option: SO_BROADCAST, gives: {gives}}}
"""


def write(folder: Path, name: str, *, sleep: str = "1ms", gives: int = 0) -> None:
    """A small scenario; one that gives 1 fails."""
    text = QUIET.format(name=name, sleep=sleep, gives=gives)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of scenarios, the first the slowest."""
    made = tmp_path / "scenarios"
    made.mkdir()
    write(made, "a_slow", sleep="2s")
    write(made, "b_fails", gives=1)
    shutil.copy(ROOT / "scenarios" / "udp_echo.yaml", made / "c_echo.yaml")
    return made


def test_all_are_played_and_told_as_they_end(folder: Path, tmp_path: Path) -> None:
    junit, events, runs = tmp_path / "junit.xml", tmp_path / "events.jsonl", tmp_path / "runs"
    done = run(
        "run", folder, "--engine", "netns", "--runs", runs, "-j", "2", "--junit", junit, "--json", events
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    ends = [line.split()[1].rstrip(":") for line in lines if line.startswith(("PASSED", "FAILED"))]
    assert sorted(ends) == ["a_slow", "b_fails", "c_echo"] and ends[-1] == "a_slow"
    assert "2 passed, 1 failed in" in done.stdout
    cases = ElementTree.parse(junit).getroot().findall(".//testcase")
    assert [case.get("name") for case in cases][:2] == ["a_slow", "b_fails"], "in the order of the files"
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [one["ended"] for one in told if one["event"] == "end"].count("pass") == 2
    began = [one["event"] for one in told if one["event"] in ("begin", "end")]
    assert began[:2] == ["begin", "begin"], "two at once"


def test_what_failed_is_played_again(folder: Path, tmp_path: Path) -> None:
    words = ("--engine", "netns", "--runs", str(tmp_path / "runs"))
    assert run("run", folder, *words, "-j", "3").returncode == 1
    again = run("run", "--rerun-failed", *words)
    assert again.returncode == 1 and "b_fails" in again.stdout and "c_echo" not in again.stdout
    write(folder, "b_fails")
    assert run("run", "--rerun-failed", *words).returncode == 0
    last = run("run", "--rerun-failed", *words)
    assert last.returncode == 0 and "Nothing failed" in last.stdout


def begun(folder: Path, tmp_path: Path, engine: str = "netns") -> subprocess.Popen[str]:
    """The command line with two cases in the middle of a long sleep."""
    for name in ("a_slow", "b_fails"):
        write(folder, name, sleep="60s")
    words = [sys.executable, "-m", "runner", "run", str(folder), "--engine", engine, "-j", "2"]
    process = subprocess.Popen(
        [*words, "--runs", str(tmp_path / "runs")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "runs").glob("*/server.stderr"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    return process


@pytest.mark.parametrize("engine", ["netns", pytest.param("docker", marks=pytest.mark.docker)])
def test_ctrl_c_ends_all_and_leaves_nothing(folder: Path, tmp_path: Path, engine: str) -> None:
    if engine == "docker":
        need_docker()
    with begun(folder, tmp_path, engine) as process:
        below = descendants(process.pid)
        had = {pid for pid in below if in_docker(pid)}
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "2 interrupted in" in output and "Traceback" not in output
    assert gone(below)
    assert len(had) == (2 if engine == "docker" else 0), "each worker had containers of its own"
    assert not [one for pid in below for one in in_docker(pid)]


def test_a_worker_that_is_killed_takes_one_case_along(folder: Path, tmp_path: Path) -> None:
    with begun(folder, tmp_path) as process:
        marked = [pid for pid in descendants(process.pid) if b"worker.main" in command_of(pid)]
        assert len(marked) == 2
        os.kill(marked[0], signal.SIGKILL)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert "the process that played it is gone: signal 9" in output
    assert "1 unknown" in output and "Traceback" not in output


def test_kill_9_of_the_runner_leaves_no_process(folder: Path, tmp_path: Path) -> None:
    with begun(folder, tmp_path) as process:
        below = descendants(process.pid)
        process.kill()
        process.wait()
        assert gone(below)


def command_of(pid: int) -> bytes:
    """The command line of a process, or nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
