"""A call as C writes it: `connect(c, {AF_INET, "10.0.0.2", 8888}, 16) = -1 ECONNREFUSED`.

In the notation of strace(1): the call, what it returned behind the equals sign, and what the kernel filled in where it
was to be filled in. What Python's method does in C is the table `FORMS`, one function for each; a call that only
Python has (gettimeout) says so. Everything that comes out is printable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from runner.history import CallRecord
from runner.report.c_form.form import NO_CALL, CForm, Form, made_by, shorter
from runner.report.c_form.functions import FUNCTIONS, OF_KIND
from runner.report.c_form.sockets import SOCKETS
from runner.report.text import printable

__all__ = ["FORMS", "NO_CALL", "CForm", "kinds_of", "of", "shorter"]

FORMS: Mapping[str, Form] = {**SOCKETS, **FUNCTIONS}
"""Name of a call -> how C writes it; what is not here is shown as Python wrote it."""
_FAILING = {"inet_aton": "0", "inet_pton": "0", "gethostbyname": "NULL"}
"""What C gives where Python raises, of functions that set no errno."""
_TIMED_OUT = {
    "connect": "-1 EINPROGRESS, then poll gave 0",
    "sendall": "poll gave 0 before all was taken",
    "sniff_packet": "nothing came",
}


def kinds_of(calls: Iterable[CallRecord]) -> Mapping[str, str]:
    """Name -> `program`, `file` or `poll` for all that these calls made and that is no socket."""
    makers = {"run": "program", "makefile": "file", "poll": "poll", "epoll": "epoll"}
    found: dict[str, str] = {}
    for call in calls:
        name = call.made or made_by(call) if call.name == "makefile" else call.object
        if call.name in makers and name:
            found.setdefault(name, makers[call.name])
    return found


def of(record: CallRecord, kinds: Mapping[str, str] | None = None) -> CForm:
    """The call in C. `kinds` (of the run's calls, see `kinds_of`) tells programs and files from each other."""
    kind = (kinds or {}).get(record.object or "", "")
    form = OF_KIND.get(kind, {}).get(record.name) or FORMS.get(record.name, _as_python)
    try:
        made = form(record)
    except (
        ValueError,
        IndexError,
        TypeError,
        struct.error,
    ):  # a damaged record: other arguments than the call has
        made = _as_python(record)
    result = _result(record, made)
    failed = record.failure is not None or record.ended_ns is None
    done, filled = (made.asked, "") if failed or not made.done else (made.done, made.filled)
    return CForm(printable(made.asked), printable(result), printable(done), printable(filled), made.note)


def _result(record: CallRecord, made: CForm) -> str:
    if record.ended_ns is None:
        return ""
    if record.failure is None:
        return made.result
    name, kind = record.failure.get("errno"), record.failure.get("type")
    if record.name in _FAILING:
        return _FAILING[record.name]
    if name:
        return str(name) if str(name).startswith("EAI_") else f"-1 {name}"
    if kind == "TimeoutError":  # Python's own timeout: it asks poll(2) first, and connect is never waited for
        return _TIMED_OUT.get(record.name, f"{NO_CALL}: poll gave 0")
    return f"{NO_CALL}: {kind} is Python's own"


def _as_python(record: CallRecord) -> CForm:
    return CForm(record.python)
