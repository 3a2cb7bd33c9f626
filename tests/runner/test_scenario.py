"""The document: loading, its mistakes with their places, what is written out, and how steps are settled."""

# A table of one-line scenarios: wrapped, the columns that its mistakes have could not be counted.
# ruff: noqa: E501

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import scenario
from runner.checks import CHECKS
from runner.commands import Await, Call
from runner.errors import ScenarioError, Unmet, UsageError
from runner.scenario import PlacedStep, Scenario, load_text
from tests.play import gave, play, raised, scope_of, socket

ROOT = Path(__file__).resolve().parents[2]
HEAD = "name: n\nhosts: [server, client]\n"
SOCKETS = HEAD + "steps:\n  - server: {socket: s}\n  - client: {socket: c}\n"


def load(text: str, **options: Any) -> Scenario:
    return load_text(text, "f.yaml", checks=CHECKS, **options)


def mistakes(text: str, **options: Any) -> list[str]:
    """`line:column: message` of all mistakes, with `(suggestion)`."""
    with pytest.raises(ScenarioError) as caught:
        load(text, **options)
    return [
        f"{one.line}:{one.column}: {one.message}" + (f" ({one.suggestion})" if one.suggestion else "")
        for one in caught.value.mistakes
    ]


def said(steps: tuple[PlacedStep, ...]) -> list[tuple[str | None, str]]:
    return [(one.host, one.verb) for one in steps]


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_scenarios_load(path: Path) -> None:
    for case in scenario.cases(path, {}):
        loaded = scenario.load(path, checks=CHECKS, case=case)
        assert loaded.steps and loaded.expect and loaded.about


def test_what_is_loaded() -> None:
    loaded = load(
        HEAD
        + 'about: a\ntags: [t]\nrequires: [kernel tipc]\nsteps:\n  - server: {socket: s}\n  - server: {bind: s, to: ":80"}\n'
        + "finally:\n  - server: {close: s}\nexpect:\n  - count: {flow: tcp s, is: 0}\n"
    )
    assert (loaded.name, loaded.about, loaded.tags, loaded.requires) == ("n", "a", ("t",), ("kernel tipc",))
    assert [host.name for host in loaded.topology.hosts] == ["server", "client"]
    assert loaded.topology.networks[0].hosts == ("server", "client")
    bind = loaded.steps[1]
    assert (bind.place.path, bind.place.line, bind.place.column) == ("f.yaml", 8, 5)
    assert (bind.section, bind.verb, bind.host, bind.blocks) == ("steps", "bind", "server", "no")
    assert (loaded.steps[0].makes, bind.makes, bind.uses) == (("s",), (), ("s",))
    assert [(one.section, one.verb) for one in loaded.finally_] == [("finally", "close")]
    assert [(one.kind, one.place.line) for one in loaded.expect] == [("count", 12)]


