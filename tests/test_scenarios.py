"""Every scenario of the catalogue says what it shows, and plays and passes in containers; what engine or kernel lack is
skipped with its reason. On namespaces `test_mutations` plays each, before it breaks what was seen.
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


@pytest.mark.docker
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_on_containers(path: Path, tmp_path: Path) -> None:
    need_docker()
    for number, case in enumerate(scenario.cases(path, {})):
        try:
            run = play_file(path, tmp_path / str(number), "docker", dict(case))
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
