"""YAML as nodes with places: every scalar is kept as its written text, and every mistake has line and column.

What keys mean is not known here. The parser is libyaml's; nodes are composed here from its events, so that
depth, size and aliases are bounded while reading and nothing of YAML's idea of types (`no`, `1e10`, `0102`)
gets in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner.errors import Misplaced, Mistake, ScenarioError
from runner.parsing import in_words

LARGEST_FILE = 1 << 20
"""Bytes of a scenario file."""
DEEPEST, MOST_NODES = 50, 100_000
"""How deep maps and lists may nest, and how many nodes there may be once aliases are written out."""

_LINE_ENDS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""YAML 1.1 section 4.2: what ends a line."""
_UNPRINTABLE = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\ufefe-\ufffd\U00010000-\U0010ffff]"
"""YAML 1.1 section 4.1: what a document may not hold."""


@dataclass(frozen=True, eq=False)
class Node:
    """A place in a document; line and column count from 0, the end is behind the last character."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, eq=False)
class Text(Node):
    """A scalar: its text, how it was quoted (`'`, `"`, `|`, `>` or empty), and whether a name was filled
    in."""

    text: str
    style: str = ""
    filled: bool = False


@dataclass(frozen=True, eq=False)
class ListNode(Node):
    """A sequence."""

    items: tuple[AnyNode, ...]


@dataclass(frozen=True, eq=False)
class MapNode(Node):
    """A mapping: its keys with their places, in order; no key is there twice."""

    pairs: tuple[tuple[Text, AnyNode], ...]

    def get(self, key: str) -> AnyNode | None:
        """The value of a key, or None."""
        return next((value for name, value in self.pairs if name.text == key), None)

    def key(self, key: str) -> Text | None:
        """The node of a key itself, or None."""
        return next((name for name, _ in self.pairs if name.text == key), None)


AnyNode = Text | ListNode | MapNode


def value_of(node: AnyNode) -> Any:
    """The node as dicts, lists and texts."""
    match node:
        case Text():
            return node.text
        case ListNode():
            return [value_of(item) for item in node.items]
        case MapNode():
            return {key.text: value_of(value) for key, value in node.pairs}


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or empty."""
    pool = list(known)
    close = difflib.get_close_matches(wrong, pool, 1, 0.6)
    if not close:
        folded = {word.lower(): word for word in pool}
        close = [folded[one] for one in difflib.get_close_matches(wrong.lower(), folded, 1, 0.6)]
    return close[0] if close else ""


@dataclass
class Document:
    """One file: its text, its root node and all mistakes found in it so far."""

    path: str
    text: str
    mistakes: list[Mistake] = field(default_factory=list)
    root: AnyNode | None = None
    _lines: list[str] | None = None
    _kept: set[Mistake] = field(default_factory=set)

    @property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends."""
        if self._lines is None:
            self._lines = _LINE_ENDS.split(self.text)
        return self._lines

    def mistake(self, node: Node, message: str, *, suggest: str = "") -> None:
        """Keep a mistake at a node's first line."""
        length = node.end_column - node.column if node.end_line == node.line else 0
        self.mistake_at(node.line, node.column, length, message, suggest=suggest)

    def mistake_at(self, line: int, column: int, length: int, message: str, *, suggest: str = "") -> None:
        """Keep a mistake at a line and a column, both from 0; `length` 0 marks the rest of the line."""
        source = self.lines[line] if line < len(self.lines) else ""
        length = min(length or len(source.rstrip()) - column, max(1, len(source) - column))
        self.keep(Mistake(self.path, line + 1, column + 1, max(1, length), source, message, suggest))

    def keep(self, one: Mistake) -> None:
        """Keep a mistake, once."""
        if one not in self._kept:
            self._kept.add(one)
            self.mistakes.append(one)

    def misplaced(self, node: AnyNode, wrong: Misplaced) -> None:
        """Keep a mistake that stands inside a node's text."""
        inside = (
            None
            if wrong.line == 0 and wrong.column == 0 and wrong.length <= 1
            else _inside(self, node, wrong)
        )
        if inside is None:
            self.mistake(node, wrong.message, suggest=wrong.suggestion)
        else:
            self.mistake_at(*inside, max(1, wrong.length), wrong.message, suggest=wrong.suggestion)


