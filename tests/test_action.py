"""The GitHub action: its shell steps, as a machine of GitHub's would run them, in a folder and a Python of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.engine import find

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
SCENARIO = """\
name: in an action
hosts: [server, client]
steps:
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {sendto: c, data: x, to: "server:9"}
expect:
  - count: {flow: udp client server:9, where: UDP, is: 1}
"""


def steps() -> list[dict[str, Any]]:
    """The steps that are shell."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    return [step for step in action["runs"]["steps"] if "run" in step]


def inputs() -> dict[str, str]:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return {name: str(one["default"]) for name, one in action["inputs"].items()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a job in whose Python the action has installed the package."""
    problem = find("netns").ready()
    if problem is not None:
        pytest.skip(str(problem))
    folder = tmp_path_factory.mktemp("job")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "python")], check=True)
    environment = {
        "PATH": f"{folder / 'python' / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }  # fmt: skip
    [install] = [step for step in steps() if step["name"] == "Install"]
    subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", install["run"]], env=environment, cwd=folder, check=True
    )
    return environment


def play(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    [step] = [step for step in steps() if step["name"] == "Play"]
    given = {name.upper(): value for name, value in inputs().items() if name != "python"}
    words = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    return subprocess.run(
        words, env={**environment, **given}, cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_scenarios_are_played_with_what_was_installed(tmp_path: Path, installed: dict[str, str]) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/one.yaml").write_text(SCENARIO)
    done = play(tmp_path, installed)
    assert done.returncode == 0, done
    assert (tmp_path / "runs/junit.xml").exists()
    assert "junit=runs/junit.xml" in Path(installed["GITHUB_OUTPUT"]).read_text()


def test_what_fails_is_annotated_and_fails_the_job(tmp_path: Path, installed: dict[str, str]) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/bad.yaml").write_text(SCENARIO.replace("is: 1", "is: 7"))
    done = play(tmp_path, installed)
    assert done.returncode == 1, done
    assert "::error file=scenarios/bad.yaml,line=7" in done.stdout
    assert "expected 7" in Path(installed["GITHUB_STEP_SUMMARY"]).read_text()
