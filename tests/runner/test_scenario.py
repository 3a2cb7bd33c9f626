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
from runner.errors import ScenarioError
from runner.scenario import Scenario
from tests.runner.loading import HEAD, SOCKETS, load, mistakes

ROOT = Path(__file__).resolve().parents[2]


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
