"""The words of a ladder line: `SYN,ACK`, `UDP`, `echo-request`, `who-has`; what each means, and which a
packet has.

A table over header columns: reading a line is `runner.ladder`'s, writing one `runner.notation`'s. No scapy
here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from runner.headers import ACK, ARP, FIN, ICMP, ICMPV6, IGMP, PSH, RST, SYN, TCP, UDP, URG
from runner.packets import Header

FLAGS: Mapping[str, int] = {
    "FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG, "ECE": 64, "CWR": 128, "AE": 256,
}  # fmt: skip
"""TCP flag -> its bit, from the lowest (RFC 9293 section 3.1, RFC 3168, RFC 9768)."""
_LETTERS: Mapping[str, int] = {
    "F": FIN, "S": SYN, "R": RST, "P": PSH, ".": ACK, "U": URG, "E": 64, "W": 128, "e": 256,
}  # fmt: skip
"""The same as tcpdump writes them in brackets (tcpdump(8), "TCP Packets")."""


@dataclass(frozen=True)
class Word:
    """One word of the notation. `kind` is the protocol that it implies, empty where it implies none."""

    name: str
    meaning: str
    kind: str
    fits: Callable[[Header], bool] = field(repr=False, compare=False)


_Message = tuple[int, int | None]
"""Type and code of an ICMP message; None where any code will do."""

_MESSAGES: Mapping[str, tuple[_Message | None, _Message | None, str]] = {
    "echo-request": ((8, None), (128, None), "asks for an echo (ping)"),
    "echo-reply": ((0, None), (129, None), "the echo that was asked for"),
    "net-unreachable": ((3, 0), (1, 0), "there is no route to the target's network"),
    "host-unreachable": ((3, 1), (1, 3), "the target host cannot be reached"),
    "protocol-unreachable": ((3, 2), (4, 1), "the target does not speak the protocol that IP carried"),
    "port-unreachable": ((3, 3), (1, 4), "nobody listens on the target port"),
    "fragmentation-needed": ((3, 4), None, "too large for a link, and it may not be cut up (path MTU)"),
    "admin-prohibited": ((3, 13), (1, 1), "a filter forbids it"),
    "dest-unreach": ((3, None), (1, None), "could not be delivered, whatever the reason"),
    "packet-too-big": (None, (2, None), "too large for a link of the path (IPv6)"),
    "ttl-exceeded": ((11, 0), (3, 0), "the time to live ran out on the way"),
    "reassembly-timeout": ((11, 1), (3, 1), "fragments are missing"),
    "time-exceeded": ((11, None), (3, None), "time to live or time for reassembly ran out"),
    "redirect": ((5, None), (137, None), "there is a better next hop"),
    "parameter-problem": ((12, None), (4, None), "a header field makes no sense"),
    "source-quench": ((4, None), None, "send less (obsolete, RFC 6633)"),
    "timestamp-request": ((13, None), None, "asks for the time"),
    "timestamp-reply": ((14, None), None, "the time that was asked for"),
    "router-solicitation": ((10, None), (133, None), "asks who is a router"),
    "router-advertisement": ((9, None), (134, None), "a router says that it is there"),
    "neighbor-solicitation": (None, (135, None), "asks who has an IPv6 address"),
    "neighbor-advertisement": (None, (136, None), "says who has an IPv6 address"),
}
"""Word -> message of ICMP, of ICMPv6, meaning. Specific words come before general ones.

