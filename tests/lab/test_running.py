"""Notes of labs that are kept, and entering their hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import running
from lab.engines.netns import NetnsEngine, NetnsLab
from lab.errors import LabError
from lab.topology import Topology

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where notes go in this test."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"socket-lab-{os.getuid()}"


def test_a_note_is_found_until_it_is_forgotten(folder: Path) -> None:
    assert running.running() == []
    first, second = running.note("one", {"server": 1}), running.note("other", {"client": 2})
    assert {one.lab: dict(one.hosts) for one in running.running()} == {
        "one": {"server": 1},
        "other": {"client": 2},
    }
    assert first.parent == folder
    assert (folder.stat().st_mode & 0o777, first.stat().st_mode & 0o777) == (0o700, 0o600)
    assert running.clean() == []
    running.forget(first)
    running.forget(first)
    assert [one.lab for one in running.running()] == ["other"]
    running.forget(second)


def test_notes_of_processes_that_are_gone_are_cleaned(folder: Path) -> None:
    script = "from lab import running; print(running.note('old', {'server': 1}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    (folder / "damaged.json").write_text('{"lab": 1', encoding="ascii")
    kept = running.note("new", {})
    assert [one.lab for one in running.running()] == ["new"]
    removed = running.clean()
    assert len(removed) == 2
    assert any(done.stdout.strip() in line and "lab old" in line for line in removed)
    assert list(folder.iterdir()) == [kept]


def test_a_number_that_another_process_has_now_is_not_taken_for_the_runner(folder: Path) -> None:
    path = running.note("old", {})
    told = json.loads(path.read_text(encoding="ascii"))
    told["owner"] = told["owner"].rsplit(":", 1)[0] + ":1"
    path.write_text(json.dumps(told), encoding="ascii")
    assert running.running() == []
    assert len(running.clean()) == 1


def test_a_folder_that_is_not_ours_alone_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LabError, match="not a folder of ours"):
        running.note("lab", {})
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(LabError, match="not ours alone"):
        running.running()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    engine = NetnsEngine()
    problem = engine.ready()
    if problem is not None:
        pytest.skip(str(problem))
    with engine.up(Topology.simple("server", "client"), logs=tmp_path_factory.mktemp("logs")) as made:
        yield made


def test_entering_a_host_is_being_in_it(lab: NetnsLab, capfd: pytest.CaptureFixture[str]) -> None:
    script = (
        "hostname; ls /sys/class/net; echo $$; pwd; kill -0 1 && echo agent; grep CapEff /proc/self/status"
    )
    assert running.enter(lab.pids["server"], ["sh", "-c", script]) == 0
    name, *rest, capabilities = capfd.readouterr().out.split("\n")[:-1]
    assert name == "server"
    assert rest[:2] == ["eth0", "lo"]
    assert int(rest[2]) < 100
    assert rest[3:] == ["/", "agent"]
    assert not int(capabilities.split()[1], 16) >> 21 & 1


def test_the_exit_status_is_the_commands(lab: NetnsLab, capfd: pytest.CaptureFixture[str]) -> None:
    pid = lab.pids["client"]
    assert running.enter(pid, ["sh", "-c", "exit 7"]) == 7
    assert running.enter(pid, ["sh", "-c", "kill -9 $$"]) == 128 + 9
    assert running.enter(pid, ["no-such-command"]) == 127
    assert "no-such-command: No such file" in capfd.readouterr().err


def test_a_host_that_is_gone_cannot_be_entered() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(LabError, match="is gone"):
        running.enter(process.pid, ["true"])
