"""Every snippet of the documentation is run: scenarios are played, commands typed, and they say what is shown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from lab.engine import find
from runner.checks import CHECKS
from runner.schema import schema
from tests.docs.snippets import ROOT, RUNNABLE, Block, blocks, commands, is_shown, pages

pytestmark = pytest.mark.slow
PATIENCE_S = 120
GENERATED = ("docs/reference", "docs/scenarios.md", "docs/c-and-python.md", "docs/recorded")
"""Made from code and from recorded runs; tests of their own say when they are stale."""
TRANSLATED = "docs/zh"
SURROUNDINGS = """\
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
void lines(int c, int m, int listener, int for_a, int for_b, char *request, struct sockaddr_in server) {
"""
"""What some lines of C on a page stand in: the sockets and the addresses that the page has spoken of."""


def _pages() -> list[Path]:
    return [one for one in pages() if not str(one.relative_to(ROOT)).startswith(GENERATED)]


def _id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _runnable(page: Path) -> list[Block]:
    return [one for one in blocks(page) if one.language in RUNNABLE and one.mark != "not run"]


PLAYED = [one for one in _pages() if _runnable(one) and TRANSLATED not in str(one)]


@pytest.fixture(scope="module", autouse=True)
def ready() -> None:
    problem = find("netns").ready()
    if problem is not None:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def environment() -> Mapping[str, str]:
    """As in a terminal of 80 columns without colours; a compose lab that is up on this machine does not count."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "CI")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "TERM": "dumb", "COMPOSE_PROJECT_NAME": "socket-lab-documentation"}


@pytest.mark.parametrize("page", PLAYED, ids=_id)
def test_a_page_can_be_followed(page: Path, tmp_path: Path, environment: Mapping[str, str]) -> None:
    """From top to bottom in one folder, which has the scenarios of the repository beside it."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    for block in _runnable(page):
        if block.file:
            (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.file).write_text(block.text)
        if block.language in ("console", "sh"):
            _type(block, tmp_path, environment)
        elif not _is_used(block, page):
            _follow(block, tmp_path, environment)


def _is_used(block: Block, page: Path) -> bool:
    """Whether another block names the file that this one is: then it is that one's affair."""
    name = Path(block.file).name
    return bool(block.file) and any(name in one.text for one in _runnable(page) if one != block)


def _type(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    for one in commands(block):
        said, _ = _run(["bash", "-c", one.command], folder, environment)
        if "SKIPPED" in said and not is_shown(one.lines, said):
            pytest.skip(f"{block.place}: {said}")
        shown = "\n".join(one.lines)
        assert is_shown(one.lines, said), (
            f"{block.place}: `{one.command}` is shown to say\n{shown}\n\nand says\n{said}"
        )


def _follow(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    """A block that no command of its page names."""
    name = block.file or f"line-{block.line}.{'py' if block.language == 'python' else 'yaml'}"
    (folder / name).write_text(block.text)
    if block.is_scenario:
        said, code = _run(["runner", "run", name, "--engine", "netns"], folder, environment)
        assert code == 0, f"{block.place}: {said}"
    elif block.language == "python":
        tests = "def test_" in block.text
        program = ["-m", "pytest", "-q", "-p", "no:cacheprovider", name] if tests else [name]
        said, code = _run([sys.executable, *program], folder, environment)
        assert code == 0, f"{block.place}: {said}"
    elif block.language == "c":
        _compile(block, folder, environment)
    else:
        _validate(block)


def _compile(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    """A program with `main`, or some lines of a function that has its sockets already."""
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler: apt-get install gcc")
    whole = "main(" in block.text
    text = block.text if whole else f"{SURROUNDINGS}{{\n#line {block.line + 1}\n{block.text}\n}}\n}}\n"
    (folder / "some.c").write_text(text)
    said, code = _run([compiler, "-fsyntax-only", "-Wall", "-Wno-unused", "some.c"], folder, environment)
    assert code == 0 and not said, f"{block.place}: {said}"


def _validate(block: Block) -> None:
    """Some lines of a scenario: steps, expectations or hosts, as the schema has them."""
    whole, part = schema(CHECKS), yaml.load(block.text, yaml.BaseLoader)
    if part is None:  # comments alone
        return
    kind = block.said or ("scenario" if isinstance(part, dict) else "steps")
    forms = {
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "expect": {"type": "array", "items": {"$ref": "#/$defs/expectation"}},
        "scenario": {"properties": whole["properties"], "additionalProperties": False},
    }
    assert kind in forms, f"{block.place}: a fragment is one of {', '.join(forms)}, not {kind!r}"
    wrong = list(Draft202012Validator({**forms[kind], "$defs": whole["$defs"]}).iter_errors(part))
    assert not wrong, f"{block.place}: {wrong[0].message}"


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[str, int]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.stdout, done.returncode


@pytest.mark.parametrize(
    "block",
    [one for page in _pages() for one in blocks(page) if one.mark == "not run"],
    ids=lambda one: one.place,
)
def test_not_run(block: Block) -> None:
    """So that a report lists what nobody tried, with its reason."""
    assert len(block.said) > 10, f"{block.place}: why is it not run?"
    pytest.skip(f"{block.place}: {block.said}")


@pytest.mark.parametrize("page", _pages(), ids=_id)
def test_what_is_not_run_says_why(page: Path) -> None:
    for one in blocks(page):
        assert one.language, f"{one.place}: say what it is: console, yaml, python, or text"
        if one.language not in (*RUNNABLE, "text"):
            assert one.mark == "not run" and len(one.said) > 10, (
                f"{one.place}: `<!-- not run: REASON -->` before it"
            )


@pytest.mark.parametrize("page", [one for one in _pages() if TRANSLATED in str(one)], ids=_id)
def test_a_translation_shows_the_same(page: Path) -> None:
    original = ROOT / "docs" / page.relative_to(ROOT / TRANSLATED)
    if original.exists():
        shown = [one.text for one in blocks(page) if one.language != "text"]
        assert shown == [one.text for one in blocks(original) if one.language != "text"]