def _inside(document: Document, node: AnyNode, wrong: Misplaced) -> tuple[int, int] | None:
    """Line and column in the file of a place inside a node's text; None where that cannot be told.

    In a literal block each line stands as it is, indented. In quotes, what is escaped is wider than what it
    means.
    """
    if not isinstance(node, Text) or node.filled or node.style == ">":
        return None
    wanted = node.text.split("\n")
    if wrong.line >= len(wanted):
        return None
    if node.style == "|":
        line = node.line + 1 + wrong.line
        source = document.lines[line] if line < len(document.lines) else ""
        return line, max(0, len(source) - len(wanted[wrong.line])) + wrong.column
    if node.line != node.end_line:
        return None
    written = document.lines[node.line][node.column : node.end_column]
    return node.line, node.column + _written_width(written, wrong.column, node.style)


def _written_width(written: str, column: int, style: str) -> int:
    """How far `column` characters of a scalar reach in its written form."""
    escape = {"'": re.compile("''|."), '"': re.compile(r"\\(?:x..|u.{4}|U.{8}|.)|.")}.get(style)
    if escape is None:
        return column
    position = 1
    for _, found in zip(range(column), escape.finditer(written, 1), strict=False):
        position = found.end()
    return position


# -- reading ---------------------------------------------------------------------------------------


class _StopError(Exception):
    """A document that cannot be read further; its mistake is kept."""


def read_file(path: Path, shown: str | None = None) -> Document:
    """Read one file; raises ScenarioError where it is not one YAML document that the limits allow."""
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError([Mistake(name, 1, 1, 1, "", f"cannot be read: {reason}")]) from None
    if len(data) > LARGEST_FILE:
        raise ScenarioError(
            [Mistake(name, 1, 1, 1, "", f"has more than {LARGEST_FILE >> 20} MiB: no scenario is that long")]
        )
    return read_text(_decoded(data, name), name)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        lines = _LINE_ENDS.split(before)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        raise ScenarioError([Mistake(name, len(lines), len(lines[-1]) + 1, 1, lines[-1], message)]) from None


def read_text(text: str, name: str) -> Document:
    """Read a text as one YAML document; raises ScenarioError with all mistakes of its notation."""
    document = Document(name, text)
    try:
        if len(text) > LARGEST_FILE:
            document.mistake_at(
                0, 0, 1, f"there are more than {LARGEST_FILE >> 20} MiB: no scenario is that long"
            )
            raise _StopError
        document.root = _Composer(document).compose()
    except _StopError:
        pass
    if document.mistakes:
        raise ScenarioError(document.mistakes)
    return document


def _keep_unreadable(document: Document, error: Exception) -> None:
    """Keep the mistake that the parser could not read the characters. (To look for them before takes
    longer.)"""
    found = re.search(_UNPRINTABLE, document.text)
    lines = _LINE_ENDS.split(document.text[: found.start()] if found else "")
    shown = (
        f"character U+{ord(found[0]):04X} cannot stand in a YAML file"
        if found
        else f"this is not YAML: {error}"
    )
    document.mistake_at(len(lines) - 1, len(lines[-1]), 1, shown)


