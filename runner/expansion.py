"""What is written out when a scenario is read: matrix values, `when`, `repeat` and `include`.

Works on nodes, so that every step keeps the place where it was written. What a step means is not known here.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.errors import Misplaced, ScenarioError
from runner.model import Surroundings
from runner.names import NAME, insert
from runner.reading import AnyNode, Document, ListNode, MapNode, Node, Text, read_text, suggestion
from runner.steps import RESERVED

MOST_STEPS = 10_000
"""How many steps a scenario may have once everything is written out."""
DEEPEST_INCLUDE = 10


@dataclass(frozen=True)
class Label:
    """One value of a name of the matrix: how it is called, and what stands for it."""

    label: str
    value: AnyNode


@dataclass(frozen=True)
class WrittenStep:
    """One step as it is written, everything filled in that is known before the play.

    `place` is its first key; `host` is None for what no host does. `body` is the map with the verb; `inner`
    are the steps of an `until`.
    """

    document: Document
    place: Node
    host: Text | None
    verb: Text
    body: MapNode
    inner: tuple[WrittenStep, ...] = ()


MOST_CASES = 1000
"""Combinations of one matrix."""


# -- matrix ----------------------------------------------------------------------------------------


def matrix_of(document: Document, root: MapNode) -> dict[str, tuple[Label, ...]]:
    """The names of the matrix and their values; mistakes go to the document."""
    node = root.get("matrix")
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        document.mistake(node, "matrix is a map: each name and its values")
        return {}
    found: dict[str, tuple[Label, ...]] = {}
    for key, value in node.pairs:
        if not NAME.fullmatch(key.text):
            document.mistake(key, f"{key.text!r} is no name: letters, digits and _")
        elif labels := tuple(_labels(document, value)):
            found[key.text] = labels
    count = math.prod(len(labels) for labels in found.values())
    if count > MOST_CASES:
        document.mistake(node, f"the matrix has more than {MOST_CASES:,} combinations")
        return {}
    return found


def _labels(document: Document, node: AnyNode) -> Iterator[Label]:
    if isinstance(node, MapNode) and node.pairs:
        yield from (Label(key.text, value) for key, value in node.pairs)
    elif isinstance(node, ListNode) and node.items:
        seen: set[str] = set()
        for item in node.items:
            label = _own_label(item)
            if label is None:
                document.mistake(item, "this value needs a name: write a map, {NAME: VALUE, NAME: VALUE}")
            elif label in seen:
                document.mistake(item, f"{label!r} is there twice")
            else:
                seen.add(label)
                yield Label(label, item)
    else:
        document.mistake(node, "values are a list, or a map of labels and values")


def _own_label(node: AnyNode) -> str | None:
    """How a value is called that was given no label: by its text, or by its words; None where it has neither."""
    match node:
        case Text():
            return node.text
        case ListNode() if node.items and all(isinstance(item, Text) for item in node.items):
            return " ".join(item.text for item in node.items if isinstance(item, Text))
    return None


def combinations(matrix: Mapping[str, tuple[Label, ...]]) -> list[dict[str, str]]:
    """Every combination of labels, the last name's changing fastest."""
    names = list(matrix)
    every = itertools.product(*([label.label for label in matrix[name]] for name in names))
    return [dict(zip(names, labels, strict=True)) for labels in every]


# -- filling in ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Names that are known before the play: their values, and their labels for `when`."""

    values: Mapping[str, AnyNode] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def also(self, values: Mapping[str, Text]) -> Known:
        """With more names."""
        texts = {name: node.text for name, node in values.items()}
        return Known({**self.values, **values}, {**self.labels, **texts})


def fill(node: AnyNode, known: Known, document: Document) -> AnyNode:
    """The node with all known names filled in, each text at its own place."""
    if not known.values:
        return node
    match node:
        case Text():
            return _fill_text(node, known, document)
        case ListNode():
            return replace(node, items=tuple(fill(item, known, document) for item in node.items))
        case MapNode():
            pairs = tuple(
                (_fill_key(key, known, document), fill(value, known, document)) for key, value in node.pairs
            )
            return replace(node, pairs=pairs)


def _fill_text(node: Text, known: Known, document: Document) -> AnyNode:
    if "$" not in node.text:
        return node
    whole = known.values.get(node.text[1:])
    if whole is not None and node.text.startswith("$"):
        return replace(node, text=whole.text, filled=True) if isinstance(whole, Text) else whole
    texts = {name: value.text for name, value in known.values.items() if isinstance(value, Text)}
    for name, value in known.values.items():
        if not isinstance(value, Text) and re.search(rf"(?<!\$)(?:\$\$)*\${name}\b", node.text):
            document.mistake(node, f"${name} is no text: it cannot stand inside of one")
    try:
        text = insert(node.text, texts)
    except Misplaced as wrong:
        document.mistake(node, wrong.message)
        return node
    return node if text == node.text else replace(node, text=text, filled=True)


