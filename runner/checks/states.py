"""The expectation `states`: the TCP states that sockets went through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Annotated, Any, ClassVar

from runner import notation
from runner.checks import keys
from runner.errors import Blind, Misplaced
from runner.evidence import Evidence
from runner.model import KnownNames, MisplacedAt, Model, Reads, Surroundings
from runner.reading import suggestion
from runner.tcp_states import Change, states_of
from runner.values import list_of, map_of, read_text
from runner.verdict import Finding

STATES = (
    "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "TIME_WAIT",
    "CLOSE_WAIT", "LAST_ACK", "CLOSE",
)  # fmt: skip
"""The states of RFC 9293 section 3.3.2 as Linux spells them (include/net/tcp_states.h)."""


def _read_state(value: Any, around: Surroundings) -> str:
    text = read_text(value, around)
    if text not in STATES:
        near = suggestion(text, STATES)
        raise Misplaced(f"{text!r} is no TCP state ({', '.join(STATES)})", length=len(text), suggestion=near)
    return text


StateLists = Annotated[
    Mapping[str, tuple[str, ...]],
    Reads(
        map_of(list_of(_read_state)),
        {"type": "object", "additionalProperties": {"type": "array", "items": {"enum": list(STATES)}}},
    ),
]


class States(Model):
    """The TCP states that sockets went through, in order: `{c: [SYN_SENT, ESTABLISHED, ...]}`.

    Whole lists are compared. They are worked out from the packets and calls of the socket's host by RFC
    9293's table, since a kernel shows short states to no one; where a `state` step read something else from
    the kernel, the verdict is unknown. CLOSE before the first other state is left out.

    states  socket -> list of its states
    """

    kind: ClassVar[str] = "states"

    states: StateLists

    def mistakes(self, names: KnownNames) -> Iterator[MisplacedAt]:
        """Sockets that do not exist."""
        for socket in self.states:
            yield from keys.unknown(names, "sockets", socket, ("states", socket))

    def needs(self, home: keys.Home) -> Iterable[str] | None:
        """The hosts whose captures it needs."""
        return keys.socket_hosts(self.states, home)

    def examine(self, evidence: Evidence) -> Iterator[Finding]:
        """One finding for each socket."""
        for socket, expected in self.states.items():
            try:
                changes = states_of(evidence, socket)
            except Blind as reason:
                yield Finding("unknown", self.kind, f"could not be seen: {reason}")
                continue
            yield self._compared(evidence, socket, expected, changes)

    def _compared(
        self, evidence: Evidence, socket: str, expected: Sequence[str], changes: Sequence[Change]
    ) -> Finding:
        seen = [change.state for change in changes]
        numbers = tuple(change.packet for change in changes if change.packet is not None)
        if seen == list(expected):
            return Finding("pass", self.kind, f"{socket}: {_listed(seen)}", packets=numbers)
        summary = f"{socket}: {_listed(seen)}, expected {_listed(expected)}"
        return Finding("fail", self.kind, summary, _table(evidence, expected, changes), packets=numbers)


def _listed(states: Sequence[str]) -> str:
    return ", ".join(states) or "no state at all"


def _table(evidence: Evidence, expected: Sequence[str], changes: Sequence[Change]) -> str:
    """Expected and seen states side by side, where they part, and what made each state."""
    width = max(map(len, STATES))
    rows = [f"    {'expected':{width}}  {'seen':{width}}  made by"]
    parted = False
    for number, (wanted, change) in enumerate(zip_longest(expected, changes), 1):
        state = change.state if change is not None else "-"
        first, parted = not parted and wanted != state, parted or wanted != state
        cause = _cause(evidence, change) if change is not None else ""
        mark = ">" if first else " "
        rows.append(f"{mark}{number:2} {wanted or '-':{width}}  {state:{width}}  {cause}".rstrip())
    return "\n".join(rows)


def _cause(evidence: Evidence, change: Change) -> str:
    if change.packet is None:
        return "a call or a timer"
    seen = evidence.view(evidence.packets[change.packet - 1])
    return f"packet {change.packet}: {notation.line(seen)}"
