"""Every scenario of the catalogue plays and passes, on each engine; what an engine or kernel lacks is skipped with its
reason. One test a file and engine, so that several processes can share them (`pytest -n 2`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import Unsupported
from runner import scenario
from runner.judge import Judgement
from tests.needing import need_docker
from tests.playing import play_file

pytestmark = pytest.mark.slow  # plays on real hosts again and again

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))


def is_slow(path: Path) -> bool:
    """Whether a scenario is tagged `slow`; read as text, so that a wrong file fails its own test only."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(line.startswith("tags:") and "slow" in line for line in lines)


def played() -> list[object]:
    """Every file, the slow ones with their mark."""
    return [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if is_slow(path) else []) for path in FILES
    ]


@pytest.mark.parametrize("path", played())
def test_on_namespaces(path: Path, tmp_path: Path) -> None:
    play_all(path, tmp_path, "netns")


@pytest.mark.docker
@pytest.mark.parametrize("path", played())
def test_on_containers(path: Path, tmp_path: Path) -> None:
    need_docker()
    play_all(path, tmp_path, "docker")


def play_all(path: Path, folder: Path, engine: str) -> None:
    """Play every case of a scenario; all must pass."""
    for number, case in enumerate(scenario.cases(path, {})):
        try:
            run = play_file(path, folder / str(number), engine, dict(case))
        except Unsupported as lacks:
            pytest.skip(lacks.what)
        assert run.judgement.verdict == "pass", f"{' '.join(case.values())}\n{told(run.judgement)}"


def told(judgement: Judgement) -> str:
    """What did not pass, for the test's report."""
    return "\n".join(
        f"{one.verdict}: {one.path}:{one.line}: {one.summary}\n{one.detail}"
        for one in judgement.findings
        if one.verdict != "pass"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_says_what_to_look_at(path: Path) -> None:
    """A reader learns from each what it shows; each judges the wire too, and not only its calls."""
    from runner.checks import CHECKS

    one = scenario.load(path, checks=CHECKS)
    assert len(one.about.split(".")) > 1 and len(one.about) > 40, "`about` says too little"
    assert {placed.kind for placed in one.expect} & {"packets", "count"}, "nothing is said about packets"
