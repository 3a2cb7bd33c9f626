"""The promises of docs/security.md: each names its test, and each test is there; and those that have no other place."""

from __future__ import annotations

import ast
import html
import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.fire.measured import ROOT, run

PAGE = ROOT / "docs" / "security.md"
PROMISE = re.compile(r"^- \*\*(?P<promise>[^*]+)\*\*(?P<rest>.*?)(?=^- |^#|\Z)", re.M | re.S)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises() -> dict[str, list[tuple[str, str]]]:
    """Each promise of the page, with the tests that it names."""
    return {
        one["promise"]: TEST.findall(one["rest"])
        for one in PROMISE.finditer(PAGE.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("promise", promises())
def test_every_promise_names_tests_that_are_there(promise: str) -> None:
    named = promises()[promise]
    assert named, f"no test holds: {promise}"
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{path} has no test {name}"


def test_the_page_has_promises() -> None:
    assert len(promises()) >= 15


EVIL = "<script>alert(1)</script>\x1b]0;owned\x07\x1b[2J```\n::error::injected ]]> &amp; \u202e"
HOSTILE = """\
name: "<img src=x onerror=alert(2)> ```"
about: "</script><script>alert(3)</script>"
hosts: [server, client]
steps:
  - server: {socket: listener, type: SOCK_DGRAM}
  - server: {bind: listener, to: ":7000"}
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {sendto: c, data: EVIL, to: "server:7000"}
  - server: {recv: listener, size: 2000, gives: EVIL}
  - server: {run: [python3, -c, "import os, sys; [os.write(n, os.fsencode(sys.argv[1])) for n in (1, 2)]", EVIL], as: p}
  - server: {stdout: p, gives: {has: not this}, takes: ..1s}
expect:
  - flow: udp c
    packets: |
      client -> server  UDP "something else"
"""


@pytest.mark.slow
def test_what_hosts_say_is_shown_and_not_run(tmp_path: Path) -> None:
    """One run whose payloads, names and programs are hostile, in every report there is."""
    path, runs = tmp_path / "hostile.yaml", tmp_path / "runs"
    path.write_text(HOSTILE.replace("EVIL", json.dumps(EVIL)), encoding="utf-8")
    junit, events, summary = tmp_path / "junit.xml", tmp_path / "events.jsonl", tmp_path / "summary.md"
    tap = tmp_path / "result.tap"
    reports = ("--junit", junit, "--json", events, "--tap", tap, "--github", "--html")
    words = ("--engine", "netns", "--runs", runs, *reports, "-v")
    done = run(
        "run", path, *words, environment={"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}
    )
    assert done.code == 1, done.said
    (folder,) = (one for one in runs.iterdir() if one.is_dir())
    shown = done.said + run("show", folder).said + run("judge", folder).said
    shown += run("inspect", folder / "capture.pcapng").said
    assert "<script>alert(1)" in shown, "it is shown as it is"
    assert not set(shown) & set("\x1b\x07\u202e"), "and nothing of it is for the terminal"
    assert not re.search(r"^::error::injected", shown, re.M), "nor for GitHub"
    tree = ElementTree.parse(junit)  # refuses control characters and open tags
    assert not list(tree.iter("script")) and not list(tree.iter("img"))
    for line in events.read_text(encoding="utf-8").splitlines():
        json.loads(line)
    assert not set(events.read_text(encoding="utf-8")) & set("\x1b\x07\u202e")
    assert "not ok 1" in tap.read_text(encoding="utf-8")
    assert not set(tap.read_text(encoding="utf-8")) & set("\x1b\x07\u202e")
    _holds_no_html(summary.read_text(encoding="utf-8"))
    pages = list(folder.glob("*.html"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text and "<img src=x" not in text and "\x1b" not in text


def _holds_no_html(markdown: str) -> None:
    """Outside of fenced code, and no fence is closed by what stands in it."""
    outside = re.sub(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1[`~]*$", "", markdown, flags=re.M | re.S)
    for tag in ("<script", "<img"):
        assert tag not in re.sub(r"`[^`]*`", "", outside), outside
        assert html.unescape(outside) is not None
    assert not set(markdown) & set("\x1b\x07\u202e")


@pytest.mark.slow
def test_a_run_stays_inside_its_folder(tmp_path: Path) -> None:
    """Whatever a scenario and its case are called, the run is a folder in --runs."""
    runs = tmp_path / "runs"
    ways = "{../../../up: 1, /etc/passwd: 2, '..': 3}"
    text = f"name: ../../x\nhosts: [a, b]\nmatrix: {{way: {ways}}}\nsteps: [{{sleep: 1ms}}]\n"
    path = tmp_path / "..up..yaml"
    path.write_text(text, encoding="utf-8")
    before = set(tmp_path.iterdir())
    done = run("run", path, "--engine", "netns", "--runs", runs)
    assert done.code == 0 and "3 passed" in done.said, done.said
    assert set(tmp_path.iterdir()) == before | {runs}
    made = [one for one in runs.iterdir() if one.is_dir()]
    assert len(made) == 3 and all((one / "verdict.json").exists() for one in made)


EVALUATES = {"eval", "exec", "compile", "__import__"}
UNSAFE = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "re.template"}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "code", "codeop", "runpy"}


def test_nothing_of_a_scenario_is_evaluated() -> None:
    """The runner has no eval and exec, no pickle, no YAML that makes objects, and no shell."""
    found = []
    for path in sorted((ROOT / "runner").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            words = []
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                words += [called] if called in EVALUATES | UNSAFE else []
                words += ["shell="] if any(one.arg == "shell" for one in node.keywords) else []
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {one.name for one in node.names} | {getattr(node, "module", None)}
                words += [str(one) for one in names & UNSAFE_MODULES]
            found += [f"{path.name}:{getattr(node, 'lineno', 0)}: {word}" for word in words]
    assert not found, found


def test_files_of_a_scenario_lie_beside_it(tmp_path: Path) -> None:
    """`file:`, `include:` and `compose:` bring in nothing from outside of its folder, also not through a link."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_text("- sleep: 1ms\n", encoding="ascii")
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "inside" / "pipe")
    foreign = ("../secret", "link", str(tmp_path / "secret"), "/proc/self/environ", "pipe", "/dev/zero")
    steps = [f"include: {written}" for written in foreign]
    steps += [f"a: {{sendto: s, to: 'b:7', data: {{file: {written}}}}}" for written in foreign]
    for number, step in enumerate(steps):
        (tmp_path / "inside" / f"{number}.yaml").write_text(
            f"name: x\nhosts: [a, b]\nsteps:\n  - a: {{socket: s, type: SOCK_DGRAM}}\n  - {step}\n",
            encoding="utf-8",
        )
    for number, written in enumerate(foreign, len(steps)):
        (tmp_path / "inside" / f"{number}.yaml").write_text(
            f"name: x\nhosts: [a]\nsteps: [{{sleep: 1ms}}]\n\nlab: {{compose: {written}}}\n", encoding="utf-8"
        )
    done = run("validate", tmp_path / "inside")
    assert done.code == 2
    refused = {
        re.search(r"(\d+)\.yaml:5:", line)
        for line in done.said.splitlines()
        if "is outside of the scenario's folder" in line or "not an ordinary file" in line
    }
    assert {int(one[1]) for one in refused if one} == set(range(len(steps) + len(foreign))), done.said
