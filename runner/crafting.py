"""Packets as a scenario writes them, layer by layer: read, and made into bytes.

Layers and fields have scapy's names (through `runner.dissect`), numbers are as on the wire, the name of a host
stands for its address. What the lab knows is `runner.steps.packets`' to say: nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from runner import dissect, field_kinds
from runner.dhcp_options import read_options
from runner.errors import Misplaced
from runner.field_kinds import FieldKind
from runner.field_values import (
    check_reference,
    read_address,
    read_domain,
    read_flags,
    read_number,
    read_plain,
    read_sized,
)
from runner.layers import DATA, IP_LAYERS, Layer, buildable, is_open, with_placeholders
from runner.model import MisplacedAt, Surroundings
from runner.names import Unfilled
from runner.reading import suggestion
from runner.tcp_options import read_option
from runner.values import below, list_of, read_bytes, read_text, refuse

_WITH_TARGET = (*IP_LAYERS, "IPv46")
"""Layers that need a destination."""
_HEADER_LENGTH = {"IP": "ihl", "IPv46": "ihl", "IPerror": "ihl", "TCP": "dataofs", "TCPerror": "dataofs"}
MOST_OPTIONS = 40
"""Bytes of options: a header has at most 15 words (RFC 791 section 3.1, RFC 9293 section 3.1)."""


def read_layers(value: Any, around: Surroundings) -> tuple[Layer, ...]:
    """Layers from the outermost on, each a map of its name and its fields; `data` has bytes.

    Raises MisplacedAt for an unknown layer or field, and a value that scapy does not take.
    """
    wanted = "a list of layers such as [{IP: {dst: server}}, {data: hello}]"
    if value == []:
        raise Misplaced(f"{wanted} is wanted here, and this one is empty")
    if not isinstance(value, list):
        refuse(value, wanted)
    return list_of(_read_layer)(value, around)


def _read_layer(value: Any, around: Surroundings) -> Layer:
    if not isinstance(value, dict) or len(value) != 1:
        refuse(value, "a layer, a map of its name and its fields: {IP: {dst: server}};")
    ((name, inside),) = value.items()
    if name == DATA:
        return Layer(DATA, {"load": below(DATA, read_bytes, inside, around)})
    problem = dissect.layer_problem(name)
    if problem is not None:
        message, _, _ = problem.partition(";")
        near = DATA if name.lower() in ("raw", "payload") else suggestion(name, dissect.layers())
        raise MisplacedAt((), message, length=len(name), suggestion=near)
    if not isinstance(inside, dict):
        raise MisplacedAt((name,), f"the fields of {name} are a map: {{{name}: {{}}}} has none")
    layer = Layer(name, _read_fields(name, inside, around))
    if name in _WITH_TARGET and "dst" not in layer.fields:
        raise MisplacedAt((name,), f"{name} needs a dst: the name of a host, or an address")
    if not is_open(layer):
        _check_built(layer)
    return layer


def _read_fields(layer: str, written: dict[str, Any], around: Surroundings) -> dict[str, Any]:
    """The fields in the order in which they are written; those whose form depends on others are read last."""
    for name in written:
        _check_field(layer, name)
    found: dict[str, Any] = {}
    for name in sorted(written, key=partial(field_kinds.has_forms, layer)):
        found[name] = _read_field(layer, name, written[name], found, around)
    return {name: found[name] for name in written}


def _check_field(layer: str, name: str) -> None:
    problem = dissect.field_problem(layer, name)
    if problem is not None:
        known = [one.name for one in dissect.layers()[layer].fields_desc]
        message, _, _ = problem.partition(";")
        raise MisplacedAt(
            (layer, name), f"{message} (its fields: {', '.join(known)})", suggestion=suggestion(name, known)
        )


def _read_field(layer: str, name: str, value: Any, beside: dict[str, Any], around: Surroundings) -> Any:
    if field_kinds.has_forms(layer, name) and is_open(list(beside.values())):
        return Unfilled(str(value))  # which form it is of is known when the step is settled
    try:
        return _read_value(name, field_kinds.field_kind(layer, name, beside), value, around)
    except Misplaced as wrong:
        raise MisplacedAt.below(layer, MisplacedAt.below(name, wrong)) from None


def _read_value(name: str, kind: FieldKind, value: Any, around: Surroundings) -> Any:
    if isinstance(value, Unfilled):
        if kind.sort == "number":
            check_reference(value)
        return value
    match kind.sort:
        case "number":
            return read_number(name, kind, value, around)
        case "bytes":
            return read_sized(name, kind, value, around)
        case "name":
            return read_domain(name, value, around)
        case "ip4" | "ip6" | "mac":
            return read_address(kind.sort, value, around)
        case "flags":
            return read_flags(name, kind, value, around)
        case "layers":
            return _read_inner(value, around)
        case "options":
            return [below(number, read_option, one, around) for number, one in enumerate(_listed(value))]
        case "dhcp":
            return read_options(value, around, _read_value)
        case "texts":
            texts = value if isinstance(value, list) else [value]
            return [below(number, read_bytes, one, around) for number, one in enumerate(texts)]
        case "list":
            inner = partial(_read_value, name, kind.entry or FieldKind("other"))
            return [below(number, inner, one, around) for number, one in enumerate(_listed(value))]
        case "text":
            return read_text(value, around)
        case _:
            return read_plain(value, around)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        refuse(value, "a list")
    return value


def _read_inner(value: Any, around: Surroundings) -> Any:
    """A layer, or a list of them, inside a field."""
    if isinstance(value, list):
        return [below(number, _read_layer, one, around) for number, one in enumerate(value)]
    return _read_layer(value, around)


def _check_built(layer: Layer) -> None:
    """Have scapy build the layer alone; raises MisplacedAt at the field that it does not take."""
    problem = dissect.build_problem([with_placeholders(layer)])
    if problem is None:
        _check_header(layer)
        return
    for name, value in layer.fields.items():
        alone = dissect.build_problem([with_placeholders(Layer(layer.name, {name: value}))])
        if alone is not None:
            raise MisplacedAt((layer.name, name), f"{layer.name} does not take this {name}: {alone}")
    raise MisplacedAt((layer.name,), f"these fields of {layer.name} do not fit together: {problem}")


def _check_header(layer: Layer) -> None:
    """Raise MisplacedAt where the options are too long for the field that says how long the header is.

    Where its author says that field himself (`dataofs`), so be it.
    """
    said = _HEADER_LENGTH.get(layer.name)
    if said is None or said in layer.fields or "options" not in layer.fields:
        return
    size = len(dissect.built([with_placeholders(layer)])) - 20
    if size > MOST_OPTIONS:
        message = f"the options of {layer.name} have at most {MOST_OPTIONS} bytes, and these are {size}"
        raise MisplacedAt((layer.name, "options"), message)


def check_whole(layers: Sequence[Layer]) -> None:
    """Raise MisplacedAt at the layer that cannot carry those inside of it, and at a field that would not be sent.

    Looks at layers only that are known already, with no name that is not.
    """
    if is_open(list(layers)):
        return
    wanted = [with_placeholders(one) for one in layers]
    if dissect.build_problem(wanted) is None:
        for place, name in dissect.absent_fields(wanted):
            layer = layers[place].name
            message = f"{layer} has no {name} here: whether it has one its other fields say"
            raise MisplacedAt((place, layer, name), message)
        return
    for place in reversed(range(len(layers))):
        problem = dissect.build_problem(wanted[place:])
        if problem is not None:
            carried = len(dissect.built(wanted[place + 1 :]))
            reason = "its length has no room for them" if "format requires" in problem else problem
            message = f"{layers[place].name} cannot carry the {carried:,} bytes inside of it: {reason}"
            raise MisplacedAt((place,), message)


def build(layers: Iterable[Layer]) -> bytes:
    """The bytes of layers whose addresses are all said; raises Misplaced with what scapy says about them."""
    wanted = [buildable(one) for one in layers]
    try:
        return dissect.built(wanted)
    except dissect.LeftOutError as error:
        raise Misplaced(str(error)) from None
    except Exception as error:  # scapy raises whatever its fields raise
        raise Misplaced(f"these layers do not fit together: {type(error).__name__}: {error}") from None
