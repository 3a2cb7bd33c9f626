"""Addresses as the socket API wants them, and as it gives them.

A scenario's `HOST:PORT` becomes what the socket's family takes; a seen address is compared with a written
one. Where a host is, only the scope knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.addresses import Address
from runner.errors import Unmet
from runner.scope import Scope

INTERNET = ("AF_INET", "AF_INET6")


def argument(address: Address, family: str, kind: str, host: str, scope: Scope) -> Any:
    """An address as an argument of a call on a socket of that family and type, made by `host`.

    Raises Unmet where a host has no address of that family.
    """
    if family == "AF_UNIX":
        return "\0" + address.text[1:] if address.text.startswith("@") else address.text
    if address.host is None:
        return address.text
    ip = resolved(address.host, family, host, scope)
    if address.port is not None:
        return (ip, address.port)
    return (ip, 0) if kind == "SOCK_RAW" else ip


def resolved(name: str, family: str, host: str, scope: Scope) -> str:
    """The IP address of a host of the lab as `host` should use it; any other name or address as it is."""
    if name not in scope.interfaces:
        return name
    try:
        return scope.address(name, "AF_INET6" if family == "AF_INET6" else "AF_INET", host)
    except LookupError as error:
        raise Unmet(str(error)) from None


def sameness(family: str, host: str, scope: Scope) -> Callable[[Any, Any], bool]:
    """A test whether a written address is a seen one; for anything that is no address, bytes by their
    content."""

    def same(expected: Any, seen: Any) -> bool:
        if isinstance(expected, Address):
            return is_same(expected, seen, host, scope)
        if isinstance(expected, bytes):
            return seen == expected or (
                isinstance(seen, str) and seen.encode("utf-8", "surrogateescape") == expected
            )
        return bool(expected == seen)

    return same


def is_same(expected: Address, seen: Any, host: str, scope: Scope) -> bool:
    """Whether a seen address is the written one; without a port any fits, a host's every address is its
    own."""
    if not isinstance(seen, list | tuple):
        return unix_text(seen) == expected.text or (
            expected.host is not None and _is_host(expected.host, seen, scope)
        )
    if len(seen) < 2 or expected.host is None:
        return False
    if expected.port is not None and expected.port != seen[1]:
        return False
    return expected.host == "" or _is_host(expected.host, seen[0], scope)


def _is_host(written: str, seen: Any, scope: Scope) -> bool:
    if not isinstance(seen, str):
        return False
    plain = seen.lower().partition("%")[0]
    if written in scope.interfaces:
        known = {one for end in scope.interfaces[written] for one in (*end.ip4, *end.ip6)}
        return plain in known or plain.removeprefix("::ffff:") in known
    return plain == canonical(written)


def canonical(address: str) -> str:
    """An IPv6 address in the one form that the kernel writes (RFC 5952); other texts in small letters."""
    if ":" not in address:
        return address.lower()
    import ipaddress

    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address.lower()
    return f"::ffff:{found.ipv4_mapped}" if found.ipv4_mapped else str(found)


def unix_text(seen: Any) -> str:
    """A Unix address as it is written: a path, or `@name` for an abstract one (unix(7))."""
    text = seen.decode("utf-8", "surrogateescape") if isinstance(seen, bytes) else str(seen or "")
    return "@" + text[1:] if text.startswith("\0") else text
