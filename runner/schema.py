"""The JSON Schema of the language (draft 2020-12), made from the registries of steps and expectations.

For editors: it says which keys there are, what each means and roughly what stands there. Whether names exist and fit is
known to `runner validate` only. Descriptions are the docstrings of the classes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from runner.hosts import HostMap, NetworkMap
from runner.model import Model, Reads, keys_of
from runner.scenario import ScenarioMap
from runner.steps import RESERVED, STEPS
from runner.steps.base import Step
from runner.values import SHARED_SCHEMAS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_WHEN: dict[str, Any] = {"type": "object", "description": "only for these values of the matrix: {kind: a}"}


def schema(checks: Mapping[str, type[Model]]) -> dict[str, Any]:
    """The schema of a scenario file; `checks` are the kinds of expectations."""
    document = _object(ScenarioMap)
    steps = {verb: STEPS[verb] for verb in STEPS}
    definitions: dict[str, Any] = {**SHARED_SCHEMAS, **_world()}
    definitions["step"] = _step(steps)
    definitions.update({f"step.{verb}": _of_verb(kind) for verb, kind in steps.items()})
    definitions["expectation"] = {"anyOf": [_ref(f"expectation.{kind}") for kind in checks]}
    definitions.update({f"expectation.{kind}": _expectation(model) for kind, model in checks.items()})
    return {"$schema": DRAFT, "title": "A scenario of the socket lab", **document, "$defs": definitions}


def summary(model: type[Model]) -> str:
    """What a class is for: its docstring without the lines about its keys, as one paragraph."""
    known = keys_of(model)
    lines = _lines(model)
    end = next((number for number, line in enumerate(lines) if _key_of(line, known)), len(lines))
    return " ".join(line.strip() for line in lines[:end] if line.strip())


def key_texts(model: type[Model]) -> dict[str, str]:
    """Key -> what it is for, from the docstrings of a class and of those that it is derived from."""
    found: dict[str, str] = {}
    known = keys_of(model)
    for one in reversed(model.__mro__):
        if issubclass(one, Model) and "__doc__" in vars(one):
            found.update(_described(_lines(one), known))
    return found


def _lines(model: type) -> list[str]:
    return inspect.cleandoc(model.__doc__ or "").splitlines()


def _key_of(line: str, known: tuple[str, ...]) -> str | None:
    """The key that a line of a docstring describes: `key  text` or `key: text`."""
    found = re.match(r"([a-z_][a-z0-9_]*)(?:: +| {2,})\S", line)
    return found[1] if found and found[1] in known else None


def _described(lines: list[str], known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    current: str | None = None
    for line in lines:
        key = _key_of(line, known)
        if key is not None:
            current = key
            found[key] = line[len(key) :].lstrip(": ")
        elif current is not None and line.strip():
            found[current] += " " + line.strip()
        else:
            current = None
    return found


# -- parts -------------------------------------------------------------------------------------------


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _object(model: type[Model]) -> dict[str, Any]:
    """The schema of a map: its keys in the order of the class."""
    texts = key_texts(model)
    properties: dict[str, Any] = {}
    for (name, info), key in zip(model.model_fields.items(), keys_of(model), strict=True):
        described = {"description": texts[key]} if key in texts else {}
        properties[key] = {**described, **_field(model, name, info.annotation)}
    required = [
        key
        for info, key in zip(model.model_fields.values(), keys_of(model), strict=True)
        if info.is_required()
    ]
    result: dict[str, Any] = {"type": "object", "description": summary(model), "properties": properties}
    return {**result, "required": required, "additionalProperties": False}


def _field(model: type[Model], name: str, annotation: Any) -> dict[str, Any]:
    """What may stand under a key."""
    for mark in model.model_fields[name].metadata:
        if isinstance(mark, Reads):
            return dict(mark.schema)
    for kind in (annotation, *get_args(annotation)):
        for mark in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
            if isinstance(mark, Reads):
                return dict(mark.schema)
        if isinstance(kind, type) and issubclass(kind, Model):
            return _object(kind)
        if get_origin(kind) is Literal:
            return {"enum": list(get_args(kind))}
    raise TypeError(f"{model.__name__}.{name} does not say how it is read")


def _of_verb(kind: type[Step]) -> dict[str, Any]:
    """The map that begins with a verb."""
    described = _object(kind)
    del described["properties"]["host"]
    described["properties"]["when"] = _WHEN
    if kind.verb == "until":
        return _until(described)
    return described


def _until(described: dict[str, Any]) -> dict[str, Any]:
    """`until` has its keys in a map of its own."""
    inner = {key: one for key, one in described["properties"].items() if key != "when"}
    inner["steps"] = {"type": "array", "items": _ref("step"), "description": "the steps"}
    keys = {
        "type": "object",
        "properties": inner,
        "required": ["within", "steps"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": described["description"],
        "properties": {"until": keys, "when": _WHEN},
        "required": ["until"],
        "additionalProperties": False,
    }


def _step(steps: Mapping[str, type[Step]]) -> dict[str, Any]:
    """A step: a host with what it does, or what no host does."""
    hostless = [verb for verb, kind in steps.items() if kind.hostless]
    does = {"anyOf": [_ref(f"step.{verb}") for verb, kind in steps.items() if not kind.hostless]}
    of_host = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": {"not": {"enum": sorted(RESERVED)}},
        "additionalProperties": does,
    }
    return {"anyOf": [*(_ref(f"step.{verb}") for verb in hostless), of_host]}


def _expectation(model: type[Model]) -> dict[str, Any]:
    described = _object(model)
    described["properties"]["when"] = _WHEN
    return described


def _world() -> dict[str, Any]:
    """Hosts and networks, in short and long form."""
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "hosts": {"anyOf": [names, {"type": "object", "additionalProperties": _object(HostMap)}]},
        "networks": {"type": "object", "additionalProperties": {"anyOf": [names, _object(NetworkMap)]}},
    }
