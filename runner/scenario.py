"""The document: one scenario file, read whole, every mistake told at once.

Reading has four passes: nodes, hosts, steps written out and read, names checked; then expectations. The play is the
stage's affair, the judgement the checks'; nothing here touches a lab.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from lab.topology import Topology
from runner.errors import Misplaced, Mistake, ScenarioError, UsageError
from runner.expansion import Expansion, Known, Label, WrittenStep, combinations, fill, holds, matrix_of
from runner.hosts import TopologyReader
from runner.model import KnownNames, Model, Reads, Surroundings, keep_misplaced, read_model
from runner.naming import Entry, NameCheck, Names
from runner.names import pieces, unfilled
from runner.placing import Place, PlacedStep, Section, Source, place_of, texts_of
from runner.reading import Document, ListNode, MapNode, Text, read_file, read_text, suggestion, value_of
from runner.steps import RESERVED, STEPS
from runner.steps.base import Step
from runner.values import TEXT_SCHEMA, Texts
from runner.values import Text as TextValue

__all__ = ["Place", "PlacedCheck", "PlacedStep", "Scenario", "Step", "cases", "load"]


@dataclass(frozen=True)
class PlacedCheck:
    """An expectation with its place: its kind, and what was read as that kind's class."""

    place: Place
    kind: str
    model: Model


@dataclass(frozen=True)
class Scenario:
    """One case of a scenario file, ready to be played and judged.

    `case` are the labels of the matrix that hold here. `includes` are files that were brought in, by the path as
    written (bytes that are no UTF-8 as surrogates, PEP 383). `text` is the file itself.
    """

    path: str
    name: str
    about: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    topology: Topology
    steps: tuple[PlacedStep, ...]
    finally_: tuple[PlacedStep, ...]
    expect: tuple[PlacedCheck, ...]
    case: Mapping[str, str] = field(default_factory=dict)
    includes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


def _as_it_is(value: Any, around: Surroundings) -> Any:
    """Read later, by its own part."""
    return value


_LIST_OF_STEPS: dict[str, Any] = {"type": "array", "items": {"$ref": "#/$defs/step"}}


class ScenarioMap(Model):
    """A scenario file.

    name      what it is called, in a few words
    about     what it shows, in a sentence or two
    tags      words to choose it by; what is tagged slow is played only when asked for
    requires  what it needs of engine and kernel, or it is skipped with the reason: program dnsmasq, kernel tipc
    hosts     the hosts: a list of names, or a map of names and what is said about each
    networks  the networks and the hosts on each; without it all hosts share one
    matrix    names and their values: the scenario is played for every combination
    steps     what happens, in order
    finally   what is done at the end, whatever happened
    expect    what must be seen in the recorded run
    """

    name: TextValue
    about: TextValue = ""
    tags: Texts = ()
    requires: Texts = ()
    hosts: Annotated[Any, Reads(_as_it_is, {"$ref": "#/$defs/hosts"})]
    networks: Annotated[Any, Reads(_as_it_is, {"$ref": "#/$defs/networks"})] = None
    matrix: Annotated[
        Any,
        Reads(
            _as_it_is,
            {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [{"type": "array", "items": TEXT_SCHEMA}, {"type": "object"}]
                },
            },
        ),
    ] = None
    steps: Annotated[Any, Reads(_as_it_is, _LIST_OF_STEPS)]
    finally_: Annotated[Any, Reads(_as_it_is, _LIST_OF_STEPS), Field(alias="finally")] = None
    expect: Annotated[Any, Reads(_as_it_is, {"type": "array", "items": {"$ref": "#/$defs/expectation"}})] = (
        None
    )


def cases(path: Path, settings: Mapping[str, str]) -> list[Mapping[str, str]]:
    """The cases of a scenario's matrix as name -> label, one empty mapping where there is none.

    `settings` pick: only cases with these labels. Raises ScenarioError where the file or its matrix is wrong, UsageError
    for a name or label that the matrix does not have.
    """
    document = read_file(path)
    root = _root(document)
    matrix = matrix_of(document, root)
    if document.mistakes:
        raise ScenarioError(document.mistakes)
    for name, label in settings.items():
        if name not in matrix:
            raise UsageError(f"{path} has no name {name!r} in its matrix")
        labels = [one.label for one in matrix[name]]
        if label not in labels:
            raise UsageError(f"{path}: {name} is one of {', '.join(labels)}, not {label!r}")
    return [
        case for case in combinations(matrix) if all(case[name] == label for name, label in settings.items())
    ]


