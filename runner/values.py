"""The types of values in a scenario, as types of fields: text, numbers, durations, bytes, names.

The place decides the type: each type reads a written text. Values that are expected, with their ranges and
alternatives, are `runner.expected`; constants and addresses have modules of their own. Nothing here does I/O
but `{file: ..}`, through its surroundings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeAlias

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


# -- text, numbers, truth --------------------------------------------------------------------------


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


def is_whole(text: str) -> bool:
    """Whether a text is a whole number, in one of the forms that `read_whole` reads."""
    return _WHOLE.fullmatch(text) is not None


def read_whole(value: Any, around: Surroundings) -> int:
    """A whole number: `10`, `-1`, `0x0a`, `0b1010`. A number that begins with 0 is decimal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not is_whole(value):
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
_DURATION = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,9}))?([a-zµ]+)?")


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
        tenth = UNITS[unit] // 10
        if abs(ns) >= UNITS[unit] and ns % (UNITS[unit] if unit == "min" else tenth) == 0:
            whole, tenths = divmod(abs(ns) // tenth, 10)
            return f"{'-' if ns < 0 else ''}{whole}{f'.{tenths}' if tenths else ''}{unit}"
    return f"{ns}ns" if ns else "0s"


# -- bytes -----------------------------------------------------------------------------------------

BYTE_KEYS = ("hex", "repeat", "random", "packet", "file", "join")


def read_bytes(value: Any, around: Surroundings) -> bytes:
    """Bytes: a text (UTF-8), or one of {hex}, {repeat, times}, {random, seed}, {packet}, {file}, {join}."""
    if holds_unfilled(value) and not (isinstance(value, dict) and "packet" in value):
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
            return bytes(below("hex", _hex, digits, around))
        case {"repeat": part, "times": times, **rest}:
            refuse_keys(rest, ("repeat", "times"))
            return _repeated(
                below("repeat", read_bytes, part, around), below("times", read_whole, times, around)
            )
        case {"random": length, **rest}:
            refuse_keys(rest, ("random", "seed"))
            seed = below("seed", read_whole, rest.get("seed", "0"), around)
            return _random(below("random", read_whole, length, around), seed)
        case {"packet": layers, **rest}:
            refuse_keys(rest, ("packet",))
            return bytes(below("packet", _packet, layers, around))
        case {"file": path, **rest}:
            refuse_keys(rest, ("file",))
            return bytes(below("file", _file, path, around))
        case {"join": parts, **rest}:
            refuse_keys(rest, ("join",))
            return bytes(below("join", _joined, parts, around))
        case {"repeat": _}:
            raise Misplaced("repeat needs a key 'times'")
        case dict():
            refuse_keys(value, BYTE_KEYS)
    refuse(value, "a text, or one of {hex}, {repeat, times}, {random, seed}, {packet}, {file}, {join},")


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


def _packet(value: Any, around: Surroundings) -> bytes:
    """Layers as `send_packet` has them; those with addresses wait for the lab, and for the step's host."""
    from runner import crafting, filling
    from runner.layers import are_complete

    layers = crafting.read_layers(value, around)
    if around.scope is not None:
        return crafting.build(filling.filled(layers, around.host, around.scope))
    if not holds_unfilled(value) and are_complete(layers):
        return crafting.build(layers)
    if around.is_step:
        return b""  # read again when the step is settled
    raise Misplaced("a packet whose addresses the lab fills in can stand in steps only: say them here")


def _file(value: Any, around: Surroundings) -> bytes:
    return around.file(read_text(value, around))


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


# -- names ---------------------------------------------------------------------------------------------------


def read_name(value: Any, around: Surroundings) -> str:
    """A name: letters, digits and `_`, not beginning with a digit."""
    text = read_text(value, around)
    if not NAME.fullmatch(text):
        raise Misplaced(f"{text!r} is no name: letters, digits and _", length=max(1, len(text)))
    return text


# -- maps and lists --------------------------------------------------------------------------------


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


# -- types -----------------------------------------------------------------------------------------

_SCALAR = {"type": ["string", "number", "boolean", "null"]}
"""What YAML tools may take a plain text for: the language reads the written text."""
LAYERS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "object", "minProperties": 1, "maxProperties": 1},
}
"""Layers of a packet; which there are and what fields they have is scapy's."""
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
            "properties": {
                "repeat": {"$ref": "#/definitions/bytes"},
                "times": {"$ref": "#/definitions/whole"},
            },
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["random"],
            "properties": {
                "random": {"$ref": "#/definitions/whole"},
                "seed": {"$ref": "#/definitions/whole"},
            },
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["packet"],
            "properties": {"packet": LAYERS_SCHEMA},
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
            "properties": {"join": {"type": "array", "items": {"$ref": "#/definitions/bytes"}}},
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
TRUTH_SCHEMA: dict[str, Any] = {"type": ["boolean", "string"], "pattern": r"^(true|false)$|\$"}
SHARED_SCHEMAS: Mapping[str, Any] = {
    "bytes": BYTES_SCHEMA, "whole": WHOLE_SCHEMA, "duration": DURATION_SCHEMA, "name": NAME_SCHEMA,
}  # fmt: skip
"""Schemas of values that many keys have, or that refer to themselves; `runner.schema` writes each once."""

Text: TypeAlias = Annotated[str, Reads(read_text, TEXT_SCHEMA)]
Whole: TypeAlias = Annotated[int, Reads(read_whole, WHOLE_SCHEMA)]
Truth: TypeAlias = Annotated[bool, Reads(read_truth, TRUTH_SCHEMA)]
Duration: TypeAlias = Annotated[int, Reads(read_duration, DURATION_SCHEMA)]
"""Nanoseconds."""
Bytes: TypeAlias = Annotated[bytes, Reads(read_bytes, {"$ref": "#/definitions/bytes"})]
Name: TypeAlias = Annotated[str, Reads(read_name, NAME_SCHEMA)]
Texts: TypeAlias = Annotated[
    tuple[str, ...], Reads(list_of(read_text), {"type": "array", "items": TEXT_SCHEMA})
]
