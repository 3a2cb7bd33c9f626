"""docs/c-and-python.md: each call in Python, in C, and as strace showed it in a real run.

`EXAMPLES` is the table: which call of which scenario stands for what; the scenario proves it again whenever it is
played. `python -m runner.guide --calls` records them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab import agent
from lab import engine as engines
from runner import history
from runner.evidence import Evidence
from runner.guide import recorded
from runner.guide.ladders import played
from runner.guide.tracing import Traced, Tracing
from runner.history import CallRecord
from runner.pages import MADE
from runner.report import c_form

PAGE = recorded.ROOT / "docs" / "c-and-python.md"
TOLERANCE_NS = 1000
"""strace tells whole microseconds."""


@dataclass(frozen=True)
class Example:
    """The first call of that name in a scenario, on that socket where one is named, that failed so or did not."""

    scenario: str
    name: str
    on: str = ""
    failed: str = ""
    value: str = ""

    def is_meant(self, call: CallRecord) -> bool:
        """Whether it is that call."""
        failure = call.failure or {}
        return (
            call.name == self.name
            and call.object == (self.on or call.object)
            and (failure.get("errno") or failure.get("type") or "") == self.failed
            and self.value in json.dumps(call.value)
        )


EXAMPLES: dict[str, Sequence[Example]] = {
    "A socket, and its name": (
        Example("tcp_echo", "socket", "listener"),
        Example("udp_echo", "socket"),
        Example("tcp_errors", "socket", failed="EPROTONOSUPPORT"),
        Example("tcp_echo", "setsockopt", "listener"),
        Example("options", "getsockopt"),
        Example("tcp_echo", "bind", "listener"),
        Example("ipv6_echo", "bind", "both"),
        Example("unix_sockets", "bind", "listener"),
        Example("unix_sockets", "bind", "keeper"),
        Example("tcp_errors", "bind", failed="EADDRINUSE"),
        Example("addresses", "getsockname"),
        Example("addresses", "getpeername"),
        Example("addresses", "getpeername", failed="ENOTCONN"),
        Example("addresses", "fileno"),
    ),
    "A connection": (
        Example("tcp_echo", "listen", "listener"),
        Example("tcp_echo", "connect", "c"),
        Example("tcp_echo", "accept", "listener"),
        Example("tcp_errors", "connect", failed="ECONNREFUSED"),
        Example("timeouts", "connect_ex"),
        Example("unix_sockets", "socketpair"),
        Example("dup_and_close", "dup"),
    ),
    "Data, and its end": (
        Example("tcp_echo", "send", "c"),
        Example("tcp_echo", "recv", "conn"),
        Example("tcp_echo", "recv", "conn", value='"bytes": ""'),
        Example("accept_makes_a_socket", "sendall"),
        Example("dup_and_close", "sendmsg"),
        Example("dup_and_close", "recv_into"),
        Example("close_states", "shutdown"),
        Example("close_states", "send", failed="EPIPE"),
        Example("options", "recv", failed="ECONNRESET"),
        Example("tcp_echo", "close", "c"),
    ),
    "Datagrams": (
        Example("udp_echo", "sendto"),
        Example("udp_echo", "recvfrom"),
        Example("udp_limits", "recvmsg"),
        Example("udp_broadcast", "sendto", failed="EACCES"),
    ),
    "How long a call waits": (
        Example("timeouts", "settimeout"),
        Example("timeouts", "accept", failed="TimeoutError"),
        Example("timeouts", "gettimeout"),
        Example("timeouts", "setblocking"),
        Example("timeouts", "accept", failed="EAGAIN"),
        Example("timeouts", "poll", "poll.1", value="["),
        Example("dup_and_close", "select"),
    ),
    "A socket as a file": (
        Example("makefile", "makefile"),
        Example("makefile", "readline", value="two lines"),
        Example("makefile", "write"),
        Example("makefile", "flush"),
    ),
    "Names and numbers": (
        Example("names", "gethostname"),
        Example("names", "htons"),
        Example("names", "inet_aton"),
        Example("names", "inet_pton", failed="OSError"),
        Example("ports", "bind", failed="OverflowError"),
    ),
}


_BEGINNING = """\
Sockets belong to the kernel: Python's methods and C's functions are two ways to the same calls. Below, each is written
as Python writes it, as C does, and as strace(1) showed it in a real run: call, arguments, result, errno. The scenario
that it was taken from proves it again whenever it is played; `runner show --c` writes the calls of any run in C.

