"""Files of run directories: ordinary ones only, whoever made the directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner import files, judge, rundir
from runner.errors import UsageError
from runner.judge import Judgement
from runner.rundir import RunInfo


def test_what_was_written_is_read(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "first, and longer")
    files.write_text(tmp_path / "a", "sécond")
    assert files.read_text(tmp_path / "a") == "sécond"
    files.check(tmp_path / "a")


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder", "device"])
def test_anything_else_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "other"
    match kind:
        case "link":
            other.write_text("precious", encoding="ascii")
            path.symlink_to(other)
        case "dangling":
            path.symlink_to(other)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path = Path("/dev/null")
    for use in (files.check, files.read_text, lambda one: files.write_text(one, "overwritten")):
        with pytest.raises(OSError, match="a link|not an ordinary file|[Ii]s a directory"):
            use(path)
    assert kind != "link" or other.read_text(encoding="ascii") == "precious"
    assert kind != "dangling" or not other.exists()


def test_a_verdict_is_not_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine", encoding="ascii")
    (tmp_path / rundir.VERDICT).symlink_to(precious)
    with pytest.raises(OSError, match="it is a link"):
        judge.write(tmp_path, Judgement("pass", ()))
    assert precious.read_text(encoding="ascii") == "mine"
    with pytest.raises(UsageError, match="it is a link"):
        judge.read(tmp_path)


def test_a_run_is_not_read_through_links(tmp_path: Path) -> None:
    real, fake = tmp_path / "real", tmp_path / "fake"
    real.mkdir()
    fake.mkdir()
    rundir.write_info(real, RunInfo("a", "a.yaml", "netns", 0, 1, "completed"))
    (fake / rundir.INFO).symlink_to(real / rundir.INFO)
    assert rundir.read_info(real).name == "a"
    with pytest.raises(UsageError, match="it is a link"):
        rundir.read_info(fake)
    (real / rundir.SCENARIO).symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="it is a link"):
        rundir.require_file(real / rundir.SCENARIO)
    rundir.require_file(real / "nothing")
