"""The types of values in a scenario, as types of fields: text, numbers, durations, bytes, constants, addresses.

The place decides the type: each type reads a written text. Values that are expected, with their ranges and
alternatives, are `runner.expected`. Nothing here does I/O but `{file: ..}`, through its surroundings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, TypeAlias

from runner.commands import Constant
from runner.errors import Misplaced
from runner.model import MisplacedAt, Reader, Reads, Surroundings
from runner.names import NAME, Unfilled, holds_unfilled
from runner.reading import suggestion

MOST_BYTES = 64 << 20
"""How long the bytes of one value may be."""


def refuse(value: Any, wanted: str) -> NoReturn:
    """Raise Misplaced: `wanted` is what should stand here."""
    match value:
        case dict():
            found = "a map"
        case list():
            found = "a list"
        case _:
            found = repr(value)
    raise Misplaced(
        f"{wanted} is wanted here, not {found}", length=len(value) if isinstance(value, str) else 1
    )


def refuse_keys(value: Mapping[Any, Any], known: Sequence[str]) -> None:
    """Raise MisplacedAt for a key of a map that is not among the known ones."""
    for key in value:
        if key not in known:
            raise MisplacedAt(
                (),
                f"there is no key {key!r} here (but {', '.join(known)})",
                suggestion=suggestion(str(key), known),
            )


# -- text, numbers, truth ------------------------------------------------------------------------------------------------


def read_text(value: Any, around: Surroundings) -> str:
    """A text as it is written; bytes and numbers that a name stood for become text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                raise Misplaced("these bytes are not UTF-8 text") from None
        case _:
            refuse(value, "a text")


_WHOLE = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]{1,16}|0[bB][01]{1,64}|0[oO][0-7]{1,22}|[0-9]{1,19})")


def read_whole(value: Any, around: Surroundings) -> int:
    """A whole number: `10`, `-1`, `0x0a`, `0b1010`. A number that begins with 0 is decimal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        refuse(value, "a whole number")
    digits = value.lstrip("+-")
    number = int(digits, 0) if digits[:2].lower() in ("0x", "0b", "0o") else int(digits)
    return -number if value.startswith("-") else number


def read_truth(value: Any, around: Surroundings) -> bool:
    """`true` or `false`, and nothing else."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    if isinstance(value, str) and value.lower() in ("yes", "on", "y", "1", "no", "off", "n", "0"):
        meant = "true" if value.lower() in ("yes", "on", "y", "1") else "false"
        raise Misplaced(f"true or false is wanted here, not {value!r}", length=len(value), suggestion=meant)
    refuse(value, "true or false")


UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
}
"""Units of durations, in nanoseconds."""
_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?([a-zµ]+)?")


