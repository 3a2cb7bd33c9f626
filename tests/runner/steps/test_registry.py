"""The registry of steps: what it names exists, each step is documented, and no class is left out."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

from runner import steps
from runner.docstrings import key_texts, summary
from runner.model import keys_of
from runner.steps import RESERVED, STEPS
from runner.steps.base import Step


def test_every_class_with_a_verb_is_registered() -> None:
    found = set()
    for module in pkgutil.iter_modules(steps.__path__):
        loaded = importlib.import_module(f"runner.steps.{module.name}")
        found |= {
            one
            for _, one in inspect.getmembers(loaded, inspect.isclass)
            if issubclass(one, Step) and one.verb
        }
    assert found == {STEPS[verb] for verb in STEPS}


@pytest.mark.parametrize("verb", sorted(STEPS))
def test_a_step_is_documented_key_by_key(verb: str) -> None:
    kind = STEPS[verb]
    assert kind.verb == verb
    assert summary(kind).endswith((".", ")")) and len(summary(kind)) > 10
    undocumented = set(keys_of(kind)) - set(key_texts(kind)) - {"host"}
    assert not undocumented


@pytest.mark.parametrize("verb", sorted(STEPS))
def test_names_that_are_needed_and_made_are_keys(verb: str) -> None:
    kind = STEPS[verb]
    assert {*kind.needs, *kind.makes} - {"as"} <= set(keys_of(kind))
    if "as" in kind.makes and "as" not in keys_of(kind):
        assert kind.makes["as"] == "value"


def test_what_no_host_does_has_reserved_names() -> None:
    assert {verb for verb in STEPS if STEPS[verb].hostless} <= RESERVED


def test_an_unknown_verb_is_none() -> None:
    assert "conect" not in STEPS
    with pytest.raises(KeyError):
        STEPS["conect"]
