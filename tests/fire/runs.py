"""Many runs, runs that are killed at any moment, and runs at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from tests.fire.leftovers import Watched, adopting, in_docker
from tests.fire.measured import ECHO, EXPERIMENTS, ROOT, Experiment, Finding, run, start
from tests.test_failures import descendants
from tests.waiting import eventually

SEED = 20
IN_A_ROW = {"netns": 200, "docker": 20}
KILLED = {"netns": 40, "docker": 10}
MOST_MORE_BYTES = 64 << 20
"""A scenario that was read takes 0.1 MiB, and all are read before the first is played."""


def in_a_row(engine: str, folder: Path) -> Finding:
    """One runner plays the same scenario so many times: all pass, nothing grows, nothing is left."""
    count = IN_A_ROW[engine]
    few = run("run", ECHO, ECHO, "--engine", engine, "--runs", folder / "few")
    with adopting():
        watched = Watched(0, frozenset(descendants(os.getpid())))
        done = run("run", *[ECHO] * count, "--engine", engine, "--runs", folder / "runs")
        assert done.code == 0, _but_for_passed(done.said)
        assert f"{count} passed" in done.said
        assert len(list((folder / "runs").glob("*/verdict.json"))) == count
        assert eventually(lambda: not watched.processes()), watched.processes()
    more = done.peak_bytes - few.peak_bytes
    assert more < MOST_MORE_BYTES, f"{more >> 20} MiB more than two runs take"
    each = done.seconds / count
    return Finding(
        count, f"all passed, {each:.2f} s each; {max(0, more) >> 20} MiB more at the end than 2 runs"
    )


def _but_for_passed(said: str) -> str:
    return "\n".join(line for line in said.splitlines() if not line.startswith("PASSED"))[-3000:]


def killed(engine: str, folder: Path) -> Finding:
    """Runs are killed with SIGKILL at random moments; `runner clean` then leaves nothing of any of them."""
    count, chance = KILLED[engine], random.Random(SEED)
    longest = run("run", ECHO, "--engine", engine, "--runs", folder / "whole").seconds
    private = {name: str(folder / name) for name in ("TMPDIR", "XDG_RUNTIME_DIR")}
    for path in private.values():
        Path(path).mkdir(mode=0o700)
    with adopting():
        watched = [_kill_one(engine, folder, private, chance.uniform(0.02, longest)) for _ in range(count)]
        if engine == "docker":
            _when_docker_has_done_what_it_was_asked([one.pid for one in watched])
        done = run("clean", environment=private)
        assert done.code == 0, done.said
        for one in watched:
            assert not in_docker(one.pid), in_docker(one.pid)
    left = [str(one) for path in private.values() for one in Path(path).rglob("*")]
    assert not left, left
    in_the_middle = sum(one.had_a_lab for one in watched)
    return Finding(count, f"{in_the_middle} of them with processes of a lab; nothing left")


def _kill_one(engine: str, folder: Path, private: dict[str, str], moment_s: float) -> Watched:
    """Start a run and kill it at that moment."""
    before = frozenset(descendants(os.getpid()))
    words = ("run", ECHO, "--engine", engine, "--runs", folder / "runs")
    with start(*words, environment=private) as process:
        watched = Watched(process.pid, before)
        time.sleep(moment_s)
        watched.look()
        watched.had_a_lab = len(descendants(process.pid)) > 0 or bool(in_docker(process.pid))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    # At once: the kernel soon gives the numbers of namespaces that are gone to others.
    assert eventually(lambda: not watched.processes()), watched.processes()
    assert not watched.mounts()
    return watched


def _when_docker_has_done_what_it_was_asked(pids: list[int]) -> None:
    """Docker finishes a request whose client is gone: until what it has of them has stayed the same for a second."""
    seen: list[str] = []
    since = time.monotonic()
    while time.monotonic() - since < 1.0:
        now = [one for pid in pids for one in in_docker(pid)]
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.1)


def at_once(engine: str, folder: Path) -> Finding:
    """Two runners on one machine at once, each with several scenarios: both pass."""
    chosen = [ROOT / "scenarios" / name for name in ("tcp_echo.yaml", "udp_echo.yaml")]
    times = 5 if engine == "netns" else 1
    return _two_pass(engine, folder, [*chosen] * times, {})


def at_once_on_compose(folder: Path) -> Finding:
    """Two runners while the compose lab is up: one plays on it, the other makes containers of its own."""
    own = {
        "COMPOSE_PROJECT_NAME": f"labfire{os.getpid()}",
        "SOCKET_LAB_SUBNET6": f"fd5c:1ab:{os.getpid() & 0xFFFF:x}:3::/64",
    }
    environment = {**os.environ, **own}
    compose = [sys.executable, "-m", "lab.compose"]
    try:
        subprocess.run([*compose, "up"], env=environment, cwd=ROOT, check=True, capture_output=True)
        return _two_pass("docker", folder, [ECHO] * 3, own)
    finally:
        subprocess.run([*compose, "down"], env=environment, cwd=ROOT, check=True, capture_output=True)


def _two_pass(engine: str, folder: Path, chosen: list[Path], environment: dict[str, str]) -> Finding:
    words = [("run", *chosen, "--engine", engine, "--runs", folder / name) for name in ("a", "b")]
    with start(*words[0], environment=environment) as one, start(*words[1], environment=environment) as other:
        said = [process.communicate(timeout=120)[0] for process in (one, other)]
    for process, text in zip((one, other), said, strict=True):
        assert process.returncode == 0, text[-2000:]
        assert f"{len(chosen)} passed" in text
        assert not in_docker(process.pid)
    return Finding(2 * len(chosen), "all passed")


for _engine in ("netns", "docker"):
    _needs = "docker" if _engine == "docker" else ""
    for _what, _function in (
        ("runs in a row, in one runner", in_a_row),
        ("runs killed with SIGKILL at random moments, then `runner clean`", killed),
        ("runs of two runners at once", at_once),
    ):
        _play = partial(_function, _engine)
        _play.__name__ = _function.__name__  # type: ignore[attr-defined]
        EXPERIMENTS.append(Experiment(_what, _engine, _needs, _play))
EXPERIMENTS.append(
    Experiment("runs of two runners at once with one compose lab", "docker", "docker", at_once_on_compose)
)
