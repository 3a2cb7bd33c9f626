"""What a run's page is told: one JSON object with all that it shows, times in nanoseconds since its first moment.

Chooses and orders only; what it looks like is the page's own affair (`page.js`). Nothing here is made safe for HTML:
`runner.report.page.written` does that, for all of it at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner import housekeeping, notation, rundir
from runner.errors import Blind
from runner.evidence import Evidence
from runner.history import CallRecord, FaultRecord, HostRecord, Record, StateRecord, StepRecord
from runner.judge import Judgement
from runner.packets import Transmission
from runner.report import c_form, timeline, wording
from runner.report.page.layers import Layers
from runner.report.page.streams import Streams
from runner.report.text import counted, lines, printable
from runner.tcp_states import states_of
from runner.verdict import Finding

Told = dict[str, Any]
MOST = 20_000
"""So many packets, and so many calls, a page has at most: what a browser shows at once without effort."""


def told(seen: Evidence, judgement: Judgement, folder: Path, about: str, source: str) -> Told:
    """Everything a page shows of a run; `about` is what its scenario says of itself, `source` the text of it."""
    made = housekeeping.made_by_steps(seen)
    began_ns = _began_ns(seen)
    sent = seen.transmissions[:MOST]
    streams = Streams(seen, sent)
    findings = _findings(seen, judgement.findings, sent)
    found = {
        **_head(seen, judgement, folder),
        "about": about.strip(),
        "hosts": list(seen.hosts),
        "packets": [_packet(one, began_ns, streams, made) for one in sent],
        "calls": _calls(seen, began_ns, streams),
        "left_out": _left_out(seen),
        "states": _states(seen, began_ns, streams),
        "events": [one for record in seen.history for one in _events(record, began_ns)],
        "faults": _faults(seen, began_ns),
        "flows": streams.names,
        "findings": findings,
        "source": source,
    }
    return {**_printable(found), "layers": Layers.of(sent, _named(findings)).told}


def _began_ns(seen: Evidence) -> int:
    """The first moment: of the calls, the packets, and what was done to hosts and wires."""
    made = housekeeping.made_by_steps(seen)
    shown = (one for one in seen.transmissions if not _is_quiet(one, made))
    moments = [one.sent.time_ns for one in shown] + [call.began_ns for call in seen.calls()]
    moments += [one.at_ns for one in seen.history if isinstance(one, StateRecord | FaultRecord | HostRecord)]
    return min(moments, default=seen.info.started_ns)


def _left_out(seen: Evidence) -> str:
    """What a page of so long a run does not have."""
    packets, calls = len(seen.transmissions) - MOST, len(seen.calls()) - MOST
    parts = [counted(packets, "packet")] if packets > 0 else []
    parts += [counted(calls, "call")] if calls > 0 else []
    left = " and ".join(parts)
    return (
        f"{left} more are not on this page, which has the first {MOST:,}; runner show --all has all."
        if left
        else ""
    )


def _printable(value: Any) -> Any:
    """The same without a character that no page should show as it is: controls, and those that turn the direction."""
    match value:
        case str():
            return value if value.isascii() and value.isprintable() else "\n".join(lines(value))
        case list():
            return [_printable(one) for one in value]
        case dict():
            return {name: _printable(one) for name, one in value.items()}
        case _:
            return value


def _head(seen: Evidence, judgement: Judgement, folder: Path) -> Told:
    info = seen.info
    started = datetime.fromtimestamp(info.started_ns / 1e9, UTC)
    return {
        "name": info.name,
        "case": dict(info.case),
        "verdict": judgement.verdict,
        "problem": info.problem,
        "scenario": info.scenario,
        "engine": info.engine,
        "facts": {name: value for name, value in info.facts.items() if name != "engine"},
        "started": started.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "lasted": info.ended_ns - info.started_ns,
        "capture": rundir.CAPTURE if (folder / rundir.CAPTURE).exists() else "",
        "run": folder.name,
    }


# --- what happened --------------------------------------------------------------------------------


def _is_quiet(one: Transmission, made: frozenset[int]) -> bool:
    """Whether a packet is of the hosts' own housekeeping; `made` are those that steps made."""
    return timeline.is_housekeeping(one.sent.header) and one.sent.number not in made


def _packet(one: Transmission, began_ns: int, streams: Streams, made: frozenset[int]) -> Told:
    """A transmission; the page shows those that are `quiet` (the hosts' own housekeeping) only where it is asked to."""
    source, targets = timeline.ends_of(one)
    header = one.sent.header
    return {
        "number": one.sent.number,
        "from": source,
        "to": list(targets),
        "source": one.source,
        "target": one.target,
        "at": one.sent.time_ns - began_ns,
        "arrivals": [
            {"host": copy.host, "at": copy.time_ns - began_ns, "number": copy.number}
            for copy in one.arrivals
            if copy is not one.sent
        ],
        "label": _label(one),
        "lost": one.lost,
        "struck": list(one.struck),
        "kind": streams.kind_of(header),
        "flow": streams.of(one),
        "network": one.sent.network,
        "length": len(one.sent.data),
        "quiet": _is_quiet(one, made),
        "seq": one.seq,
        "ack": one.ack,
    }


def _label(one: Transmission) -> str:
    return " ".join(notation.words(one).split("  "))


