"""The command line: its words, what it prints, and exit codes by cause."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lab import engine as engines
from lab.errors import EngineMissing, LabError
from runner import cli, schema
from runner.checks import CHECKS
from runner.errors import Mistake, ScenarioError, UsageError
from tests.recorded import Recorded

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            ScenarioError([Mistake("a.yaml", 3, 5, 2, "  - no", "no such verb")]),
            2,
            "a.yaml:3:5: no such verb",
        ),
        (UsageError("there is no file x"), 2, "there is no file x"),
        (LabError("the bridge is gone", "Try again."), 3, "the bridge is gone\nTry again."),
        (EngineMissing("no Docker answers", "Start it."), 3, "Start it."),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), 3, "runs/x: No space left on device"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_cause_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(*args: object, **keywords: object) -> None:
        raise error

    monkeypatch.setattr(cli.cli, "main", fail)
    assert cli.main(["run", "x"]) == code
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told


@pytest.mark.parametrize(
    "words", [["run"], ["nosuch"], ["run", "--engine"], ["list", "nosuch"], ["inspect", "nosuch"]]
)
def test_wrong_words_are_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    written = capsys.readouterr().out
    for name in (
        "run",
        "validate",
        "show",
        "inspect",
        "judge",
        "list",
        "schema",
        "doctor",
        "init",
        "shell",
        "clean",
    ):
        assert f"\n  {name} " in written
    assert "..." not in written.partition("Commands:")[2], "a command's first sentence does not fit its line"


def test_a_setting_must_be_name_and_value(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["run", "--set", "kind", str(tmp_path)]) == 2
    assert "NAME=VALUE" in capsys.readouterr().err


def test_errors_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: object, **keywords: object) -> None:
        raise UsageError("bad name \x1b[2J")

    monkeypatch.setattr(cli.cli, "main", fail)
    cli.main([])
    assert "\x1b" not in capsys.readouterr().err


def test_inspect_shows_flows_and_ladder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 8888).open().send("client", b"hello").close("client")
    run.udp("client", "server", 5000, 53, b"\x1b[31mquestion")
    folder = run.write(tmp_path / "run")
    assert cli.main(["inspect", str(folder / "capture.pcapng")]) == 0
    written = capsys.readouterr().out
    assert "9 packets" in written
    assert "tcp     10.0.0.1:40000" in written and "udp     10.0.0.1:5000" in written
    assert "SYN,ACK" in written and 'PSH,ACK "hello"' in written
    assert "\x1b" not in written


def test_inspect_filters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"one")
    run.udp("client", "server", 5000, 99, b"two")
    capture = str(run.write(tmp_path / "run") / "capture.pcapng")
    assert cli.main(["inspect", capture, "--filter", "UDP and UDP.dport = 53"]) == 0
    written = capsys.readouterr().out
    assert "1 of 2 packets" in written and '"one"' in written and '"two"' not in written
    assert cli.main(["inspect", capture, "--filter", "UDP.dprt = 53"]) == 2
    assert "^" in capsys.readouterr().err


def test_inspect_of_what_is_no_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"no capture at all")
    assert cli.main(["inspect", str(path)]) == 2
    assert "x.pcap" in capsys.readouterr().err


def test_init_writes_once_and_never_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "my_first"]) == 0
    assert "my_first.yaml" in capsys.readouterr().out
    path = tmp_path / "my_first.yaml"
    path.write_text("mine")
    assert cli.main(["init", "my_first"]) == 2
    assert path.read_text() == "mine"
    assert cli.main(["init", "nowhere/x"]) == 2
    assert cli.main(["init", "a: b"]) == 2
    assert cli.main(["init", ""]) == 2


def test_the_starter_is_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "mine"]) == 0
    assert cli.main(["validate", "mine.yaml"]) == 0
    found = re.match(
        r"# yaml-language-server: \$schema=(\S+)\n", Path("mine.yaml").read_text(encoding="utf-8")
    )
    assert found and json.loads(Path(found[1]).read_text(encoding="utf-8")) == schema.schema(CHECKS)
    # Other tools may read it with PyYAML's own scanner, which is narrower than libyaml's.
    assert yaml.load(Path("mine.yaml").read_text(encoding="utf-8"), Loader=yaml.SafeLoader)["name"] == "mine"


def test_an_engine_that_there_is_not_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(ROOT / "scenarios/tcp_echo.yaml"), "--engine", "nosuch"]) == 2
    assert "auto, docker, netns" in capsys.readouterr().err


def test_a_run_that_was_killed_is_told_from_what_is_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Recorded(["x", "y"]).write(tmp_path / "a")
    (folder / "run.json").unlink()
    assert cli.main(["judge", str(folder)]) == 2
    assert "did not come to its end" in capsys.readouterr().err
    (folder / "history.jsonl").unlink()
    assert cli.main(["judge", str(folder)]) == 2
    assert "not the directory of a run: it has no run.json" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "judge"])
def test_a_folder_that_is_no_run_says_what_it_is(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        Recorded(["x", "y"]).write(tmp_path / "runs" / name)
    assert cli.main([command, str(tmp_path / "runs")]) == 2
    assert f"it holds 2 of them, and the last is {tmp_path / 'runs' / 'b'}" in capsys.readouterr().err
    assert cli.main([command, str(ROOT / "scenarios")]) == 2
    assert f"play all: runner run {ROOT / 'scenarios'}" in capsys.readouterr().err


def test_the_latest_run_is_meant_where_none_is_named(tmp_path: Path) -> None:
    for number, name in enumerate(("b", "a")):
        folder = Recorded(["x", "y"]).write(tmp_path / name)
        os.utime(folder / "run.json", (number, number))
    assert cli._latest(tmp_path).name == "a"
    with pytest.raises(UsageError, match="no runs"):
        cli._latest(tmp_path / "none")


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys, runner.cli; sys.exit(runner.cli.main(['schema']))"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 3  # not 1: no check has failed


def test_terminate_ends_a_run_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), cli._ended_by_terminate():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of runs after the starter was played on the namespaces engine."""
    problem = engines.find("netns").ready()
    if problem is not None:
        pytest.skip(f"no namespaces here: {problem}")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "first"]) == 0
    assert cli.main(["run", "first.yaml", "--engine", "netns"]) == 0, capsys.readouterr()
    capsys.readouterr()
    return tmp_path / "runs"


