"""Which frames a fault means: conditions on raw bytes, made into functions of a frame's headers.

Runs in the host: standard library only, Python 3.9 syntax. What conditions look like is `runner.conditions`'
affair; one comes here as [FIELD, OPERATOR, OPERAND], a bare layer with an empty operator.
"""

from __future__ import annotations

import operator as operators

from lab.faults.headers import ICMP, IP4, IP6, TCP, UDP, Headers, mac_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Test = Callable[[Headers], bool]

LAYERS: dict[str, Test] = {
    "Ether": lambda found: found.ether_type >= 0,
    "IP": lambda found: found.version == 4,
    "IPv6": lambda found: found.version == 6,
    "ARP": lambda found: found.is_arp,
    "TCP": lambda found: found.protocol == TCP and found.transport >= 0,
    "UDP": lambda found: found.protocol == UDP and found.transport >= 0,
    "ICMP": lambda found: found.protocol == ICMP and found.transport >= 0,
}
_FLAGS = "FSRPAUECN"


def _network(offset: int, size: int = 1, shift: int = 0, mask: int = -1) -> Callable[[Headers], Any]:
    return lambda found: found.number(found.network + offset, size) >> shift & mask


def _transport(offset: int, size: int = 1, shift: int = 0, mask: int = -1) -> Callable[[Headers], Any]:
    return lambda found: found.number(found.transport + offset, size) >> shift & mask


def _flag_letters(found: Headers) -> frozenset[str]:
    bits = found.number(found.transport + 12, 2) & 0x1FF
    return frozenset(letter for place, letter in enumerate(_FLAGS) if bits >> place & 1)


def _mac(offset: int, below: str = "network") -> Callable[[Headers], str]:
    def read(found: Headers) -> str:
        begin = offset + (found.network if below == "network" else 0)
        return mac_text(found.data[begin : begin + 6])

    return read


FIELDS: dict[str, Callable[[Headers], Any]] = {
    "Ether.src": _mac(6, ""), "Ether.dst": _mac(0, ""), "Ether.type": lambda found: found.number(12, 2),
    "IP.src": lambda found: found.address(False), "IP.dst": lambda found: found.address(True),
    "IP.tos": _network(1), "IP.len": _network(2, 2), "IP.id": _network(4, 2),
    "IP.frag": _network(6, 2, mask=0x1FFF), "IP.ttl": _network(8), "IP.proto": _network(9),
    "IP.chksum": _network(10, 2), "IP.ihl": _network(0, mask=15),
    "IPv6.src": lambda found: found.address(False), "IPv6.dst": lambda found: found.address(True),
    "IPv6.tc": _network(0, 2, shift=4, mask=255), "IPv6.fl": _network(0, 4, mask=0xFFFFF),
    "IPv6.plen": _network(4, 2), "IPv6.nh": _network(6), "IPv6.hlim": _network(7),
    "ARP.op": _network(6, 2), "ARP.psrc": lambda found: found.address(False),
    "ARP.pdst": lambda found: found.address(True), "ARP.hwsrc": _mac(8), "ARP.hwdst": _mac(18),
    "TCP.sport": _transport(0, 2), "TCP.dport": _transport(2, 2), "TCP.seq": _transport(4, 4),
    "TCP.ack": _transport(8, 4), "TCP.dataofs": _transport(12, shift=4), "TCP.flags": _flag_letters,
    "TCP.window": _transport(14, 2), "TCP.chksum": _transport(16, 2), "TCP.urgptr": _transport(18, 2),
    "UDP.sport": _transport(0, 2), "UDP.dport": _transport(2, 2), "UDP.len": _transport(4, 2),
    "UDP.chksum": _transport(6, 2),
    "ICMP.type": _transport(0), "ICMP.code": _transport(1), "ICMP.chksum": _transport(2, 2),
}  # fmt: skip
"""Every field that a fault can choose frames by, beside `len`, and how it is read where its layer is there."""
_ORDER = {
    "=": operators.eq, "!=": operators.ne, "<": operators.lt, "<=": operators.le, ">": operators.gt,
    ">=": operators.ge,
}  # fmt: skip


def known(field: str) -> bool:
    """Whether a fault can choose frames by that layer or field."""
    return field == "len" or field in FIELDS or field in LAYERS


def test_of(conditions: list[list[Any]]) -> Test:
    """One function that says whether all conditions hold."""
    tests = [_test(*one) for one in conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda found: all(test(found) for test in tests)


def _test(field: str, operator: str, operand: Any) -> Test:
    if not operator:
        return LAYERS[field]
    if field == "len":
        fits = _comparison(operator, operand)
        return lambda found: found.payload >= 0 and fits(found.payload)
    has, read = LAYERS[field.partition(".")[0]], FIELDS[field]
    holds = _comparison(operator, operand)
    return lambda found: has(found) and holds(read(found))


def _comparison(operator: str, operand: Any) -> Callable[[Any], bool]:
    """How a field's value is compared: a list is of addresses, a map of flags."""
    if isinstance(operand, dict):
        wanted = frozenset(operand["flags"])
        if operator == "has":
            return lambda value: wanted <= value
        return lambda value: (value == wanted) == (operator == "=")
    if isinstance(operand, list):
        return lambda value: (value in operand) == (operator == "=")
    if operator == "has":
        return lambda value: value & operand == operand
    compare = _ORDER[operator]
    return lambda value: bool(compare(value, operand))


PROTOCOLS = {"TCP": (TCP,), "UDP": (UDP,), "ICMP": (ICMP,)}
_TYPES = {"IP": IP4, "IPv6": IP6, "ARP": 0x0806}


def kinds_of(conditions: list[list[Any]]) -> list[list[int]]:
    """What must be diverted so that every frame that meets the conditions is: pairs of EtherType and protocol.

    A protocol -1 is any, an EtherType -1 everything. Whole protocols, since a flow of which only a part took the detour
    would change its order.
    """
    layers = {field.partition(".")[0] for field, _, _ in conditions}
    if "ARP" in layers:
        return [[_TYPES["ARP"], -1]]
    protocols = next((PROTOCOLS[layer] for layer in ("TCP", "UDP", "ICMP") if layer in layers), (-1,))
    types = [_TYPES[layer] for layer in ("IP", "IPv6") if layer in layers]
    if protocols == (-1,) and not types:
        return [[-1, -1]]
    if ICMP in protocols:
        types = [IP4]
    return [[kind, protocol] for kind in types or [IP4, IP6] for protocol in protocols]
