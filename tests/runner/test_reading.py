"""YAML as nodes with places: what is kept, what is refused, and where."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import MOST_SHOWN, Misplaced, Mistake, ScenarioError
from runner.placing import texts_of
from runner.reading import LARGEST_FILE, MapNode, Text, read_file, read_text, suggestion, value_of


def mistakes(text: str) -> list[tuple[int, int, str]]:
    """Line, column and message of all mistakes of a text."""
    with pytest.raises(ScenarioError) as caught:
        read_text(text, "f.yaml")
    return [(one.line, one.column, one.message) for one in caught.value.mistakes]


def test_of_many_mistakes_the_first_of_each_file_are_told() -> None:
    made = [
        Mistake(path, number, 1, 1, "x", f"wrong {number}")
        for path in ("a", "b")
        for number in range(MOST_SHOWN + 7)
    ]
    error = ScenarioError([*made, Mistake("c", 1, 1, 1, "x", "wrong")])
    assert len(error.mistakes) == len(made) + 1
    heads = [line for line in str(error).splitlines() if line[0] in "abc"]
    last = f"a:{MOST_SHOWN - 1}:1: wrong {MOST_SHOWN - 1}"
    assert heads[MOST_SHOWN - 1 : MOST_SHOWN + 2] == [last, "a: and 7 more", "b:0:1: wrong 0"]
    assert heads[-2:] == ["b: and 7 more", "c:1:1: wrong"]


def test_a_mistake_is_kept_once() -> None:
    document = read_text("a: 1\n", "f.yaml")
    for message in ("one", "other", "one"):
        document.mistake_at(0, 0, 1, message)
    assert [one.message for one in document.mistakes] == ["one", "other"]


def test_every_scalar_keeps_its_written_text() -> None:
    root = read_text(
        "{a: no, b: 1e10, c: 0102, d: ~, e: null, f: 02:00:00:00:00:01, g: 2026-01-31, h: 'x'}", "f"
    ).root
    assert root is not None
    assert value_of(root) == {
        "a": "no",
        "b": "1e10",
        "c": "0102",
        "d": "~",
        "e": "null",
        "f": "02:00:00:00:00:01",
        "g": "2026-01-31",
        "h": "x",
    }


def test_places_and_styles() -> None:
    root = read_text("a:\n  - 'x y'\nb: |\n  one\n  two\n", "f").root
    assert isinstance(root, MapNode)
    quoted = root.get("a").items[0]  # type: ignore[union-attr]
    assert (quoted.line, quoted.column, quoted.end_column, quoted.style) == (1, 4, 9, "'")
    block = root.get("b")
    assert isinstance(block, Text)
    assert (block.text, block.style, block.line) == ("one\ntwo\n", "|", 2)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb:\n", 2, 1, "'b' has no value"),
        ("a: 1\na: 2\n", 2, 1, "'a' is there twice (first in line 1)"),
        ("a: [x, ]\nb: [x, , y]", 2, 8, "a value is missing here"),
        ("- x\n-\n", 2, 2, "an entry of the list is empty"),
        ("? [a]\n: b", 1, 3, "a key must be a text"),
        ("a:\n\tb: 1", 2, 1, "a tab cannot indent YAML"),
        ("--- {a: b}\n--- {c: d}", 2, 1, "one YAML document only"),
        ("a: 'x", 1, 6, "never closed"),
        ("a: b: c", 1, 5, "put the text in quotes"),
        ("a: @x", 1, 4, "a text cannot begin with '@'"),
        ("a: {b: 1", 2, 1, "the map that began with `{`"),
        ("a: !!python/object:os.system x", 1, 4, "tags are no part of the language"),
        ("a: *b", 1, 4, "nothing is marked &b"),
        ("a: &a [*a]", 1, 8, "*a stands inside of what it names"),
        ("a: x\x07y", 1, 5, "U+0007 cannot stand"),
        ("a: \ud800", 1, 4, "U+D800 cannot stand"),
        ("[" * 60, 1, 51, "nest more than 50 deep"),
    ],
)
def test_what_is_refused_is_told_with_its_place(text: str, line: int, column: int, message: str) -> None:
    found = mistakes(text)
    assert any(message in words for _, _, words in found), found
    where = next((one[0], one[1]) for one in found if message in one[2])
    assert where == (line, column) or message.startswith("the map")


def test_all_mistakes_at_once() -> None:
    assert len(mistakes("a:\nb: 1\nb: 2\nc: !x y\n")) == 3


def test_aliases_are_written_out_and_bounded() -> None:
    root = read_text("a: &x {k: v}\nb: *x\nc: [*x, *x]\n", "f").root
    assert root is not None
    assert value_of(root)["c"] == [{"k": "v"}, {"k": "v"}]
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
    assert "more than 100,000 values" in mistakes(bomb)[0][2]


def test_aliases_cannot_nest_deeper_than_what_is_written() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))
    assert "nest more than 50 deep" in mistakes(chain)[0][2]


@pytest.mark.parametrize(
    "text", ["[" * 500_000, "{a: " * 200_000, "- " * 300_000, "? " * 300_000, "'" * 900_001]
)
def test_hostile_texts_are_refused_quickly(text: str) -> None:
    began = time.process_time()
    assert mistakes(text)
    assert time.process_time() - began < 5


def test_a_file_that_is_too_long_or_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: " + b"x" * LARGEST_FILE)
    with pytest.raises(ScenarioError, match="more than 1 MiB"):
        read_file(path)
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ScenarioError, match=r"x\.yaml:2:4: byte 0xff is not UTF-8"):
        read_file(path)
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_file(tmp_path / "nothing.yaml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_file(tmp_path)
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert value_of(read_file(path).root) == {"a": "1"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "line", "column", "place"),
    [
        ("k: plain", 0, 2, (1, 6)),
        ("k: 'it''s'", 0, 3, (1, 9)),
        ('k: "a\\tb\\x41c"', 0, 4, (1, 13)),
        ("k: |\n  one\n  two\n", 1, 1, (3, 4)),
        ("k:\n  - |-\n    one\n\n    two", 2, 0, (5, 5)),
        ("k: >\n  one\n  two\n", 0, 2, (1, 4)),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file(
    text: str, line: int, column: int, place: tuple[int, int]
) -> None:
    document = read_text(text, "f")
    assert document.root is not None
    node = next(one for one in texts_of(document.root) if one.text != "k")
    document.misplaced(node, Misplaced("wrong", line=line, column=column, length=2))
    (mistake,) = document.mistakes
    assert (mistake.line, mistake.column) == place


def test_suggestions() -> None:
    assert suggestion("conect", ["connect", "close"]) == "connect"
    assert suggestion("SOCK_STREM", ["SOCK_STREAM"]) == "SOCK_STREAM"
    assert suggestion("Server", ["server"]) == "server"
    assert suggestion("xyz", ["server"]) == ""


@given(st.text(max_size=200) | st.text(alphabet="[]{}:,-&*!|>'\"#%@ \n\tab1", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read_text(text, "f")
    except ScenarioError as error:
        assert error.mistakes
        assert all(one.line >= 1 and one.column >= 1 for one in error.mistakes)
        assert str(error)
    else:
        assert not document.mistakes


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "x.yaml"
    path.write_bytes(data)
    try:
        read_file(path)
    except ScenarioError as error:
        assert error.mistakes
