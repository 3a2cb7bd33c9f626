"""What tests need of the machine: skipped with the reason where it is missing, and failed where CI has to have it."""

from __future__ import annotations

import os

import pytest

from lab.engine import find


def need_docker() -> None:
    """Skip the test where the docker engine is not ready; fail it there with CI=true."""
    problem = find("docker").ready()
    if problem is None:
        return
    reason = str(problem).replace("\n", " ")
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to have Docker: {reason}", pytrace=False)
    pytest.skip(reason)