def load(
    path: Path,
    *,
    checks: Mapping[str, type[Model]],
    case: Mapping[str, str] | None = None,
    includes: Mapping[str, str] | None = None,
) -> Scenario:
    """Read one case of a scenario file (the first where none is said); raises ScenarioError with all mistakes.

    `checks` are the kinds of expectations. `includes` stand for the files that the scenario brings in, by their path as
    written; without it they are read from beside the file.
    """
    return _Loading(read_file(path), path.parent, checks, includes).load(case)


def load_text(
    text: str,
    name: str,
    *,
    checks: Mapping[str, type[Model]],
    case: Mapping[str, str] | None = None,
    folder: Path = Path(),
    includes: Mapping[str, str] | None = None,
) -> Scenario:
    """The same for a text; `name` is what its mistakes call the file."""
    return _Loading(read_text(text, name), folder, checks, includes).load(case)


def _root(document: Document) -> MapNode:
    """The document's map; raises ScenarioError where it is none."""
    root = document.root
    if isinstance(root, MapNode):
        return root
    if root is None:
        raise ScenarioError([Mistake(document.path, 1, 1, 1, document.lines[0], "the file is empty")])
    document.mistake(root, "a scenario is a map with the keys name, hosts and steps")
    raise ScenarioError(document.mistakes)


