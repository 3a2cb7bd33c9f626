"""The stream to an agent in a container: Docker's attach protocol over one hijacked connection.

Docker sends what the process says in frames (see "attach to a container" in its API): 8 bytes, of which the
first is 1 for stdout or 2 for stderr and the last four are the length, then so many bytes. What goes in is
not framed.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

from lab.channel import SocketStream
from lab.container import LARGEST_FILE_BYTES

FINISH_S = 2.0
"""The longest that the end of an agent is waited for: it kills its programs first."""
_HEADER = 8
_STDERR = 2


class AttachedStream(SocketStream):
    """Bytes to and from a process in a container; its stderr goes to a file as it comes.

    `early` are bytes that were read from the connection with the answer's head. `holding` owns the connection
    and is kept as long as the stream is.
    """

    def __init__(
        self,
        connected: socket.socket,
        stderr: Path,
        how: Callable[[], str],
        *,
        early: bytes = b"",
        holding: object = None,
    ) -> None:
        super().__init__(connected, stderr, how)
        self._file = stderr.open("ab", buffering=0)
        self._frames = _Frames()
        self._holding = holding
        self._first = early

    def _receive(self) -> bytes | None:
        while True:
            data = self._first or super()._receive()
            self._first = b""
            if data is None or data == b"":
                return data
            said, aside = self._frames.feed(data)
            if aside:
                with contextlib.suppress(
                    OSError
                ):  # a full disk: what a host says for people is no reason to end
                    if self._file.tell() < LARGEST_FILE_BYTES:
                        self._file.write(aside)
            if said:
                return said

    def finish(self) -> None:
        """Close our direction, which ends the agent, and wait until it has ended; then close the rest."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            waiting = select.poll()
            waiting.register(self._socket.fileno(), select.POLLIN)
            deadline = time.monotonic() + FINISH_S
            while self._receive() != b"" and (left := deadline - time.monotonic()) > 0:
                waiting.poll(left * 1000)
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what the host said to the end, as far as it is there
            while self._receive():
                pass
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        super().close()
        closing = getattr(self._holding, "close", None)
        if closing is not None:
            closing()


class _Frames:
    """Takes frames apart, however they were cut into pieces."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._stderr = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What is in this piece of stdout and of stderr."""
        parts: tuple[list[bytes], list[bytes]] = ([], [])
        offset = 0
        while offset < len(data):
            if self._left == 0:
                missing = _HEADER - len(self._head)
                self._head += data[offset : offset + missing]
                offset += missing
                if len(self._head) == _HEADER:
                    self._stderr = self._head[0] == _STDERR
                    self._left = int.from_bytes(self._head[4:], "big")
                    self._head = b""
                continue
            piece = data[offset : offset + self._left]
            parts[self._stderr].append(piece)
            offset += len(piece)
            self._left -= len(piece)
        return b"".join(parts[0]), b"".join(parts[1])
