"""Playbooks: a step "asks this, is told that", with no lab and no clock."""

from __future__ import annotations

from typing import Any

from lab.engine import Interface
from runner.commands import Command, Failure, Outcome, Poll
from runner.model import Surroundings, read_model
from runner.reading import Document, read_text, value_of
from runner.scope import Scope, Thing
from runner.steps import STEPS
from runner.steps.base import Step


def interface(host: str, number: int, network: str = "lab", name: str = "eth0") -> Interface:
    """An interface whose addresses end in `number`."""
    return Interface(
        host=host,
        network=network,
        name=name,
        mac=f"02:00:00:00:00:{number:02x}",
        ip4=(f"192.0.2.{number}",),
        ip6=(f"2001:db8::{number:x}",),
        prefix4=24,
        prefix6=64,
        mtu=1500,
    )


def scope_of(*things: Thing, **values: Any) -> Scope:
    """A lab of `server` (192.0.2.1) and `client` (192.0.2.2), in which these objects and values exist."""
    interfaces = {"server": (interface("server", 1),), "client": (interface("client", 2),)}
    return Scope(interfaces, {thing.name: thing for thing in things}, dict(values))


def socket(name: str, host: str = "client", family: str = "AF_INET", kind: str = "SOCK_STREAM") -> Thing:
    """A socket that exists."""
    return Thing(name, host, "socket", family, kind)


def step_of(text: str, host: str | None = "client") -> Step:
    """A step from the YAML of its map: `{connect: c, to: "server:80"}`; its mistakes fail the test."""
    document = read_text(text, "step")
    step = try_step(document, host)
    assert step is not None, "\n".join(map(str, document.mistakes))
    return step


def try_step(document: Document, host: str | None = "client") -> Step | None:
    """The same for a document that may be wrong: None then, and it has its mistakes."""
    assert document.root is not None
    value = value_of(document.root)
    kind = STEPS[next(iter(value))]
    around = Surroundings(lenient="raises" in value, hosts=("server", "client"))
    written = value if host is None else {**value, "host": host}
    return read_model(kind, document.root, written, document, around, called=kind.verb)


def gave(value: Any = None, *, took_ns: int = 1000, **facts: Any) -> Outcome:
    """What a call that did not fail came to."""
    return Outcome(1_000_000, 1_000_000 + took_ns, value, **facts)


def raised(kind: str, errno: str | None = None, text: str = "", *, took_ns: int = 1000) -> Outcome:
    """What a call that failed came to."""
    return Outcome(1_000_000, 1_000_000 + took_ns, failure=Failure(kind, errno, text))


REFUSED = raised("ConnectionRefusedError", "ECONNREFUSED", "Connection refused")


def play(step: Step, scope: Scope, *exchanges: tuple[Command, Outcome]) -> Any:
    """Perform a step: it must ask exactly these commands and is told these outcomes. Returns its value."""
    performance = step.perform(scope)
    told: Outcome | None = None
    for number, (expected, outcome) in enumerate(exchanges, 1):
        try:
            asked = performance.send(told) if told is not None else next(performance)
        except StopIteration:
            raise AssertionError(f"it ended before command {number}: {expected}") from None
        _compare(number, expected, asked)
        told = outcome
    try:
        more = performance.send(told) if told is not None else next(performance)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"it went on with {more}")


def _compare(number: int, expected: Command, asked: Command) -> None:
    """Two polls are the same when they ask the same; when they end is a function, which does not compare."""
    if isinstance(expected, Poll) and isinstance(asked, Poll):
        assert asked.command == expected.command, f"command {number}"
    else:
        assert asked == expected, f"command {number}"
