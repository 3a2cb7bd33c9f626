"""The document: one scenario file, read whole, every mistake told at once.

Reading has four passes: nodes, hosts, steps written out and read, names checked; then expectations. The play
is the stage's affair, the judgement the checks'; nothing here touches a lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from lab.topology import Topology
from runner import own_compose
from runner.errors import Mistake, ScenarioError, UsageError
from runner.expansion import Expansion, Known, Label, combinations, fill, matrix_of
from runner.expectations import Expectations, PlacedCheck
from runner.hosts import TopologyReader
from runner.model import Model, Reads, Surroundings, read_model
from runner.naming import Names
from runner.placing import Place, PlacedStep
from runner.reading import Document, MapNode, read_file, read_text, value_of
from runner.requirements import read_requirement
from runner.script import Script
from runner.steps.base import Step
from runner.unusual import is_unusual
from runner.values import TEXT_SCHEMA, Texts, list_of, map_of
from runner.values import Text as TextValue
from runner.values import read_text as read_text_value

__all__ = ["Place", "PlacedCheck", "PlacedStep", "Scenario", "Step", "cases", "load"]


@dataclass(frozen=True)
class Scenario:
    """One case of a scenario file, ready to be played and judged.

    `case` are the labels of the matrix that hold here. `includes` are files that were brought in, by the path
    as written (bytes that are no UTF-8 as surrogates, PEP 383). `text` is the file itself.
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


_COMPOSE = {
    "type": "object",
    "properties": {"compose": {"type": "string"}},
    "required": ["compose"],
    "additionalProperties": False,
}


def _as_it_is(value: Any, around: Surroundings) -> Any:
    """Read later, by its own part."""
    return value


_LIST_OF_STEPS: dict[str, Any] = {"type": "array", "items": {"$ref": "#/definitions/step"}}


class ScenarioMap(Model):
    """A scenario file.

    name      what it is called, in a few words
    about     what it shows, in a sentence or two
    tags      words to choose it by; what is tagged slow is played only when asked for
    requires  what it needs of engine and kernel, or it is skipped with the reason: program dnsmasq, kernel tipc,
              no kernel tipc, or of its network: forged-source, multicast, broadcast, fragments
    hosts     the hosts: a list of names, or a map of names and what is said about each
    networks  the networks and the hosts on each; without it all hosts share one
    lab       {compose: FILE}: the hosts are services of a compose file of one's own, named as there
    matrix    names and their values: the scenario is played for every combination. {kind: [a, b]}, where a value may be
              a list of words ([[ls, -l], [pwd]]), or a map that gives values names: {kind: {short: [pwd], ...}}
    steps     what happens, in order
    finally   what is done at the end, whatever happened
    expect    what must be seen in the recorded run; of more than 16 hosts only those capture that it names (both ends
              of a flow, `at`, sockets), unless it leaves open whom it is about
    """

    name: TextValue
    about: TextValue = ""
    tags: Texts = ()
    requires: Annotated[
        tuple[str, ...], Reads(list_of(read_requirement), {"type": "array", "items": TEXT_SCHEMA})
    ] = ()
    hosts: Annotated[Any, Reads(_as_it_is, {"$ref": "#/definitions/hosts"})]
    networks: Annotated[Any, Reads(_as_it_is, {"$ref": "#/definitions/networks"})] = None
    lab: Annotated[Any, Reads(map_of(read_text_value), _COMPOSE)] = None
    matrix: Annotated[
        Any,
        Reads(
            _as_it_is,
            {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [
                        {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "anyOf": [TEXT_SCHEMA, {"type": "array", "minItems": 1, "items": TEXT_SCHEMA}]
                            },
                        },
                        {"type": "object", "minProperties": 1},
                    ]
                },
            },
        ),
    ] = None
    steps: Annotated[Any, Reads(_as_it_is, _LIST_OF_STEPS)]
    finally_: Annotated[Any, Reads(_as_it_is, _LIST_OF_STEPS), Field(alias="finally")] = None
    expect: Annotated[
        Any, Reads(_as_it_is, {"type": "array", "items": {"$ref": "#/definitions/expectation"}})
    ] = None