class _Loading:
    """One scenario on its way from nodes to a Scenario."""

    def __init__(
        self,
        document: Document,
        folder: Path,
        checks: Mapping[str, type[Model]],
        includes: Mapping[str, str] | None,
    ) -> None:
        self._document = document
        self._folder = folder
        self._checks = checks
        self._given = includes
        self._around = Surroundings(folder, includes)
        self._entries: list[Entry] = []

    def load(self, case: Mapping[str, str] | None) -> Scenario:
        """All passes; raises ScenarioError with the mistakes of all of them."""
        document = self._document
        matrix = matrix_of(document, _root(document))
        known = self._known(matrix, case)
        root = fill(_root(document), Known({name: label.value for name, label in known.items()}), document)
        assert isinstance(root, MapNode)
        labels = Known(
            {name: label.value for name, label in known.items()}, {n: one.label for n, one in known.items()}
        )
        head = self._head(root)
        topology = TopologyReader(document, self._around).read(root.get("hosts"), root.get("networks"))
        self._around = replace(self._around, hosts=tuple(host.name for host in topology.hosts))
        names = Names(self._around.hosts, tuple(network.name for network in topology.networks), tuple(matrix))
        expansion = Expansion(self._folder, self._around.hosts, self._around)
        written = {
            section: list(expansion.steps(root.get(section), labels, document))
            for section in ("steps", "finally")
        }
        steps = self._place(written["steps"], "steps", names)
        finally_ = self._place(written["finally"], "finally", names)
        placed = self._finish(names, steps), self._finish(names, finally_)
        expect = self._expectations(root, labels, names.known())
        self._raise_mistakes(expansion.documents)
        assert head is not None
        return Scenario(
            path=document.path,
            name=head.name,
            about=head.about,
            tags=head.tags,
            requires=head.requires,
            topology=replace(topology, programs=self._programs()),
            steps=placed[0],
            finally_=placed[1],
            expect=expect,
            case={name: label.label for name, label in known.items()},
            includes=dict(self._around.included),
            text=document.text,
        )

    def _known(
        self, matrix: Mapping[str, tuple[Label, ...]], case: Mapping[str, str] | None
    ) -> dict[str, Label]:
        """The values of the matrix in this case."""
        known: dict[str, Label] = {}
        for name, labels in matrix.items():
            wanted = (case or {}).get(name, labels[0].label)
            known[name] = next((one for one in labels if one.label == wanted), labels[0])
        return known

    def _head(self, root: MapNode) -> ScenarioMap | None:
        """What a scenario says about itself; mistakes of its keys go to the document."""
        value = {key.text: _short(key.text, node) for key, node in root.pairs}
        return read_model(ScenarioMap, root, value, self._document, self._around, called="a scenario")

    def _programs(self) -> Path | None:
        folder = self._folder / "programs"
        return folder.resolve() if self._given is None and folder.is_dir() else None

    def _raise_mistakes(self, included: Iterable[Document]) -> None:
        mistakes = [mistake for one in (self._document, *included) for mistake in one.mistakes]
        if mistakes:
            raise ScenarioError(
                sorted(
                    mistakes,
                    key=lambda one: (one.path != self._document.path, one.path, one.line, one.column),
                )
            )

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _place(
        self, written: Iterable[WrittenStep], section: Section, names: Names, repeated: bool = False
    ) -> list[_Placing]:
        """Read every step for itself and take in the names that it makes."""
        found = []
        for one in written:
            source = self._source(one)
            if source is None:
                continue
            entry = Entry(source, one.host.text if one.host else None, one.verb, len(self._entries), repeated)
            self._entries.append(entry)
            names.add(entry)
            inner = self._place(one.inner, section, names, repeated=True)
            found.append(_Placing(one, entry, section, inner))
        return found

    def _source(self, one: WrittenStep) -> Source | None:
        document, verb = one.document, one.verb
        if not self._host_is_right(one) or not self._verb_is_right(one):
            return None
        kind = STEPS[verb.text]
        value = value_of(one.body)
        if "host" in value and "host" not in kind.model_fields.keys() - Step.model_fields.keys():
            document.mistake(one.body.key("host") or verb, f"{verb.text} has no key 'host'")
            return None
        if one.host is not None:
            value["host"] = one.host.text
        around = replace(self._around, lenient="raises" in value)
        source = Source(document, one.body, value, kind, around)
        source.step = read_model(kind, one.body, unfilled(value), document, around, at=verb, called=verb.text)
        for misplaced in source.step.wrong() if source.step is not None else ():
            keep_misplaced(document, one.body, misplaced)
        return source

    def _host_is_right(self, one: WrittenStep) -> bool:
        host, hosts = one.host, self._around.hosts
        if host is None or host.text in hosts or "$" in host.text:
            return True
        if host.text in STEPS:
            one.document.mistake(host, f"{host.text} is done by a host: `- HOST: {{{host.text}: ..}}`")
        else:
            near = suggestion(host.text, [*hosts, *(verb for verb in RESERVED if verb in STEPS)])
            one.document.mistake(host, f"there is no host {host.text!r}", suggest=near)
        return False

    def _verb_is_right(self, one: WrittenStep) -> bool:
        document, verb = one.document, one.verb
        if one.host is None and verb.text not in STEPS:
            document.mistake(verb, f"this version has no step {verb.text!r} yet")
        elif verb.text not in STEPS:
            later = next(
                (key for key, _ in one.body.pairs[1:] if key.text in STEPS and key.text not in _PARAMETERS),
                None,
            )
            if later is not None:
                document.mistake(
                    verb, f"the verb comes first, and here {later.text!r} comes behind {verb.text!r}"
                )
            else:
                document.mistake(
                    verb, f"there is no step {verb.text!r}", suggest=suggestion(verb.text, STEPS)
                )
        elif one.host is not None and verb.text in RESERVED:
            document.mistake(verb, f"no host does {verb.text}: `- {verb.text}: ..`")
        else:
            return True
        return False

    def _finish(self, names: Names, placing: Iterable[_Placing]) -> tuple[PlacedStep, ...]:
        """Check the names of each step, link it, and give it its place."""
        return tuple(self._finish_one(names, one) for one in placing)

    def _finish_one(self, names: Names, one: _Placing) -> PlacedStep:
        source, entry = one.entry.source, one.entry
        check = NameCheck(names, entry)
        check.check()
        source.inner = self._finish(names, one.inner)
        self._check_returned_words(source)
        makes = tuple(
            text.text
            for key in source.kind.makes
            if (node := source.body.get(key))
            for text in texts_of(node)
        )
        return PlacedStep(
            place=place_of(source.document, one.written.place),
            section=one.section,
            verb=entry.verb.text,
            host=entry.host,
            blocks=source.step.blocks if source.step is not None else "no",
            makes=makes,
            uses=tuple(check.uses),
            source=source,
        )

    def _check_returned_words(self, source: Source) -> None:
        """The outcome words of `returns` are read as those of the call that it waits for."""
        maker = source.maker
        if maker is None or source.kind.verb != "returns" or source.step is None:
            return
        words = {key: source.value[key] for key in ("gives", "raises", "takes") if key in source.value}
        rest = {
            key: one for key, one in maker.value.items() if key not in ("gives", "raises", "takes", "blocks")
        }
        judging = unfilled({**rest, **words})
        around = replace(self._around, lenient="raises" in words)
        read = read_model(maker.kind, source.body, judging, source.document, around, called=maker.kind.verb)
        for misplaced in read.wrong() if read is not None else ():
            keep_misplaced(source.document, source.body, misplaced)

    # -- expectations --------------------------------------------------------------------------------------------------

    def _expectations(self, root: MapNode, known: Known, names: KnownNames) -> tuple[PlacedCheck, ...]:
        node, document = root.get("expect"), self._document
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            document.mistake(node, "expect is a list: each expectation begins with `- `")
            return ()
        found = []
        for item in node.items:
            if not isinstance(item, MapNode) or not item.pairs:
                document.mistake(
                    item, f"an expectation is a map with one of the keys {', '.join(self._checks)}"
                )
                continue
            held, item = holds(item, known, document)
            check = self._expectation(item, names)
            if held and check is not None:
                found.append(check)
        return tuple(found)

    def _expectation(self, item: MapNode, names: KnownNames) -> PlacedCheck | None:
        document = self._document
        kinds = [key for key, _ in item.pairs if key.text in self._checks]
        if len(kinds) != 1:
            self._wrong_kind(item, kinds)
            return None
        if not self._has_no_references(item):
            return None
        kind = kinds[0]
        value = unfilled(value_of(item))
        model = read_model(
            self._checks[kind.text],
            item,
            value,
            document,
            self._around,
            at=kind,
            called=f"an expectation of {kind.text}",
        )
        if model is None:
            return None
        for misplaced in getattr(model, "mistakes", lambda names: ())(names):
            keep_misplaced(document, item, misplaced)
        return PlacedCheck(place_of(document, item.pairs[0][0]), kind.text, model)

    def _wrong_kind(self, item: MapNode, kinds: list[Text]) -> None:
        known = ", ".join(self._checks)
        if kinds:
            self._document.mistake(
                kinds[1], f"an expectation has one kind, and {kinds[0].text!r} is there already"
            )
            return
        near = [(key, suggestion(key.text, self._checks)) for key, _ in item.pairs]
        key, suggest = next(((key, word) for key, word in near if word), (item.pairs[0][0], ""))
        self._document.mistake(key, f"an expectation needs one of the keys {known}", suggest=suggest)

    def _has_no_references(self, item: MapNode) -> bool:
        """In an expectation only the matrix can be filled in: what values came to be, no recorded run says."""
        right = True
        for text in texts_of(item):
            try:
                found = [piece for piece in pieces(text.text) if not isinstance(piece, str)]
            except Misplaced as wrong:
                self._document.misplaced(text, wrong)
                right = False
                continue
            for reference in found:
                self._document.mistake(
                    text, f"{reference} cannot stand here: expectations know names of the matrix only"
                )
                right = False
        return right


@dataclass
class _Placing:
    """A step that was read, before its names were checked."""

    written: WrittenStep
    entry: Entry
    section: Section
    inner: list[_Placing]


_PARAMETERS = frozenset({"signal"})
"""Verbs that are also keys of other steps."""


def _short(key: str, node: Any) -> Any:
    """The value of a top-level key; what has a reader of its own is not turned into values here."""
    return node if key in ("hosts", "networks", "matrix", "steps", "finally", "expect") else value_of(node)
