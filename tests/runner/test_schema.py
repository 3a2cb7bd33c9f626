"""The JSON Schema, held against scenarios by two independent validators, and against our own reader.

What editors show on hovering is what a validator collects as annotations of a place (JSON Schema Core 2019, 7.7).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from runner import pages, scenario
from runner.checks import CHECKS
from runner.errors import ScenarioError
from runner.model import keys_of
from runner.schema import DRAFT, FILE, MODELINE, schema, text, write
from runner.steps import STEPS
from tests import mutating

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
FILES = [*SCENARIOS, ROOT / "tests/runner/steps/played/every_step.yaml"]
HEAD = "name: n\nhosts: [server, client]\n"
BROKEN = [
    "name: n\nsteps: []\n",
    HEAD + "steps: {}\n",
    HEAD + "setps: []\n",
    HEAD + "steps: [{}]\n",
    HEAD + "steps: [{server: {}}]\n",
    HEAD + "steps: [{server: {sokcet: s}}]\n",
    HEAD + "steps: [{server: {socket: s, typ: x}}]\n",
    HEAD + "steps: [{server: {socket: s, type: stream}}]\n",
    HEAD + "steps: [{server: {socket: s, type: AF_INET}}]\n",
    HEAD + "steps: [{server: {socket: s}}, {server: {bind: s}}]\n",
    HEAD + "steps: [{server: {socket: s, raises: ECONREFUSED}}]\n",
    HEAD + "steps: [{server: {socket: s, blocks: maybe}}]\n",
    HEAD + "steps: [{server: {socket: s}}, {server: {recv: s, size: many}}]\n",
    HEAD + "steps: [{server: {socket: s}}, {server: {recv: s, size: 1, gives: {hass: x}}}]\n",
    HEAD + "steps: [{server: {socket: s}}, {server: {settimeout: s, value: 5}}]\n",
    HEAD + "steps: [{server: {socket: s}}, {server: {state: s, is: OPEN}}]\n",
    HEAD + "steps: [{server: {run: [], as: p}}]\n",
    HEAD + "steps: [{sleep: 5}]\n",
    HEAD + "steps: [{fault: lose, from: client}]\n",
    HEAD + "steps: [{server: {listen: s}, client: {listen: s}}]\n",
    HEAD + "steps: [{until: {within: 5s}}]\n",
    HEAD + "steps: [{repeat: {for: {i: 1..3}, steps: [{server: {sokcet: s}}]}}]\n",
    HEAD + "steps: []\nexpect: [{cuont: {flow: tcp, is: 0}}]\n",
    HEAD + "steps: []\nexpect: [{count: {flow: tcp}}]\n",
    HEAD + "steps: []\nexpect: [{flow: tpc, packets: ''}]\n",
    HEAD + "matrix: {k: [a, b]}\nsteps: []\nexpect: [{when: {k: {a: b}}, count: {flow: tcp, is: 0}}]\n",
    HEAD + "matrix: {k: [a, b]}\nsteps: []\nexpect: [{when: {k: a}}]\n",
    HEAD + "matrix: {k: [{a: b}]}\nsteps: []\n",
    "name: n\nhosts: {a: {sysctl: {}}}\nsteps: []\n",
    "name: n\nhosts: [a]\nnetworks: {x: {host: [a]}}\nsteps: []\n",
]
MADE = schema(CHECKS)


class AsAnEditor(yaml.CSafeLoader):
    """Types scalars by YAML 1.2's core schema (section 10.3.2), as editors do."""


AsAnEditor.yaml_implicit_resolvers = {}
for tag, pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
}.items():
    AsAnEditor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), None)


