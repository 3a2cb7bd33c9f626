"""Imports flow downwards, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ECHO = ROOT / "scenarios" / "tcp_echo.yaml"
HEAVY = ("scapy", "docker", "rich", "jinja2", "asyncio", "requests")


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after some code."""
    ending = "\nimport sys; print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code + ending],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    return set(done.stdout.rpartition("loaded: ")[2].split())


def test_import_contracts_hold() -> None:
    pytest.importorskip("importlinter")
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize(
    "words",
    [["--help"], ["validate", str(ECHO)], ["show", str(ECHO)], ["list", "checks"], ["schema"]],
    ids=lambda words: words[0],
)
def test_nothing_heavy_is_loaded_by(words: list[str]) -> None:
    loaded = loaded_after(f"from runner.cli import main\nassert main({words!r}) == 0")
    assert not loaded & set(HEAVY)


def test_help_loads_no_models() -> None:
    assert not loaded_after("from runner.cli import main\nmain(['--help'])") & {"pydantic", "yaml"}


def test_the_lab_is_of_the_standard_library() -> None:
    loaded = loaded_after("import lab.engines.netns, lab.capture, lab.compose, lab.running")
    assert not loaded & {*HEAVY, "pydantic", "yaml", "click", "runner"}
