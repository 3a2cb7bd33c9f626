"""What is written out before a scenario is played: repeat, include and the matrix."""

# Texts of one line each.
# ruff: noqa: E501

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner import scenario
from runner.checks import CHECKS
from runner.errors import ScenarioError, UsageError
from tests.play import scope_of, socket
from tests.runner.loading import HEAD, SOCKETS, load, mistakes, said


def test_repeat_writes_its_steps_out() -> None:
    loaded = load(
        HEAD
        + "steps:\n  - repeat: {for: {i: 1..3}, steps: [{client: {socket: c$i}}, {client: {close: c$i}}]}\n"
    )
    assert [one.makes for one in loaded.steps] == [("c1",), (), ("c2",), (), ("c3",), ()]
    loaded = load(
        HEAD
        + "steps:\n  - repeat: {for: {h: [server, client], k: [a, b]}, steps: [{$h: {socket: $h$k}}]}\n".replace(
            "$h$k", "x$h$k"
        )
    )
    assert [(one.host, one.makes[0]) for one in loaded.steps] == [
        ("server", "xservera"), ("server", "xserverb"), ("client", "xclienta"), ("client", "xclientb"),
    ]  # fmt: skip


def test_repeats_are_bounded() -> None:
    nested = "[{sleep: 1ms}]"
    for name in "abcdef":
        nested = f"[{{repeat: {{for: {{{name}: 1..100}}, steps: {nested}}}}}]"
    assert "more than 10,000" in mistakes(HEAD + f"steps: {nested}\n")[0]
    assert "more than 10,000" in mistakes(HEAD + f"steps: {nested.replace('{sleep: 1ms}', '')}\n")[0]


def test_include_inserts_steps_as_if_written_there(tmp_path: Path) -> None:
    (tmp_path / "connect.yaml").write_text(
        '- client: {socket: c}\n- client: {connect: c, to: "server:$port"}\n'
    )
    text = HEAD + "matrix: {port: ['80', '81']}\nsteps:\n  - include: connect.yaml\n  - client: {close: c}\n"
    loaded = load(text, folder=tmp_path, case={"port": "81"})
    assert said(loaded.steps) == [("client", "socket"), ("client", "connect"), ("client", "close")]
    assert loaded.steps[1].place.path.endswith("connect.yaml") and loaded.steps[1].place.line == 2
    assert loaded.steps[1].settle(scope_of(socket("c"))).text() == "connect c to server:81"
    again = load(text, folder=Path("/nowhere"), includes=json.loads(json.dumps(loaded.includes)))
    assert said(again.steps) == said(loaded.steps)


def test_mistakes_in_an_included_file_are_told_there(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("- client: {socket: c}\n- client: {conect: c}\n")
    with pytest.raises(ScenarioError) as caught:
        load(HEAD + "steps:\n  - include: part.yaml\n  - sever: {close: c}\n", folder=tmp_path)
    assert [(Path(one.path).name, one.line) for one in caught.value.mistakes] == [
        ("f.yaml", 5),
        ("part.yaml", 2),
    ]


def test_an_include_cannot_include_itself_or_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.yaml").write_text("- include: a.yaml\n")
    (tmp_path / "b.yaml").write_text("- sleep: 1s\n")
    assert "includes itself" in mistakes(HEAD + "steps:\n  - include: a.yaml\n", folder=tmp_path / "in")[0]
    assert "outside" in mistakes(HEAD + "steps:\n  - include: ../b.yaml\n", folder=tmp_path / "in")[0]


MATRIX = (
    "name: $kind\nhosts: [server, client]\nmatrix:\n  kind: [a, b]\n  srv: {c: [/programs/echo], python: [python3, /programs/echo.py]}\n"
    "steps:\n  - server: {run: $srv, as: p}\n  - server: {stdin: p, data: $kind, when: {kind: a}}\n"
    "  - server: {stdin: p, data: never, when: {kind: [c, b], srv: c}}\n"
    "expect:\n  - count: {flow: tcp, is: 0}\n    when: {kind: b}\n"
)


def test_the_matrix_makes_cases(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MATRIX)
    every = scenario.cases(path, {})
    assert every == [
        {"kind": "a", "srv": "c"}, {"kind": "a", "srv": "python"}, {"kind": "b", "srv": "c"}, {"kind": "b", "srv": "python"},
    ]  # fmt: skip
    assert scenario.cases(path, {"srv": "c"}) == [every[0], every[2]]
    with pytest.raises(UsageError, match="has no name 'knd'"):
        scenario.cases(path, {"knd": "a"})
    with pytest.raises(UsageError, match="kind is one of a, b, not 'c'"):
        scenario.cases(path, {"kind": "c"})


def test_a_case_fills_in_its_values_and_leaves_out_what_does_not_hold() -> None:
    loaded = load(MATRIX, case={"kind": "a", "srv": "python"})
    assert loaded.name == "a" and loaded.case == {"kind": "a", "srv": "python"}
    assert [one.verb for one in loaded.steps] == ["run", "stdin"] and not loaded.expect
    assert loaded.steps[0].settle(scope_of()).text() == "run python3 /programs/echo.py as p"
    loaded = load(MATRIX, case={"kind": "b", "srv": "c"})
    assert [one.place.line for one in loaded.steps] == [7, 9] and len(loaded.expect) == 1
    loaded = load(MATRIX, case={"kind": "b", "srv": "python"})
    assert [one.place.line for one in loaded.steps] == [7]


WORDS = (
    "name: n\nhosts: [a]\nmatrix:\n  argv: {}\nsteps:\n  - a: {{run: $argv, as: p}}\n"
    "  - a: {{wait: p, when: {{argv: ls -l}}}}\n"
)


def test_a_value_of_the_matrix_may_be_a_list_of_words(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(WORDS.format("[[ls, -l], [pwd], id]"))
    every = scenario.cases(path, {})
    assert every == [{"argv": "ls -l"}, {"argv": "pwd"}, {"argv": "id"}]
    first, second = (scenario.load(path, checks=CHECKS, case=case) for case in every[:2])
    assert [one.settle(scope_of()).text() for one in first.steps] == ["run ls -l as p", "wait p"]
    assert [one.settle(scope_of()).text() for one in second.steps] == ["run pwd as p"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("[{a: b}]", "4:10: this value needs a name: write a map, {NAME: VALUE, NAME: VALUE}"),
        ("[[]]", "4:10: this value needs a name"),
        ("[[[a]]]", "4:10: this value needs a name"),
        ("[[ls, -l], ls -l]", "4:20: 'ls -l' is there twice"),
    ],
)
def test_a_value_without_words_of_its_own_needs_a_name(values: str, said: str) -> None:
    assert said in mistakes(WORDS.format(values))[0]


def test_a_file_without_a_matrix_is_one_case(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(SOCKETS)
    assert scenario.cases(path, {}) == [{}]
