"""Values of a record as C writes them: strings, addresses as structures, options, constants.

Structures are written in braces, their parts in the order of their declaration (netinet/in.h, sys/un.h), numbers in
the host's byte order: strace(1) does so too, with the names of the parts beside them.
"""

from __future__ import annotations

import base64
import errno
import struct
from collections.abc import Iterable, Sequence
from typing import Any

SHOWN = 32
"""A longer string is written as a beginning of so many bytes and dots, as strace does."""

SIZES = {"AF_INET": 16, "AF_INET6": 28, "AF_PACKET": 20, "AF_NETLINK": 12, "AF_VSOCK": 16, "AF_TIPC": 16}
"""Family -> how many bytes its addresses take (sockaddr(3type))."""
_UNIX_PATH = 2
"""Where the path begins in a sockaddr_un (unix(7))."""
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_ANY = {"AF_INET": "0.0.0.0", "AF_INET6": "::"}
_BROADCAST = "<broadcast>"
"""How Python names 255.255.255.255."""


def data_of(value: Any) -> bytes | None:
    """The bytes of a value as a record holds it; None where it holds something else."""
    match value:
        case {"base64": str() as text}:
            try:
                return base64.b64decode(text)
            except ValueError:  # a damaged record: what it says, as it is
                return text.encode("utf-8", "surrogatepass")
        case {"bytes": str() as text} | (str() as text):
            return text.encode("utf-8", "surrogatepass")
        case _:
            return None


def string(data: bytes | str) -> str:
    """A string literal; text stays text, other bytes are octal escapes (C17 6.4.4.4): three digits end themselves."""
    whole = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    inner = "".join(map(_character, _text(whole)))
    return f'"{inner}"' + ("..." if len(whole) > SHOWN else "")


def _text(whole: bytes) -> str:
    """The beginning that is shown: as the text that it is, else each byte for itself."""
    try:
        text = whole.decode("utf-8")
    except UnicodeDecodeError:
        return whole[:SHOWN].decode("ascii", "surrogateescape")
    while len(text.encode()) > SHOWN:
        text = text[: min(len(text) - 1, SHOWN)]
    return text


def _character(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable():
        return one
    return "".join(f"\\{byte:03o}" for byte in one.encode("utf-8", "surrogateescape"))


def contents(data: bytes) -> str:
    """What an option was filled with: a text up to its end, or how many bytes of a structure."""
    text = data.rstrip(b"\0")
    return (
        string(text) if text.isascii() and text.decode().isprintable() and text else f"{{{len(data)} bytes}}"
    )


def address(one: Any, family: str | None) -> tuple[str, int | None]:
    """An address as a structure, and how many bytes it takes (None: unknown)."""
    match one:
        case [str() as host, int() as port] if family not in ("AF_PACKET", "AF_NETLINK"):
            chosen = family or ("AF_INET6" if ":" in host else "AF_INET")
            return f"{{{chosen}, {string(_host(host, chosen))}, {port}}}", SIZES.get(chosen)
        case [str() as host, int() as port, int() as flow, int() as scope]:
            last = f", {flow}, {scope}" if flow or scope else ""
            return f"{{AF_INET6, {string(_host(host, 'AF_INET6'))}, {port}{last}}}", SIZES["AF_INET6"]
        case str() | {"bytes": _} | {"base64": _}:
            path = data_of(one) or b""
            ended = bool(path) and path[0] != 0  # an abstract name has no end but its length
            return f"{{AF_UNIX, {string(path)}}}", _UNIX_PATH + len(path) + ended
        case list():
            parts = ", ".join([family or "", *map(value, one)])
            return f"{{{parts}}}", SIZES.get(family or "")
        case _:
            return "NULL", 0


def _host(host: str, family: str) -> str:
    if host == _BROADCAST:
        return "255.255.255.255"
    return host or _ANY.get(family, "")


def value(one: Any) -> str:
    """Any other value: a number, a constant, a packed structure, a name."""
    match one:
        case {"constant": str() as name} | {"object": str() as name}:
            return name.replace(" ", "")
        case {"interface": str() as name}:
            return f"if_nametoindex({string(name)})"
        case {"pack": [str() as form, *parts]}:
            return structure(form, parts)
        case {"list": list() as parts}:
            return "{" + ", ".join(map(value, parts)) + "}"
        case list():
            return "{" + ", ".join(map(value, one)) + "}"
        case True | False:
            return str(int(one))
        case None:
            return "NULL"
        case {"repr": str() as text}:
            return text
        case {"dict": dict() as parts}:
            return "{" + ", ".join(f".{name} = {value(part)}" for name, part in parts.items()) + "}"
    data = data_of(one)
    return str(one) if data is None else string(data)


def structure(form: str, parts: Iterable[Any]) -> str:
    """A packed structure; four and sixteen bytes are addresses there."""
    kinds = [letter for letter in form if letter.isalpha()]
    repeated = kinds if len(kinds) == len(tuple(parts)) else [""] * 64
    return "{" + ", ".join(_part(kind, one) for kind, one in zip(repeated, parts, strict=False)) + "}"


def _part(kind: str, one: Any) -> str:
    data = data_of(one) if kind == "s" else None
    if data is not None and len(data) == 4:
        return ".".join(map(str, data))
    if data is not None and len(data) == 16:
        import ipaddress

        return str(ipaddress.IPv6Address(data))
    return value(one)


def option(one: Any) -> tuple[str, int]:
    """The value of setsockopt as C hands it over: what is pointed at, and how many bytes it takes."""
    match one:
        case {"pack": [str() as form, *_]}:
            return value(one), struct.calcsize(form)
        case int() | {"constant": _} | {"interface": _}:
            return f"{{{value(one)}}}", struct.calcsize("i")
    data = data_of(one) or b""
    return string(data), len(data)


def errno_name(number: int) -> str:
    """An errno by its name (errno(3)), or its number."""
    return errno.errorcode.get(number, str(number))


def seconds(given: Any) -> str:
    """Seconds as a struct timeval (select(2)); NULL waits as long as it takes."""
    if not isinstance(given, int | float):
        return "NULL"
    whole = int(given)
    return f"{{{whole}, {round((given - whole) * 1e6)}}}"


def flags(arguments: Sequence[Any], place: int) -> str:
    """The flags of send and recv at a place among the arguments, 0 where Python lets them be left out."""
    return value(arguments[place]) if place < len(arguments) else "0"
