"""Addresses of sockets as they are written in a scenario: `HOST:PORT`, `:PORT`, `[v6]:PORT`, a path,
`@abstract`.

What an address is on a real lab is `runner.steps.addresses`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from runner.errors import Misplaced
from runner.model import Reads, Surroundings
from runner.names import NAME
from runner.reading import suggestion
from runner.values import read_text


@dataclass(frozen=True)
class Address:
    """A socket's address as written: `text` always, `host` and `port` where it has that form.

    A path, `@abstract` name, or another family's address has neither. `refused` is a port (or text) that the
    API itself will refuse, and `raises` says so.
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


AddressText: TypeAlias = Annotated[Address, Reads(read_address, {"type": "string"})]
