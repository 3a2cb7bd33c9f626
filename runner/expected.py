"""Values that are expected: `V`, a range `A..B`, `{any: [V, V]}`, `{has: V}`, `{length: N}`.

Frozen data that says whether it holds for what was seen, and how it is written. When two values are the same
is the asker's affair (an address without a port fits any port), so it may be handed in.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from runner.addresses import Address, read_address
from runner.commands import Constant
from runner.errors import Misplaced
from runner.exceptions import errno_number
from runner.model import MisplacedAt, Reader, Reads, Surroundings
from runner.values import (
    DURATION_SCHEMA,
    TEXT_SCHEMA,
    TRUTH_SCHEMA,
    WHOLE_SCHEMA,
    below,
    duration_text,
    read_bytes,
    read_duration,
    read_text,
    read_truth,
    read_whole,
    refuse_keys,
)

Same = Callable[[Any, Any], bool]
"""Whether an expected value and a seen one are the same."""


@dataclass(frozen=True)
class Expected:
    """What a value is expected to be."""

    def holds(self, seen: Any, same: Same = operator.eq) -> bool:
        """Whether it holds for the value that was seen."""
        raise NotImplementedError


@dataclass(frozen=True)
class Exactly(Expected):
    """One value."""

    value: Any

    def holds(self, seen: Any, same: Same = operator.eq) -> bool:
        return same(self.value, seen)

    def __str__(self) -> str:
        return shown(self.value)


@dataclass(frozen=True)
class Between(Expected):
    """A range with both ends in it; None where an end is left out. `unit` is `ns` for durations."""

    low: int | None
    high: int | None
    unit: str = ""

    def holds(self, seen: Any, same: Same = operator.eq) -> bool:
        if not isinstance(seen, int | float) or isinstance(seen, bool):
            return False
        return (self.low is None or self.low <= seen) and (self.high is None or seen <= self.high)

    def __str__(self) -> str:
        write = duration_text if self.unit == "ns" else str
        low = "" if self.low is None else write(self.low)
        return f"{low}..{'' if self.high is None else write(self.high)}"


@dataclass(frozen=True)
class AnyOf(Expected):
    """One of several."""

    options: tuple[Expected, ...]

    def holds(self, seen: Any, same: Same = operator.eq) -> bool:
        return any(option.holds(seen, same) for option in self.options)

    def __str__(self) -> str:
        return "any of " + ", ".join(map(str, self.options))


@dataclass(frozen=True)
class Has(Expected):
    """A text or bytes that hold this part, or a list that has this entry."""

    value: Any

    def holds(self, seen: Any, same: Same = operator.eq) -> bool:
        match seen:
            case list() | tuple():
                return any(same(self.value, one) for one in seen)
            case str() | bytes():
                return _as_bytes(self.value) in _as_bytes(seen)
            case _:
                return False

    def __str__(self) -> str:
        return f"something that has {shown(self.value)}"


@dataclass(frozen=True)
class Length(Expected):
    """So many bytes, characters or entries."""

    length: Expected

    def holds(self, seen: Any, same: Same = operator.eq) -> bool:
        return isinstance(seen, str | bytes | list | tuple) and self.length.holds(len(seen))

    def __str__(self) -> str:
        return f"length {self.length}"


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def same_bytes(expected: Any, seen: Any) -> bool:
    """Whether expected bytes are what was seen; a file in text mode gives text."""
    return _as_bytes(expected) == _as_bytes(seen) if isinstance(seen, bytes | str) else False


SHOWN = 64
"""How many bytes of a long value are shown."""


def shown(value: Any) -> str:
    """A value for people: text in quotes, bytes that are no text in hexadecimal, long ones shortened."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case bytes() if len(value) > SHOWN:
            return f"{shown(value[:SHOWN])}... ({len(value):,} bytes)"
        case bytes():
            return _shown_bytes(value)
        case str() if len(value) > SHOWN:
            return f'"{value[:SHOWN]}"... ({len(value):,} characters)'
        case str():
            return f'"{value}"'
        case Constant(name):
            return name
        case Address():
            return str(value)
        case [str() as host, int() as port, *_]:
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case dict():
            return ", ".join(f"{key}: {shown(part)}" for key, part in value.items())
        case list() | tuple():
            return "[" + ", ".join(shown(part) for part in value) + "]"
        case _:
            return str(value)


