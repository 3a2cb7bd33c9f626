"""TAP, as a reader that shares no line with it sees it: every case once, nothing breaks out of its line."""

from __future__ import annotations

from pathlib import Path

import yaml
from tap.parser import Parser

from runner.report.tap import Tap
from tests.runner.report.endings import ended, failed, loaded


def test_a_library_reads_every_case(tmp_path: Path) -> None:
    played = [
        failed(loaded(tmp_path, "first", "a # title"), tmp_path / "run"),
        ended(loaded(tmp_path, "second"), "pass"),
        ended(loaded(tmp_path, "third"), "skipped", "no \x1b[2J kernel\nhere"),
        ended(loaded(tmp_path, "fourth"), "unknown", "the disk is full\nok 9 - forged"),
    ]
    path = tmp_path / "new" / "x.tap"
    tap = Tap(path, len(played))
    for one in played:
        tap.end(one)
    tap.summary([one.result for one in played])
    written = path.read_text(encoding="utf-8")
    assert "\x1b" not in written
    tests = [line for line in Parser().parse_text(written) if line.category == "test"]
    assert [(one.ok, one.skip) for one in tests] == [
        (False, False),
        (True, False),
        (True, True),
        (False, False),
    ]
    assert written.startswith("TAP version 14\n1..4\n")
    blocks = written.split("  ---\n")[1:]
    first, fourth = (yaml.safe_load(block.partition("  ...\n")[0]) for block in blocks)
    assert (
        first["verdict"] == "fail"
        and len(first["findings"]) == 2
        and fourth["message"].startswith("the disk")
    )


def test_an_interruption_bails_out(tmp_path: Path) -> None:
    one = ended(loaded(tmp_path, "first"), "interrupted", "interrupted")
    tap = Tap(tmp_path / "x.tap", 3)
    tap.end(one)
    tap.summary([one.result])
    assert (tmp_path / "x.tap").read_text().endswith("Bail out! interrupted\n")
