"""What no process in a host may do, whoever it is there: a filter of system calls (seccomp(2)).

Root in a host has no capability over the machine, but some of the kernel asks for none: user namespaces, in which
everybody has all of them, the keys of whoever runs the lab, and sockets to what lies under a virtual machine, which
no network namespace bounds. Standard library only and Python 3.9 syntax: the docker engine pipes this file into its
hosts as source, with nothing of ours beside it.
"""

from __future__ import annotations

import errno
import functools
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes milliseconds to import, and every host would wait for it
    from typing import Any

REFUSED = ("add_key", "request_key", "keyctl", "perf_event_open", "bpf", "userfaultfd", "syslog")
"""Calls that always fail with EPERM: keys, tracing of the kernel, its log."""
CLONE_NEWUSER = 0x10000000
AF_VSOCK = 40
"""linux/socket.h: it speaks to the machine under a virtual one, whatever the network namespace (vsock(7))."""

_NAMES = (*REFUSED, "clone", "unshare", "clone3", "socket")
_NUMBERS = {
    "x86_64": (0xC000003E, (248, 249, 250, 298, 321, 323, 103, 56, 272, 435, 41)),
    "aarch64": (0xC00000B7, (217, 218, 219, 241, 280, 282, 116, 220, 97, 435, 198)),
}
"""AUDIT_ARCH of linux/audit.h, and the numbers of `_NAMES`: asm/unistd_64.h, asm-generic/unistd.h."""
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Codes of the filter's machine: BPF_LD|W|ABS, BPF_JMP|JEQ|K, JGE, JSET, BPF_RET|K (linux/bpf_common.h)."""
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
"""Where struct seccomp_data has them; the lower half of an argument, as all machines above are little-endian."""
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


def confine() -> None:
    """Give up, for this thread and all that comes of it, what the filter refuses and what setuid programs give.

    Nothing where the machine is of another kind than the two that are known here, or where this Python has no
    ctypes. Raises OSError where the kernel refuses; one that was built without filters is no error.
    """
    try:
        library, program, _ = make_ready()
    except ImportError:
        return
    import ctypes

    if library.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs: " + os.strerror(ctypes.get_errno()))
    if program and library.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), program, 0, 0):
        code = ctypes.get_errno()
        if code != errno.EINVAL:  # CONFIG_SECCOMP_FILTER is not set: prctl(2)
            raise OSError(code, "seccomp: " + os.strerror(code))


@functools.cache
def make_ready() -> tuple[Any, bytes, Any]:
    """The C library, the filter as a struct sock_fprog, and the memory that this points to.

    Whoever forks hosts calls it before, so that not each of them has to make it. Raises ImportError without ctypes.
    """
    import ctypes

    library: Any = ctypes.CDLL(None, use_errno=True)
    lines = filter_for(os.uname().machine)
    kept = ctypes.create_string_buffer(lines, len(lines))
    program = struct.pack("HxxxxxxP", len(lines) // 8, ctypes.addressof(kept)) if lines else b""
    return library, program, kept


def filter_for(machine: str) -> bytes:
    """The filter as an array of struct sock_filter; empty for a machine that is not known here.

    A call of another machine's numbering (a 32-bit program's) ends its process with SIGSYS: it would get round
    the filter.
    """
    if machine not in _NUMBERS:
        return b""
    architecture, numbers = _NUMBERS[machine]
    number = dict(zip(_NAMES, numbers))  # noqa: B905 - `strict` is Python 3.10's
    lines = [_line(_LOAD, _ARCHITECTURE_AT), _line(_EQUAL, architecture, 1, 0), _line(_RETURN, _KILL)]
    lines += [_line(_LOAD, _NUMBER_AT), _line(_AT_LEAST, _X32, 0, 1), _line(_RETURN, _KILL)]
    for name in REFUSED:
        lines += [_line(_EQUAL, number[name], 0, 1), _fail(errno.EPERM)]
    # Its flags lie in memory, where no filter can look: without it the C library uses clone.
    lines += [_line(_EQUAL, number["clone3"], 0, 1), _fail(errno.ENOSYS)]
    for name in ("clone", "unshare"):
        lines += _with_argument(number[name], _line(_ANY_BIT, CLONE_NEWUSER, 0, 1), errno.EPERM)
    lines += _with_argument(number["socket"], _line(_EQUAL, AF_VSOCK, 0, 1), errno.EAFNOSUPPORT)
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _with_argument(number: int, test: bytes, code: int) -> list[bytes]:
    """Fail with that errno where it is this call and the test of its first argument holds."""
    return [
        _line(_EQUAL, number, 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT_AT),
        test,
        _fail(code),
        _line(_RETURN, _ALLOW),
    ]


def _fail(code: int) -> bytes:
    return _line(_RETURN, _FAIL | code)


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