Sources: RFC 792, RFC 1812 section 5.2.7.1, RFC 1256, RFC 4443, RFC 4861.
"""
_IGMP: Mapping[str, tuple[frozenset[int], str]] = {
    "membership-query": (frozenset({0x11}), "a router asks who is in a group"),
    "v1-report": (frozenset({0x12}), "a host says that it is in a group (IGMPv1)"),
    "v2-report": (frozenset({0x16}), "a host says that it is in a group (IGMPv2)"),
    "v3-report": (frozenset({0x22}), "a host says which groups it is in (IGMPv3)"),
    "leave-group": (frozenset({0x17}), "a host left a group (IGMPv2)"),
    "membership-report": (frozenset({0x12, 0x16, 0x22}), "a host says that it is in a group, any version"),
}
"""Word -> IGMP types, meaning (RFC 1112, RFC 2236, RFC 3376)."""
_ARP: Mapping[str, tuple[int, str]] = {
    "who-has": (1, "asks who has an IPv4 address"),
    "is-at": (2, "says which MAC has an IPv4 address"),
}
"""Word -> ARP operation, meaning (RFC 826)."""


_BOTH = (ICMP, ICMPV6)


def _protocol_words() -> Iterable[Word]:
    yield Word("TCP", "a TCP segment, whatever its flags", "TCP", lambda header: header.protocol == TCP)
    yield Word("UDP", "a UDP datagram, or a fragment of one", "UDP", lambda header: header.protocol == UDP)
    yield Word("ICMP", "a message of ICMP or ICMPv6", "ICMP", lambda header: header.protocol in _BOTH)
    yield Word("ICMPv6", "a message of ICMPv6", "ICMP", lambda header: header.protocol == ICMPV6)
    yield Word("IGMP", "a message of IGMP", "IGMP", lambda header: header.protocol == IGMP)
    yield Word("ARP", "a question or answer of ARP", "ARP", lambda header: header.ether_type == ARP)
    yield Word("IP", "a packet of IPv4 or IPv6", "", lambda header: header.version != 0)
    yield Word("IPv6", "a packet of IPv6", "", lambda header: header.version == 6)
    yield Word(
        "frame", "neither IP nor ARP", "", lambda header: not header.version and header.ether_type != ARP
    )
    yield Word("fragment", "a piece of a datagram", "", lambda header: header.more or header.fragment > 0)


def _is_message(message: _Message | None, header: Header) -> bool:
    return message is not None and header.type == message[0] and message[1] in (None, header.code)


def _icmp_word(name: str) -> Word:
    plain, six, meaning = _MESSAGES[name]

    def fits(header: Header) -> bool:
        if header.protocol == ICMP:
            return _is_message(plain, header)
        return header.protocol == ICMPV6 and _is_message(six, header)

    return Word(name, meaning, "ICMP", fits)


def _igmp_word(name: str) -> Word:
    types, meaning = _IGMP[name]
    return Word(name, meaning, "IGMP", lambda header: header.protocol == IGMP and header.type in types)


def _arp_word(name: str) -> Word:
    operation, meaning = _ARP[name]
    return Word(
        name, meaning, "ARP", lambda header: header.ether_type == ARP and header.operation == operation
    )


WORDS: Mapping[str, Word] = {
    word.name: word
    for words in (
        _protocol_words(), map(_icmp_word, _MESSAGES), map(_igmp_word, _IGMP), map(_arp_word, _ARP),
    )
    for word in words
}  # fmt: skip
"""Every word but the TCP flags, by name."""

NUMBERS: Mapping[str, Mapping[str, int]] = {
    "ICMP.type": {name: plain[0] for name, (plain, _, _) in _MESSAGES.items() if plain and plain[1] is None},
    "ARP.op": {name: operation for name, (operation, _) in _ARP.items()},
    "IP.proto": {"icmp": ICMP, "igmp": IGMP, "tcp": TCP, "udp": UDP},
}
"""Field -> names that conditions may write for its numbers."""


# --- TCP flags ------------------------------------------------------------------------------------


def flags_of(text: str) -> int | None:
    """The bits of `SYN,ACK`, `[SYN, ACK]`, `[S.]` or `[none]`; None where the text is no such word."""
    bracketed = re.fullmatch(r"\[(.*)\]", text)
    inner = bracketed[1].strip() if bracketed else text
    if bracketed and inner == "none":
        return 0
    names = [name.strip() for name in inner.split(",")]
    if all(name in FLAGS for name in names):
        return sum({FLAGS[name] for name in names})
    if bracketed and inner and all(letter in _LETTERS for letter in inner):
        return sum({_LETTERS[letter] for letter in inner})
    return None


def flags_text(bits: int) -> str:
    """Flag bits as a word: `SYN,ACK`; `[none]` where there are none."""
    return ",".join(name for name, bit in FLAGS.items() if bits & bit) or "[none]"


def nearest(text: str) -> str:
    """The word that was probably meant, or empty; flags are looked at one by one (`SYN,AKC`)."""
    folded = {name.casefold(): name for name in (*WORDS, *FLAGS)}
    if "," in text:
        parts = [nearest(part.strip("[] ")) for part in text.split(",")]
        return ",".join(parts) if all(part in FLAGS for part in parts) else ""
    near = difflib.get_close_matches(text.casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else ""


# --- what a packet is -----------------------------------------------------------------------------


def words_of(header: Header) -> list[str]:
    """The words and conditions that say what a packet is, as narrowly as this table knows."""
    if header.ether_type == ARP:
        name = next((name for name, (number, _) in _ARP.items() if number == header.operation), None)
        return ["ARP", name] if name else ["ARP"]
    if not header.version:
        return ["frame"]
    piece = ["fragment"] if header.more or header.fragment else []
    return [*_transport_words(header), *piece]


def _transport_words(header: Header) -> list[str]:
    protocol = header.protocol
    if protocol == TCP:
        return [flags_text(header.flags)] if header.flags >= 0 else ["TCP"]
    if protocol == UDP:
        return ["UDP"]
    if protocol in (ICMP, ICMPV6):
        name = next((name for name in _MESSAGES if WORDS[name].fits(header)), None)
        general = "ICMP" if protocol == ICMP else "ICMPv6"
        return [name or general]
    if protocol == IGMP:
        return ["IGMP", *[name for name, (types, _) in _IGMP.items() if header.type in types][:1]]
    if header.version == 4 and protocol >= 0:
        return ["IP", f"IP.proto={protocol}"]
    return ["IP" if header.version == 4 else "IPv6"]