def _integer(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> int:
    digits = node.value
    return int(digits, 0) if digits[:2] in ("0o", "0x") else int(digits)


AsAnEditor.add_constructor("tag:yaml.org,2002:int", _integer)


@cache
def validators() -> tuple[Any, ...]:
    """Two that share no code; both are asked about each document."""
    return jsonschema.Draft7Validator(MADE), jsonschema_rs.validator_for(MADE)


def mistakes(document: Any) -> list[str]:
    """What both validators say against a document; they must agree that there is something."""
    found = [[str(error.message)[:200] for error in one.iter_errors(document)] for one in validators()]
    assert bool(found[0]) == bool(found[1]), found
    return found[0]


def in_pages() -> Iterator[Any]:
    """The whole scenarios that pages of docs and README show."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            if re.search(r"^name: ", block, re.M) and re.search(r"^steps:", block, re.M):
                yield pytest.param(block, id=f"{page.name}-{block.splitlines()[0]}")


def test_it_is_a_schema_of_its_draft() -> None:
    assert MADE["$schema"] == DRAFT
    jsonschema.Draft7Validator.check_schema(MADE)
    assert {f"step.{verb}" for verb in STEPS} <= set(MADE["definitions"])


def test_the_file_in_the_repository_is_made_from_this_code() -> None:
    kept = (ROOT / pages.SCHEMA).read_text(encoding="utf-8")
    assert kept == text(CHECKS), "run `make docs` and commit it"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_says_where_its_schema_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(MODELINE)
    assert (path.parent / FILE).is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenarios_are_valid(path: Path) -> None:
    assert not mistakes(yaml.load(path.read_text(encoding="utf-8"), AsAnEditor))


@pytest.mark.parametrize("block", list(in_pages()))
def test_scenarios_of_the_pages_are_valid(block: str) -> None:
    assert not mistakes(yaml.load(block, AsAnEditor))


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_refused_by_schema_and_reader(broken: str) -> None:
    assert mistakes(yaml.load(broken, AsAnEditor))
    with pytest.raises(ScenarioError):
        scenario.load_text(broken, "broken.yaml", checks=CHECKS)


@cache
def documents() -> tuple[tuple[Path, Any], ...]:
    return tuple((path, mutating.document(path)) for path in FILES)


@settings(suppress_health_check=list(HealthCheck))
@given(some.data())
def test_what_the_schema_refuses_the_reader_refuses(data: some.DataObject) -> None:
    path, document = data.draw(some.sampled_from(documents()), "scenario")
    place = data.draw(some.sampled_from(list(mutating.places(document))), "place")
    change = data.draw(some.sampled_from(["rename", "remove", *mutating.OTHER_VALUES]), "change")
    if "$" in json.dumps(mutating.at(document, place[:-1])):
        return  # names are filled in when the scenario plays: the reader looks at such values later
    if change == "rename" and not isinstance(place[-1], str):
        return
    made = (
        mutating.renamed(document, place, f"{place[-1]}x")
        if change == "rename"
        else mutating.removed(document, place)
        if change == "remove"
        else mutating.replaced(document, place, change)
    )
    if validators()[1].is_valid(made):
        return
    with pytest.raises(ScenarioError):
        _read_all_cases(made, path)


def _read_all_cases(document: Any, path: Path) -> None:
    """Read every case; the first that is wrong raises ScenarioError."""
    written = json.dumps(document)
    matrix = document.get("matrix") or {}
    if not isinstance(matrix, dict) or not all(isinstance(one, list | dict) for one in matrix.values()):
        scenario.load_text(written, path.name, checks=CHECKS, folder=path.parent)
    labels = {name: [str(one) for one in values] for name, values in matrix.items()}
    for case in [{}, *({name: label} for name, some_labels in labels.items() for label in some_labels)]:
        scenario.load_text(written, path.name, checks=CHECKS, folder=path.parent, case=case)


def steps_of(document: Any) -> Iterator[tuple[mutating.Place, str]]:
    """The place of every step of a host, and its verb; those of `until` and `repeat` too."""
    for place in mutating.places(document):
        value = mutating.at(document, place)
        in_a_list = len(place) > 2 and place[-3] in ("steps", "finally") and isinstance(place[-2], int)
        if in_a_list and place[-1] not in STEPS and isinstance(value, dict):
            yield place, next(iter(value))


def test_known_mistakes_in_every_kind_of_step_are_refused() -> None:
    seen = set()
    valid = validators()[1].is_valid
    for _, document in documents():
        for place, verb in steps_of(document):
            if verb in seen:
                continue
            seen.add(verb)
            assert not valid(mutating.renamed(document, (*place, verb), f"{verb}x")), verb
            extra = {**mutating.at(document, place), "sokcet": "s"}
            assert not valid(mutating.replaced(document, place, extra)), verb
            required = MADE["definitions"][f"step.{verb}"]["required"]
            for key in required:
                assert not valid(mutating.removed(document, (*place, key))), (verb, key)
    assert seen == {verb for verb in STEPS if not STEPS[verb].hostless}


def test_hovering_over_a_key_tells_what_it_is() -> None:
    for path, document in documents():
        told: dict[str, str] = {}
        for one in validators()[1].evaluate(document).annotations():
            found = one["annotations"]
            if isinstance(found, dict) and "description" in found:
                told.setdefault(one["instanceLocation"], found["description"])
        for place, verb in steps_of(document):
            for key in mutating.at(document, place):
                assert told.get("/" + "/".join(map(str, (*place, key)))), (path.stem, place, key)
            assert told["/" + "/".join(map(str, (*place, verb)))] == told["/" + "/".join(map(str, place))]
        assert all(told[f"/{key}"] for key in document)


def test_hovering_over_a_verb_shows_all_of_its_keys() -> None:
    for verb, kind in STEPS.items():
        shown = MADE["definitions"][f"step.{verb}"]["properties"][verb]["markdownDescription"]
        assert all(f"- `{key}`: " in shown for key in keys_of(kind) if key != "host"), verb


def test_before_a_verb_is_written_only_verbs_are_offered() -> None:
    offered = {**MADE["definitions"]["action"]["else"]["properties"]}
    assert set(offered) == {verb for verb in STEPS if not STEPS[verb].hostless}
    assert all(one["description"] for one in offered.values())


def test_constants_errnos_states_and_faults_are_offered() -> None:
    made = json.dumps(MADE)
    for word in (
        "SOCK_STREAM",
        "MSG_PEEK",
        "SO_REUSEADDR",
        "ECONNREFUSED",
        "TIME_WAIT",
        "duplicate",
        "forever",
    ):
        assert any(f'"{word}"' in found for found in re.findall(r'"enum": (\[.*?\])', made)), word


def test_it_is_the_same_in_every_process() -> None:
    again = subprocess.run(
        [sys.executable, "-c", "import sys, runner.cli; sys.exit(runner.cli.main(['schema']))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert again.stdout == text(CHECKS)


def test_an_older_schema_is_written_over_and_a_foreign_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(json.dumps({"title": MADE["title"], "old": True}))
    assert write(path, CHECKS) and json.loads(path.read_text()) == MADE
    for foreign in ('{"title": "mine"}', "[]", "no JSON"):
        path.write_text(foreign)
        assert not write(path, CHECKS) and path.read_text() == foreign