# -- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("[a]", "1:1: a scenario is a map with the keys name, hosts and steps"),
        ("name: n\nhosts: [a]\n", "1:1: a scenario needs a key 'steps'"),
        (HEAD + "setps: []\n", "3:1: a scenario has no key 'setps'"),
        (HEAD + "steps: {}\n", "3:8: steps are a list"),
        (HEAD + "steps:\n  - close\n", "4:5: a step is a map"),
        (HEAD + "steps:\n  - server: close\n", "4:13: what server does is a map"),
        (HEAD + "steps:\n  - sever: {socket: s}\n", "4:5: there is no host 'sever' (server)"),
        (HEAD + "steps:\n  - slep: 1s\n", "4:11: what slep does is a map"),
        (HEAD + "steps:\n  - socket: {type: SOCK_STREAM}\n", "4:5: socket is done by a host"),
        (HEAD + "steps:\n  - server: {sokcet: s}\n", "4:14: there is no step 'sokcet' (socket)"),
        (HEAD + "steps:\n  - server: {to: s, bind: x}\n", "4:14: the verb comes first"),
        (HEAD + "steps:\n  - server: {sleep: 1s}\n", "4:14: no host does sleep"),
        (HEAD + "steps:\n  - kill: drop\n", "4:11: there is no host 'drop'"),
        (HEAD + "steps:\n  - pause: sever\n", "4:12: there is no host 'sever' (server)"),
        (HEAD + "steps:\n  - link: server\n", "4:5: link needs a key 'to'"),
        (HEAD + "steps:\n  - {link: server, to: dwn}\n", "4:24: a link goes down or up, not 'dwn'"),
        (HEAD + "steps:\n  - server: {kill: client}\n", "4:14: no host does kill"),
        (HEAD + "steps:\n  - server: {socket: s}\n    when: {a: b}\n", "5:5: a step has one key, its host"),
        (HEAD + "steps:\n  - server: {socket: s, typ: x}\n", "4:25: socket has no key 'typ'"),
        (HEAD + "steps:\n  - server: {socket: s, host: x}\n", "4:25: socket has no key 'host'"),
        (HEAD + "steps:\n  - server: {socket: s, as_: x}\n", "4:25: socket has no key 'as_'"),
        (HEAD + "steps:\n  - server: {socket: s, type: SOCK_STREM}\n", "4:31: there is no constant SOCK_STREM (SOCK_STREAM)"),
        (SOCKETS + "  - server: {bind: s}\n", "6:14: bind needs a key 'to'"),
        (SOCKETS + "  - client: {connect: c, to: 'sever:80'}\n", "6:31: there is no host 'sever' (server)"),
        (SOCKETS + "  - client: {connect: c, to: 'server:80000'}\n", "6:38: a port is a number from 0 to 65535, not 80000"),
        (SOCKETS + "  - client: {connect: cc, to: 'server:80'}\n", "6:23: there is no socket 'cc' (c)"),
        (SOCKETS + "  - client: {close: s}\n", "6:21: s is a socket of host server, not of client"),
        (SOCKETS + "  - client: {readline: c}\n", "6:24: c is a socket, and a file is wanted here"),
        (SOCKETS + "  - client: {socket: c}\n", "6:22: 'c' is made twice (first in line 5)"),
        (SOCKETS + "  - client: {socket: server}\n", "6:22: 'server' is the name of a host already"),
        (SOCKETS + "  - client: {socket: 1c}\n", "6:22: '1c' is no name"),
        (SOCKETS + "  - client: {close: d}\n  - client: {socket: d}\n", "6:21: d is made only in line 7"),
        (SOCKETS + "  - client: {send: c, data: $gott.data}\n", "6:30: nothing is called 'gott'"),
        (SOCKETS + '  - client: {send: c, data: "a $c"}\n', "6:33: c is a socket and has no value"),
        (SOCKETS + '  - client: {send: c, data: "5 $ each"}\n', "6:32: `$` begins a name"),
        (SOCKETS + "  - client: {socket: $c.x}\n", "6:22: a new name can hold names of matrix and repeat only"),
        (SOCKETS + "  - client: {recv: c, size: 1, raises: ECONREFUSED}\n", "6:40: there is no errno 'ECONREFUSED' (ECONNREFUSED)"),
        (SOCKETS + "  - client: {recv: c, size: 1, raises: TimeoutEror}\n", "6:40: there is no errno or exception of Python 'TimeoutEror' (TimeoutError)"),
        (SOCKETS + "  - client: {recv: c, size: 1, takes: 5}\n", "6:39: a duration needs a unit: 5s or 5ms?"),
        (SOCKETS + "  - client: {recv: c, size: 1, takes: 2s..1s}\n", "6:39: the range is empty"),
        (SOCKETS + "  - client: {recv: c, size: 1, blocks: yes}\n", "6:40: `blocks` is true or forever, not 'yes'"),
        (SOCKETS + "  - client: {recv: c, size: 1, gives: {hass: x}}\n", "6:39: there is no key 'hass' here"),
        (SOCKETS + "  - client: {setsockopt: c, option: SO_LINGER, value: {onof: 1}}\n", "6:55: there is no key 'onof' here"),
        (SOCKETS + "  - client: {returns: c}\n", "6:23: the call in line 5 does not say `blocks: true`"),
        (SOCKETS + "  - client: {returns: x}\n", "6:23: no call is named 'x'"),
        (HEAD + "steps: []\nexpect:\n  - cuont: {flow: tcp, is: 0}\n", "5:5: an expectation needs one of the keys"),
        (HEAD + "steps: []\nexpect:\n  - count: {flow: tcp x, is: 0}\n", "5:23: there is no socket and no host 'x'"),
        (SOCKETS + "expect:\n  - count: {flow: tcp c, is: $c}\n", "7:30: $c cannot stand here"),
        (SOCKETS + "expect:\n  - count: {flow: tcp c}\n", "7:5: count needs a key 'is'"),
        (SOCKETS + "expect:\n  - {count: {flow: tcp c, is: 0}, flw: x}\n", "7:35: an expectation of count has no key 'flw'"),
        (SOCKETS + "expect:\n  - flow: tcp c\n    packets: |\n      client -> server  SYN\n      client -> sever  ACK\n", "10:17: there is no host 'sever' (server)"),
        (HEAD + "steps:\n  - include: nothing.yaml\n", "4:14: nothing.yaml cannot be read"),
        (HEAD + "steps:\n  - repeat: {for: {i: 3..1}, steps: []}\n", "4:23: the range is empty"),
        (HEAD + "steps:\n  - repeat: {fro: {i: 1..3}, steps: []}\n", "4:14: repeat has no key 'fro'"),
        (HEAD + "steps:\n  - until: {within: 5, steps: []}\n", "4:21: a duration needs a unit"),
        (HEAD + "steps:\n  - until: {within: 5s, steps: [{server: {socket: s}}]}\n", "4:51: the steps of until are played again"),
        (HEAD + "steps:\n  - server: {socket: s, when: {kind: a}}\n", "4:32: 'kind' is no name of the matrix"),
        ("name: n\nhosts: [server, sleep]\nsteps: []\n", "2:17: no host can be called 'sleep'"),
        ("name: n\nhosts: [server, server]\nsteps: []\n", "2:17: host server is there twice"),
        ("name: n\nhosts: [a b]\nsteps: []\n", "2:9: 'a b' is no name for a host"),
        ("name: n\nhosts: []\nsteps: []\n", "2:8: there is no host"),
        ("name: n\nhosts: {a: {sysctl: {}}}\nsteps: []\n", "2:13: host a has no key 'sysctl'"),
        ("name: n\nhosts: [a, b]\nnetworks: {x: [a, c]}\nsteps: []\n", "3:19: there is no host 'c'"),
        ("name: n\nhosts: [a, b]\nnetworks: {x: [a]}\nsteps: []\n", "2:12: host b is on no network"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place_and_a_suggestion(text: str, expected: str) -> None:
    found = mistakes(text)
    assert any(one.startswith(expected) or one == expected for one in found), found
    assert not any("Input should" in one or "pydantic" in one or "Traceback" in one for one in found)


def test_all_mistakes_are_told_at_once_in_order() -> None:
    found = mistakes(
        "name: n\nhots: [server]\nhosts: [server]\nsteps:\n  - server: {sokcet: s}\n  - server: {socket: t, typ: 1}\n"
        "  - server: {bind: t, to: ':x'}\nexpect:\n  - count: {flow: tcp, is: many}\n"
    )
    assert [int(one.partition(":")[0]) for one in found] == sorted(
        int(one.partition(":")[0]) for one in found
    )
    assert {int(one.partition(":")[0]) for one in found} == {2, 5, 6, 7, 9}


def test_the_source_line_and_a_caret_are_shown() -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SOCKETS + "  - client: {conect: c, to: 'server:80'}\n")
    assert str(caught.value) == (
        "f.yaml:6:14: there is no step 'conect' - did you mean 'connect'?\n"
        "    6 |   - client: {conect: c, to: 'server:80'}\n"
        "      |              ^^^^^^"
    )


