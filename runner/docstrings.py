"""What classes of the language say of themselves: their docstrings, taken apart into prose and lines about keys.

The reference pages, `runner list` and the JSON Schema are made from them; nothing is said a second time here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from runner.model import Model, keys_of


def summary(model: type[Model]) -> str:
    """What a class is for: its docstring without the lines about its keys, as one paragraph."""
    known = keys_of(model)
    lines = _lines(model)
    end = next((number for number, line in enumerate(lines) if _key_of(line, known)), len(lines))
    return " ".join(line.strip() for line in lines[:end] if line.strip())


def key_texts(model: type[Model]) -> dict[str, str]:
    """Key -> what it is for, from the docstrings of a class and of those that it is derived from."""
    found: dict[str, str] = {}
    known = keys_of(model)
    for one in reversed(model.__mro__):
        if issubclass(one, Model) and "__doc__" in vars(one):
            found.update(_described(_lines(one), known))
    return found


def prose(kind: type, keys: Iterable[str]) -> str:
    """What a class says of itself, without the lines about its keys."""
    known = tuple(keys)
    kept: list[str] = []
    of_a_key = False
    for line in _lines(kind):
        of_a_key = _key_of(line, known) is not None or (of_a_key and line.startswith(" "))
        if not of_a_key:
            kept.append(line)
    return "\n".join(kept).strip()


def markdown(model: type[Model]) -> str:
    """All that a class says, in Markdown: its paragraphs, then its keys as a list, its own first."""
    own = _described(_lines(model), keys_of(model))
    texts = {**own, **key_texts(model)}
    keys = [f"- `{key}`: {text}" for key, text in texts.items()]
    return "\n\n".join(one for one in (prose(model, keys_of(model)), "\n".join(keys)) if one)


def _lines(model: type) -> list[str]:
    return inspect.cleandoc(model.__doc__ or "").splitlines()


def _key_of(line: str, known: tuple[str, ...]) -> str | None:
    """The key that a line of a docstring describes: `key  text` or `key: text`."""
    found = re.match(r"([a-z_][a-z0-9_]*)(?:: +| {2,})\S", line)
    return found[1] if found and found[1] in known else None


def _described(lines: list[str], known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    current: str | None = None
    for line in lines:
        key = _key_of(line, known)
        if key is not None:
            current = key
            found[key] = line[len(key) :].lstrip(": ")
        elif current is not None and line.strip():
            found[current] += " " + line.strip()
        else:
            current = None
    return found
