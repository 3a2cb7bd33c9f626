"""Agents for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import Host, agent_in


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One agent for all tests that leave it as it was: names in them are their own."""
    with agent_in(tmp_path_factory.mktemp("agent")) as made:
        yield made


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with agent_in(tmp_path) as made:
        yield made
