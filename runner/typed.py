"""Whether JSON that somebody wrote fits the frozen data that it is meant to be, before anything relies on it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

LARGEST_WHOLE = 1 << 63
"""Whole numbers are below it: times in nanoseconds reach the year 2262."""


def require(kind: type, data: Any, what: str) -> None:
    """Raises ValueError where `data` is no map with the fields of the dataclass `kind`, each of its type."""
    if not isinstance(data, dict):
        raise ValueError(f"{what} is not a map")
    known = _fields(kind)
    for name in data:
        if name not in known:
            raise ValueError(f"{what} has no {name!r}")
    for name, (expected, needed) in known.items():
        if name not in data:
            if needed:
                raise ValueError(f"{what} lacks {name!r}")
        elif not fits(data[name], expected):
            raise ValueError(f"{what} has a {name!r} of the wrong kind: {data[name]!r:.60}")


@cache
def _fields(kind: type) -> Mapping[str, tuple[Any, bool]]:
    """The fields of a dataclass with their types, and whether each must be given."""
    hints = get_type_hints(kind)
    return {
        one.name: (hints[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
        if get_origin(hints[one.name]) is not ClassVar
    }


def fits(value: Any, kind: Any) -> bool:
    """Whether a decoded JSON value is of a type; lists stand for tuples."""
    if kind is Any:
        return True
    if kind is int:
        return type(value) is int and -LARGEST_WHOLE <= value < LARGEST_WHOLE
    if is_dataclass(kind):
        return _is_one(value, kind)
    if isinstance(kind, type) and not get_args(kind):
        return type(value) is kind
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return type(value) is str and value in inner
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin in (tuple, list):
        return isinstance(value, list) and all(fits(one, inner[0]) for one in value)
    return isinstance(value, dict) and all(
        fits(key, inner[0]) and fits(one, inner[1]) for key, one in value.items()
    )


def _is_one(value: Any, kind: Any) -> bool:
    try:
        require(kind, value, "")
    except ValueError:
        return False
    return True
