"""The JSON Schema, held against scenarios by an independent validator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.checks import CHECKS
from runner.schema import DRAFT, schema
from runner.steps import STEPS

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).resolve().parents[2]
FILES = [*sorted((ROOT / "scenarios").glob("*.yaml")), ROOT / "tests/runner/steps/played/every_step.yaml"]
HEAD = "name: n\nhosts: [server, client]\n"


@pytest.fixture(scope="module")
def validator() -> Any:
    made = schema(CHECKS)
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_it_is_a_schema_of_its_draft(validator: Any) -> None:
    assert validator.schema["$schema"] == DRAFT
    assert {f"step.{verb}" for verb in STEPS} <= set(validator.schema["$defs"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenarios_are_valid(validator: Any, path: Path) -> None:
    errors = [error.message[:200] for error in validator.iter_errors(yaml.safe_load(path.read_text()))]
    assert not errors


@pytest.mark.parametrize(
    "text",
    [
        "name: n\nsteps: []\n",
        HEAD + "steps: {}\n",
        HEAD + "setps: []\n",
        HEAD + "steps: [{server: {sokcet: s}}]\n",
        HEAD + "steps: [{server: {socket: s, typ: x}}]\n",
        HEAD + "steps: [{server: {socket: s, type: stream}}]\n",
        HEAD + "steps: [{server: {bind: s}}]\n",
        HEAD + "steps: [{server: {recv: s, size: many}}]\n",
        HEAD + "steps: [{server: {recv: s, size: 1, gives: {hass: x}}}]\n",
        HEAD + "steps: [{server: {settimeout: s, value: 5}}]\n",
        HEAD + "steps: [{server: {state: s, is: OPEN}}]\n",
        HEAD + "steps: [{sleep: 5}]\n",
        HEAD + "steps: [{server: {listen: s}, client: {listen: s}}]\n",
        HEAD + "steps: [{until: {within: 5s}}]\n",
        HEAD + "steps: [{repeat: {for: {i: 1..3}, steps: [{server: {sokcet: s}}]}}]\n",
        HEAD + "steps: []\nexpect: [{cuont: {flow: tcp, is: 0}}]\n",
        HEAD + "steps: []\nexpect: [{count: {flow: tcp}}]\n",
        "name: n\nhosts: {a: {sysctl: {}}}\nsteps: []\n",
        "name: n\nhosts: [a]\nnetworks: {x: {host: [a]}}\nsteps: []\n",
    ],
)
def test_what_is_broken_is_not_valid(validator: Any, text: str) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_every_key_is_described(validator: Any) -> None:
    bare = [
        f"{name}.{key}"
        for name, one in validator.schema["$defs"].items()
        if name.startswith("step.")
        for key, described in one["properties"].items()
        if "description" not in described and name != f"step.{key}"
    ]
    bare += [
        key for key, described in validator.schema["properties"].items() if "description" not in described
    ]
    assert not bare
