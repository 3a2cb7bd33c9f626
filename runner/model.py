"""The base of every map in a scenario: a frozen pydantic model that is read from nodes, and how its mistakes
are said.

A field's type is `Annotated[T, Reads(function, schema)]`: the function gets the raw value (text, list or
dict, as the file has it) and what surrounds it, returns a T, and raises `Misplaced` (a place inside the text)
or `MisplacedAt` (a place inside a map or list). pydantic's own words never reach a reader. What single values
mean is `runner.values`.

A class of an expectation says what it knows about names in an optional method:

    def mistakes(self, names: KnownNames) -> Iterator[MisplacedAt]: ...

which is asked after the map was read; each `MisplacedAt(path, message, ...)` has the keys that lead to the
value that is wrong, then line and column inside its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema

from lab.topology import Topology
from runner import files
from runner.errors import Misplaced
from runner.names import Unfilled
from runner.reading import AnyNode, Document, ListNode, MapNode, Node, suggestion
from runner.scope import Scope

LARGEST_INCLUDED = 16 << 20
"""Bytes of a file that `{file: ..}` may bring in."""


class Model(BaseModel):
    """A map of the language. Its keys are its fields; the class docstring describes each key in a line of its
    own."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)


ModelType = TypeVar("ModelType", bound=Model)


class MisplacedAt(Misplaced):
    """Something is wrong at a place inside a map or list: `path` are the keys and indexes that lead there."""

    def __init__(
        self,
        path: Sequence[str | int],
        message: str,
        *,
        line: int = 0,
        column: int = 0,
        length: int = 1,
        suggestion: str = "",
    ) -> None:
        super().__init__(message, line=line, column=column, length=length, suggestion=suggestion)
        self.path = tuple(path)

    @classmethod
    def below(cls, key: str | int, wrong: Misplaced) -> MisplacedAt:
        """The same mistake, seen from the map or list that holds it under `key`."""
        path = (key, *wrong.path) if isinstance(wrong, MisplacedAt) else (key,)
        return cls(
            path,
            wrong.message,
            line=wrong.line,
            column=wrong.column,
            length=wrong.length,
            suggestion=wrong.suggestion,
        )


class WrongKey(MisplacedAt):
    """A key is wrong, and not its value; the path is the key's."""


@dataclass(frozen=True)
class KnownNames:
    """The names of a scenario: its hosts, its networks, its sockets (with the host of each), and all other
    names."""

    hosts: tuple[str, ...]
    networks: tuple[str, ...]
    sockets: Mapping[str, str]
    values: frozenset[str] = frozenset()

    def suggestion(self, wrong: str, kinds: Iterable[Literal["hosts", "networks", "sockets"]]) -> str:
        """The name of one of these kinds that was probably meant, or empty."""
        return suggestion(wrong, [name for kind in kinds for name in getattr(self, kind)])


