"""A thousand damaged scenarios, a thousand damaged captures, and damaged run directories: clear errors only."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.fire import hostile
from tests.fire.measured import ECHO, ROOT, Finding, experiment, run

SEED = 7
SCENARIOS, CAPTURES, RUNS = 1000, 1000, 300
MOST_BYTES, MOST_S = 256 << 20, 5.0
THROUGH_THE_COMMAND_LINE = 40


@dataclass(frozen=True)
class Taken:
    """How one file was taken, see `tests.fire.batch`."""

    name: str
    code: int | str
    seconds: float
    said: str
    escapes: bool
    peak: int


def taken(words: list[str], folder: Path) -> list[Taken]:
    """Give every file of a folder to a command, all in one process; raises AssertionError where that breaks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fire.batch", *words, str(folder)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [Taken(**json.loads(line)) for line in done.stdout.splitlines()]


def hold(found: list[Taken], codes: set[int]) -> str:
    """All ended with one of these codes, in time, in little memory, and said why; returns what was seen, in words."""
    for one in found:
        assert one.code in codes, f"{one.name}: {one.code}\n{one.said}"
        assert one.seconds < MOST_S, f"{one.name} took {one.seconds:.1f} s"
        assert "Traceback" not in one.said and not one.escapes, f"{one.name}: {one.said!r}"
        assert one.said.strip() or one.code == 0, f"{one.name}: nothing was said"
    peak, longest = max(one.peak for one in found), max(one.seconds for one in found)
    assert peak < MOST_BYTES, f"{peak >> 20} MiB: {grew(found)}"
    counts = Counter(one.code for one in found)
    ends = ", ".join(f"{counts[code]} with exit code {code}" for code in sorted(counts, key=str))
    return f"{ends}; at most {longest:.2f} s of processor time each and {peak >> 20} MiB for all"


def grew(found: list[Taken]) -> list[tuple[int, str]]:
    """The files that memory grew most at, in MiB."""
    steps = [(after.peak - before.peak) >> 20 for before, after in pairwise(found)]
    return sorted(zip(steps, (one.name for one in found[1:]), strict=True), reverse=True)[:5]


@experiment("damaged and hostile scenario files, to `runner validate`")
def scenario_files(folder: Path) -> Finding:
    chance, real = random.Random(SEED), hostile.real_scenarios(ROOT)
    made = list(hostile.bombs())
    made += [hostile.mutated_text(chance.choice(real), chance) for _ in range(SCENARIOS - len(made))]
    for number, data in enumerate(made):
        (folder / f"{number:04}.yaml").write_bytes(data)
    found = taken(["validate"], folder)
    seen = hold(found, {0, 2})
    assert sum(one.code == 2 for one in found) > SCENARIOS // 2, "most of them are wrong"
    refused = [folder / one.name for one in found if one.code == 2][:: SCENARIOS // THROUGH_THE_COMMAND_LINE]
    for command in ("validate", "run"):
        done = run(command, *refused)
        assert done.code == 2 and "Traceback" not in done.said, done.said[-2000:]
        assert 0 < done.peak_bytes < MOST_BYTES
    return Finding(len(found), seen)


@experiment("damaged captures, to `runner inspect`")
def captures(folder: Path) -> Finding:
    chance = random.Random(SEED)
    (folder / "captures").mkdir()
    real = [path.read_bytes() for path in _recorded(folder)]
    for number in range(CAPTURES):
        data = hostile.mutated_bytes(chance.choice(real), chance)
        (folder / "captures" / f"{number:04}.pcapng").write_bytes(data)
    found = taken(["inspect"], folder / "captures")
    return Finding(len(found), hold(found, {0, 2}))


@experiment("damaged run directories, to `runner judge` and `runner show`")
def run_directories(folder: Path) -> Finding:
    chance = random.Random(SEED)
    (capture,) = _recorded(folder)[:1]
    whole = capture.parent
    seen = []
    for command in ("judge", "show"):
        made = folder / command
        for number in range(RUNS // 2):
            damaged = made / f"{number:04}"
            shutil.copytree(whole, damaged)
            _damage(damaged, chance)
        seen.append(f"`{command}`: {hold(taken([command], made), {0, 1, 2, 3})}")
    return Finding(RUNS, "; ".join(seen))


def _damage(folder: Path, chance: random.Random) -> None:
    name = chance.choice(("run.json", "history.jsonl", "scenario.yaml", "capture.pcapng", "verdict.json"))
    path = folder / name
    match chance.randrange(8):
        case 0:
            path.unlink()
        case 1:
            path.unlink()
            path.mkdir()
        case 2:
            path.unlink()
            path.symlink_to("/dev/zero")
        case _ if name == "capture.pcapng":
            path.write_bytes(hostile.mutated_bytes(path.read_bytes(), chance))
        case _ if name == "scenario.yaml":
            path.write_bytes(hostile.mutated_text(path.read_text(encoding="utf-8"), chance))
        case _:
            path.write_text(hostile.mutated_json(path.read_text(encoding="utf-8"), chance), encoding="utf-8")


def _recorded(folder: Path) -> list[Path]:
    """Captures of real runs."""
    names = ("udp_echo", "unix_sockets", "boundaries")
    paths = [path for name in names if (path := ROOT / "scenarios" / f"{name}.yaml").exists()]
    done = run("run", ECHO, *paths, "--engine", "netns", "--runs", folder / "recorded")
    assert done.code == 0, done.said[-2000:]
    return sorted((folder / "recorded").glob("*/capture.pcapng"))