def _calls(seen: Evidence, began_ns: int, streams: Streams) -> list[Told]:
    calls = seen.calls()[:MOST]
    kinds = c_form.kinds_of(calls)
    steps = {record.number: record for record in seen.history if isinstance(record, StepRecord)}
    return [_call(call, seen, began_ns, streams, kinds, steps.get(call.step)) for call in calls]


def _call(
    call: CallRecord,
    seen: Evidence,
    began_ns: int,
    streams: Streams,
    kinds: Mapping[str, str],
    step: StepRecord | None,
) -> Told:
    in_c = c_form.of(call, kinds)
    return {
        "host": call.host,
        "object": call.object or "",
        "began": call.began_ns - began_ns,
        "ended": None if call.ended_ns is None else call.ended_ns - began_ns,
        "asleep": None if call.asleep_ns is None else call.asleep_ns - began_ns,
        "label": wording.call(call, seen.owner),
        "outcome": wording.outcome(call, seen.owner),
        "failed": call.failure is not None,
        "python": printable(call.python),
        "c": in_c.whole,
        "note": in_c.note,
        "why": printable(str((call.failure or {}).get("text") or "")),
        "flows": streams.of_call(call),
        "step": call.step,
        "place": f"{Path(step.path).name}:{step.line}" if step else "",
        "said": printable(step.text) if step else "",
    }


def _states(seen: Evidence, began_ns: int, streams: Streams) -> list[Told]:
    """Each TCP socket with the states that it entered; for one of which they cannot be told, why."""
    found = []
    for name in seen.sockets:
        facts = seen.socket(name)
        if not facts.has_ports or facts.type != "SOCK_STREAM":
            continue
        one: Told = {"host": facts.host, "socket": name, "flows": streams.of_socket(name), "why": ""}
        try:
            changes = states_of(seen, name)
            one["entered"] = [{"state": change.state, "at": change.time_ns - began_ns} for change in changes]
        except Blind as reason:
            one |= {"entered": [], "why": printable(str(reason))}
        found.append(one)
    return found


def _events(record: Record, began_ns: int) -> list[Told]:
    """What was done to hosts, and what the kernel said about a socket."""
    if isinstance(record, HostRecord):
        where = f" ({record.network})" if record.network else ""
        text = printable(f"{record.host}: {record.what}{where}")
        return [_event(record.at_ns - began_ns, record.host, text, "host", record.what)]
    if isinstance(record, StateRecord):
        text = printable(f"{record.of} is {record.state}")
        return [_event(record.at_ns - began_ns, record.host, text, "state", record.state)]
    return []


def _event(at: int, host: str, text: str, kind: str, what: str) -> Told:
    return {"at": at, "host": host, "text": text, "kind": kind, "what": what}


def _faults(seen: Evidence, began_ns: int) -> list[Told]:
    """Each fault with the time it was in force; `ended` is None for one that nobody healed."""
    found: list[Told] = []
    for record in seen.history:
        if not isinstance(record, FaultRecord) or record.length:
            continue
        at = record.at_ns - began_ns
        if record.what == "begins":
            found.append(
                {
                    "name": record.fault,
                    "text": printable(record.text or record.fault),
                    "began": at,
                    "ended": None,
                }
            )
        elif record.what == "healed":
            for one in found:
                if one["name"] == record.fault and one["ended"] is None:
                    one["ended"] = at
    return found


# --- what it was judged to be ---------------------------------------------------------------------


def _findings(seen: Evidence, findings: Sequence[Finding], sent: Sequence[Transmission]) -> list[Told]:
    """Each finding with what it leads to: packets by number, calls (of the step that it speaks of) by place."""
    shown = {one.sent.number for one in sent}
    return [
        {
            "verdict": one.verdict,
            "check": one.check,
            "summary": one.summary,
            "detail": one.detail,
            "place": f"{Path(one.path).name}:{one.line}" if one.path else "",
            "packets": [number for number in _sent_numbers(one, seen) if number in shown],
            "calls": _calls_of(one, seen) if one.check == "steps" and one.line else [],
        }
        for one in findings
    ]


def _calls_of(finding: Finding, seen: Evidence) -> list[int]:
    """The calls of the step that failed at the finding's place; of one that waits for an earlier call's return, that
    call: the last that ended on its host.
    """
    failed = [
        record
        for record in seen.history
        if isinstance(record, StepRecord)
        and (record.path, record.line) == (finding.path, finding.line)
        and record.status in ("failed", "broken")
    ]
    steps = {record.number for record in failed}
    calls = list(enumerate(seen.calls()[:MOST]))
    found = [place for place, call in calls if call.step in steps]
    for record in failed if not found else ():
        if record.verb == "returns":
            ended = [
                (call.ended_ns, place)
                for place, call in calls
                if call.host == record.host and call.ended_ns is not None and call.ended_ns <= record.at_ns
            ]
            found += [place for _, place in sorted(ended)[-1:]]
    return found


def _sent_numbers(finding: Finding, seen: Evidence) -> list[int]:
    """The transmissions that a finding speaks of, by the numbers of their sendings, each once."""
    numbers = (seen.packets[number - 1] for number in finding.packets if 0 < number <= len(seen.packets))
    return list(dict.fromkeys(seen.whole(packet).sent.number for packet in numbers))


def _named(findings: Sequence[Told]) -> list[int]:
    """The packets that findings name, first those of findings that did not pass."""
    worst_first = sorted(findings, key=lambda one: str(one["verdict"]) == "pass")
    return list(dict.fromkeys(number for one in worst_first for number in one["packets"]))