# -- written out -------------------------------------------------------------------------------------


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


# -- settling ----------------------------------------------------------------------------------------


def test_names_are_filled_in_when_the_step_is_settled() -> None:
    loaded = load(
        SOCKETS
        + "  - client: {getsockname: c, as: me}\n  - server: {connect: s, to: 'client:$me.port'}\n"
        "  - $me.host: {close: s}\n".replace("$me.host", "server")
    )
    step = loaded.steps[3]
    assert step.uses == ("me", "s") or set(step.uses) == {"me", "s"}
    settled = step.settle(scope_of(socket("s", "server"), me=["192.0.2.2", 4000]))
    assert settled.text() == "connect s to client:4000"


def test_a_value_that_does_not_fit_is_a_mistake_at_its_place() -> None:
    loaded = load(SOCKETS + "  - client: {recv: c, size: 9, as: got}\n  - server: {bind: s, to: ':$got'}\n")
    with pytest.raises(ScenarioError) as caught:
        loaded.steps[3].settle(scope_of(socket("s", "server"), got=b"x"))
    (mistake,) = caught.value.mistakes
    assert mistake.line == 7 and "a port is a number" in mistake.message
    with pytest.raises(ScenarioError, match="got has no part 'port'"):
        load(
            SOCKETS + "  - client: {recv: c, size: 9, as: got}\n  - server: {bind: s, to: ':$got.port'}\n"
        ).steps[3].settle(scope_of(socket("s", "server"), got=b"x"))


