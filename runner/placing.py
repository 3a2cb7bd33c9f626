"""Steps with their places, between the document and the stage: what each makes and uses, and how it is
settled.

A step is read twice: when the scenario is loaded, to find its mistakes, and when its turn has come and all
names have values. Which names there are in the whole scenario is `runner.naming`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

from runner.commands import Blocks
from runner.errors import Misplaced, ScenarioError
from runner.model import Surroundings, keep_misplaced, read_model
from runner.names import filled, look_up, references
from runner.reading import AnyNode, Document, ListNode, MapNode, Node, Text
from runner.scope import Scope
from runner.steps.base import Step

Section = Literal["steps", "finally"]


@dataclass(frozen=True)
class Place:
    """A place in a scenario file; line and column count from 1."""

    path: str
    line: int
    column: int


def place_of(document: Document, node: Node) -> Place:
    """The place of a node."""
    return Place(document.path, node.line + 1, node.column + 1)


def texts_of(node: AnyNode) -> list[Text]:
    """All texts of a node, keys too."""
    match node:
        case Text():
            return [node]
        case ListNode():
            return [text for item in node.items for text in texts_of(item)]
        case MapNode():
            return [text for key, value in node.pairs for text in (key, *texts_of(value))]


@dataclass
class Source:
    """Where a step comes from, and what it was read as; `value` is the raw map of its body."""

    document: Document
    body: MapNode
    value: dict[str, Any]
    kind: type[Step]
    surroundings: Surroundings
    step: Step | None = None
    maker: Source | None = None
    judged_elsewhere: bool = False
    inner: tuple[PlacedStep, ...] = ()

    @cached_property
    def has_references(self) -> bool:
        """Whether it must wait for values before it is what it is."""
        written = [text.text for text in texts_of(self.body)]
        return "packet" in written or any(map(references, [*written, str(self.value.get("host", ""))]))


OUTCOME_WORDS = ("gives", "raises", "takes")


@dataclass(frozen=True)
class PlacedStep:
    """A step of a scenario, expanded, with its place.

    `host` may still hold a `$name`. `makes` are the names that it makes; `uses` those that it needs before it
    can begin (of `$name.part` the name), but not the pending call that `returns` waits for.
    """

    place: Place
    section: Section
    verb: str
    host: str | None
    blocks: Blocks
    makes: tuple[str, ...]
    uses: tuple[str, ...]
    source: Source = field(repr=False, compare=False)

    def settle(self, scope: Scope) -> Step:
        """The step with all names filled in; raises ScenarioError where a value does not fit its place."""
        source = self.source
        ready = None if source.has_references else source.step
        step = ready or _settled(source, scope)
        _link(step, source, scope)
        return step


def _settled(source: Source, scope: Scope) -> Step:
    """The step of a source, read again with the values of this moment."""
    document = replace(source.document, mistakes=[])
    value: dict[str, Any] = {}
    for key, raw in source.value.items():
        try:
            value[key] = filled(raw, partial(look_up, scope))
        except Misplaced as wrong:
            node = source.body.get(key) or source.body
            keep_misplaced(document, node, wrong)
    step = None
    if not document.mistakes:
        around = replace(
            source.surroundings,
            lenient=bool(value.get("raises")),
            host=str(value.get("host", "")),
            scope=scope,
        )
        step = read_model(source.kind, source.body, value, document, around, called=source.kind.verb)
    if step is not None:
        for misplaced in step.wrong():
            keep_misplaced(document, source.body, misplaced)
        if step.host is not None and step.host not in scope.interfaces:
            document.mistake(source.body, f"there is no host {step.host!r}")
    if step is None or document.mistakes:
        raise ScenarioError(document.mistakes)
    return step


def _link(step: Step, source: Source, scope: Scope) -> None:
    """Tell a step what its own map does not say."""
    maker = source.maker
    if maker is None or source.kind.verb != "returns":
        step.link(maker.step if maker else None, source.judged_elsewhere, source.inner)
        return
    words = {key: source.value[key] for key in OUTCOME_WORDS if key in source.value}
    judging = replace(maker, value={**without_outcome(maker.value), **words}, maker=None)
    awaited = _settled(judging, scope)
    awaited.link(None, source.judged_elsewhere)
    step.link(awaited)


def without_outcome(value: Mapping[str, Any]) -> dict[str, Any]:
    """A call's raw map without what it expects: the words of `returns` come in its place."""
    return {key: one for key, one in value.items() if key not in (*OUTCOME_WORDS, "blocks")}
