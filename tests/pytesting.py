"""pytest played in a folder of its own, with scenarios or labs in its tests."""

from __future__ import annotations

import pytest

from lab.engine import find


def prepare(pytester: pytest.Pytester) -> None:
    """Make the folder ready, or skip where no namespaces can be had."""
    problem = find("netns").ready()
    if problem is not None:
        pytest.skip(str(problem))
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = '--strict-markers'\n")


def play(pytester: pytest.Pytester, *words: str, engine: str = "netns") -> pytest.RunResult:
    """Run pytest with these words, in a process of its own."""
    return pytester.runpytest_subprocess("--lab-engine", engine, *words, timeout=120)
