"""Expectations between the document and the checks: each map finds its kind, and is read as that kind's
class.

What an expectation means is `runner.checks`; the registry is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.errors import Misplaced
from runner.expansion import Known, holds
from runner.model import KnownNames, Model, Surroundings, keep_misplaced, read_model
from runner.names import pieces, unfilled
from runner.placing import Place, place_of, texts_of
from runner.reading import AnyNode, Document, ListNode, MapNode, Text, suggestion, value_of


@dataclass(frozen=True)
class PlacedCheck:
    """An expectation with its place: its kind, and what was read as that kind's class."""

    place: Place
    kind: str
    model: Model


class Expectations:
    """Reads the expectations of one scenario; mistakes go to its document."""

    def __init__(
        self, document: Document, checks: Mapping[str, type[Model]], around: Surroundings, names: KnownNames
    ) -> None:
        self._document = document
        self._checks = checks
        self._around = around
        self._names = names

    def read(self, node: AnyNode | None, known: Known) -> tuple[PlacedCheck, ...]:
        """The expectations that hold in this case, in order."""
        document = self._document
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
            held, without = holds(item, known, document)
            if not without.pairs:
                self._wrong_kind(item, [])
                continue
            check = self._expectation(without)
            if held and check is not None:
                found.append(check)
        return tuple(found)

    def _expectation(self, item: MapNode) -> PlacedCheck | None:
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
        for misplaced in getattr(model, "mistakes", lambda names: ())(self._names):
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
        """In an expectation only the matrix can be filled in: what values came to be, no recorded run
        says."""
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
