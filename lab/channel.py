"""The runner's end of an agent: requests out, replies and notices in, and a dead host noticed.

One thread, no clock of its own but the caller's timeout. What a request means is `lab.agent`; who asks is the
caller.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from lab.errors import HostGone, LabError

Request = dict[str, Any]
Message = dict[str, Any]

CHUNK = 1 << 18
"""Bytes that one read or write moves at most."""
SMALL = 1 << 13
"""Bytes that a read asks for when no long message is under way: a large buffer costs more than a whole
request.
"""
KEPT_OF_STDERR = 1 << 20
"""Bytes of what a host said on stderr that stay after its end: the first and the last half."""
LAST_WORDS = 2000
"""How many bytes of a host's stderr an error shows."""


class Stream(Protocol):
    """Bytes to and from an agent; an engine makes one for each host."""

    def fileno(self) -> int:
        """A descriptor that is readable when `receive` has something."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError when the other end is gone.

        An agent may be in the middle of a large reply: a stream goes on receiving while it cannot send.
        """
        ...

    def receive(self) -> bytes | None:
        """What is there now without waiting: bytes, None for nothing yet, b"" for the end."""
        ...

    def close(self) -> None: ...

    def last_words(self) -> str:
        """The end of what the host said on stderr."""
        ...


class SocketStream:
    """A stream over one connected socket, as a forked agent in a namespace has it.

    `stderr` is the file that the host's stderr goes to. `how` says how the host ended, once it did; it is
    asked after the end was seen.
    """

    def __init__(
        self, connected: socket.socket, stderr: Path | None = None, how: Callable[[], str] | None = None
    ) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._stderr = stderr
        self._how = how
        self._early: list[bytes] = []
        self._size = SMALL

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view[:CHUNK]) :]
            except BlockingIOError:
                self._wait_until_writable()

    def _wait_until_writable(self) -> None:
        """Wait until the agent takes more, and take what it says meanwhile: else both would wait for the
        other.
        """
        waiting = select.poll()
        waiting.register(self._socket.fileno(), select.POLLIN | select.POLLOUT)
        for _, events in waiting.poll():
            if events & select.POLLIN:
                data = self._receive()
                if data == b"":
                    raise BrokenPipeError("the agent ended while it was sent a request")
                if data:
                    self._early.append(data)

    def receive(self) -> bytes | None:
        if self._early:
            data = b"".join(self._early)
            self._early.clear()
            return data
        return self._receive()

    def _receive(self) -> bytes | None:
        try:
            data = self._socket.recv(self._size)
        except BlockingIOError:
            return None
        except ConnectionError:  # a reset is an end as well: the agent was killed with requests unread
            return b""
        self._size = CHUNK if len(data) == self._size else SMALL
        return data

    def close(self) -> None:
        self._socket.close()
        if self.has_said_too_much():
            assert self._stderr is not None
            _shorten(self._stderr)

    def has_said_too_much(self) -> bool:
        """Whether the host's stderr is longer than what is kept of it after the end."""
        try:
            return self._stderr is not None and self._stderr.stat().st_size > KEPT_OF_STDERR
        except OSError:
            return False

    def last_words(self) -> str:
        return tail_of(self._stderr) if self._stderr else ""

    def ending(self) -> str:
        """How the host ended, as far as the engine can say."""
        return self._how() if self._how else ""


def _shorten(path: Path) -> None:
    """Leave the beginning and the end of a file that is too long, with a line between that says so."""
    half = KEPT_OF_STDERR // 2
    try:
        with path.open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(size - half)
            end = file.read(half)
            file.seek(half)
            file.write(b"\n... %d bytes are left out here ...\n" % (size - 2 * half))
            file.write(end)
            file.truncate()
    except OSError:  # a full disk: it stays as it is
        return


