"""What a value written in a condition means for its field: a number, a time, a set of flag letters, an
address, a text.

Reads values only: where they stand is told by `runner.conditions`, which also compares them with packets.
"""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_pton
from typing import Literal

from runner import fields
from runner.errors import Misplaced
from runner.model import Surroundings
from runner.values import read_duration
from runner.wire import canonical
from runner.words import NUMBERS

Operator = Literal["", "=", "!=", "<", "<=", ">", ">=", "has"]
Operand = int | str | bytes | frozenset[str] | None
"""None: a checksum that is bad."""

ORDERS = ("<", "<=", ">", ">=")
ADDRESSES = frozenset({
    "Ether.src", "Ether.dst", "IP.src", "IP.dst", "IPv6.src", "IPv6.dst", "IPerror.src", "IPerror.dst",
    "ARP.psrc", "ARP.pdst", "ARP.hwsrc", "ARP.hwdst", "ICMPv6ND_NS.tgt", "ICMPv6ND_NA.tgt",
})  # fmt: skip
"""Fields that hold addresses, of those that are common: they are known without scapy."""
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NUMERIC = frozenset({"len", "seq", "ack", "Ether", "IP", "IPv6", "ARP", "TCP", "UDP", "ICMP"})
"""Derived fields that are numbers, and layers whose fields all are, but for texts."""


def read_operand(field: str, operator: Operator, plain: str | bytes) -> Operand:
    """The operand as the field wants it; `plain` is what was written, without its quotes.

    Raises Misplaced with what was probably meant; its place is the whole value.
    """
    if isinstance(plain, bytes):
        try:
            plain = plain.decode()
        except UnicodeDecodeError:
            return plain
    if field == "after":
        return _read_time(operator, plain)
    if field.endswith((".chksum", ".cksum")) and plain == "bad":
        _check_bad_checksum(field, operator)
        return None
    if field == "TCP.flags":
        return _read_flags(operator, plain)
    if fields.flag_names(field):
        return _read_named_flags(field, operator, plain)
    if is_address(field) or field == "TCP.options":
        if operator in ORDERS:
            raise Misplaced(f"{field} is no number: it can be compared with = and != only")
        piece = operator == "has" and not fields.lists_addresses(field)
        return _read_address(plain) if is_address(field) and not piece else plain
    return _read_number(field, plain) if field.partition(".")[0] in _NUMERIC else plain


def is_address(field: str) -> bool:
    """Whether a field holds an address, or a list of them: they are compared as such, and a host's name stands for all
    of the host's own.
    """
    return field in ADDRESSES or fields.holds_addresses(field) or fields.lists_addresses(field)


def _read_address(plain: str) -> str:
    """A host's name, or an address in the form in which it is compared."""
    if not looks_like_address(plain):
        return plain
    found = canonical(plain).lower()
    if not _MAC.fullmatch(found):
        try:
            inet_pton(AF_INET6 if ":" in found else AF_INET, found)
        except OSError:
            raise Misplaced(f"{plain!r} is no address") from None
    return found


def _read_named_flags(field: str, operator: Operator, plain: str) -> str:
    """Flags in the order of their bits, as scapy writes them; written as such, in any order, or as their number."""
    if operator in ORDERS:
        raise Misplaced(f"{field} is a set of flags: compare it with =, != or has")
    known = fields.flag_names(field)
    number = whole(plain)
    if number is not None:
        wanted = [name for place, name in enumerate(known) if number >> place & 1]
        strange = not 0 <= number < 1 << len(known)
    else:
        wanted = fields.flags_in(field, plain)
        strange = not set(wanted) <= set(known)
    join = "" if all(len(name) == 1 for name in known) else "+"
    if strange:
        folded = {name.casefold(): name for name in known}
        meant = [folded.get(word.casefold(), "") for word in re.split(r"[+,|]", plain)]
        raise Misplaced(
            f"the flags of {field} are {', '.join(known)}" + (", joined with +" if join else ""),
            suggestion=join.join(meant) if all(meant) else "",
        )
    return join.join(name for name in known if name in wanted)


def _read_time(operator: Operator, plain: str) -> int:
    """Nanoseconds."""
    if operator == "has":
        raise Misplaced("a time has nothing inside: compare it with = != < <= > >=")
    return int(read_duration(plain, Surroundings()))


def _check_bad_checksum(field: str, operator: Operator) -> None:
    if not fields.checked_layer(field):
        known = ", ".join(fields.layers_with_checksums())
        raise Misplaced(f"whether a checksum is right is known for {known}, and messages of ICMPv6 (cksum)")
    if operator not in ("=", "!="):
        raise Misplaced("a checksum is bad or it is not: = and != only")


def _read_flags(operator: Operator, plain: str) -> frozenset[str]:
    """The letters of TCP flags."""
    if operator in ORDERS:
        raise Misplaced("flags are a set of letters: compare them with =, != or has")
    number = whole(plain)
    if number is not None:
        return frozenset(fields.flag_letters(number))
    strange = set(plain.upper()) - set(fields.FLAG_LETTERS)
    if strange or plain != plain.upper():
        names = [one[:1] for one in plain.upper().replace("[", "").replace("]", "").split(",")]
        meant = "".join(dict.fromkeys(names)) if "," in plain else plain.upper() if not strange else ""
        raise Misplaced("TCP flags are written as letters: F S R P A U E C N", suggestion=meant)
    return frozenset(plain)


def _read_number(field: str, plain: str) -> int:
    names = NUMBERS.get(field, {})
    number = names.get(plain, whole(plain))
    if number is None:
        also = f" or one of {', '.join(names)}" if names else ""
        message = f"{field} is a number{also} (decimal, or hexadecimal with 0x); {plain!r} is none"
        raise Misplaced(message)
    return number


def whole(text: str) -> int | None:
    """A whole number, decimal or hexadecimal with 0x; None where the text is none."""
    if re.fullmatch(r"0[xX][0-9A-Fa-f]+", text):
        return int(text, 16)
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else None


def looks_like_address(text: str) -> bool:
    """Whether a text is meant as an IP address or a MAC, not as a host's name."""
    return ":" in text or re.fullmatch(r"[0-9.]+", text) is not None
