"""Programs in hosts that flood, fork, ignore signals and leave children: runs end as they should, and nothing stays."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from lab.channel import KEPT_OF_STDERR
from tests.fire.leftovers import Watched, adopting, in_docker
from tests.fire.measured import EXPERIMENTS, Experiment, Finding, start
from tests.test_failures import descendants
from tests.waiting import eventually

HEAD = "name: trouble\nhosts: [server, client]\nsteps:\n"
ALIVE = "  - server: {run: [echo, alive], as: q}\n  - server: {stdout: q, gives: {has: alive}}\n"
TREE = "import os, time\nfor _ in range(8): os.fork()\nprint('grown', flush=True)\ntime.sleep(1000)"
DAEMON = (
    "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    "os.closerange(0, 1000)\ntime.sleep(1000)"
)
STUBBORN = "trap '' TERM HUP INT QUIT; echo ready; while :; do sleep 1; done"


def _run(*words: str) -> str:
    import json

    return f"  - server: {{run: {json.dumps(list(words))}, as: p}}\n"


TROUBLES: dict[str, tuple[str, int]] = {
    "floods stdout that nobody reads": (_run("yes") + "  - sleep: 500ms\n" + ALIVE, 0),
    "floods stdout that is searched for what never comes": (
        _run("yes") + "  - server: {stdout: p, gives: {has: never}, takes: ..2s}\n",
        1,
    ),
    "floods stderr": (_run("sh", "-c", "yes >&2") + "  - sleep: 500ms\n" + ALIVE, 0),
    "forks to 256 processes": (
        _run("python3", "-c", TREE) + "  - server: {stdout: p, gives: {has: grown}}\n",
        0,
    ),
    "ignores SIGTERM": (
        _run("sh", "-c", STUBBORN)
        + "  - server: {stdout: p, gives: {has: ready}}\n  - server: {signal: p, name: SIGTERM}\n"
        + ALIVE,
        0,
    ),
    "leaves a daemon behind (setsid, double fork)": (
        _run("python3", "-c", DAEMON) + "  - server: {wait: p, gives: {exit: 0}}\n",
        0,
    ),
}


def programs(engine: str, folder: Path) -> Finding:
    """Each trouble is played; the exit code is right, no process and no container stays, the run stays small."""
    longest = 0.0
    for number, (what, (steps, code)) in enumerate(TROUBLES.items()):
        path, runs = folder / f"{number}.yaml", folder / f"runs{number}"
        path.write_text(HEAD + steps, encoding="utf-8")
        longest = max(longest, _play_one(engine, path, runs, what, code))
        size = sum(one.stat().st_size for one in runs.rglob("*") if one.is_file())
        assert size < 2 * KEPT_OF_STDERR, f"{what}: the run takes {size >> 20} MiB"
    return Finding(
        len(TROUBLES), f"each ended in at most {longest:.1f} s, with nothing left: {', '.join(TROUBLES)}"
    )


def _play_one(engine: str, path: Path, runs: Path, what: str, code: int) -> float:
    import time

    with adopting():
        watched = Watched(0, frozenset(descendants(os.getpid())))
        began = time.monotonic()
        with start("run", path, "--engine", engine, "--runs", runs) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == code, f"{what}: {process.returncode}\n{said[-2000:]}"
        assert "Traceback" not in said
        assert eventually(lambda: not watched.processes()), f"{what}: {watched.processes()}"
        assert not in_docker(process.pid), what
    return time.monotonic() - began


for _engine in ("netns", "docker"):
    _play = partial(programs, _engine)
    _play.__name__ = "programs"  # type: ignore[attr-defined]
    _needs = "docker" if _engine == "docker" else ""
    EXPERIMENTS.append(Experiment("troubles that a program in a host makes", _engine, _needs, _play))
