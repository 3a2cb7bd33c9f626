"""Which frames a fault means: conditions made into functions of a frame's headers.

Runs in the host: standard library only, Python 3.9 syntax. What conditions look like is `runner.conditions`' affair,
what can be read of a frame `lab.faults.readable`'s. A condition comes here as [FIELD, OPERATOR, OPERAND]: a bare layer
with an empty operator; an operand is a number, a list of addresses, {"flags": LETTERS}, {"text": TEXT}, or null for a
checksum that is bad.
"""

from __future__ import annotations

import operator as operators

from lab.faults.headers import ICMP, IP4, IP6, Headers
from lab.faults.numbers import Numbers
from lab.faults.readable import FIELDS, LAYERS, PROTOCOLS, RELATIVE, checksum_is_bad, layer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lab.faults.readable import Reader, Test

_ORDER = {
    "=": operators.eq, "!=": operators.ne, "<": operators.lt, "<=": operators.le, ">": operators.gt,
    ">=": operators.ge,
}  # fmt: skip


def known(field: str) -> bool:
    """Whether a fault can choose frames by that layer or field."""
    return field in FIELDS or field in LAYERS or field in RELATIVE


def are_relative(conditions: list[list[Any]]) -> bool:
    """Whether the conditions need to know where connections began."""
    return any(field in RELATIVE for field, _, _ in conditions)


def test_of(conditions: list[list[Any]], numbers: Numbers) -> Test:
    """One function that says whether all conditions hold; `numbers` has seen all that the host sent."""
    tests = [_test(field, sign, operand, numbers) for field, sign, operand in conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda found: all(test(found) for test in tests)


def _always(found: Headers) -> bool:
    return True


def _test(field: str, operator: str, operand: Any, numbers: Numbers) -> Test:
    if not operator:
        return LAYERS[field]
    has = LAYERS.get(layer_of(field), _always)
    if operand is None:
        layer, bad = layer_of(field), operator == "="
        return lambda found: has(found) and checksum_is_bad(found, layer) == bad
    read = _reader(field, numbers)
    holds = _comparison(operator, operand)

    def test(found: Headers) -> bool:
        value = read(found) if has(found) else None
        return value is not None and holds(value)

    return test


def _reader(field: str, numbers: Numbers) -> Reader:
    if field not in RELATIVE:
        return FIELDS[field]
    relative = numbers.seq if field == "seq" else numbers.ack

    def read(found: Headers) -> Any:
        number = relative(found)
        return number if number >= 0 else None

    return read


def _comparison(operator: str, operand: Any) -> Callable[[Any], bool]:
    """How a field's value is compared."""
    if isinstance(operand, list):
        return lambda value: (value in operand) == (operator == "=")
    if isinstance(operand, dict) and "text" in operand:
        return _text_comparison(operator, operand["text"])
    if isinstance(operand, dict):
        wanted = frozenset(operand["flags"])
        if operator == "has":
            return lambda value: wanted <= value
        return lambda value: (value == wanted) == (operator == "=")
    if operator == "has":
        return lambda value: value & operand == operand
    compare = _ORDER[operator]
    return lambda value: bool(compare(value, operand))


def _text_comparison(operator: str, wanted: str) -> Callable[[Any], bool]:
    if operator == "has":
        return lambda value: wanted in value
    return lambda value: (value == wanted) == (operator == "=")


_TYPES = {"IP": IP4, "IPv6": IP6, "ARP": 0x0806}


def kinds_of(conditions: list[list[Any]]) -> list[list[int]]:
    """What must be diverted so that every frame that meets the conditions is: pairs of EtherType and protocol.

    A protocol -1 is any, an EtherType -1 everything. Whole protocols, since a flow of which only a part took the detour
    would change its order.
    """
    layers = {field if field in RELATIVE else field.partition(".")[0] for field, _, _ in conditions}
    if "ARP" in layers:
        return [[_TYPES["ARP"], -1]]
    protocol = next((PROTOCOLS[layer] for layer in sorted(layers) if layer in PROTOCOLS), -1)
    types = [_TYPES[layer] for layer in ("IP", "IPv6") if layer in layers]
    if protocol == -1 and not types:
        return [[-1, -1]]
    if protocol == ICMP:
        types = [IP4]
    if any(layer.startswith("ICMPv6") for layer in layers):
        types = [IP6]
    return [[kind, protocol] for kind in types or [IP4, IP6]]
