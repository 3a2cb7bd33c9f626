"""Scenarios with one thing changed: for tests that hold two readers of the language to each other.

Documents are what JSON has, every scalar as its text: the language reads written text, so nothing is lost by that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

Place = tuple[Any, ...]
Change = Callable[[Any], Any]
OTHER_VALUES: tuple[Any, ...] = (
    "",
    "two words",
    "7",
    "true",
    "SOCK_STREAM",
    "5s",
    "1..3",
    {"a": "b"},
    ["a"],
    [],
    {},
)
"""What is put in place of a value, one after the other."""


def document(path: Path) -> Any:
    """A scenario file with every scalar as it is written."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


def places(node: Any, above: Place = ()) -> Iterator[Place]:
    """The way to every value of a document, from the top."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield (*above, key)
        yield from places(value, (*above, key))


def at(node: Any, place: Place) -> Any:
    """The value at a place."""
    for key in place:
        node = node[key]
    return node


def changed(node: Any, place: Place, change: Change) -> Any:
    """A copy of a document in which `change` was done to the map or list that holds a place."""
    made = copy.deepcopy(node)
    change(at(made, place[:-1]))
    return made


def replaced(node: Any, place: Place, value: Any) -> Any:
    """A copy with another value at a place."""
    return changed(node, place, lambda holder: holder.__setitem__(place[-1], value))


def removed(node: Any, place: Place) -> Any:
    """A copy without what is at a place."""
    return changed(node, place, lambda holder: holder.__delitem__(place[-1]))


def renamed(node: Any, place: Place, name: str) -> Any:
    """A copy in which the key of a place is called otherwise; keys keep their order."""

    def rename(holder: dict[str, Any]) -> None:
        pairs = [(name if key == place[-1] else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(pairs)

    return changed(node, place, rename)