class _Composer:
    """Makes nodes of parser events, within the limits."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._events = self._parsed(document.text)
        self._anchors: dict[str, tuple[AnyNode, int, int]] = {}
        self._open_anchors: set[str] = set()
        self._count = 0
        self._deepest = 0

    def _parsed(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        except yaml.MarkedYAMLError as error:
            self._refused(error)
        except (yaml.YAMLError, ValueError) as error:
            _keep_unreadable(self._document, error)
            raise _StopError from None

    def _refused(self, error: yaml.MarkedYAMLError) -> None:
        mark: Any = error.problem_mark or error.context_mark
        lines = self._document.lines
        line = min(mark.line, len(lines) - 1) if mark else 0
        column = min(mark.column, len(lines[line])) if mark else 0
        self._document.mistake_at(
            line, column, 1, in_words(error.problem or "", lines[line][column : column + 1])
        )
        raise _StopError

    def compose(self) -> AnyNode | None:
        root: AnyNode | None = None
        for event in self._events:
            match event:
                case yaml.DocumentStartEvent() if root is not None:
                    mark = _place(event)
                    self._document.mistake_at(
                        mark.line, mark.column, 3, "a scenario file holds one YAML document only"
                    )
                    raise _StopError
                case yaml.NodeEvent():
                    root = self._node(event, 1)
        return root

    def _node(self, event: Any, depth: int) -> AnyNode:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        place = _place(event)
        self._counted(place, 1, depth)
        if event.tag is not None and event.tag != "!":
            self._document.mistake(place, f"tags are no part of the language: {event.tag}")
        if event.anchor is None:
            return self._content(event, depth)
        before, outside = self._count, self._deepest
        self._open_anchors.add(event.anchor)
        self._deepest = depth
        node = self._content(event, depth)
        self._open_anchors.discard(event.anchor)
        self._anchors[event.anchor] = node, self._count - before + 1, self._deepest - depth
        self._deepest = max(self._deepest, outside)
        return node

    def _content(self, event: Any, depth: int) -> AnyNode:
        match event:
            case yaml.ScalarEvent():
                style = event.style or ""
                return Text(*_marks(event), event.value, "" if style == "plain" else style)
            case yaml.SequenceStartEvent():
                return self._list(event, depth)
            case _:
                return self._map(event, depth)

    def _alias(self, event: Any, depth: int) -> AnyNode:
        place = _place(event)
        if event.anchor in self._open_anchors:
            self._document.mistake(place, f"*{event.anchor} stands inside of what it names")
            raise _StopError
        if event.anchor not in self._anchors:
            self._document.mistake(place, f"nothing is marked &{event.anchor}")
            raise _StopError
        node, size, height = self._anchors[event.anchor]
        self._counted(place, size, depth + height)
        return node

    def _counted(self, place: Node, nodes: int, depth: int) -> None:
        self._count += nodes
        self._deepest = max(self._deepest, depth)
        if depth > DEEPEST:
            self._document.mistake(place, f"maps and lists nest more than {DEEPEST} deep here")
            raise _StopError
        if self._count > MOST_NODES:
            self._document.mistake(
                place, f"with its aliases written out the file has more than {MOST_NODES:,} values"
            )
            raise _StopError

    def _list(self, event: Any, depth: int) -> ListNode:
        items: list[AnyNode] = []
        for inner in self._events:
            if isinstance(inner, yaml.SequenceEndEvent):
                return ListNode(*_marks(event)[:2], *_marks(inner)[2:], tuple(items))
            item = self._node(inner, depth + 1)
            if isinstance(item, Text) and not item.text and not item.style:
                self._document.mistake(item, 'an entry of the list is empty (an empty text is written "")')
            items.append(item)
        raise _StopError

    def _map(self, event: Any, depth: int) -> MapNode:
        pairs: list[tuple[Text, AnyNode]] = []
        seen: dict[str, Text] = {}
        for inner in self._events:
            if isinstance(inner, yaml.MappingEndEvent):
                return MapNode(*_marks(event)[:2], *_marks(inner)[2:], tuple(pairs))
            key = self._node(inner, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if self._is_key(key, value, seen):
                assert isinstance(key, Text)
                seen[key.text] = key
                pairs.append((key, value))
        raise _StopError

    def _is_key(self, key: AnyNode, value: AnyNode, seen: dict[str, Text]) -> bool:
        document = self._document
        if not isinstance(key, Text):
            document.mistake(key, "a key must be a text")
        elif not key.text:
            document.mistake(key, "a key is empty")
        elif key.text in seen:
            first = seen[key.text].line + 1
            document.mistake(key, f"{key.text!r} is there twice (first in line {first})")
        elif isinstance(value, Text) and not value.text and not value.style:
            document.mistake(key, f'{key.text!r} has no value (an empty text is written "")')
        else:
            return True
        return False


def _marks(event: Any) -> tuple[int, int, int, int]:
    start, end = event.start_mark, event.end_mark
    return start.line, start.column, end.line, end.column


def _place(event: Any) -> Node:
    return Node(*_marks(event))