def tail_of(path: Path) -> str:
    """The end of a text file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LAST_WORDS))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


class Channel:
    """Requests to the agent of one host, and what comes back.

    Every method that reads raises HostGone when the agent ended: after the last message that it sent was
    handed out.
    """

    def __init__(self, host: str, stream: Stream) -> None:
        self.host = host
        self._stream = stream
        self._last = 0
        self._unfinished: list[bytes] = []
        self._queue: list[Message] = []
        self._ended = ""
        self._polling = select.poll()  # not select(2): descriptors of large labs are beyond its 1024
        self._polling.register(stream.fileno(), select.POLLIN)

    def fileno(self) -> int:
        """The descriptor to poll; messages in `queued` do not make it readable."""
        return self._stream.fileno()

    def post(self, request: Request) -> int:
        """Send a request (without "id"); returns its id. Does not wait for the reply."""
        self._last += 1
        line = json.dumps({"id": self._last, **request}, separators=(",", ":"))
        try:
            self._stream.send(line.encode("ascii") + b"\n")
        except OSError:
            self._ended = self._ended or self._how_it_ended()
            raise self._gone() from None
        return self._last

    def queued(self) -> list[Message]:
        """Messages that were read while somebody waited for another one; they are handed out once."""
        messages, self._queue = self._queue, []
        return messages

    def receive(self) -> list[Message]:
        """All messages that are there now, without waiting."""
        while not self._ended and self._read():
            pass
        if self._ended and not self._queue:
            raise self._gone()
        return self.queued()

    def wait(self, identifier: int, timeout_s: float) -> Message:
        """The final reply to a request; other messages stay queued. Raises LabError when it takes longer."""
        reply = self._wait(
            lambda message: message.get("id") == identifier and "syscall" not in message, timeout_s
        )
        if reply is None:
            raise LabError(f"the agent of host {self.host} did not answer within {timeout_s:g} s")
        return reply

    def ask(self, timeout_s: float = 5.0, **request: Any) -> Any:
        """Post a request and wait; returns the reply's value as it is on the wire.

        Raises LabError where the reply is an error or says that the request was malformed.
        """
        reply = self.wait(self.post(request), timeout_s)
        asked = " ".join(str(request[key]) for key in ("do", "function", "method") if key in request)
        if "malformed" in reply:
            raise LabError(f"the agent of host {self.host} did not take {asked!r}: {reply['malformed']}")
        if "error" in reply:
            error = reply["error"]
            raise LabError(f"host {self.host}: {asked}: {error['errno'] or error['type']}: {error['text']}")
        return reply.get("value")

    def hello(self, timeout_s: float) -> Message:
        """The agent's first line: process id, versions, boot id, clocks. Raises LabError when none comes."""
        message = self._wait(lambda message: "hello" in message, timeout_s)
        if message is None:
            said = self._stream.last_words().strip()
            raise LabError(
                f"the agent of host {self.host} did not start within {timeout_s:g} s"
                + (f": {said}" if said else "")
            )
        return message

    def close(self) -> None:
        """Close our end: the agent kills its programs and ends."""
        self._ended = self._ended or "its channel was closed"
        self._stream.close()

    def _wait(self, wanted: Callable[[Message], bool], timeout_s: float) -> Message | None:
        looked = 0
        deadline = time.monotonic() + timeout_s
        self._read()  # a stream may hold what came while it sent: its descriptor does not tell
        while True:
            for place in range(looked, len(self._queue)):
                if wanted(self._queue[place]):
                    return self._queue.pop(place)
            looked = len(self._queue)
            if self._ended:
                raise self._gone()
            left = deadline - time.monotonic()
            if not self._polling.poll(max(0.0, left * 1000)) and left <= 0:
                return None
            self._read()

    def _read(self) -> bool:
        """Queue the messages of one piece of the stream; False when nothing was there."""
        data = None if self._ended else self._stream.receive()
        if data is None:
            return False
        if data == b"":
            self._ended = self._how_it_ended()
            return False
        self._unfinished.append(data)
        if b"\n" in data:
            *lines, rest = b"".join(self._unfinished).split(b"\n")
            self._unfinished = [rest] if rest else []
            self._queue.extend(self._message(line) for line in lines)
        return True

    def _message(self, line: bytes) -> Message:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise LabError(f"the agent of host {self.host} sent what is not its protocol: {line[:200]!r}")
        return message

    def _how_it_ended(self) -> str:
        ending = getattr(self._stream, "ending", None)
        how = ""
        if ending is not None:
            with contextlib.suppress(OSError):
                how = str(ending())
        return how or "its agent ended"

    def _gone(self) -> HostGone:
        return HostGone(self.host, self._ended, self._stream.last_words())
