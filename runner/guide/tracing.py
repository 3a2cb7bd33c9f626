"""An engine whose hosts are watched by strace(1) from before the first step: each thread of each agent apart.

What the threads called is read when the lab is about to go down. Needs root, or a kernel that lets a parent be traced.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.agent import decode
from lab.channel import Channel
from lab.engine import Engine, Lab
from lab.errors import LabError
from lab.topology import Topology

CALLS = "%network,close,dup,fcntl,ioctl,poll,select,pselect6,ppoll,uname"
"""What is traced: sockets' calls and those that Python makes for a socket's method besides."""
SHOWN = 32
"""How many bytes of a string are kept."""
_START = (
    f"rm -rf /tmp/traced; mkdir /tmp/traced; exec strace -f -ff -ttt -s {SHOWN} -e trace={CALLS}"
    " -e signal=none -o /tmp/traced/thread -p $PPID 2>&1"
)
_READ = 'for file in /tmp/traced/thread.*; do echo "=== $file"; cat "$file"; done; echo "=== end"'
_LINE = re.compile(r"(\d+)\.(\d{6}) (.*)")


@dataclass(frozen=True)
class Traced:
    """One call that a thread of a host made: when it was entered, in nanoseconds, and what strace says of it."""

    host: str
    thread: str
    at_ns: int
    text: str


@dataclass
class Tracing:
    """An engine that plays as another does; `found` has what was traced, once its lab is down."""

    engine: Engine
    found: list[Traced] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the engine that plays."""
        return self.engine.name

    def ready(self) -> LabError | None:
        """As the engine that plays."""
        return self.engine.ready()

    def alone(self) -> Engine:
        """It shares nothing as it is."""
        return self

    @contextlib.contextmanager
    def up(self, topology: Topology, *, logs: Path) -> Iterator[Lab]:
        """The lab, its agents traced. Raises LabError where strace cannot watch them."""
        with self.engine.up(topology, logs=logs) as lab:
            hosts = [host.name for host in topology.hosts]
            for host in hosts:
                _start(lab.agent(host), host)
            yield lab
            for host in hosts:
                self.found += _lines(host, _end(lab.agent(host)))


def _start(agent: Channel, host: str) -> None:
    agent.ask(do="run", argv=["/bin/sh", "-c", _START], makes="tracing")
    said = agent.ask(do="call", on="tracing", method="read_until", arguments=[{"bytes": "\n"}])
    if "attached" not in str(said):
        raise LabError(f"strace cannot watch host {host}: {said}", "Is strace installed, and are you root?")


def _end(agent: Channel) -> str:
    agent.ask(do="call", on="tracing", method="signal", arguments=["SIGINT"])
    agent.ask(do="call", on="tracing", method="wait")
    agent.ask(do="run", argv=["/bin/sh", "-c", _READ], makes="traced")
    whole = [{"bytes": "=== end\n"}]
    return str(
        decode(agent.ask(do="call", on="traced", method="read_until", arguments=whole)), "utf-8", "replace"
    )


def _lines(host: str, text: str) -> Iterator[Traced]:
    thread = ""
    for line in text.splitlines():
        if line.startswith("=== "):
            thread = line.rpartition(".")[2]
        elif found := _LINE.fullmatch(line):
            at_ns = int(found[1]) * 1_000_000_000 + int(found[2]) * 1000
            yield Traced(host, thread, at_ns, found[3])
