"""Commands as an agent's requests, replies as outcomes, and calls as Python writes them.

Translation only: what to ask is the steps' affair, when is the stage's, and what the words mean is
`lab.agent`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab import agent
from runner.commands import (
    Call,
    Constant,
    Failure,
    InterfaceIndex,
    Kept,
    Outcome,
    Packed,
    ReadState,
    Run,
    SendPacket,
    SniffPacket,
)
from runner.history import CallRecord
from runner.packets import Packet
from runner.scope import Thing
from runner.words import words_of

Asked = Call | Run | ReadState | SendPacket
Recorded = Call | Run | SendPacket | SniffPacket

SHOWN = 64
"""How many bytes of an argument the Python form of a call shows before it says how many there are."""


def encoded(argument: Any) -> Any:
    """An argument of a command as the agent's protocol writes it."""
    match argument:
        case Constant(name):
            return {"constant": name}
        case Packed(form, parts):
            return {"pack": [form, *(encoded(part) for part in parts)]}
        case InterfaceIndex(name):
            return {"interface": name}
        case Kept(name):
            return {"object": name}
        case tuple():
            return [encoded(part) for part in argument]
        case list():
            return {"list": [encoded(part) for part in argument]}
        case dict():
            return {"dict": {key: encoded(part) for key, part in argument.items()}}
        case _:
            return agent.encode(argument)


def request_of(command: Asked) -> dict[str, Any]:
    """The agent's request for a command, without its id."""
    match command:
        case ReadState(_, of):
            return {"do": "state", "of": of}
        case Run(_, argv, makes, environment):
            return {"do": "run", "argv": list(argv), "environment": dict(environment), "makes": makes}
        case SendPacket(_, level, data, to):
            return {"do": "call", "function": "send_packet", "arguments": [level, agent.encode(data), to]}
        case Call():
            request: dict[str, Any] = {"do": "call", "arguments": [encoded(one) for one in command.arguments]}
            if command.on is None:
                request["function"] = command.name
            else:
                request["on"], request["method"] = command.on, command.name
            if command.keywords:
                request["keywords"] = {key: encoded(one) for key, one in command.keywords.items()}
            if command.makes is not None:
                request["makes"] = command.makes
            if command.blocks != "no":
                request["watch"] = True
            return request


def outcome_of(reply: Mapping[str, Any], asleep_ns: int | None) -> Outcome:
    """What a reply says a command came to; raises ValueError for a reply that says the request was malformed."""
    if "malformed" in reply:
        raise ValueError(str(reply["malformed"]))
    failure = reply.get("error")
    facts = reply.get("object") or {}
    return Outcome(
        began_ns=reply["began"],
        ended_ns=reply["ended"],
        value=agent.decode(reply.get("value")),
        failure=Failure(failure["type"], failure["errno"], failure["text"]) if failure else None,
        asleep_ns=asleep_ns,
        local=facts.get("local"),
        peer=facts.get("peer"),
    )


def spelled(outcome: Outcome) -> str:
    """What a call came to, in a word or two."""
    if outcome.failure:
        return outcome.failure.errno or outcome.failure.type
    return repr(outcome.value)


def sniffed(began_ns: int, ended_ns: int, found: Packet | None) -> dict[str, Any]:
    """What came of looking for a packet, as an agent would reply it; None: it did not come in time."""
    if found is None:
        error = {"type": "TimeoutError", "errno": None, "text": "no such packet came"}
        return {"began": began_ns, "ended": ended_ns, "error": error}
    return {"began": began_ns, "ended": ended_ns, "value": {"repr": " ".join(words_of(found.header))}}


def things_of(command: Asked | SniffPacket, reply: Mapping[str, Any]) -> list[Thing]:
    """The objects that a reply says now exist under a name of their own."""
    if "error" in reply or "malformed" in reply:
        return []
    match command:
        case Run(host, _, makes, _):
            return [Thing(makes, host, "program")]
        case Call(host=host, makes=str() as makes):
            facts = (reply.get("object") if command.on is None else reply.get("made")) or {}
            kind = "file" if command.name == "makefile" else "socket" if facts.get("family") else "other"
            return [
                Thing(name, host, kind, facts.get("family") or "", facts.get("type") or "")  # type: ignore[arg-type]
                for name in makes.split(",")
            ]
    return []


def record_of(
    step: int, command: Recorded, began_ns: int, asleep_ns: int | None, reply: Mapping[str, Any] | None
) -> CallRecord:
    """The record of a call; `reply` is None where it had not returned when the lab went down."""
    reply = reply or {}
    facts, made = reply.get("object") or {}, reply.get("made") or {}
    name, own = _named(command)
    return CallRecord(
        step=step,
        host=command.host,
        object=own,
        name=name,
        python=python_of(command),
        began_ns=reply.get("began", began_ns),
        ended_ns=reply.get("ended"),
        asleep_ns=asleep_ns,
        arguments=[encoded(one) for one in command.arguments] if isinstance(command, Call) else None,
        value=reply.get("value"),
        failure=reply.get("error"),
        family=facts.get("family"),
        type=facts.get("type"),
        local=facts.get("local"),
        peer=facts.get("peer"),
        made=made.get("name"),
        made_local=made.get("local"),
        made_peer=made.get("peer"),
    )


def _named(command: Recorded) -> tuple[str, str | None]:
    """The name of the call, and of the object that it was made on or that it made."""
    match command:
        case Run():
            return "run", command.makes
        case SendPacket():
            return "send_packet", None
        case SniffPacket():
            return "sniff_packet", None
        case Call():
            return command.name, command.makes if command.on is None else command.on


def python_of(command: Recorded) -> str:
    """The call as a Python program would write it: `c.connect(('10.0.0.2', 8888))`."""
    if isinstance(command, Run):
        return f"{command.makes} = Popen({list(command.argv)!r})"
    if isinstance(command, SendPacket | SniffPacket):
        return f"{_named(command)[0]}({command.text})"
    arguments = [written(one) for one in command.arguments]
    arguments += [f"{key}={written(one)}" for key, one in command.keywords.items()]
    made = ""
    if command.makes is not None:
        made = (
            f"{command.makes}, address = "
            if command.name == "accept"
            else f"{command.makes.replace(',', ', ')} = "
        )
    owner = f"{command.on}." if command.on is not None else ""
    return f"{made}{owner}{command.name}({', '.join(arguments)})"


def written(argument: Any) -> str:
    """One argument as Python writes it, long data shortened."""
    match argument:
        case Constant(name):
            return name
        case Packed(form, parts):
            return f"struct.pack({', '.join([repr(form), *(written(part) for part in parts)])})"
        case InterfaceIndex(name):
            return f"if_nametoindex({name!r})"
        case Kept(name):
            return name
        case bytes() if len(argument) > SHOWN:
            return f"{argument[:SHOWN]!r}... ({len(argument):,} bytes)"
        case tuple():
            inner = ", ".join(written(part) for part in argument)
            return f"({inner},)" if len(argument) == 1 else f"({inner})"
        case list():
            return f"[{', '.join(written(part) for part in argument)}]"
        case _:
            return repr(argument)