def _fill_key(key: Text, known: Known, document: Document) -> Text:
    found = _fill_text(key, known, document)
    if isinstance(found, Text):
        return found
    document.mistake(key, f"{key.text} is no text: it cannot be a key")
    return key


def holds(node: MapNode, known: Known, document: Document) -> tuple[bool, MapNode]:
    """Whether the `when` of a map holds, and the map without it."""
    condition = node.get("when")
    if condition is None:
        return True, node
    without = replace(node, pairs=tuple(pair for pair in node.pairs if pair[0].text != "when"))
    if not isinstance(condition, MapNode):
        document.mistake(condition, "when is a map: a name of the matrix and its value")
        return True, without
    return all([_fits(key, value, known, document) for key, value in condition.pairs]), without


def _fits(key: Text, value: AnyNode, known: Known, document: Document) -> bool:
    if key.text not in known.labels:
        near = suggestion(key.text, known.labels)
        document.mistake(key, f"{key.text!r} is no name of the matrix or of a repeat", suggest=near)
        return True
    options = value.items if isinstance(value, ListNode) else (value,)
    for one in options:
        if not isinstance(one, Text):
            document.mistake(one, "a value of the matrix is wanted here, or a list of them")
    return known.labels[key.text] in [one.text for one in options if isinstance(one, Text)]


# -- steps -----------------------------------------------------------------------------------------


