"""Errno names and Python's exception names: which there are, and which stand for which.

`raises:` names either. What a call raised is told by name, so nothing here looks at numbers of the host.
"""

from __future__ import annotations

import builtins
import errno
import re
import sys
from typing import Any

from runner.commands import Failure
from runner.errors import Misplaced
from runner.model import Surroundings
from runner.reading import suggestion
from runner.values import read_text

ADDRESS_ERRORS = (
    "EAI_ADDRFAMILY", "EAI_AGAIN", "EAI_BADFLAGS", "EAI_FAIL", "EAI_FAMILY", "EAI_MEMORY", "EAI_NODATA", "EAI_NONAME",
    "EAI_OVERFLOW", "EAI_SERVICE", "EAI_SOCKTYPE", "EAI_SYSTEM",
)  # fmt: skip
"""What getaddrinfo(3) fails with."""
_OF_SOCKET: dict[str, type[BaseException]] = {
    "gaierror": OSError,
    "herror": OSError,
    "timeout": TimeoutError,
    "error": OSError,
}
"""Exceptions of the module `socket`, and what they are a kind of."""


_OFTEN = (
    "BlockingIOError", "BrokenPipeError", "ConnectionError", "ConnectionAbortedError", "ConnectionRefusedError",
    "ConnectionResetError", "FileNotFoundError", "InterruptedError", "OSError", "OverflowError", "PermissionError",
    "TimeoutError", "TypeError", "ValueError", "gaierror", "herror",
)  # fmt: skip


def exceptions() -> dict[str, type[BaseException]]:
    """Exception name -> class, for Python's own."""
    found = {
        name: one
        for name, one in vars(builtins).items()
        if isinstance(one, type) and issubclass(one, Exception)
    }
    return {**found, **_OF_SOCKET}


def errno_names() -> set[str]:
    """All errno names: this machine's and getaddrinfo's."""
    return {*errno.errorcode.values(), "EWOULDBLOCK", "ENOTSUP", "EDEADLOCK", *ADDRESS_ERRORS}


FAILURE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": [*sorted(errno_names()), *_OFTEN]},
        {"type": "string", "pattern": r"^[A-Z]+[a-z][A-Za-z]*$|^(timeout|error)$|\$"},
    ]
}
"""Errno names, and the exceptions that calls of sockets raise often; which others there are depends on the Python."""


def errno_number(name: str) -> int:
    """The number of an errno name; raises Misplaced where there is none."""
    number = getattr(errno, name, None)
    if isinstance(number, int):
        return number
    known = [one for one in dir(errno) if one.startswith("E")]
    raise Misplaced(f"there is no errno {name}", length=len(name), suggestion=suggestion(name, known))


def read_failure(value: Any, around: Surroundings) -> str:
    """An errno or exception by name, as `raises` has it."""
    name = read_text(value, around)
    if name in errno_names() or name in exceptions():
        return name
    if sys.platform != "linux" and re.fullmatch(r"E[A-Z0-9]+", name):
        return name
    known = errno_names() if name.isupper() else set(exceptions())
    what = "errno" if name.isupper() else "errno or exception of Python"
    raise Misplaced(
        f"there is no {what} {name!r}", length=max(1, len(name)), suggestion=suggestion(name, known)
    )


def is_failure(name: str, failure: Failure) -> bool:
    """Whether what was raised is the errno or the exception of that name, or a kind of it (PEP 3151)."""
    if name in (failure.errno, failure.type):
        return True
    if failure.errno and _number(name) is not None:
        return _number(name) == _number(failure.errno)
    known = exceptions()
    wanted, raised = known.get(name), known.get(failure.type)
    if wanted is None:
        return False
    if name in _OF_SOCKET and name != "error" and name != "timeout":
        return False
    return raised is not None and issubclass(raised, wanted)


def _number(name: str) -> int | None:
    number = getattr(errno, name, None)
    return number if isinstance(number, int) else None
