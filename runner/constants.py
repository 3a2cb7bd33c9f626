"""Constants of the socket API as values of a scenario: by name, several joined with `|`, or a number.

Whether a constant exists is known in the host that looks it up; here only slips of the finger are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from runner.commands import Constant
from runner.errors import Misplaced
from runner.model import Reads, Surroundings
from runner.reading import suggestion
from runner.values import is_whole, read_text, read_whole

_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Za-z0-9]+)*")

KNOWN_CONSTANTS = (
    "AF_INET", "AF_INET6", "AF_UNIX", "AF_PACKET", "AF_NETLINK", "AF_TIPC", "SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW",
    "SOCK_SEQPACKET", "SOCK_RDM", "SOCK_NONBLOCK", "SOCK_CLOEXEC", "IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_ICMP",
    "IPPROTO_ICMPV6", "IPPROTO_IGMP", "IPPROTO_RAW", "IPPROTO_IP", "IPPROTO_IPV6", "SOL_SOCKET", "SHUT_RD",
    "SHUT_WR", "SHUT_RDWR", "MSG_PEEK", "MSG_WAITALL", "MSG_DONTWAIT", "MSG_OOB", "MSG_NOSIGNAL", "MSG_TRUNC",
    "MSG_CTRUNC", "MSG_ERRQUEUE", "MSG_MORE", "MSG_DONTROUTE", "MSG_EOR", "SO_REUSEADDR", "SO_REUSEPORT",
    "SO_KEEPALIVE", "SO_BROADCAST", "SO_LINGER", "SO_RCVBUF", "SO_SNDBUF", "SO_RCVTIMEO", "SO_SNDTIMEO", "SO_ERROR",
    "SO_TYPE", "SO_ACCEPTCONN", "SO_BINDTODEVICE", "SO_OOBINLINE", "SO_DONTROUTE", "SO_RCVLOWAT", "SO_PEERCRED",
    "SO_PASSCRED", "SO_DOMAIN", "SO_PROTOCOL", "SO_MARK", "SO_PRIORITY", "TCP_NODELAY", "TCP_CORK", "TCP_KEEPIDLE",
    "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_MAXSEG", "TCP_USER_TIMEOUT", "TCP_DEFER_ACCEPT", "TCP_QUICKACK",
    "TCP_SYNCNT", "TCP_LINGER2", "TCP_WINDOW_CLAMP", "TCP_INFO", "TCP_CONGESTION", "TCP_FASTOPEN",
    "TCP_NOTSENT_LOWAT", "IP_TTL", "IP_TOS", "IP_HDRINCL", "IP_OPTIONS", "IP_RECVERR", "IP_MTU", "IP_MTU_DISCOVER",
    "IP_MULTICAST_IF", "IP_MULTICAST_TTL", "IP_MULTICAST_LOOP", "IP_ADD_MEMBERSHIP", "IP_DROP_MEMBERSHIP",
    "IP_TRANSPARENT", "IP_PKTINFO", "IP_RECVTTL", "IPV6_V6ONLY", "IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP",
    "IPV6_MULTICAST_IF", "IPV6_MULTICAST_HOPS", "IPV6_MULTICAST_LOOP", "IPV6_UNICAST_HOPS", "IPV6_CHECKSUM",
    "AI_PASSIVE", "AI_CANONNAME", "AI_NUMERICHOST", "AI_NUMERICSERV", "AI_V4MAPPED", "AI_ALL", "AI_ADDRCONFIG",
    "NI_NUMERICHOST", "NI_NUMERICSERV", "NI_NAMEREQD", "NI_NOFQDN", "NI_DGRAM", "SCM_RIGHTS", "SCM_CREDENTIALS",
    "POLLIN", "POLLOUT", "POLLPRI", "POLLERR", "POLLHUP", "POLLNVAL", "POLLRDHUP", "SIGHUP", "SIGINT", "SIGQUIT",
    "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGCONT", "SIGSTOP", "SIGPIPE", "SIGCHLD", "SIGALRM",
)  # fmt: skip
"""Constants that are often used: for suggestions only. Whether one exists is known in the host that looks it
up."""


def constant(*prefixes: str) -> Callable[[Any, Surroundings], Constant | int]:
    """A reader of constants whose names begin with one of these prefixes (any, where none is given).

    Constants of the socket API by name, several joined with `|`, or a whole number.
    """

    def read(value: Any, around: Surroundings) -> Constant | int:
        if isinstance(value, Constant):
            return value
        text = read_text(value, around)
        if is_whole(text):
            return read_whole(text, around)
        for found in re.finditer(r"[^|]+", text):
            _check_constant(found[0].strip(), found.start(), prefixes)
        if not text.strip("| "):
            raise Misplaced("the name of a constant is wanted here")
        return Constant("|".join(word.strip() for word in text.split("|")))

    return read


def _check_constant(word: str, column: int, prefixes: Sequence[str]) -> None:
    known = [name for name in KNOWN_CONSTANTS if not prefixes or name.startswith(tuple(prefixes))]
    if not _CONSTANT.fullmatch(word):
        raise Misplaced(
            f"{word!r} is no constant's name",
            column=column,
            length=max(1, len(word)),
            suggestion=suggestion(word, known),
        )
    if prefixes and not word.startswith(tuple(prefixes)):
        kinds = " or ".join(prefixes)
        raise Misplaced(
            f"a constant that begins with {kinds} is wanted here, not {word}",
            column=column,
            length=len(word),
            suggestion=suggestion(word, known),
        )
    if word not in known and (near := suggestion(word, known)) and _differs_by_one(word, near):
        raise Misplaced(f"there is no constant {word}", column=column, length=len(word), suggestion=near)


def _differs_by_one(word: str, near: str) -> bool:
    """Whether two words differ by one letter more, less, changed or by two swapped: a slip of the finger.

    A digit at the end makes another constant (`AF_INET6`), not a slip.
    """
    if word[-1].isdigit() != near[-1].isdigit() or abs(len(word) - len(near)) > 1:
        return False
    start = next(
        (n for n, (a, b) in enumerate(zip(word, near, strict=False)) if a != b), min(len(word), len(near))
    )
    a, b = word[start:], near[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


def constant_schema(*prefixes: str) -> dict[str, Any]:
    """The JSON Schema of what `constant` reads: those often used by name, then any other that begins like them."""
    known = [name for name in KNOWN_CONSTANTS if name.startswith(prefixes or "")]
    word = rf"(?:{'|'.join(prefixes)})[A-Za-z0-9_]*" if prefixes else "[A-Z][A-Za-z0-9_]*"
    others = {"type": "string", "pattern": rf"^[| ]*{word}(?:[| ]+{word})*[| ]*$|^[+-]?[0-9]|\$"}
    return {"anyOf": [{"enum": known}, {"type": "integer"}, others]}


def constants(*prefixes: str) -> Reads:
    """How a key reads a constant that begins with one of these prefixes, and its JSON Schema."""
    return Reads(constant(*prefixes), constant_schema(*prefixes))


CONSTANT_SCHEMA = constant_schema()
SHARED_SCHEMAS: Mapping[str, Any] = {"constant": CONSTANT_SCHEMA, "constant.MSG": constant_schema("MSG_")}
"""Those that many keys have; `runner.schema` writes each once."""
ConstantName: TypeAlias = Annotated[Constant | int, constants()]
