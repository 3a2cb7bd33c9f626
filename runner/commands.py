"""What steps ask of the lab, and what it came to.

Frozen data. Steps yield commands and are sent outcomes; only `runner.stage` carries commands out. Nothing
here does I/O or sees a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from runner.packets import Packet

Blocks = Literal["no", "yes", "forever"]


@dataclass(frozen=True)
class Constant:
    """A constant of the socket API by its name, looked up in the host; several joined with `|` are or-ed."""

    name: str


@dataclass(frozen=True)
class Packed:
    """A C struct: the format of Python's `struct` in native order, and its parts."""

    format: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class InterfaceIndex:
    """The kernel's index of an interface of the host, by the interface's name."""

    name: str


@dataclass(frozen=True)
class Kept:
    """An object that an earlier call made in the same host, by its name."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function of Python's `socket` module, or a method `on` an object that an earlier call made.

    `arguments` hold None, truth values, numbers, text, bytes, tuples and the classes above. `makes` names the
    object that the call returns, or the first of the pair that it returns.
    """

    host: str
    name: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    on: str | None = None
    makes: str | None = None
    blocks: Blocks = "no"


@dataclass(frozen=True)
class Run:
    """Start a program (no shell) on a terminal of its own; its object is kept as `makes`."""

    host: str
    argv: tuple[str, ...]
    makes: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SendPacket:
    """Send one packet as its bytes are: with its IP header to an address (raw(7)), or out of an interface (packet(7)).

    `to` is the address for `ip4` and `ip6`, the interface's name for a `frame`. `text` is the packet for people.
    """

    host: str
    level: Literal["ip4", "ip6", "frame"]
    data: bytes
    to: str
    text: str


@dataclass(frozen=True)
class SniffPacket:
    """Take the host's first packet that `matches`, of those received after the last one that it took.

    The outcome's value is the `Packet`; at the step's clock it is a TimeoutError. `text` is what is wanted, for people.
    """

    host: str
    matches: Callable[[Packet], bool]
    text: str


@dataclass(frozen=True)
class ReadState:
    """The kernel's TCP state of a socket, by its name or as (local address, local port)."""

    host: str
    of: str


@dataclass(frozen=True)
class Poll:
    """Carry `command` out again and again until `until(outcome)` holds; the last outcome is sent back.

    The stage gives up at the step's clock (5 s, or the end of its `takes`) and sends the last outcome too.
    """

    command: Call | ReadState
    until: Callable[[Outcome], bool]


@dataclass(frozen=True)
class BeginFault:
    """Put a fault in force; the outcome is a failure where a fault of that name was begun before.

    `fault` is an object of `lab.faults`. It strikes what `senders` (empty: all) send to `receivers` (empty: anybody)
    where all conditions of `where` (`runner.conditions`) hold; of these the `nth` (ranges, both ends included, an
    open end None; empty: all), or each with a `probability`. `text` says it for people.
    """

    name: str
    fault: Any
    senders: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    where: tuple[Any, ...] = ()
    nth: tuple[tuple[int, int | None], ...] = ()
    probability: float | None = None
    seed: int = 0
    text: str = ""


@dataclass(frozen=True)
class EndFault:
    """End the fault of that name; the outcome is a failure where it is not in force."""

    name: str


@dataclass(frozen=True)
class PauseHost:
    """Stop all programs of a host; its kernel goes on answering. The outcome is a failure where that cannot be."""

    host: str


@dataclass(frozen=True)
class ResumeHost:
    """Let the programs of a paused host go on; the outcome is a failure where it is not paused."""

    host: str


@dataclass(frozen=True)
class KillHost:
    """Cut a host's power: nothing of its end is heard on the wire. The outcome is a failure where it is dead."""

    host: str


@dataclass(frozen=True)
class RestartHost:
    """Begin a host anew: with the addresses it had, and nothing else that it knew."""

    host: str


@dataclass(frozen=True)
class SetLink:
    """Take a host's link to a network (None: all its links) down, or bring it up again."""

    host: str
    up: bool
    network: str | None = None


@dataclass(frozen=True)
class Sleep:
    """Let time pass, in nanoseconds."""

    ns: int


@dataclass(frozen=True)
class Await:
    """Wait for the pending call that was named `name`; its outcome is sent back."""

    name: str


@dataclass(frozen=True)
class Attempt:
    """Play steps (as the scenario holds them) again until all their expectations hold, for at most `within_ns`.

    Outcome: value True, or an error of type `Unmet` with the last failure's text.
    """

    steps: Sequence[Any]
    within_ns: int


HostCommand = PauseHost | ResumeHost | KillHost | RestartHost | SetLink
"""What is done to a host and not by it."""
Change = HostCommand | BeginFault | EndFault
"""What is done to the lab."""
Command = Call | Run | SendPacket | SniffPacket | ReadState | Poll | Sleep | Await | Attempt | Change


@dataclass(frozen=True)
class Failure:
    """An exception that a call raised in the host: Python's type name, errno by name or None, and its text."""

    type: str
    errno: str | None
    text: str


@dataclass(frozen=True)
class Outcome:
    """What a command came to.

    `began_ns` and `ended_ns` are CLOCK_REALTIME as the host measured it. `value` is the decoded result (lists
    for tuples, {"object": name} for what `makes` kept). `asleep_ns` is when the thread was seen asleep in the
    kernel, or None. `local` and `peer` are the addresses of the socket concerned after the call, lists as
    Python's `socket` gives them.
    """

    began_ns: int
    ended_ns: int
    value: Any = None
    failure: Failure | None = None
    asleep_ns: int | None = None
    local: Any = None
    peer: Any = None


Performance = Generator[Command, Outcome, Any]
"""What `perform()` of a step returns: yields commands, is sent their outcomes, raises `runner.errors.Unmet`.

What it returns in the end is the value that the step's `as:` names (None where it names an object or nothing).
"""
