"""The steps of a scenario: read one by one, then looked at together, then placed for the stage.

Two passes, because a step may use names that only a later look at the whole scenario knows. What is written
out before is `runner.expansion`, the rules of names are `runner.naming`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from runner.expansion import WrittenStep
from runner.model import Surroundings, keep_misplaced, read_model
from runner.names import unfilled
from runner.naming import Entry, NameCheck, Names
from runner.placing import OUTCOME_WORDS, PlacedStep, Section, Source, place_of, texts_of, without_outcome
from runner.reading import suggestion, value_of
from runner.steps import RESERVED, STEPS
from runner.steps.base import Step

_PARAMETERS = frozenset({"signal"})
"""Verbs that are also keys of other steps."""


@dataclass
class Reading:
    """A step that was read, before its names were checked."""

    written: WrittenStep
    entry: Entry
    section: Section
    inner: list[Reading]


class Script:
    """Reads and places the steps of one scenario; mistakes go to the documents they are in."""

    def __init__(self, around: Surroundings, names: Names) -> None:
        self._around = around
        self._names = names
        self._count = 0

    def read(self, written: Iterable[WrittenStep], section: Section, repeated: bool = False) -> list[Reading]:
        """The first pass: read every step for itself, and take in the names that it makes."""
        found = []
        for one in written:
            source = self._source(one)
            if source is None:
                continue
            self._count += 1
            entry = Entry(source, one.host.text if one.host else None, one.verb, self._count, repeated)
            self._names.add(entry)
            inner = self.read(one.inner, section, repeated=True)
            found.append(Reading(one, entry, section, inner))
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
        host = one.host.text if one.host else ""
        around = replace(self._around, lenient="raises" in value, is_step=True, host=host)
        source = Source(document, one.body, value, kind, around)
        source.step = read_model(kind, one.body, unfilled(value), document, around, at=verb, called=verb.text)
        if source.step is not None:
            for misplaced in (*source.step.wrong(), *source.step.misplaced_in(around)):
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
        if verb.text not in STEPS:
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

    def place(self, readings: Iterable[Reading]) -> tuple[PlacedStep, ...]:
        """The second pass: check the names of each step, link it, and give it its place."""
        return tuple(self._place_one(one) for one in readings)

    def _place_one(self, one: Reading) -> PlacedStep:
        source, entry = one.entry.source, one.entry
        check = NameCheck(self._names, entry)
        check.check()
        source.inner = self.place(one.inner)
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
        words = {key: source.value[key] for key in OUTCOME_WORDS if key in source.value}
        judging = unfilled({**without_outcome(maker.value), **words})
        around = replace(self._around, lenient="raises" in words, is_step=True)
        read = read_model(maker.kind, source.body, judging, source.document, around, called=maker.kind.verb)
        for misplaced in read.wrong() if read is not None else ():
            keep_misplaced(source.document, source.body, misplaced)
