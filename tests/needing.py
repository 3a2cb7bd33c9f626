"""What tests need of the machine: skipped with the reason where it is missing, and failed where CI has to have it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import compose, compose_commands
from lab.engine import find

ROOT = Path(__file__).resolve().parent.parent


def need_docker() -> None:
    """Skip the test where the docker engine is not ready; fail it there with CI=true."""
    problem = find("docker").ready()
    if problem is None:
        return
    reason = str(problem).replace("\n", " ")
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to have Docker: {reason}", pytrace=False)
    pytest.skip(reason)


@contextmanager
def compose_checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout of its own with no lab up, so that the lab somebody looks at stays as it is; taken down after."""
    need_docker()
    folder = tmp_path / "checkout"
    (folder / "scenarios/programs").mkdir(parents=True)
    shutil.copy(ROOT / "docker-compose.yml", folder)
    shutil.copytree(ROOT / "lab", folder / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "FOLDER", folder)
        patch.setattr(compose.running, "__defaults__", (folder,))
        patch.setenv("COMPOSE_PROJECT_NAME", f"labtest{os.getpid()}")
        try:
            yield folder
        finally:
            compose_commands.down(lambda line: None)


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""The names that the browser has on Debian and elsewhere."""


def need_chromium() -> str:
    """The path of Chromium; skip the test where there is none, fail it there with CI=true."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is not None:
        return found
    reason = "Chromium is missing (on Debian: apt-get install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to have it: {reason}", pytrace=False)
    pytest.skip(reason)
