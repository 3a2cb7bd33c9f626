"""The base of every map in a scenario: a frozen pydantic model that is read from nodes, and how its mistakes are said.

A field's type is `Annotated[T, Reads(function, schema)]`: the function gets the raw value (text, list or dict, as the
file has it) and what surrounds it, returns a T, and raises `Misplaced` (a place inside the text) or `MisplacedAt` (a
place inside a map or list). pydantic's own words never reach a reader. What single values mean is `runner.values`.

A class of an expectation says what it knows about names in an optional method:

    def mistakes(self, names: KnownNames) -> Iterator[MisplacedAt]: ...

which is asked after the map was read; each `MisplacedAt(path, message, ...)` has the keys that lead to the value that is
wrong, then line and column inside its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import core_schema

from runner.errors import Misplaced
from runner.names import Unfilled
from runner.reading import AnyNode, Document, ListNode, MapNode, Node, suggestion

LARGEST_INCLUDED = 16 << 20
"""Bytes of a file that `{file: ..}` may bring in."""


class Model(BaseModel):
    """A map of the language. Its keys are its fields; the class docstring describes each key in a line of its own."""

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


@dataclass(frozen=True)
class KnownNames:
    """The names of a scenario: its hosts, its networks, its sockets (with the host of each), and all other names."""

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
    `lenient` is true where the step says `raises`: what the socket API itself refuses is no mistake there. `hosts` are
    the names of the lab, for suggestions.
    """

    folder: Path | None = None
    given: Mapping[str, str] | None = None
    included: dict[str, str] = field(default_factory=dict)
    lenient: bool = False
    hosts: tuple[str, ...] = ()

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

    def read(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        """What pydantic calls."""
        if isinstance(value, Unfilled):
            return value
        context = info.context
        return self.function(value, context if isinstance(context, Surroundings) else Surroundings())

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self.read)

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
    """Read `value` (the raw value of `node`) as a model; None where it is wrong: the document has its mistakes then.

    `at` is where a missing key is told, `called` is what the map is in sentences (`connect`).
    """
    try:
        return model.model_validate(value, context=surroundings)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            _keep(one, model, node, document, at, called)
        return None


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


def _keep(
    error: Any, model: type[Model], node: AnyNode, document: Document, at: Node | None, called: str
) -> None:
    location, kind = error["loc"], error["type"]
    key, value = find(node, location)
    if kind == "missing":
        parent = find(node, location[:-1])[0] if len(location) > 1 else at or _head(node)
        document.mistake(parent, f"{called} needs a key {location[-1]!r}")
    elif kind == "extra_forbidden":
        known = keys_of(model) if len(location) == 1 else ()
        has = f" (its keys: {', '.join(name for name in known if name != 'host')})" if known else ""
        document.mistake(
            key,
            f"{called} has no key {str(location[-1])!r}{has}",
            suggest=suggestion(str(location[-1]), known),
        )
    elif isinstance(wrong := error.get("ctx", {}).get("error"), Misplaced):
        keep_misplaced(document, value, wrong)
    else:
        document.mistake(value, _in_words(kind, error.get("ctx", {}), wrong))


def _head(node: AnyNode) -> Node:
    return node.pairs[0][0] if isinstance(node, MapNode) and node.pairs else node


_WANTED = {
    "string_type": "a text is wanted here",
    "list_type": "a list is wanted here",
    "tuple_type": "a list is wanted here",
    "dict_type": "a map is wanted here",
    "mapping_type": "a map is wanted here",
    "model_type": "a map is wanted here",
    "int_type": "a whole number is wanted here",
    "int_parsing": "a whole number is wanted here",
    "bool_type": "true or false is wanted here",
    "bool_parsing": "true or false is wanted here",
    "float_parsing": "a number is wanted here",
    "too_short": "this is too short",
    "too_long": "this is too long",
    "string_too_short": "this text is too short",
}


def _in_words(kind: str, context: Mapping[str, Any], wrong: object) -> str:
    """A pydantic error as a sentence for people."""
    if kind == "literal_error":
        return f"one of these is wanted here: {context.get('expected', '')}"
    if isinstance(wrong, Exception):
        return str(wrong) or "this does not fit here"
    return _WANTED.get(kind, "this does not fit here")