def read_duration(value: Any, around: Surroundings) -> int:
    """A duration in nanoseconds: `250ms`, `1.5s`, `1min`. The unit is needed."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        refuse(value, "a duration such as 250ms or 1.5s")
    sign, whole, fraction, unit = found.groups()
    if unit is None:
        raise Misplaced(f"a duration needs a unit: {value}s or {value}ms?", length=len(value))
    if unit not in UNITS:
        known = ", ".join(UNITS)
        raise Misplaced(
            f"{unit!r} is no unit of time (but {known})", column=len(value) - len(unit), length=len(unit)
        )
    scale = UNITS[unit]
    ns = int(whole) * scale + int((fraction or "0").ljust(9, "0")) * scale // 1_000_000_000
    if sign and not around.lenient:
        raise Misplaced("a duration cannot be negative", length=len(value))
    return -ns if sign else ns


def duration_text(ns: int) -> str:
    """A duration as one would write it: `250ms`, `1.5s`."""
    for unit in ("min", "s", "ms", "us"):
        if ns and ns % (UNITS[unit] // 10 if unit != "min" else UNITS[unit]) == 0 and abs(ns) >= UNITS[unit]:
            return f"{ns / UNITS[unit]:g}{unit}"
    return f"{ns / UNITS['ms']:g}ms" if ns % 1000 == 0 else f"{ns}ns"


# -- bytes ---------------------------------------------------------------------------------------------------------------

BYTE_KEYS = ("hex", "repeat", "random", "file", "join")


def read_bytes(value: Any, around: Surroundings) -> bytes:
    """Bytes: a text (UTF-8), or one of {hex}, {repeat, times}, {random, seed}, {file}, {join}."""
    if holds_unfilled(value):
        return b""  # read again when the step is settled
    match value:
        case bytes():
            return value
        case str():
            return value.encode("utf-8", "surrogateescape")
        case int() if not isinstance(value, bool):
            return str(value).encode()
        case {"hex": digits, **rest}:
            refuse_keys(rest, ("hex",))
            return below("hex", _hex, digits, around)
        case {"repeat": part, "times": times, **rest}:
            refuse_keys(rest, ("repeat", "times"))
            return _repeated(
                below("repeat", read_bytes, part, around), below("times", read_whole, times, around)
            )
        case {"random": length, **rest}:
            refuse_keys(rest, ("random", "seed"))
            seed = below("seed", read_whole, rest.get("seed", "0"), around)
            return _random(below("random", read_whole, length, around), seed)
        case {"file": path, **rest}:
            refuse_keys(rest, ("file",))
            return below("file", lambda value, around: around.file(read_text(value, around)), path, around)
        case {"join": parts, **rest}:
            refuse_keys(rest, ("join",))
            return below("join", _joined, parts, around)
        case {"repeat": _}:
            raise Misplaced("repeat needs a key 'times'")
        case dict():
            refuse_keys(value, BYTE_KEYS)
    refuse(value, "a text, or one of {hex}, {repeat, times}, {random, seed}, {file}, {join},")


def below(key: str | int, reader: Reader, value: Any, around: Surroundings) -> Any:
    """Read a value that stands under a key of a map; a mistake in it gets the key as its place.

    What has a name that is not known yet stays as it is.
    """
    if isinstance(value, Unfilled):
        return value
    try:
        return reader(value, around)
    except Misplaced as wrong:
        raise MisplacedAt.below(key, wrong) from None




def _hex(value: Any, around: Surroundings) -> bytes:
    text = read_text(value, around)
    wrong = re.search(r"[^0-9A-Fa-f\s:]", text)
    if wrong:
        raise Misplaced(f"{wrong[0]!r} is no hexadecimal digit", column=wrong.start())
    digits = re.sub(r"[\s:]", "", text)
    if len(digits) % 2:
        raise Misplaced("a byte is two hexadecimal digits, and their number is odd", length=len(text))
    return bytes.fromhex(digits)


def _sized(length: int) -> None:
    if not 0 <= length <= MOST_BYTES:
        raise Misplaced(f"bytes have a length from 0 to {MOST_BYTES >> 20} MiB")


def _repeated(part: bytes, times: int) -> bytes:
    _sized(len(part) * times)
    return part * times if times <= MOST_BYTES else b""


def _random(length: int, seed: int) -> bytes:
    """The same bytes for the same seed everywhere (random.Random.randbytes)."""
    _sized(length)
    import random

    return random.Random(seed).randbytes(length)


def _joined(value: Any, around: Surroundings) -> bytes:
    if not isinstance(value, list):
        refuse(value, "a list of bytes")
    parts: list[bytes] = []
    for number, part in enumerate(value):
        parts.append(below(number, read_bytes, part, around))
        _sized(sum(map(len, parts)))
    return b"".join(parts)


# -- names and constants ---------------------------------------------------------------------------------------------------


def read_name(value: Any, around: Surroundings) -> str:
    """A name: letters, digits and `_`, not beginning with a digit."""
    text = read_text(value, around)
    if not NAME.fullmatch(text):
        raise Misplaced(f"{text!r} is no name: letters, digits and _", length=max(1, len(text)))
    return text


_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Za-z0-9]+)*")

KNOWN_CONSTANTS = (
    "AF_INET AF_INET6 AF_UNIX AF_PACKET AF_NETLINK AF_TIPC SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_SEQPACKET SOCK_RDM "
    "SOCK_NONBLOCK SOCK_CLOEXEC IPPROTO_TCP IPPROTO_UDP IPPROTO_ICMP IPPROTO_ICMPV6 IPPROTO_IGMP IPPROTO_RAW "
    "IPPROTO_IP IPPROTO_IPV6 SOL_SOCKET SHUT_RD SHUT_WR SHUT_RDWR MSG_PEEK MSG_WAITALL MSG_DONTWAIT MSG_OOB "
    "MSG_NOSIGNAL MSG_TRUNC MSG_CTRUNC MSG_ERRQUEUE MSG_MORE MSG_DONTROUTE MSG_EOR SO_REUSEADDR SO_REUSEPORT "
    "SO_KEEPALIVE SO_BROADCAST SO_LINGER SO_RCVBUF SO_SNDBUF SO_RCVTIMEO SO_SNDTIMEO SO_ERROR SO_TYPE SO_ACCEPTCONN "
    "SO_BINDTODEVICE SO_OOBINLINE SO_DONTROUTE SO_RCVLOWAT SO_PEERCRED SO_PASSCRED SO_DOMAIN SO_PROTOCOL SO_MARK "
    "SO_PRIORITY TCP_NODELAY TCP_CORK TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_MAXSEG TCP_USER_TIMEOUT "
    "TCP_DEFER_ACCEPT TCP_QUICKACK TCP_SYNCNT TCP_LINGER2 TCP_WINDOW_CLAMP TCP_INFO TCP_CONGESTION TCP_FASTOPEN "
    "TCP_NOTSENT_LOWAT IP_TTL IP_TOS IP_HDRINCL IP_OPTIONS IP_RECVERR IP_MTU IP_MTU_DISCOVER IP_MULTICAST_IF "
    "IP_MULTICAST_TTL IP_MULTICAST_LOOP IP_ADD_MEMBERSHIP IP_DROP_MEMBERSHIP IP_TRANSPARENT IP_PKTINFO IP_RECVTTL "
    "IPV6_V6ONLY IPV6_JOIN_GROUP IPV6_LEAVE_GROUP IPV6_MULTICAST_IF IPV6_MULTICAST_HOPS IPV6_MULTICAST_LOOP "
    "IPV6_UNICAST_HOPS IPV6_CHECKSUM AI_PASSIVE AI_CANONNAME AI_NUMERICHOST AI_NUMERICSERV AI_V4MAPPED AI_ALL "
    "AI_ADDRCONFIG NI_NUMERICHOST NI_NUMERICSERV NI_NAMEREQD NI_NOFQDN NI_DGRAM SCM_RIGHTS SCM_CREDENTIALS "
    "POLLIN POLLOUT POLLPRI POLLERR POLLHUP POLLNVAL POLLRDHUP "
    "SIGHUP SIGINT SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGTERM SIGCONT SIGSTOP SIGPIPE SIGCHLD SIGALRM"
).split()
"""Constants that are often used: for suggestions only. Whether one exists is known in the host that looks it up."""


def constant(*prefixes: str) -> Callable[[Any, Surroundings], Constant | int]:
    """A reader of constants whose names begin with one of these prefixes (any, where none is given).

    Constants of the socket API by name, several joined with `|`, or a whole number.
    """

    def read(value: Any, around: Surroundings) -> Constant | int:
        if isinstance(value, Constant):
            return value
        text = read_text(value, around)
        if _WHOLE.fullmatch(text):
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


# -- addresses -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Address:
    """A socket's address as written: `text` always, `host` and `port` where it has that form.

    A path, `@abstract` name, or another family's address has neither. `refused` is a port (or text) that the API itself
    will refuse, and `raises` says so.
    """

    text: str
    host: str | None = None
    port: int | str | None = None

    def __str__(self) -> str:
        return self.text


_PORTED = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]/@]*)):(?P<port>[^:]*)")
_LITERAL4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_LITERAL6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9_.-]+)?")
_WELL_KNOWN = ("", "localhost", "<broadcast>", "<any>")


def read_address(value: Any, around: Surroundings) -> Address:
    """An address: `HOST:PORT`, `:PORT`, `[v6]:PORT`, a bare host, a path, `@abstract`."""
    text = read_text(value, around)
    if text.startswith("@") or "/" in text:
        return Address(text)
    found = _PORTED.fullmatch(text)
    if found is None:
        return _bare(text, around)
    host = found["v6"] if found["v6"] is not None else found["host"]
    if found["v6"] is not None and not _LITERAL6.fullmatch(host):
        raise Misplaced("an IPv6 address is wanted between [ and ]", column=1, length=max(1, len(host)))
    check_host(host, around)
    return Address(text, host, _port(found["port"], found.start("port"), around))


def _bare(text: str, around: Surroundings) -> Address:
    """A host without a port, as raw sockets have it."""
    if _LITERAL6.fullmatch(text):
        return Address(text, text)
    if ":" in text or "[" in text:
        raise Misplaced(
            "an address is wanted here: HOST:PORT, :PORT, [v6]:PORT, a path or @name",
            length=max(1, len(text)),
        )
    check_host(text, around)
    return Address(text, text)


def _port(text: str, column: int, around: Surroundings) -> int | str:
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        port = int(text)
        if 0 <= port <= 65535 or around.lenient:
            return port
        raise Misplaced(f"a port is a number from 0 to 65535, not {text}", column=column, length=len(text))
    if around.lenient:
        return text
    raise Misplaced(
        f"a port is a number from 0 to 65535, not {text!r}", column=column, length=max(1, len(text))
    )


def check_host(name: str, around: Surroundings, column: int = 0) -> None:
    """Raise Misplaced for a name that looks like a host of the lab and is none.

    Names with a dot may be known to a name server, and where `raises` is said they may be unknown on purpose.
    """
    if not around.hosts or around.lenient or name in around.hosts or name in _WELL_KNOWN:
        return
    if "." in name or ":" in name or not NAME.match(name):
        return
    raise Misplaced(
        f"there is no host {name!r}",
        column=column,
        length=len(name),
        suggestion=suggestion(name, around.hosts),
    )


# -- maps and lists --------------------------------------------------------------------------------------------------------


def list_of(reader: Reader, *, single: bool = False) -> Callable[[Any, Surroundings], tuple[Any, ...]]:
    """A reader of lists, each entry read by `reader`; with `single` one value stands for a list of one."""

    def read(value: Any, around: Surroundings) -> tuple[Any, ...]:
        if single and isinstance(value, str):
            return (reader(value, around),)
        if not isinstance(value, list):
            refuse(value, "a list")
        return tuple(below(number, reader, item, around) for number, item in enumerate(value))

    return read


def map_of(reader: Reader) -> Callable[[Any, Surroundings], dict[str, Any]]:
    """A reader of maps with free keys, each value read by `reader`."""

    def read(value: Any, around: Surroundings) -> dict[str, Any]:
        if not isinstance(value, dict):
            refuse(value, "a map")
        return {key: below(key, reader, item, around) for key, item in value.items()}

    return read


# -- types -----------------------------------------------------------------------------------------------------------------

_SCALAR = {"type": ["string", "number", "boolean", "null"]}
"""What YAML tools may take a plain text for: the language reads the written text."""
BYTES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        _SCALAR,
        {
            "type": "object",
            "required": ["hex"],
            "properties": {"hex": _SCALAR},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["repeat", "times"],
            "properties": {"repeat": {"$ref": "#/$defs/bytes"}, "times": {"$ref": "#/$defs/whole"}},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["random"],
            "properties": {"random": {"$ref": "#/$defs/whole"}, "seed": {"$ref": "#/$defs/whole"}},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["file"],
            "properties": {"file": _SCALAR},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["join"],
            "properties": {"join": {"type": "array", "items": {"$ref": "#/$defs/bytes"}}},
            "additionalProperties": False,
        },
    ]
}
TEXT_SCHEMA: dict[str, Any] = _SCALAR
WHOLE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer"},
        {"type": "string", "pattern": r"^[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|[0-9]+)$|\$"},
    ]
}
DURATION_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?(ns|us|ms|s|min|h)$|\$",
}
NAME_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"^[A-Za-z_$][A-Za-z0-9_$.+]*$"}
CONSTANT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer"},
        {"type": "string", "pattern": r"^[A-Z0-9][A-Za-z0-9_]*( *\| *[A-Z0-9][A-Za-z0-9_]*)*$|\$"},
    ]
}
SHARED_SCHEMAS: Mapping[str, Any] = {"bytes": BYTES_SCHEMA, "whole": WHOLE_SCHEMA}
"""Schemas that refer to themselves; `runner.schema` puts them under `$defs`."""

Text: TypeAlias = Annotated[str, Reads(read_text, TEXT_SCHEMA)]
Whole: TypeAlias = Annotated[int, Reads(read_whole, WHOLE_SCHEMA)]
Truth: TypeAlias = Annotated[bool, Reads(read_truth, {"enum": [True, False, "true", "false"]})]
Duration: TypeAlias = Annotated[int, Reads(read_duration, DURATION_SCHEMA)]
"""Nanoseconds."""
Bytes: TypeAlias = Annotated[bytes, Reads(read_bytes, {"$ref": "#/$defs/bytes"})]
Name: TypeAlias = Annotated[str, Reads(read_name, NAME_SCHEMA)]
ConstantName: TypeAlias = Annotated[Constant | int, Reads(constant(), CONSTANT_SCHEMA)]
AddressText: TypeAlias = Annotated[Address, Reads(read_address, {"type": "string"})]
Texts: TypeAlias = Annotated[
    tuple[str, ...], Reads(list_of(read_text), {"type": "array", "items": TEXT_SCHEMA})
]
