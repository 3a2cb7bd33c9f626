"""Lines of JSON: each written when it happens, with the case it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.engines.netns import ENGINE
from runner.choice import Choice
from runner.history import StepRecord
from runner.report.jsonlines import JsonLines
from tests.runner.report.endings import HOSTILE, ended, failed, loaded


def events(path: Path) -> list[dict[str, Any]]:
    """What a program reads that follows the file."""
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_events_stand_there_as_soon_as_they_happen(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"
    report = JsonLines(path)
    report.engine(Choice(ENGINE, "it is here"))
    first, second = loaded(tmp_path, "first"), loaded(tmp_path, "second")
    watchers = [report.begin(first), report.begin(second)]
    record = StepRecord(1, 5, first.path, 4, "server", "socket", "socket s", "failed", HOSTILE)
    watchers[1].step(record, ())
    watchers[0].note("something else")
    assert [one["event"] for one in events(path)] == ["engine", "begin", "begin", "step", "note"]
    assert [one.get("case") for one in events(path)] == [None, 1, 2, 2, 1]
    assert events(path)[3]["status"] == "failed"
    report.summary([])


def test_the_end_has_verdict_findings_and_run(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    report = JsonLines(path)
    first, second = loaded(tmp_path, "first"), loaded(tmp_path, "second")
    report.begin(first)
    report.begin(second)
    played = [failed(first, tmp_path / "run"), ended(second, "skipped", "no such kernel")]
    for one in reversed(played):
        report.end(one)
    report.summary([one.result for one in played])
    skipped, fell, last = events(path)[2:]
    assert (skipped["case"], skipped["ended"], skipped["reason"]) == (2, "skipped", "no such kernel")
    assert (fell["case"], fell["ended"], fell["folder"]) == (1, "fail", str(tmp_path / "run"))
    finding = fell["findings"][2]
    assert (finding["verdict"], finding["line"], finding["summary"]) == ("fail", 4, HOSTILE)
    assert last == {"event": "summary", "counts": {"fail": 1, "skipped": 1}}
