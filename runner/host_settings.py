"""What a scenario says of one host beside its addresses: capabilities, limits, sysctls, files.

Slips of the finger are found here; whether kernel and engine have what is asked for is known where it is played.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.errors import Misplaced
from runner.model import Surroundings, WrongKey
from runner.reading import suggestion
from runner.values import below, map_of, read_bytes, read_text, read_whole

LIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
"""Resources of getrlimit(2), without `RLIMIT_` and in small letters."""
NO_LIMIT = -1
"""RLIM_INFINITY of getrlimit(2), as Python writes it."""

_A_NUMBER = re.compile(
    r"net\.(?:core\.somaxconn|ipv4\.(?:(?:tcp|udp|ip|ipfrag|icmp|igmp)_[a-z0-9_]+)"
    r"|ipv[46]\.(?:conf|neigh)\.[^.]+\.[a-z0-9_]+)"
)
_NO_NUMBER = re.compile(
    r".*\.(?:tcp_(?:(?:allowed|available)_.*|congestion_control|fastopen_key|mem|rmem|wmem)|udp_mem"
    r"|ip_local_(?:port_range|reserved_ports)|stable_secret)"
)
"""Sysctls that are one number, and those among them that are words, lists or ranges: ip-sysctl of the kernel's
documentation."""
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")


def read_capability(value: Any, around: Surroundings) -> str:
    """A Linux capability (capabilities(7)), with or without `CAP_`, in any letters; raises Misplaced for no such."""
    from lab.syscalls import CAPABILITIES  # late: few scenarios name one, and it brings ctypes along

    text = read_text(value, around)
    name = text.upper().removeprefix("CAP_")
    if name not in CAPABILITIES:
        near = suggestion(name, CAPABILITIES)
        raise Misplaced(
            f"there is no capability {text!r} (capabilities(7))", length=max(1, len(text)), suggestion=near
        )
    return name


def read_limits(value: Any, around: Surroundings) -> Mapping[str, int]:
    """Limit -> value, as setrlimit(2) names them without `RLIMIT_`, in small letters; -1 for none.

    Raises Misplaced for a name or a number that can be none.
    """
    found: dict[str, int] = map_of(_read_limit)(value, around)
    for name in found:
        if name not in LIMITS:
            message = f"there is no limit {name!r} (getrlimit(2))"
            raise WrongKey((name,), message, suggestion=suggestion(name, LIMITS))
    return found


def _read_limit(value: Any, around: Surroundings) -> int:
    number = read_whole(value, around)
    if number < NO_LIMIT:
        message = f"a limit is a number from 0, or {NO_LIMIT} for none, not {number} (getrlimit(2))"
        raise Misplaced(message, length=max(1, len(str(value))))
    return number


def read_sysctls(value: Any, around: Surroundings) -> Mapping[str, str]:
    """Setting -> value, as sysctl(8) names them, with `?` at the end where the kernel may lack it.

    Raises Misplaced for a text where the kernel is known to want a number.
    """
    found: dict[str, str] = map_of(read_text)(value, around)
    for key in found:
        name = key.removesuffix("?")
        if _A_NUMBER.fullmatch(name) and not _NO_NUMBER.fullmatch(name):
            below(key, _read_number, found[key], around)
    return found


def _read_number(value: Any, around: Surroundings) -> None:
    if not _NUMBER.fullmatch(value.strip()):
        raise Misplaced(f"this sysctl is a number, not {value!r}", length=max(1, len(value)))


def read_files(value: Any, around: Surroundings) -> Mapping[str, bytes]:
    """Path in the host -> contents; raises WrongKey for a path that is not absolute, or of no file."""
    found: dict[str, bytes] = map_of(read_bytes)(value, around)
    for path in found:
        if not path.startswith("/"):
            message = f"a file of a host has an absolute path, not {path!r}"
            raise WrongKey((path,), message, suggestion=f"/{path}")
        if ".." in path.split("/") or path.endswith("/"):
            raise WrongKey((path,), f"a file of a host has the path of a file, without `..`, not {path!r}")
    return found