class Expansion:
    """Writes out the steps of one scenario. Mistakes go to the documents they are in."""

    def __init__(self, folder: Path, surroundings: Surroundings) -> None:
        self._folder = folder
        self._surroundings = surroundings
        self._open: list[str] = []
        self._count = 0
        self._rounds = 0
        self.documents: list[Document] = []

    def steps(self, node: AnyNode | None, known: Known, document: Document) -> Iterator[WrittenStep]:
        """All steps of a list, in order."""
        if node is None:
            return
        if not isinstance(node, ListNode):
            document.mistake(node, "steps are a list: each begins with `- `")
            return
        for item in node.items:
            if not isinstance(item, MapNode) or not item.pairs:
                document.mistake(item, "a step is a map: `- HOST: {VERB: ..}`")
                continue
            yield from self._step(item, known, document)

    def _step(self, node: MapNode, known: Known, document: Document) -> Iterator[WrittenStep]:
        key, value = node.pairs[0]
        if key.text in RESERVED:
            yield from self._hostless(node, known, document)
            return
        filled_key = _fill_key(key, known, document)
        if len(node.pairs) > 1:
            second = node.pairs[1][0]
            document.mistake(
                second, f"a step has one key, its host; {second.text!r} belongs inside of its braces"
            )
            return
        if not isinstance(value, MapNode) or not value.pairs:
            document.mistake(value, f"what {key.text} does is a map: {{VERB: ..}}")
            return
        body = fill(value, known, document)
        assert isinstance(body, MapNode)
        played, body = holds(body, known, document)
        if played and self._counted(document, key):
            if not body.pairs:
                document.mistake(key, "this step has no verb")
                return
            yield WrittenStep(document, key, filled_key, body.pairs[0][0], body)

    def _hostless(self, node: MapNode, known: Known, document: Document) -> Iterator[WrittenStep]:
        verb = node.pairs[0][0]
        played, body = holds(node, known, document)
        if not played:
            return
        match verb.text:
            case "repeat":
                yield from self._repeat(body, known, document)
            case "include":
                yield from self._include(body, known, document)
            case "until":
                yield from self._until(body, known, document)
            case _ if self._counted(document, verb):
                filled = fill(body, known, document)
                assert isinstance(filled, MapNode)
                yield WrittenStep(document, verb, None, filled.pairs[0][0], filled)

    def _counted(self, document: Document, node: Node) -> bool:
        self._count += 1
        if self._count == MOST_STEPS + 1:
            document.mistake(node, f"written out, the scenario has more than {MOST_STEPS:,} steps")
        return self._count <= MOST_STEPS

    def _map_of(self, body: MapNode, keys: tuple[str, ...], document: Document) -> MapNode | None:
        """The map under the verb of a step that holds steps, with exactly these keys."""
        verb, value = body.pairs[0]
        for other, _ in body.pairs[1:]:
            document.mistake(other, f"{verb.text} has one map, and {other.text!r} belongs inside of it")
        if not isinstance(value, MapNode):
            document.mistake(value, f"{verb.text} is a map with the keys {' and '.join(keys)}")
            return None
        for key, _ in value.pairs:
            if key.text not in keys:
                has = f"{verb.text} has no key {key.text!r} (its keys: {', '.join(keys)})"
                document.mistake(key, has, suggest=suggestion(key.text, keys))
        missing = [key for key in keys if value.get(key) is None]
        for name in missing:
            document.mistake(verb, f"{verb.text} needs a key {name!r}")
        return None if missing else value

    def _until(self, body: MapNode, known: Known, document: Document) -> Iterator[WrittenStep]:
        verb = body.pairs[0][0]
        value = self._map_of(body, ("within", "steps"), document)
        if value is None or not self._counted(document, verb):
            return
        inner = tuple(self.steps(value.get("steps"), known, document))
        within = fill(value, known, document)
        assert isinstance(within, MapNode)
        pairs = tuple(pair for pair in within.pairs if pair[0].text == "within")
        yield WrittenStep(document, verb, None, verb, replace(within, pairs=pairs), inner)

    def _repeat(self, body: MapNode, known: Known, document: Document) -> Iterator[WrittenStep]:
        value = self._map_of(body, ("for", "steps"), document)
        if value is None:
            return
        ranges = value.get("for")
        if not isinstance(ranges, MapNode):
            document.mistake(value, "`for` is a map: a name and its values")
            return
        names: list[str] = []
        lists: list[list[Text]] = []
        for key, values in ranges.pairs:
            if not NAME.fullmatch(key.text) or key.text in known.labels:
                what = (
                    "has a value already" if key.text in known.labels else "is no name: letters, digits and _"
                )
                document.mistake(key, f"{key.text!r} {what}")
            names.append(key.text)
            lists.append(list(_values(fill(values, known, document), document)))
        for chosen in itertools.product(*lists):
            self._rounds += 1
            if self._rounds > MOST_STEPS:
                document.mistake(
                    body.pairs[0][0], f"written out, this is repeated more than {MOST_STEPS:,} times"
                )
                return
            before = len(document.mistakes)
            yield from self.steps(
                value.get("steps"), known.also(dict(zip(names, chosen, strict=True))), document
            )
            if len(document.mistakes) > before:
                return

    def _include(self, body: MapNode, known: Known, document: Document) -> Iterator[WrittenStep]:
        for other, _ in body.pairs[1:]:
            document.mistake(other, f"include has no key {other.text!r}")
        path = fill(body.pairs[0][1], known, document)
        if not isinstance(path, Text):
            document.mistake(path, "the path of a file is wanted here")
            return
        if path.text in self._open or len(self._open) >= DEEPEST_INCLUDE:
            document.mistake(path, f"{path.text} includes itself")
            return
        included = self._read(path, document)
        if included is None:
            return
        root = included.root
        if isinstance(root, MapNode):
            included.mistake(root, "an included file is a list of steps")
            return
        self._open.append(path.text)
        yield from self.steps(root, known, included)
        self._open.pop()

    def _read(self, path: Text, document: Document) -> Document | None:
        try:
            text = self._surroundings.file(path.text).decode("utf-8", "replace")
            included = read_text(text, str(self._folder / path.text))
        except Misplaced as wrong:
            document.misplaced(path, wrong)
            return None
        except ScenarioError as error:
            for one in error.mistakes:
                document.keep(one)
            return None
        known = next((one for one in self.documents if one.path == included.path), None)
        if known is None:
            self.documents.append(included)
        return known or included


_RANGE = re.compile(r"\s*(-?[0-9]{1,9})\s*\.\.\s*(-?[0-9]{1,9})\s*")


def _values(node: AnyNode, document: Document) -> Iterator[Text]:
    """The values of a name of `for`: a range of whole numbers, or a list of texts."""
    match node:
        case ListNode() if node.items and all(isinstance(item, Text) for item in node.items):
            yield from (item for item in node.items if isinstance(item, Text))
        case Text() if found := _RANGE.fullmatch(node.text):
            first, last = int(found[1]), int(found[2])
            if first > last:
                document.mistake(node, "the range is empty: its low end comes first")
            elif last - first >= MOST_STEPS:
                document.mistake(node, f"that is more than {MOST_STEPS:,} times")
            else:
                yield from (replace(node, text=str(number)) for number in range(first, last + 1))
        case _:
            document.mistake(node, "a range of whole numbers (1..20) or a list of texts is wanted here")
