"""All that happened in a run, in order: frozen records, one JSON line each in `history.jsonl`.

This is the seam between playing and judging. Times are nanoseconds of CLOCK_REALTIME, the clock of the
packets. Values in records are JSON as `lab.agent.encode` makes it; nothing here decodes or judges.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from runner import files, typed

StepStatus = Literal["passed", "failed", "pending", "again", "skipped", "broken", "gone"]


@dataclass(frozen=True)
class StepRecord:
    """A step began or ended. A step with `blocks` has a `pending` record first and its end later, same
    number.

    `number` counts the steps as played, from 1 (a step played again by `repeat` or `until` has a new number
    each time). `line` is the line in the scenario file (`path` where it came from an include). `text` is the
    step as a reader would say it, with names filled in: `connect c to server:8888`. `reason` says why it
    failed or broke. `again` is a failure inside `until`, which tries again: no failure of the run. `gone` is a
    pending call whose host was killed meanwhile: no failure either.
    """

    kind: ClassVar[str] = "step"
    number: int
    at_ns: int
    path: str
    line: int
    host: str | None
    verb: str
    text: str
    status: StepStatus
    reason: str = ""
    section: Literal["steps", "finally"] = "steps"


@dataclass(frozen=True)
class CallRecord:
    """A call that a host made, written when it ended (or, still pending, when the lab went down: `ended_ns` None).

    `object` is the name of the socket, file or program it was made on, or of the socket that a function made;
    `made` is the name of what a method made (accept). `python` is the call as Python writes it. `failure` is
    a map of type, errno and text. `local` and `peer` are the addresses of `object` after the call;
    `made_local` and `made_peer` those of `made`.
    """

    kind: ClassVar[str] = "call"
    step: int
    host: str
    object: str | None
    name: str
    python: str
    began_ns: int
    ended_ns: int | None
    asleep_ns: int | None = None
    arguments: list[Any] | None = None
    value: Any = None
    failure: dict[str, Any] | None = None
    family: str | None = None
    type: str | None = None
    local: Any = None
    peer: Any = None
    made: str | None = None
    made_local: Any = None
    made_peer: Any = None


@dataclass(frozen=True)
class StateRecord:
    """The kernel's TCP state of a socket, as a `state` step read it (`gone` when no table has it)."""

    kind: ClassVar[str] = "state"
    step: int
    host: str
    of: str
    state: str
    at_ns: int


@dataclass(frozen=True)
class FaultRecord:
    """A fault began or was healed, or something was done to one frame on its way.

    `fault` is its name. `what` is `begins`, `healed`, the kind of fault that struck a frame (drop, delay, ...), or
    `refused`: the frame goes to others as well as to the receivers that the fault names, so nothing was done to it;
    `freed`: the fault was healed, or the steps ended, before it had to let the frame go; `doubted`: a partition began
    or ended, or its sender was changed, while a frame for a group was on its way.
    `at_ns` is when the frame was sent; `host` and `interface` are its sender's. `nth` counts the frames that the fault
    means since it began, in that host. `length` and `crc` (CRC-32) are of the frame as it was sent, `became` the same
    two of the frame as it arrives where its bytes were changed; `later_ns` is how much later it left (of `freed`: than
    it was sent; of others: than it had been to). `text` says the
    fault as it was written; of a frame for a group that only some of its receivers are cut off from, which ones.
    """

    kind: ClassVar[str] = "fault"
    fault: str
    what: str
    at_ns: int
    host: str | None = None
    interface: str = ""
    nth: int = 0
    length: int = 0
    crc: int = 0
    became: list[int] | None = None
    later_ns: int = 0
    text: str = ""


@dataclass(frozen=True)
class HostRecord:
    """Something was done to a host.

    `what` is `paused`, `resumed`, `killed`, `restarted`, `link down` or `link up`; `interface` and `network` are the
    link's. `at_ns` is when it was in force: from then on nothing of a killed host, or of one whose link is down, is
    on the wire.
    """

    kind: ClassVar[str] = "host"
    host: str
    what: str
    at_ns: int
    interface: str = ""
    network: str = ""


@dataclass(frozen=True)
class MomentRecord:
    """An expectation was judged on what there was until then: the records before this one, and the packets to `at_ns`.

    `number` counts the expectations of the scenario from 1; `path` and `line` are where it was asked for. Expectations
    without such a moment are judged on the whole run.
    """

    kind: ClassVar[str] = "moment"
    number: int
    at_ns: int
    path: str
    line: int


Record = StepRecord | CallRecord | StateRecord | FaultRecord | HostRecord | MomentRecord
Keep = Callable[[Record], None]
"""Takes a record down."""
KINDS: dict[str, type[Record]] = {
    "step": StepRecord,
    "call": CallRecord,
    "state": StateRecord,
    "fault": FaultRecord,
    "host": HostRecord,
    "moment": MomentRecord,
}


def to_line(record: Record) -> str:
    """The record as one line of JSON, without the newline."""
    return json.dumps({"kind": record.kind, **asdict(record)}, ensure_ascii=True)


def from_line(line: str) -> Record:
    """The record of one line; raises ValueError where the line is not one."""
    data = json.loads(line)
    name = data.pop("kind", None) if isinstance(data, dict) else None
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError("not a record of a history")
    kind = KINDS[name]
    typed.require(kind, data, f"a {name} record")
    return kind(**data)


def read(path: Path) -> Iterator[Record]:
    """The records of a history file, in order; raises ValueError with the line number."""
    files.check(path)
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield from_line(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}:{number}: {error}") from None


def write(path: Path, records: Iterable[Record]) -> None:
    """Write a history file anew."""
    path.write_text("".join(to_line(record) + "\n" for record in records), encoding="utf-8")
