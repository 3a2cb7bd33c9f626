"""The command line: its words, what it prints, and exit codes by cause."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import EngineMissing, LabError
from runner import cli
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


def test_the_starter_is_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "mine"]) == 0
    assert cli.main(["validate", "mine.yaml"]) == 0


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


def test_terminate_ends_a_run_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), cli._ended_by_terminate():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) is before