@dataclass
class Surroundings:
    """What a value is read in: the folder of the scenario, files brought in so far, and how strict to be.

    `given` holds files by their path as written, read before (a run judged elsewhere); None: read from disk.
    `lenient` is true where the step says `raises`: what the socket API itself refuses is no mistake there.
    `hosts` are the names of the lab, `networks` its networks with the hosts on each; empty where they are not known.
    `scripted` are the hosts without a stack of their own.
    `is_step` is true in steps, of which `host` is who does it; they are read again when they are settled, and then
    `scope` is what is known of the lab.
    """

    folder: Path | None = None
    given: Mapping[str, str] | None = None
    included: dict[str, str] = field(default_factory=dict)
    lenient: bool = False
    hosts: tuple[str, ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scripted: frozenset[str] = frozenset()
    is_step: bool = False
    host: str = ""
    scope: Scope | None = None

    def among(self, topology: Topology, *, are_known: bool) -> Surroundings:
        """The same in a lab; `are_known`: its networks are those of the topology, and nobody else's to say."""
        return replace(
            self,
            hosts=tuple(host.name for host in topology.hosts),
            networks={network.name: network.hosts for network in topology.networks} if are_known else {},
            scripted=frozenset(host.name for host in topology.hosts if host.scripted),
        )

    def file(self, written: str) -> bytes:
        """The contents of a file beside the scenario; raises Misplaced where it is not there or outside."""
        if written not in self.included:
            self.included[written] = self._read(written)
        return self.included[written].encode("utf-8", "surrogateescape")

    def _read(self, written: str) -> str:
        if self.given is not None:
            if written not in self.given:
                raise Misplaced(f"the run has no copy of {written}", length=len(written))
            return self.given[written]
        if self.folder is None:
            raise Misplaced("files can only be brought in by a scenario that is a file")
        try:
            folder = self.folder.resolve()
            path = (folder / written).resolve()
            if not path.is_relative_to(folder):
                raise Misplaced(f"{written} is outside of the scenario's folder", length=len(written))
            files.check(path)
            with path.open("rb") as file:
                data = file.read(LARGEST_INCLUDED + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Misplaced(f"{written} cannot be read: {reason}", length=len(written)) from None
        if len(data) > LARGEST_INCLUDED:
            raise Misplaced(f"{written} has more than {LARGEST_INCLUDED >> 20} MiB", length=len(written))
        return data.decode("utf-8", "surrogateescape")


Reader = Callable[[Any, Surroundings], Any]


class Reads:
    """Mark of a field's type: how it is read, and the JSON Schema of what is written there.

    A value whose names are not known yet stays `Unfilled`; it is read when the step is settled.
    """

    def __init__(self, function: Reader, schema: Mapping[str, Any]) -> None:
        self.function = function
        self.schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return dict(self.schema)


def keys_of(model: type[Model]) -> tuple[str, ...]:
    """The keys of a map, as they are written."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


def read_model(
    model: type[ModelType],
    node: AnyNode,
    value: Any,
    document: Document,
    surroundings: Surroundings,
    *,
    at: Node | None = None,
    called: str = "this map",
) -> ModelType | None:
    """Read `value` (the raw value of `node`) as a model; None where it is wrong: the document has its
    mistakes then.

    `at` is where a missing key is told, `called` is what the map is in sentences (`connect`).
    """
    found: list[MisplacedAt] = []
    one = _read(model, value, surroundings, (), called, found)
    for wrong in found:
        if isinstance(wrong, _MissingKey):
            place = find(node, wrong.path)[0] if wrong.path else at or _head(node)
            document.mistake(place, wrong.message)
        elif isinstance(wrong, WrongKey):
            document.mistake(find(node, wrong.path)[0], wrong.message, suggest=wrong.suggestion)
        else:
            keep_misplaced(document, node, wrong)
    return None if found else one


class _MissingKey(MisplacedAt):
    """A key is missing; the path is the map's."""


def _read(
    model: type[ModelType],
    value: Any,
    around: Surroundings,
    path: tuple[str | int, ...],
    called: str,
    found: list[MisplacedAt],
) -> ModelType | None:
    """Read a map field by field, all its mistakes into `found`.

    pydantic keeps the fields, freezes what was read and writes the JSON Schema. Its own validators are not
    used: to build them costs more than to read a whole scenario, and their words are not for people.
    """
    if not isinstance(value, dict):
        found.append(MisplacedAt(path, f"{called} is a map"))
        return None
    values: dict[str, Any] = {}
    known = keys_of(model)
    before = len(found)
    for key in value:
        if key not in known:
            found.append(_unknown_key(key, known, path, called))
    for (name, info), key in zip(model.model_fields.items(), known, strict=True):
        if key in value:
            values[name] = _read_field(model, name, value[key], around, (*path, key), found)
        elif info.is_required():
            found.append(_MissingKey(path, f"{called} needs a key {key!r}"))
    return model.model_construct(**values) if len(found) == before else None


def _unknown_key(key: str, known: Sequence[str], path: tuple[str | int, ...], called: str) -> WrongKey:
    names = [name for name in known if name != "host"]
    message = f"{called} has no key {key!r} (its keys: {', '.join(names)})"
    return WrongKey((*path, key), message, suggestion=suggestion(key, names))


def _read_field(
    model: type[Model],
    name: str,
    value: Any,
    around: Surroundings,
    path: tuple[str | int, ...],
    found: list[MisplacedAt],
) -> Any:
    reader = reader_of(model, name)
    if isinstance(reader, type):
        return _read(reader, value, around, path, str(path[-1]), found)
    if isinstance(value, Unfilled):
        return value
    try:
        return reader(value, around)
    except Misplaced as wrong:
        inside = wrong.path if isinstance(wrong, MisplacedAt) else ()
        found.append(_at((*path, *inside), wrong))
        return None


def _at(path: tuple[str | int, ...], wrong: Misplaced) -> MisplacedAt:
    kind = WrongKey if isinstance(wrong, WrongKey) else MisplacedAt
    return kind(
        path,
        wrong.message,
        line=wrong.line,
        column=wrong.column,
        length=wrong.length,
        suggestion=wrong.suggestion,
    )


@cache
def reader_of(model: type[Model], name: str) -> Reader | type[Model]:
    """What reads a field: the function of its `Reads`, a model for a map in the map, or one of the plain
    types."""
    info = model.model_fields[name]
    for mark in info.metadata:
        if isinstance(mark, Reads):
            return mark.function
    for kind in (info.annotation, *get_args(info.annotation)):
        for mark in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
            if isinstance(mark, Reads):
                return mark.function
        if isinstance(kind, type) and issubclass(kind, Model):
            return kind
        if get_origin(kind) is Literal:
            return _one_of(get_args(kind))
    raise TypeError(f"{model.__name__}.{name} does not say how it is read")


def _one_of(words: tuple[str, ...]) -> Reader:
    def read(value: Any, around: Surroundings) -> str:
        if isinstance(value, str) and value in words:
            return value
        wrong = f"one of {', '.join(words)} is wanted here"
        raise Misplaced(
            wrong,
            length=len(value) if isinstance(value, str) else 1,
            suggestion=suggestion(str(value), words),
        )

    return read


def keep_misplaced(document: Document, node: AnyNode, wrong: Misplaced) -> None:
    """Keep a mistake at the value that its path leads to."""
    path = wrong.path if isinstance(wrong, MisplacedAt) else ()
    document.misplaced(find(node, path)[1], wrong)


def find(node: AnyNode, path: Sequence[Any]) -> tuple[Node, AnyNode]:
    """The key (or entry) and the value that a path leads to, as far as it can be followed."""
    key: Node = node
    for step in path:
        if isinstance(node, MapNode) and isinstance(step, str):
            value = node.get(step)
            if value is not None:
                key, node = node.key(step) or value, value
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            key = node = node.items[step]
    return key, node


def _head(node: AnyNode) -> Node:
    return node.pairs[0][0] if isinstance(node, MapNode) and node.pairs else node
