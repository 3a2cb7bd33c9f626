"""The runner's end of an agent: requests out, replies and notices in, and a dead host noticed.

One thread, no clock of its own but the caller's timeout. What a request means is `lab.agent`; who asks is the caller.
"""

from __future__ import annotations

from typing import Any, Protocol

Request = dict[str, Any]
Message = dict[str, Any]


class Stream(Protocol):
    """Bytes to and from an agent; an engine makes one for each host."""

    def fileno(self) -> int:
        """A descriptor that is readable when `receive` has something."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError when the other end is gone."""
        ...

    def receive(self) -> bytes | None:
        """What is there now without waiting: bytes, None for nothing yet, b"" for the end."""
        ...

    def close(self) -> None: ...

    def last_words(self) -> str:
        """The end of what the host said on stderr."""
        ...
