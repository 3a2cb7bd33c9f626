"""Maps read as models: every mistake at its place, none in pydantic's words."""

# ruff: noqa: E501 - a table of one-line maps, whose mistakes are told by column

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from runner.errors import Misplaced
from runner.model import KnownNames, MisplacedAt, Model, Reads, Surroundings, keys_of, read_model
from runner.names import Unfilled, unfilled
from runner.reading import read_text, value_of
from runner.values import Text, Whole


def read_letters(value: Any, around: Surroundings) -> str:
    if "!" in value:
        raise Misplaced("no shouting", column=value.index("!"), suggestion="." if around.lenient else "")
    return str(value)


class Inner(Model):
    """A map in a map."""

    size: Whole
    kind: Literal["one", "two"] = "one"


class Outer(Model):
    """A map."""

    name: Text
    letters: Annotated[str, Reads(read_letters, {})] | None = None
    inner: Inner | None = None
    is_: Annotated[Whole, Field(alias="is")] = 7


def read(text: str, **options: Any) -> tuple[Outer | None, list[str]]:
    document = read_text(text, "f")
    assert document.root is not None
    value = unfilled(value_of(document.root))
    model = read_model(Outer, document.root, value, document, Surroundings(**options), called="outer")
    return model, [
        f"{one.line}:{one.column}: {one.message}" + (f" ({one.suggestion})" if one.suggestion else "")
        for one in document.mistakes
    ]


def test_a_map_is_read_field_by_field() -> None:
    model, mistakes = read("{name: 010, letters: a, inner: {size: 0x10, kind: two}, is: 3}")
    assert not mistakes
    assert model == Outer.model_construct(
        name="010", letters="a", inner=Inner.model_construct(size=16, kind="two"), is_=3
    )
    assert keys_of(Outer) == ("name", "letters", "inner", "is")


def test_what_is_left_out_has_its_default() -> None:
    model, _ = read("{name: x}")
    assert model is not None
    assert (model.letters, model.inner, model.is_) == (None, None, 7)


def test_models_are_frozen() -> None:
    model, _ = read("{name: x}")
    assert model is not None
    with pytest.raises(ValidationError):
        model.name = "y"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{is: 1}", ["1:2: outer needs a key 'name'"]),
        ("{name: x, lettres: y}", ["1:11: outer has no key 'lettres' (its keys: name, letters, inner, is) (letters)"]),
        ("{name: x, is_: 1}", ["1:11: outer has no key 'is_' (its keys: name, letters, inner, is) (is)"]),
        ("{name: x, is: many}", ["1:15: a whole number is wanted here, not 'many'"]),
        ("{name: x, letters: ab!}", ["1:22: no shouting"]),
        ("{name: [x]}", ["1:8: a text is wanted here, not a list"]),
        ("{name: x, inner: y}", ["1:18: inner is a map"]),
        ("{name: x, inner: {}}", ["1:11: inner needs a key 'size'"]),
        ("{name: x, inner: {size: 1, kind: tow}}", ["1:34: one of one, two is wanted here (two)"]),
        ("{name: x, inner: {size: q, knd: one}}", ["1:25: a whole number is wanted here, not 'q'", "1:28: inner has no key 'knd' (its keys: size, kind) (kind)"]),
        ("[x]", ["1:1: outer is a map"]),
    ],
)  # fmt: skip
def test_mistakes(text: str, expected: list[str]) -> None:
    model, mistakes = read(text)
    assert model is None
    assert sorted(mistakes) == sorted(expected)


def test_what_surrounds_a_value_is_known_to_its_reader() -> None:
    assert read("{name: x, letters: a!}", lenient=True)[1] == ["1:21: no shouting (.)"]


def test_values_with_open_names_stay_open() -> None:
    model, mistakes = read("{name: $x, is: $n+1}")
    assert not mistakes and model is not None
    assert (model.name, model.is_) == (Unfilled("$x"), Unfilled("$n+1"))


def test_a_field_that_does_not_say_how_it_is_read_is_a_bug() -> None:
    class Careless(Model):
        """No reader."""

        name: str

    document = read_text("{name: x}", "f")
    assert document.root is not None
    with pytest.raises(TypeError, match=r"Careless\.name does not say how it is read"):
        read_model(Careless, document.root, {"name": "x"}, document, Surroundings())


def test_a_mistake_is_seen_from_the_map_that_holds_it() -> None:
    inner = MisplacedAt(("b", 1), "wrong", line=2, column=3, length=4, suggestion="s")
    outer = MisplacedAt.below("a", inner)
    assert outer.path == ("a", "b", 1)
    assert (outer.line, outer.column, outer.length, outer.suggestion) == (2, 3, 4, "s")
    assert MisplacedAt.below("a", Misplaced("wrong")).path == ("a",)


def test_known_names_suggest() -> None:
    names = KnownNames(("server",), ("lab",), {"conn": "server"})
    assert names.suggestion("con", ["sockets"]) == "conn"
    assert names.suggestion("sever", ["sockets", "hosts"]) == "server"
    assert names.suggestion("sever", ["networks"]) == ""
