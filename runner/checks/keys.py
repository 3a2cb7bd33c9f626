"""Keys that expectations share: `flow`, `at`, `net`, ladders and conditions as types of fields, and what they
need to see.

What each expectation means is its own module's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from runner import conditions, flows, ladder
from runner.conditions import Condition
from runner.errors import Blind
from runner.evidence import Evidence
from runner.flows import Flow
from runner.ladder import Ladder
from runner.model import KnownNames, MisplacedAt, Reads, Surroundings
from runner.values import read_text

Home = Callable[[str], str | None]
"""The host of a name, see `runner.capturing`."""
_T = TypeVar("_T")
_TEXT = {"type": "string"}


def _parsed_by(parse: Callable[[str], _T]) -> Callable[[Any, Surroundings], _T]:
    """A reader of a text that has a notation of its own."""

    def read(value: Any, around: Surroundings) -> _T:
        return parse(read_text(value, around))

    return read


_FLOW = {
    "type": "string",
    "pattern": rf"^\s*({'|'.join(flows.PROTOCOLS)}|ip\.[0-9]+)(\s|$)|\$",
    "examples": ["tcp c", "udp client server:53", "icmp"],
}


FlowText: TypeAlias = Annotated[Flow, Reads(_parsed_by(flows.parse), _FLOW)]
LadderText: TypeAlias = Annotated[Ladder, Reads(_parsed_by(ladder.read), _TEXT)]
ConditionsText: TypeAlias = Annotated[tuple[Condition, ...], Reads(_parsed_by(conditions.parse), _TEXT)]


# --- names that do not exist ----------------------------------------------------------------------

_Path = tuple[str, ...]
_Kind = Literal["hosts", "networks", "sockets"]


def unknown(
    names: KnownNames, kind: _Kind, name: str, path: _Path, *, line: int = 0, column: int = 0
) -> Iterator[MisplacedAt]:
    """The mistake that `name` is none of that kind, if it is none."""
    if name not in getattr(names, kind):
        yield MisplacedAt(
            path,
            f"there is no {kind.removesuffix('s')} {name!r}",
            line=line,
            column=column,
            length=len(name),
            suggestion=names.suggestion(name, [kind]),
        )


def flow_mistakes(flow: Flow, names: KnownNames, path: _Path) -> Iterator[MisplacedAt]:
    """Ends of a flow that are neither sockets nor hosts; an end with a port must be a host."""
    for end in flow.ends:
        if not end.name or end.name in names.hosts:
            continue
        if end.port is not None:
            yield from unknown(names, "hosts", end.name, path, column=end.column)
        elif end.name not in names.sockets:
            near = names.suggestion(end.name, ["sockets", "hosts"])
            message = f"there is no socket and no host {end.name!r}"
            yield MisplacedAt(path, message, column=end.column, length=len(end.name), suggestion=near)


def place_mistakes(
    at: str | None, net: str | None, names: KnownNames, path: _Path, key: str
) -> Iterator[MisplacedAt]:
    """A host or network that does not exist, or a network that must be said; `key` is where the latter is
    told.
    """
    if at is not None:
        yield from unknown(names, "hosts", at, (*path, "at"))
    if net is not None:
        yield from unknown(names, "networks", net, (*path, "net"))
    elif at is None and len(names.networks) > 1:
        yield MisplacedAt(
            (*path, key), f"there are several networks: say which with `net:` ({', '.join(names.networks)})"
        )


def ladder_mistakes(found: Ladder, names: KnownNames, path: _Path) -> Iterator[MisplacedAt]:
    """What is wrong with lines of a ladder, and hosts in the others that do not exist."""
    for wrong in found.mistakes:
        yield MisplacedAt(
            path,
            wrong.message,
            line=wrong.line,
            column=wrong.column,
            length=wrong.length,
            suggestion=wrong.suggestion,
        )
    for name, line, column in found.hosts():
        yield from unknown(names, "hosts", name, path, line=line, column=column)


# --- what must be seen ----------------------------------------------------------------------------


def flow_hosts(flow: Flow, at: str | None, home: Home, *, losses: bool = False) -> tuple[str, ...] | None:
    """The hosts whose captures tell of a flow: its two ends, or the one that it is seen at; None where any may."""
    if at is not None and not losses:
        return (at,)
    ends = tuple(home(end.name) for end in flow.ends if end.name)
    if len(ends) != 2 or None in ends:
        return None
    return tuple(one for one in (*ends, at) if one is not None)


def socket_hosts(sockets: Iterable[str | None], home: Home) -> tuple[str, ...] | None:
    """The hosts of sockets; None where one of them is not known."""
    found = [home(name) for name in sockets if name is not None]
    return None if None in found else tuple(one for one in found if one is not None)


def must_see(
    evidence: Evidence, flow: Flow, at: str | None, net: str | None, *, losses: bool = False
) -> None:
    """Raise Blind unless all captures are complete that an expectation is judged by.

    Without `at` those of all hosts on the network; with it that host's own, and all the same where `losses`
    must be told: whether a packet arrived is known by those who should have got it. A host that was not to capture is
    needed where it is an end of the flow, or where the flow does not say its ends.
    """
    if net is None and at is None and len(evidence.networks) > 1:
        networks = ", ".join(evidence.networks)
        raise Blind(f"there are several networks, and `net` does not say which: {networks}")
    if at is not None:
        evidence.must_see([at])
    if at is None or losses:
        on = {end.host: None for end in evidence.interfaces if net in (None, end.network)}
        ends = flow_hosts(flow, at, lambda name: _home(evidence, name), losses=True)
        evidence.must_see(
            host
            for host in on or evidence.hosts
            if ends is None or host in ends or not evidence.is_left_out(host)
        )


def _home(evidence: Evidence, name: str) -> str:
    return name if name in evidence.hosts else evidence.socket(name).host