def test_doubled_dollars_are_dollars() -> None:
    loaded = load(SOCKETS + "  - client: {send: c, data: 'it costs $$5'}\n")
    step = loaded.steps[2].settle(scope_of(socket("c")))
    assert next(step.perform(scope_of(socket("c")))) == Call("client", "send", (b"it costs $5",), on="c")


PENDING = SOCKETS + "  - client: {recv: c, size: 9, as: answer, blocks: true}\n"


def test_returns_judges_a_pending_call_that_says_nothing_itself() -> None:
    loaded = load(PENDING + "  - client: {returns: answer, gives: right, takes: ..1s}\n")
    scope = scope_of(socket("c"))
    asked = Call("client", "recv", (9,), on="c", blocks="yes")
    pending, returns = loaded.steps[2], loaded.steps[3]
    assert pending.blocks == "yes" and pending.makes == ("answer",) and returns.uses == ()
    assert play(pending.settle(scope), scope, (asked, gave(b"wrong"))) == b"wrong"
    assert play(pending.settle(scope), scope, (asked, raised("ConnectionResetError", "ECONNRESET"))) is None
    step = returns.settle(scope)
    play(step, scope, (Await("answer"), gave(b"right")))
    with pytest.raises(Unmet, match='expected "right", and it gave "wrong"'):
        play(step, scope, (Await("answer"), gave(b"wrong")))
    assert step.limit_ns == 1_000_000_000


def test_a_pending_call_with_words_of_its_own_is_judged_by_them() -> None:
    loaded = load(
        PENDING.replace("blocks: true", "blocks: true, gives: right") + "  - client: {returns: answer}\n"
    )
    scope = scope_of(socket("c"))
    asked = Call("client", "recv", (9,), on="c", blocks="yes")
    with pytest.raises(Unmet):
        play(loaded.steps[2].settle(scope), scope, (asked, gave(b"wrong")))


