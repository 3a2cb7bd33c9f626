"""The names of a scenario: which there are, where each is made, and whether steps use them rightly.

A name means one thing in the whole scenario. Mistakes go to the documents they are in; nothing is played
here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.errors import Misplaced
from runner.model import KnownNames
from runner.names import Reference, packet_part_problem, pieces
from runner.placing import Source, texts_of
from runner.reading import AnyNode, ListNode, MapNode, Text, suggestion
from runner.steps.base import CallStep, ThingKind


@dataclass
class Entry:
    """One step on its way through the checks; `order` counts as they are played."""

    source: Source
    host: str | None
    verb: Text
    order: int
    repeated: bool = False


@dataclass(frozen=True)
class Made:
    """A name that a step makes: what it is of, by which step."""

    name: str
    kind: ThingKind
    entry: Entry
    node: Text

    @property
    def line(self) -> int:
        """The line where it is made, from 1."""
        return self.node.line + 1


@dataclass
class Names:
    """All names of a scenario."""

    hosts: tuple[str, ...]
    networks: tuple[str, ...]
    constants: tuple[str, ...]
    """Names of the matrix."""
    made: dict[str, Made] = field(default_factory=dict)

    def known(self) -> KnownNames:
        """What expectations may know."""
        sockets = {name: made.entry.host or "" for name, made in self.made.items() if made.kind == "socket"}
        values = frozenset(name for name in self.made if name not in sockets)
        return KnownNames(self.hosts, self.networks, sockets, values)

    def add(self, entry: Entry) -> None:
        """Take in what a step makes."""
        source = entry.source
        for key, kind in source.kind.makes.items():
            node = source.body.get(key)
            for text in _names_in(node):
                self._add_one(text, kind, entry)

    def _add_one(self, node: Text, kind: ThingKind, entry: Entry) -> None:
        document = entry.source.document
        if "$" in node.text:
            document.mistake(
                node, "a new name can hold names of matrix and repeat only: it must be known before the play"
            )
        elif node.text in self.hosts:
            document.mistake(node, f"{node.text!r} is the name of a host already")
        elif node.text in self.constants:
            document.mistake(node, f"{node.text!r} is a name of the matrix already")
        elif node.text in self.made:
            first = self.made[node.text].line
            document.mistake(
                node, f"{node.text!r} is made twice (first in line {first}): a name means one thing"
            )
        elif entry.repeated and kind != "value":
            document.mistake(node, f"the steps of until are played again: they cannot make a {kind}")
        else:
            self.made[node.text] = Made(node.text, kind, entry, node)


def _names_in(node: AnyNode | None) -> Iterable[Text]:
    match node:
        case Text():
            return (node,)
        case ListNode():
            return tuple(item for item in node.items if isinstance(item, Text))
        case _:
            return ()


class NameCheck:
    """Looks whether one step uses names rightly, and links it with the steps that made them."""

    def __init__(self, names: Names, entry: Entry) -> None:
        self._names = names
        self._entry = entry
        self._source = entry.source
        self.uses: dict[str, None] = {}

    def check(self) -> None:
        """All names in the step's texts, its objects, and the call it waits for."""
        for text in texts_of(self._source.body):
            self._check_references(text)
        for key, kind in self._source.kind.needs.items():
            for text in _names_in(self._source.body.get(key)):
                self._check_object(text, kind)
        if self._source.kind.verb == "returns":
            self._check_returns()

    def _check_references(self, text: Text) -> None:
        try:
            found = [piece for piece in pieces(text.text) if isinstance(piece, Reference)]
        except Misplaced as wrong:
            self._source.document.misplaced(text, wrong)
            return
        for reference in found:
            root = reference.root
            if root in self._names.hosts:
                continue
            made = self._names.made.get(root)
            if made is None:
                pool = [*self._names.made, *self._names.hosts, *self._names.constants]
                self._wrong(text, reference, f"nothing is called {root!r}", suggestion(root, pool))
            elif made.kind != "value":
                self._wrong(text, reference, f"{root} is a {made.kind} and has no value")
            elif self._is_early(made):
                self._wrong(text, reference, f"{root} is made only in line {made.line}")
            elif made.entry.verb.text == "sniff_packet" and (problem := packet_part_problem(reference.parts)):
                self._wrong(text, reference, problem)
            else:
                self.uses[root] = None

    def _wrong(self, text: Text, reference: Reference, message: str, suggest: str = "") -> None:
        before = text.text[: reference.start + 1]
        line = before.count("\n")
        column = len(before) - (before.rfind("\n") + 1)
        length = reference.root_end - reference.start - 1
        wrong = Misplaced(message, line=line, column=column, length=length, suggestion=suggest)
        self._source.document.misplaced(text, wrong)

    def _is_early(self, made: Made) -> bool:
        return made.entry.order >= self._entry.order

    def _check_object(self, text: Text, kind: ThingKind) -> None:
        name, document = text.text, self._source.document
        if "$" in name or (self._source.kind.verb == "state" and name.startswith("tcp ")):
            return
        made = self._names.made.get(name)
        fits = _FITS[kind]
        if made is None:
            pool = [one for one, other in self._names.made.items() if other.kind in fits]
            document.mistake(text, f"there is no {kind} {name!r}", suggest=suggestion(name, pool))
        elif made.kind not in fits:
            document.mistake(text, f"{name} is a {made.kind}, and a {kind} is wanted here")
        elif self._is_early(made):
            document.mistake(text, f"{name} is made only in line {made.line}")
        elif made.entry.host != self._entry.host and "$" not in f"{made.entry.host}{self._entry.host}":
            document.mistake(
                text, f"{name} is a {made.kind} of host {made.entry.host}, not of {self._entry.host}"
            )
        else:
            self.uses[name] = None
            if self._source.kind.links_maker:
                self._source.maker = made.entry.source

    def _check_returns(self) -> None:
        text, document = self._source.body.get("returns"), self._source.document
        if not isinstance(text, Text):
            return
        made = self._names.made.get(text.text)
        if made is None:
            pool = [one for one, other in self._names.made.items() if _blocks(other.entry.source)]
            document.mistake(text, f"no call is named {text.text!r}", suggest=suggestion(text.text, pool))
            return
        source = made.entry.source
        if self._is_early(made):
            document.mistake(text, f"{text.text} is made only in line {made.line}")
        elif not _blocks(source):
            document.mistake(
                text, f"the call in line {made.line} does not say `blocks: true`: it has returned already"
            )
        elif source.body.get("blocks") and _written(source.body, "blocks") == "forever":
            document.mistake(text, f"the call in line {made.line} blocks forever: it never returns")
        elif made.entry.host != self._entry.host:
            document.mistake(
                self._entry.verb,
                f"{text.text} is a call of host {made.entry.host}, not of {self._entry.host}",
            )
        else:
            self._source.maker = source
            if isinstance(source.step, CallStep) and source.step.expects_nothing:
                source.judged_elsewhere = True


_FITS: dict[ThingKind, tuple[ThingKind, ...]] = {
    "socket": ("socket",),
    "file": ("file",),
    "program": ("program",),
    "socket or file": ("socket", "file"),
    "value": ("value",),
    "fault": ("fault",),
}


def _written(body: MapNode, key: str) -> str:
    node = body.get(key)
    return node.text if isinstance(node, Text) else ""


def _blocks(source: Source) -> bool:
    return isinstance(source.step, CallStep) and source.step.blocks != "no"