In C's notation a structure stands in braces, and a result or an errno behind the equals sign. Python makes sockets that
are closed when another program is started (`SOCK_CLOEXEC`), and asks an accepted one for its own address."""


@dataclass(frozen=True)
class Recording:
    """A call of a real run, and what its thread called meanwhile as strace(1) showed it."""

    example: Example
    call: CallRecord
    kinds: dict[str, str]
    strace: tuple[str, ...]


# --- recording ----------------------------------------------------------------------------------------


def record() -> Iterator[Recording]:
    """Play the scenarios of the table, traced.

    Raises LabError where strace cannot watch, ValueError where a scenario has no such call.
    """
    wanted = [one for examples in EXAMPLES.values() for one in examples]
    runs = {name: _traced(name) for name in dict.fromkeys(one.scenario for one in wanted)}
    for example in wanted:
        yield _recording(example, *runs[example.scenario])


def _traced(name: str) -> tuple[Evidence, Sequence[Traced]]:
    tracing = Tracing(engines.find("netns"))
    return played(recorded.SCENARIOS / f"{name}.yaml", tracing), tracing.found


def _recording(example: Example, seen: Evidence, traced: Sequence[Traced]) -> Recording:
    call = next((one for one in seen.calls() if example.is_meant(one)), None)
    if call is None or call.ended_ns is None:
        raise ValueError(f"no call of {example.scenario} is {example}")
    began_ns, ended_ns = call.began_ns - TOLERANCE_NS, call.ended_ns
    threads: dict[str, list[str]] = {}
    of_faults = {one.thread for one in traced if one.host == call.host and one.text.startswith(_MOVES_FRAMES)}
    for one in traced:
        if one.thread in of_faults:
            continue
        if one.host == call.host and began_ns <= one.at_ns <= ended_ns and not _OF_AGENT.match(one.text):
            threads.setdefault(one.thread, []).append(re.sub(r"\)\s+= ", ") = ", one.text))
    lines = max(threads.values(), key=_telling, default=[])
    kinds = c_form.kinds_of(seen.calls())
    return Recording(
        example, call, {name: kind for name, kind in kinds.items() if name == call.object}, tuple(lines)
    )


_OF_AGENT = re.compile(r"poll\(.*, -1\)")
"""How the agent waits for what it is told: as long as it takes; Python's sockets have a timeout where they poll."""

_MOVES_FRAMES = ("recvmmsg(", "sendmmsg(")
"""What only the process calls that carries faults out: whatever else its thread does is no call of the scenario."""


def _telling(lines: Sequence[str]) -> int:
    """How much a thread's calls tell: who only closes something looked whether another one sleeps."""
    return sum(1 if line.startswith("close(") else 10 for line in lines)


def write(recordings: Iterable[Recording]) -> None:
    """Keep them as docs/recorded/calls.jsonl."""
    recorded.RECORDED.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps({"call": history.to_line(one.call), "kinds": one.kinds, "strace": one.strace})
        for one in recordings
    )
    recorded.CALLS.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read() -> list[Recording]:
    """What was recorded for the table; raises ValueError where it is for another table."""
    wanted = [one for examples in EXAMPLES.values() for one in examples]
    found = []
    for example, line in zip(wanted, recorded.CALLS.read_text(encoding="utf-8").splitlines(), strict=True):
        data = json.loads(line)
        call = history.from_line(data["call"])
        if not isinstance(call, CallRecord) or not example.is_meant(call):
            raise ValueError(f"what was recorded is not {example}: run `python -m runner.guide --calls`")
        found.append(Recording(example, call, data["kinds"], tuple(data["strace"])))
    return found


def comparable(one: Recording) -> tuple[str, ...]:
    """What is the same in every run: descriptors, ports that the kernel chose and pointers are left out."""
    form = c_form.of(one.call, one.kinds).whole
    texts = (one.call.python, form, *(re.sub(r"^(\w+)\(\d+", r"\1(FD", line) for line in one.strace))
    return tuple(_without_chance(text) for text in texts)


def _without_chance(text: str) -> str:
    text = re.sub(r"0x[0-9a-f]+", "POINTER", text)
    text = re.sub(r"left \{.*?\}|(?<=pselect6\()\d+|(?<=\[)\d+(?=\])", "N", text)
    text = re.sub(r"\b(3[2-9]\d{3}|[4-6]\d{4})\b", "PORT", text)
    text = re.sub(r"(fd=)\d+|^(\w+ = )\d+$", r"\1\2FD", text)
    return re.sub(r"^((?:socket|accept4|fcntl|dup)\(.*\) = )\d+$", r"\1FD", text)


# --- the page -----------------------------------------------------------------------------------------


def page() -> str:
    """The whole page."""
    found = {one.example: one for one in read()}
    lines = ["# The same call in Python, in C, and as the kernel sees it", "", MADE, "", _BEGINNING]
    for title, examples in EXAMPLES.items():
        lines += ["", f"## {title}"]
        for example in examples:
            lines += ["", *_entry(found[example])]
    return "\n".join(lines) + "\n"


def _entry(one: Recording) -> Iterator[str]:
    form = c_form.of(one.call, one.kinds)
    note = f": {form.note}" if form.note else ""
    yield f"[{one.example.scenario}](../scenarios/{one.example.scenario}.yaml){note}"
    yield ""
    yield "```text"
    yield f"Python  {one.call.python}{_came_to(one.call)}"
    yield f"C       {form.whole}"
    for number, line in enumerate(one.strace or ("no system call",)):
        yield f"{'' if number else 'strace':<6}  {line}"
    yield "```"


def _came_to(call: CallRecord) -> str:
    """What Python gives: a value, an exception, or nothing that is worth a word."""
    if call.failure is not None:
        errno = f" {call.failure['errno']}" if call.failure.get("errno") else ""
        return f"  raises {call.failure['type']}{errno}"
    if call.value is None or (isinstance(call.value, dict) and "object" in call.value):
        return ""
    value = agent.decode(call.value)
    if isinstance(value, list):
        value = tuple(tuple(part) if isinstance(part, list) else part for part in value)
    text = re.sub(r"\{'object': '([^']+)'\}", r"\1", repr(value))
    return f"  gives {text}" if len(text) < 60 else ""