def _shown_bytes(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    if all(character.isprintable() for character in text):
        return f'"{text}"'
    return repr(text).replace("'", '"') if "'" not in text and '"' not in text else repr(text)


# -- reading ---------------------------------------------------------------------------------------

_RANGE = re.compile(r"\s*(.*?)\s*\.\.\s*(.*?)\s*")


def expecting(reader: Reader, *, ranges: str | None = None) -> Callable[[Any, Surroundings], Expected]:
    """A reader of what is expected, its single values read by `reader`; `ranges` is their unit (or empty) if
    they have.

    `{any}`, `{has}` and `{length}` are taken before the reader is asked.
    """

    def read(value: Any, around: Surroundings) -> Expected:
        match value:
            case {"any": options, **rest}:
                refuse_keys(rest, ("any",))
                return AnyOf(_options(options, around))
            case {"has": part, **rest}:
                refuse_keys(rest, ("has",))
                return Has(below("has", reader, part, around))
            case {"length": length, **rest}:
                refuse_keys(rest, ("length",))
                return Length(below("length", read_expected_whole, length, around))
            case str() if ranges is not None and ".." in value:
                return _range(value, reader, ranges, around)
        return Exactly(reader(value, around))

    def _options(options: Any, around: Surroundings) -> tuple[Expected, ...]:
        if not isinstance(options, list) or not options:
            raise MisplacedAt(("any",), "a list of values is wanted here")
        try:
            return tuple(below(number, read, option, around) for number, option in enumerate(options))
        except Misplaced as wrong:
            raise MisplacedAt.below("any", wrong) from None

    return read


def _range(text: str, reader: Reader, unit: str, around: Surroundings) -> Between:
    found = _RANGE.fullmatch(text)
    assert found is not None
    ends = [reader(end, around) if end else None for end in found.groups()]
    if not all(end is None or isinstance(end, int) for end in ends):
        raise Misplaced("both ends of a range are numbers", length=len(text))
    low, high = ends
    if low is None and high is None:
        raise Misplaced("a range needs one end at least: A..B, A.. or ..B", length=len(text))
    if low is not None and high is not None and low > high:
        raise Misplaced("the range is empty: its low end comes first", length=len(text))
    return Between(low, high, unit)


_ERRNO = re.compile(r"E[A-Z0-9]+(?:_[A-Z]+)?")


def read_whole_or_errno(value: Any, around: Surroundings) -> int:
    """A whole number, or the errno name that stands for one (errno(3), as Linux numbers them)."""
    if isinstance(value, str) and _ERRNO.fullmatch(value):
        return errno_number(value)
    return read_whole(value, around)


read_expected_whole = expecting(read_whole_or_errno, ranges="")
read_expected_duration = expecting(read_duration, ranges="ns")
read_expected_bytes = expecting(read_bytes)
read_expected_text = expecting(read_text)
read_expected_truth = expecting(read_truth)
read_expected_address = expecting(read_address)


def parts_or(
    whole: Reader, parts: Mapping[str, Reader], bare: str | None
) -> Callable[[Any, Surroundings], Mapping[str, Expected] | Expected]:
    """A reader of `gives` where the result has parts: a map of some of them; a bare value stands for the part
    `bare`."""

    def read(value: Any, around: Surroundings) -> Mapping[str, Expected] | Expected:
        if isinstance(value, dict) and value and set(value) & set(parts):
            refuse_keys(value, tuple(parts))
            return {key: below(key, parts[key], part, around) for key, part in value.items()}
        if bare is None:
            raise Misplaced(f"a map of the parts {', '.join(parts)} is wanted here")
        return {bare: whole(value, around)}

    return read


def expected_schema(single: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an expected value whose single values have the schema `single`."""
    words: dict[str, Any] = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            "any": {
                "type": "array",
                "minItems": 1,
                "items": {"anyOf": [dict(single), {"type": ["object", "string"]}]},
                "description": "one of these",
            },
            "has": {"anyOf": [dict(single)], "description": "this is somewhere in it"},
            "length": {"anyOf": [WHOLE_SCHEMA, RANGE_SCHEMA], "description": "how long it is: 4, or 1..10"},
        },
        "additionalProperties": False,
    }
    return {"anyOf": [dict(single), words]}


RANGE_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"\.\."}
_ERRNO_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"^E[A-Z0-9]+(_[A-Z]+)?$"}
EXPECTED_WHOLE_SCHEMA = expected_schema({"anyOf": [WHOLE_SCHEMA, RANGE_SCHEMA, _ERRNO_SCHEMA]})
EXPECTED_DURATION_SCHEMA = expected_schema({"anyOf": [DURATION_SCHEMA, RANGE_SCHEMA]})
EXPECTED_BYTES_SCHEMA = expected_schema({"$ref": "#/definitions/bytes"})
EXPECTED_TEXT_SCHEMA = expected_schema(TEXT_SCHEMA)
EXPECTED_ADDRESS_SCHEMA = expected_schema({"type": "string"})
EXPECTED_TRUTH_SCHEMA = expected_schema(TRUTH_SCHEMA)
SHARED_SCHEMAS: Mapping[str, Any] = {
    "expected.whole": EXPECTED_WHOLE_SCHEMA,
    "expected.duration": EXPECTED_DURATION_SCHEMA,
    "expected.bytes": EXPECTED_BYTES_SCHEMA,
    "expected.text": EXPECTED_TEXT_SCHEMA,
    "expected.address": EXPECTED_ADDRESS_SCHEMA,
    "expected.truth": EXPECTED_TRUTH_SCHEMA,
}
"""Those that many keys have; `runner.schema` writes each once."""


def parts_schema(whole: Mapping[str, Any] | None, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema of what `parts_or` reads."""
    some: dict[str, Any] = {
        "type": "object",
        "minProperties": 1,
        "properties": {key: dict(schema) for key, schema in parts.items()},
        "additionalProperties": False,
    }
    return {"anyOf": [dict(whole), some]} if whole is not None else some


ExpectedWhole: TypeAlias = Annotated[Expected, Reads(read_expected_whole, EXPECTED_WHOLE_SCHEMA)]
ExpectedDuration: TypeAlias = Annotated[Expected, Reads(read_expected_duration, EXPECTED_DURATION_SCHEMA)]
"""Nanoseconds."""
ExpectedBytes: TypeAlias = Annotated[Expected, Reads(read_expected_bytes, EXPECTED_BYTES_SCHEMA)]
ExpectedText: TypeAlias = Annotated[Expected, Reads(read_expected_text, EXPECTED_TEXT_SCHEMA)]
ExpectedTruth: TypeAlias = Annotated[Expected, Reads(read_expected_truth, EXPECTED_TRUTH_SCHEMA)]
ExpectedAddress: TypeAlias = Annotated[Expected, Reads(read_expected_address, EXPECTED_ADDRESS_SCHEMA)]
