"""`$name` in texts."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Misplaced
from runner.names import Unfilled, filled, insert, look_up, references, unfilled
from tests.play import scope_of, socket

SCOPE = scope_of(
    socket("c"),
    got={"data": b"hi\xff", "from": ["192.0.2.2", 4000]},
    me=["2001:db8::2", 5, 0, 0],
    n=7,
    text="x",
    answers=[{"family": 2}],
)


def fill(value: Any) -> Any:
    return filled(value, partial(look_up, SCOPE))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("$got.data", b"hi\xff"),
        ("$got.from", "192.0.2.2:4000"),
        ("$got.from.port", 4000),
        ("$me", "[2001:db8::2]:5"),
        ("server:$me.port", "server:5"),
        ("$n", 7),
        ("$n+1", 8),
        ("<$n+1>", "<8>"),
        ("$text", "x"),
        ("$answers.0.family", 2),
        ("$$n and $n", "$n and 7"),
        ("$server.ip4", "192.0.2.1"),
        ("$server.ip6", "2001:db8::1"),
        ("$server.mac", "02:00:00:00:00:01"),
        ("$server.broadcast", "192.0.2.255"),
        ("$server.name", "server"),
        ("$server.lab.ip4", "192.0.2.1"),
        ("see $n.", "see 7."),
        (["$n", {"a$n": "$text"}], [7, {"a7": "x"}]),
    ],
)
def test_filled_in(written: Any, value: Any) -> None:
    assert fill(written) == value


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("$", "a dollar is written"),
        ("5 $ each", "a dollar is written"),
        ("$nothing", "nothing has no value yet"),
        ("$c", "c is a socket and has no value"),
        ("$got.dat", r"no part 'dat' \(its parts: data, from\)"),
        ("$n.x", "it has none"),
        ("$text+1", "only to a whole number"),
        ("x$got", "say which: data, from"),
        ("x$got.data", "not UTF-8"),
        ("$server.ip5", "no part 'ip5'"),
        ("$server.far.ip4", "on no network far"),
    ],
)
def test_what_cannot_be_filled_in(written: str, message: str) -> None:
    with pytest.raises(Misplaced, match=message):
        fill(written)


def test_a_lone_dollar_has_its_place() -> None:
    with pytest.raises(Misplaced) as caught:
        fill("one\ntwo $ three")
    assert (caught.value.line, caught.value.column) == (1, 4)


def test_before_the_play_texts_with_names_stay_open() -> None:
    assert unfilled({"a": "$x", "b": ["$$", "c"]}) == {"a": Unfilled("$x"), "b": ["$", "c"]}
    assert [one.root for one in references("$a.b$c+1 $$d")] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("c$i", "c3"),
        ("$i+1", "4"),
        ("$kind.yaml", "a.yaml"),
        ("$$i $other.x", "$$i $other.x"),
        ("$i$i", "33"),
        ("$$$i", "$$3"),
    ],
)
def test_insert_leaves_what_it_does_not_know(text: str, result: str) -> None:
    assert insert(text, {"i": "3", "kind": "a"}) == result


def test_only_to_whole_numbers_something_is_added() -> None:
    with pytest.raises(Misplaced, match="only to a whole number"):
        insert("$kind+1", {"kind": "a"})


@given(st.text(alphabet="$ab.+1 \n", max_size=30))
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        filled(text, lambda reference: 1)
    except Misplaced as wrong:
        assert text.split("\n")[wrong.line][wrong.column] == "$"


@given(st.text(max_size=30))
def test_a_doubled_dollar_is_a_dollar(text: str) -> None:
    assert fill(text.replace("$", "$$")) == text