def test_a_run_is_shown_and_judged_again(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge"]) == 0
    assert "first.yaml:" in capsys.readouterr().out
    assert cli.main(["show"]) == 0
    written = capsys.readouterr().out
    assert "accept listener as conn" in written and "SYN,ACK" in written and "PASSED" in written


def test_a_run_is_shown_in_c_with_states_and_bytes(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "--c", "--states", "--hex"]) == 0
    written = capsys.readouterr().out
    for one in ("send(c", "● c ESTABLISHED", "0000  "):
        assert one in written
    assert cli.main(["show"]) == 0
    written = capsys.readouterr().out
    assert "● " not in written and "0000  " not in written
    assert cli.main(["show", "first.yaml", "--c"]) == 2
    assert "play it first: runner run first.yaml" in capsys.readouterr().err


def test_a_run_whose_history_was_changed_is_judged_anew(
    played: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = played.glob("*/")
    history = folder / "history.jsonl"
    history.write_text(history.read_text().replace('"status": "passed"', '"status": "failed"'))
    assert cli.main(["judge", str(folder)]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_scenario_that_fails_is_1(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = played.parent / "wrong.yaml"
    path.write_text(
        (played.parent / "first.yaml").read_text().replace("gives: time to learn", "gives: lunch")
    )
    assert cli.main(["run", str(path), "--engine", "netns"]) == 1
    written = capsys.readouterr().out
    assert "lunch" in written and "time to learn" in written and "wrong.yaml:17" in written


def test_a_wrong_scenario_is_2_and_says_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x\nhosts: [a]\nsteps:\n  - a: {sockt: s}\n  - a: {bind: t, to: ':1'}\n")
    assert cli.main(["run", str(path)]) == 2
    told = capsys.readouterr().err
    assert "wrong.yaml:4:" in told and "'socket'" in told and "wrong.yaml:5:" in told


def test_what_is_not_there_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["run", "nowhere.yaml"],
        ["show", "nowhere"],
        ["judge", str(tmp_path)],
        ["validate", "nowhere"],
    ):
        assert cli.main(words) == 2
        assert capsys.readouterr().err.strip()


def test_list_shows_the_registries(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    assert "connect" in capsys.readouterr().out
    assert cli.main(["list", "steps"]) == 0
    assert "connect(2)" in capsys.readouterr().out
    assert cli.main(["list", "checks", "packets"]) == 0
    assert "ladder" in capsys.readouterr().out
    assert cli.main(["list", "steps", "conect"]) == 2
    assert "did you mean 'connect'" in capsys.readouterr().err


def test_shell_runs_a_command_in_a_host_of_a_kept_lab(played: Path) -> None:
    words = [sys.executable, "-m", "runner", "run", "first.yaml", "--engine", "netns", "--keep"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(played.parent)}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=played.parent, env=environment
    ) as process:
        assert process.stdin and process.stdout
        while "stays up" not in process.stdout.readline():
            assert process.poll() is None
        shell = [sys.executable, "-m", "runner", "shell", "server", "--", "hostname"]
        done = subprocess.run(
            shell, capture_output=True, text=True, env=environment, cwd=played.parent, timeout=20
        )
        assert (done.returncode, done.stdout) == (0, "server\n"), done.stderr
        process.stdin.write("\n")
        process.stdin.close()
        assert "PASSED" in process.stdout.read()
    assert process.returncode == 0


def test_inspect_of_a_capture_that_is_cut_off_shows_what_stands_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"one")
    run.udp("client", "server", 5000, 99, b"two")
    path = run.write(tmp_path / "run") / "capture.pcapng"
    path.write_bytes(path.read_bytes()[:-20])
    assert cli.main(["inspect", str(path)]) == 0
    written = capsys.readouterr().out
    assert '"one"' in written and "damaged: " in written and "what stands before" in written


def test_inspect_opens_wireshark_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 53, b"one")
    path = run.write(tmp_path / "run") / "capture.pcapng"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["inspect", str(path), "--open"]) == 2
    assert "apt-get install wireshark" in capsys.readouterr().err
    script = tmp_path / "wireshark"
    script.write_text(
        f'#!/bin/sh\necho "$@" >{tmp_path}/said.new && /bin/mv {tmp_path}/said.new {tmp_path}/said\n'
    )
    script.chmod(0o755)
    assert cli.main(["inspect", str(path), "--open"]) == 0
    assert "Started" in capsys.readouterr().out
    deadline = time.monotonic() + 10
    while not (tmp_path / "said").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "said").read_text() == f"-r {path}\n"
    assert cli.main(["inspect", str(tmp_path / "missing"), "--open"]) == 2


def test_a_scenario_is_an_ordinary_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe that nobody writes to would be waited for."""
    os.mkfifo(tmp_path / "pipe.yaml")
    assert cli.main(["validate", str(tmp_path / "pipe.yaml")]) == 2
    assert "is no ordinary file" in capsys.readouterr().err
