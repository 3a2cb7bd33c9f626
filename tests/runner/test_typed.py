"""JSON of run directories is what it is meant to be, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from lab.engine import Interface
from runner import typed
from runner.history import CallRecord, StepRecord
from runner.judge import Judgement
from runner.rundir import RunInfo

STEP = {
    "number": 1, "at_ns": 2, "path": "a.yaml", "line": 3, "host": None, "verb": "sleep", "text": "sleep",
    "status": "passed",
}  # fmt: skip


def test_what_fits_is_taken() -> None:
    typed.require(StepRecord, STEP, "a record")
    finding = {"verdict": "pass", "check": "steps", "summary": "", "packets": [1, 2]}
    typed.require(Judgement, {"verdict": "pass", "findings": [finding]}, "a verdict")


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (StepRecord, [], "is not a map"),
        (StepRecord, {**STEP, "more": 1}, "has no 'more'"),
        (StepRecord, {"number": 1}, "lacks 'at_ns'"),
        (StepRecord, {**STEP, "number": "1"}, "'number' of the wrong kind"),
        (StepRecord, {**STEP, "number": True}, "'number' of the wrong kind"),
        (StepRecord, {**STEP, "at_ns": 1 << 70}, "'at_ns' of the wrong kind"),
        (StepRecord, {**STEP, "status": "won"}, "'status' of the wrong kind"),
        (StepRecord, {**STEP, "host": 5}, "'host' of the wrong kind"),
        (CallRecord, {"failure": []}, "'step'"),
        (Judgement, {"verdict": "pass", "findings": [{"verdict": "won"}]}, "'findings' of the wrong kind"),
        (RunInfo, {"name": "a"}, "lacks 'scenario'"),
        (Interface, {"host": "a", "ip4": "10.0.0.1"}, "'network'|'ip4'"),
    ],
)
def test_what_does_not_fit_is_refused(kind: type, data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed.require(kind, data, "it")