def cases(path: Path, settings: Mapping[str, str]) -> list[Mapping[str, str]]:
    """The cases of a scenario's matrix as name -> label, one empty mapping where there is none.

    `settings` pick: only cases with these labels. Raises ScenarioError where the file or its matrix is wrong,
    UsageError for a name or label that the matrix does not have.
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
    """Read one case of a scenario file (the first where none is said); raises ScenarioError with all
    mistakes.

    `checks` are the kinds of expectations. `includes` stand for the files that the scenario brings in, by
    their path as written; without it they are read from beside the file.
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
        self._included: list[Document] = []

    def load(self, case: Mapping[str, str] | None) -> Scenario:
        """All passes; raises ScenarioError with the mistakes of all of them."""
        document = self._document
        matrix = matrix_of(document, _root(document))
        chosen = {name: _chosen(labels, (case or {}).get(name)) for name, labels in matrix.items()}
        known = Known(
            {name: one.value for name, one in chosen.items()},
            {name: one.label for name, one in chosen.items()},
        )
        root = fill(_root(document), known, document)
        assert isinstance(root, MapNode)
        head = self._head(root)
        topology = TopologyReader(document, self._around).read(root.get("hosts"), root.get("networks"))
        hosts = tuple(host.name for host in topology.hosts)
        self._around = self._around.among(topology, are_known=not root.get("lab"))
        names = Names(hosts, tuple(network.name for network in topology.networks), tuple(matrix))
        steps, finally_ = self._steps(root, known, names)
        expectations = Expectations(document, self._checks, self._around, names.known())
        expect = expectations.read(root.get("expect"), known)
        own = None if self._given is not None else own_compose.named(root, topology, document, self._folder)
        self._raise_mistakes()
        assert head is not None, "a head that was not read has left its mistakes"
        return Scenario(
            path=document.path,
            name=head.name,
            about=head.about,
            tags=head.tags,
            requires=head.requires,
            topology=replace(
                topology,
                compose=own,
                programs=self._programs(),
                unusual=is_unusual(head.requires, (*steps, *finally_)),
            ),
            steps=steps,
            finally_=finally_,
            expect=expect,
            case=known.labels,
            includes=dict(self._around.included),
            text=document.text,
        )

    def _steps(
        self, root: MapNode, known: Known, names: Names
    ) -> tuple[tuple[PlacedStep, ...], tuple[PlacedStep, ...]]:
        """The steps and those of `finally`; all are read before the names of any are checked."""
        expansion = Expansion(self._folder, self._around)
        script = Script(self._around, names)
        steps = script.read(expansion.steps(root.get("steps"), known, self._document), "steps")
        finally_ = script.read(expansion.steps(root.get("finally"), known, self._document), "finally")
        self._included = expansion.documents
        return script.place(steps), script.place(finally_)

    def _head(self, root: MapNode) -> ScenarioMap | None:
        """What a scenario says about itself; mistakes of its keys go to the document."""
        value = {key.text: _short(key.text, node) for key, node in root.pairs}
        return read_model(ScenarioMap, root, value, self._document, self._around, called="a scenario")

    def _programs(self) -> Path | None:
        folder = self._folder / "programs"
        return folder.resolve() if self._given is None and folder.is_dir() else None

    def _raise_mistakes(self) -> None:
        found = [mistake for one in (self._document, *self._included) for mistake in one.mistakes]
        if found:
            own = self._document.path
            raise ScenarioError(
                sorted(found, key=lambda one: (one.path != own, one.path, one.line, one.column))
            )


def _chosen(labels: tuple[Label, ...], wanted: str | None) -> Label:
    """The label of that name, or the first."""
    return next((one for one in labels if one.label == wanted), labels[0])


def _short(key: str, node: Any) -> Any:
    """The value of a top-level key; what has a reader of its own is not turned into values here."""
    return node if key in ("hosts", "networks", "matrix", "steps", "finally", "expect") else value_of(node)