def test_returns_waits_for_an_accept_by_the_name_of_its_socket() -> None:
    loaded = load(
        SOCKETS
        + "  - server: {accept: s, as: conn, blocks: true}\n  - server: {returns: conn, gives: {from: client}}\n"
    )
    scope = scope_of(socket("s", "server"))
    step = loaded.steps[3].settle(scope)
    play(step, scope, (Await("conn"), gave([{"object": "conn"}, ["192.0.2.2", 9]])))
    with pytest.raises(Unmet, match="expected from to be client"):
        play(step, scope, (Await("conn"), gave([{"object": "conn"}, ["192.0.2.1", 9]])))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gives: {from: client}", "7:32: there is no key 'from' here"),
        ("givs: x", "7:31: returns has no key 'givs'"),
        ("raises: ENOTHING", "7:39: there is no errno 'ENOTHING'"),
    ],
)
def test_the_words_of_returns_are_those_of_the_call(words: str, expected: str) -> None:
    found = mistakes(PENDING + f"  - client: {{returns: answer, {words}}}\n")
    assert any(expected.partition(": ")[2] in one for one in found), found
    assert found[0].startswith("7:")


def test_a_call_that_blocks_forever_never_returns() -> None:
    found = mistakes(PENDING.replace("true", "forever") + "  - client: {returns: answer}\n")
    assert "it never returns" in found[0]


def test_until_holds_its_steps() -> None:
    loaded = load(SOCKETS + "  - until: {within: 5s, steps: [{client: {recv: c, size: 1, gives: x}}]}\n")
    step = loaded.steps[2].settle(scope_of(socket("c")))
    command: Any = next(step.perform(scope_of(socket("c"))))
    assert command.within_ns == 5_000_000_000
    assert said(command.steps) == [("client", "recv")]
    assert step.text() == "until its step holds, within 5s"


def test_a_write_knows_the_mode_of_its_file() -> None:
    loaded = load(SOCKETS + "  - client: {makefile: c, as: f, mode: wb}\n  - client: {write: f, data: x}\n")
    step = loaded.steps[3].settle(scope_of())
    assert next(step.perform(scope_of())) == Call("client", "write", (b"x",), on="f")


# -- anything at all ---------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        "name",
        "hosts",
        "steps",
        "expect",
        "finally",
        "matrix",
        "networks",
        "when",
        "repeat",
        "for",
        "until",
        "within",
        "include",
        "sleep",
        "server",
        "client",
        "socket",
        "bind",
        "to",
        "send",
        "data",
        "recv",
        "size",
        "gives",
        "raises",
        "takes",
        "blocks",
        "as",
        "accept",
        "s",
        "c",
        "$x",
        "$$",
        "1s",
        "1..3",
        "true",
        "{hex:",
        "0}",
        "->",
        "count",
        "flow",
        "packets",
        "option",
        "value",
        "SO_LINGER",
        "returns",
        "state",
        "is",
        "$i",
        "a",
        "b",
        "0",
    ]
)
_VALUES = st.recursive(
    _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(
    steps=st.lists(st.dictionaries(st.sampled_from(["server", "client", "repeat", "until", "include", "sleep"]), _VALUES, max_size=2), max_size=4),
    rest=st.dictionaries(st.sampled_from(["expect", "finally", "matrix", "networks", "tags", "x"]), _VALUES, max_size=2),
)  # fmt: skip
def test_any_yaml_is_a_scenario_or_has_mistakes(steps: Any, rest: Any) -> None:
    text = json.dumps({"name": "n", "hosts": ["server", "client"], "steps": steps, **rest})
    try:
        assert isinstance(load(text), Scenario)
    except ScenarioError as error:
        assert error.mistakes and str(error)


@given(data=st.data())
def test_a_scenario_with_anything_changed_is_one_or_has_mistakes(data: Any) -> None:
    text = (ROOT / "scenarios" / "tcp_echo.yaml").read_text()
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 12))
    insert = data.draw(st.text(alphabet="{}[]:,\"'$&*!|> \n-ax1", max_size=4))
    try:
        assert isinstance(load(text[:start] + insert + text[start + length :]), Scenario)
    except ScenarioError as error:
        assert error.mistakes and str(error)
