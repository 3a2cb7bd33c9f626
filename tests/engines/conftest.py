"""Engines and labs for the tests of this folder, and how a missing engine is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import engine as engines
from lab.engine import Engine, Lab
from lab.topology import Topology
from tests.engines.remote import Remote

NAMES = [pytest.param("netns", id="netns"), pytest.param("docker", id="docker", marks=pytest.mark.docker)]


def engine_or_skip(name: str) -> Engine:
    """The engine, ready; else the test is skipped with the reason, or fails where CI is set: none may be missing."""
    engine = engines.find(name)
    problem = engine.ready()
    if problem is not None:
        reason = f"no engine {name} here: {problem}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return engine


@pytest.fixture(scope="session", params=NAMES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return engine_or_skip(request.param)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for /programs, with one program that says what it was given."""
    folder = tmp_path_factory.mktemp("programs")
    folder.chmod(0o755)
    (folder / "say").write_text('#!/bin/sh\necho "said $1"\n', encoding="ascii")
    (folder / "say").chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def shared(engine: Engine, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of hosts `server` and `client` for all tests that leave it as it was; offloads are off, it captures."""
    logs = tmp_path_factory.mktemp("logs")
    with engine.up(Topology.simple("server", "client", programs=programs), logs=logs) as lab:
        for host in ("server", "client"):
            Remote(lab, host).begin_capture()
        yield lab


@pytest.fixture
def server(shared: Lab) -> Remote:
    return Remote(shared, "server")


@pytest.fixture
def client(shared: Lab) -> Remote:
    return Remote(shared, "client")
