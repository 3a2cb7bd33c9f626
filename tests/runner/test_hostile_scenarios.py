"""Any scenario made of the language's own words in any arrangement is read, or refused with places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner import scenario
from runner.checks import CHECKS
from runner.errors import ScenarioError, UsageError
from runner.steps import STEPS

WORDS = sorted(
    {
        "name",
        "about",
        "hosts",
        "networks",
        "steps",
        "finally",
        "expect",
        "matrix",
        "tags",
        "requires",
        "as",
        "gives",
    }
    | {
        "raises",
        "takes",
        "blocks",
        "to",
        "size",
        "data",
        "level",
        "option",
        "value",
        "for",
        "within",
        "where",
        "when",
    }
    | {
        "flow",
        "packets",
        "count",
        "stream",
        "states",
        "from",
        "nth",
        "is",
        "at",
        "net",
        "hex",
        "repeat",
        "times",
        "file",
    }
    | {
        "any",
        "has",
        "length",
        "server",
        "client",
        "c",
        "s",
        "$c",
        "$i+1",
        "$$",
        "server:80",
        "1..3",
        "2s",
        "tcp c",
        "...",
    }
    | {
        "client -> server SYN",
        "IP",
        "TCP",
        "flags",
        "SOCK_STREAM",
        "EAGAIN",
        "99999999999",
        "-1",
        "true",
        "",
        "\0",
    }
    | set(STEPS)
)
TEXTS = st.one_of(st.sampled_from(WORDS), st.text(max_size=12), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(
    TEXTS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)
STEP = st.one_of(
    VALUES,
    st.dictionaries(
        st.sampled_from(["server", "client"]),
        st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4),
        max_size=2,
    ),
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "hosts": st.one_of(VALUES, st.just(["server", "client"])),
        "steps": st.lists(STEP, max_size=5),
    },
    optional={
        key: VALUES for key in ("networks", "finally", "expect", "matrix", "tags", "requires", "about")
    },
)


@given(DOCUMENTS)
def test_any_arrangement_of_words_is_read_or_refused(tmp_path_factory: Any, document: dict[str, Any]) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "arranged.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    try:
        for case in scenario.cases(path, {})[:3]:
            scenario.load(path, checks=CHECKS, case=case)
    except UsageError as error:
        assert str(error)
    except ScenarioError as error:
        assert error.mistakes
        assert all(one.line >= 1 and one.column >= 1 and one.message for one in error.mistakes)
