"""A real agent in a real child process, its source piped to a bare interpreter: for tests of agent and channel."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import agent
from lab.channel import Channel, Message, SocketStream

SOURCE = Path(agent.__file__).read_bytes()
BOOTSTRAP = f"""
import os
source = b""
while len(source) < {len(SOURCE)}:
    source += os.read(0, {len(SOURCE)} - len(source))
exec(compile(source, "agent", "exec"), {{"__name__": "__main__"}})
"""
NAMESPACE = " && ".join(
    (
        "ip link set lo up",
        "ip link add eth0 type veth peer name eth1",
        "ip link set eth0 up",
        "ip link set eth1 up",
    )
)
"""Two joined interfaces in one namespace: what one sends, the other receives."""

in_a_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"),
    reason="needs root, unshare and ip to make a network namespace",
)


@dataclass
class Host:
    """A running agent and the runner's end of it."""

    channel: Channel
    process: subprocess.Popen[bytes]
    stderr: Path

    def request(self, **request: Any) -> Message:
        """Post a request and wait for the whole reply."""
        return self.channel.wait(self.channel.post(request), 10)

    def call(self, method: str, *arguments: Any, on: str | None = None, **rest: Any) -> Message:
        """The reply to a call: a method where `on` is given, else a function."""
        where = {"function": method} if on is None else {"on": on, "method": method}
        return self.request(do="call", **where, arguments=list(arguments), **rest)

    def value(self, method: str, *arguments: Any, on: str | None = None, **rest: Any) -> Any:
        """The decoded value of a call that must succeed."""
        reply = self.call(method, *arguments, on=on, **rest)
        assert "value" in reply, reply
        return agent.decode(reply["value"])

    def error(
        self, method: str, *arguments: Any, on: str | None = None, **rest: Any
    ) -> tuple[str, str | None]:
        """Type and errno of a call that must fail."""
        reply = self.call(method, *arguments, on=on, **rest)
        assert "error" in reply, reply
        return reply["error"]["type"], reply["error"]["errno"]

    def listener(self, name: str) -> list[Any]:
        """Make a TCP listener on loopback; returns its address."""
        self.value("create_server", ["127.0.0.1", 0], makes=name)
        address: list[Any] = self.value("getsockname", on=name)
        return address

    def connection(self, one: str, other: str) -> None:
        """Make two connected TCP sockets."""
        address = self.listener(f"listener of {other}")
        self.value("create_connection", address, makes=one)
        self.value("accept", on=f"listener of {other}", makes=other)


@contextmanager
def agent_in(folder: Path, before: str = "", prefix: Sequence[str] = ()) -> Iterator[Host]:
    """An agent that has said hello. `before` are shell commands to run first in its process, after `prefix`."""
    ours, theirs = socket.socketpair()
    python = ["python3", "-I", "-S", "-c", BOOTSTRAP]
    command = [*prefix, "sh", "-c", f'{before or ":"} && exec "$@"', "sh", *python]
    stderr = folder / "agent.stderr"
    with stderr.open("wb") as file:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=file)
    theirs.close()
    ours.sendall(SOURCE)
    channel = Channel("client", SocketStream(ours, stderr, lambda: f"its agent ended ({process.wait(5)})"))
    try:
        channel.hello(10)
        yield Host(channel, process, stderr)
    finally:
        channel.close()
        try:
            process.wait(5)
        finally:
            process.kill()
            process.wait()
    said = stderr.read_text()
    assert "Traceback" not in said, said


def namespace_agent(folder: Path, before: str = "") -> Any:
    """An agent in a network namespace of its own, with eth0 and eth1 joined to each other."""
    return agent_in(folder, NAMESPACE + (f" && {before}" if before else ""), ("unshare", "-n"))


def until(host: Host, condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def constant(name: str) -> dict[str, str]:
    return {"constant": name}


def asleep(host: Host, *identifiers: int) -> list[str]:
    """The system calls in which requests sleep, when that was told of each of them; of none more than once."""
    told: dict[int, str] = {}

    def all_told() -> bool:
        for one in host.channel.receive():
            assert one["id"] not in told, "told twice"
            told[one["id"]] = one["syscall"]
        return told.keys() >= {*identifiers}

    until(host, all_told)
    return [told[one] for one in identifiers]


def notices(host: Host, identifier: int, seconds: float) -> list[str]:
    """The system calls of the notices of a request in that time."""
    time.sleep(seconds)
    return [message["syscall"] for message in host.channel.receive() if message["id"] == identifier]


def run(host: Host, name: str, *argv: str, **rest: Any) -> None:
    reply = host.request(do="run", argv=list(argv), makes=name, **rest)
    assert reply.get("value") == {"object": name}, reply
