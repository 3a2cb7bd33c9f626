"""The JSON Schema of the language (draft 7), made from the registries of steps and expectations.

For editors: it says which keys there are, what each means and roughly what stands there. Whether names exist and fit is
known to `runner validate` only. Descriptions are the docstrings of the classes. Draft 7 because all editors know it.

Which verb a step has is asked with `if`, not left to `anyOf`: an editor then offers the keys of this verb only, and
says which of them is wrong. Values have no descriptions of their own: an editor would show them instead of their key's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from runner.constants import SHARED_SCHEMAS as CONSTANTS
from runner.docstrings import key_texts, markdown, summary
from runner.expected import SHARED_SCHEMAS as EXPECTED
from runner.hosts import HostMap, NetworkMap
from runner.model import Model, Reads, keys_of
from runner.scenario import ScenarioMap
from runner.steps import STEPS
from runner.steps.base import SHARED_SCHEMAS as OUTCOMES
from runner.steps.base import Step
from runner.values import SHARED_SCHEMAS as VALUES

DRAFT = "http://json-schema.org/draft-07/schema#"
FILE = "scenario.schema.json"
"""How the file is called beside scenarios."""
MODELINE = f"# yaml-language-server: $schema={FILE}\n"
"""The first line of a scenario: where editors find the schema."""
TITLE = "Socket Lab scenario"
_REFERENCE = {"type": "string", "pattern": r"\$[A-Za-z_]"}
_WHEN: dict[str, Any] = {
    "type": "object",
    "description": "only for these values of the matrix: {kind: a}, or {kind: [a, b]}",
    "additionalProperties": {"type": ["string", "number", "boolean", "array"]},
}
_SHARED: Mapping[str, Any] = {
    **VALUES, **EXPECTED, **CONSTANTS, **OUTCOMES, "reference": _REFERENCE, "when": _WHEN,
}  # fmt: skip
"""Values that many keys have: each is written once, under its name."""
_NAMES = {json.dumps(value, sort_keys=True): name for name, value in _SHARED.items()}


def schema(checks: Mapping[str, type[Model]]) -> dict[str, Any]:
    """The schema of a scenario file; `checks` are the kinds of expectations."""
    hostless = {verb: kind for verb, kind in STEPS.items() if kind.hostless}
    of_hosts = {verb: kind for verb, kind in STEPS.items() if not kind.hostless}
    definitions: dict[str, Any] = {name: _parts_by_name(value) for name, value in _SHARED.items()}
    definitions.update(_world())
    definitions["step"] = _step(hostless)
    definitions["action"] = _chosen("step", of_hosts, _closed(of_hosts))
    definitions.update({f"step.{verb}": _of_verb(kind) for verb, kind in STEPS.items()})
    definitions["expectation"] = _chosen("expectation", checks, _closed(checks))
    definitions.update({f"expectation.{kind}": _expectation(kind, checks[kind]) for kind in checks})
    return {"$schema": DRAFT, **_object(ScenarioMap), "title": TITLE, "definitions": definitions}


def text(checks: Mapping[str, type[Model]]) -> str:
    """The same as a file has it."""
    return json.dumps(schema(checks), indent=1, ensure_ascii=False) + "\n"


def write(path: Path, checks: Mapping[str, type[Model]]) -> bool:
    """Write the schema into a file, also over an older one; False where the file is somebody else's."""
    try:
        theirs = json.loads(path.read_text(encoding="utf-8")).get("title") != TITLE
    except FileNotFoundError:
        theirs = False
    except (ValueError, AttributeError):
        theirs = True
    if not theirs:
        path.write_text(text(checks), encoding="utf-8")
    return not theirs


# -- alternatives ------------------------------------------------------------------------------------


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def _chosen(prefix: str, kinds: Mapping[str, type[Model]], otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """A map that is of the kind whose key it has; without any such key it is `otherwise`."""
    by_key = [{"if": {"required": [kind]}, "then": _ref(f"{prefix}.{kind}")} for kind in kinds]
    return {
        "type": "object",
        "if": {"anyOf": [{"required": [kind]} for kind in kinds]},
        "then": {"allOf": by_key},
        "else": dict(otherwise),
    }


def _step(hostless: Mapping[str, type[Step]]) -> dict[str, Any]:
    """A step: what no host does, or a host with what it does."""
    of_host = {**_beginnings(hostless), "maxProperties": 1, "additionalProperties": _ref("action")}
    return _chosen("step", hostless, of_host)


def _closed(kinds: Mapping[str, type[Model]]) -> dict[str, Any]:
    """A map that has not said yet which kind it is."""
    return {**_beginnings(kinds), "additionalProperties": False}


def _beginnings(kinds: Mapping[str, type[Model]]) -> dict[str, Any]:
    """For completion: the keys that a map can begin with."""
    keys = {kind if kind in keys_of(model) else keys_of(model)[0]: model for kind, model in kinds.items()}
    properties = {key: {"title": key, "description": summary(model)} for key, model in keys.items()}
    return {"minProperties": 1, "properties": properties}


# -- maps --------------------------------------------------------------------------------------------


def _object(model: type[Model]) -> dict[str, Any]:
    """The schema of a map: its keys in the order of the class."""
    texts = key_texts(model)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for (name, info), key in zip(model.model_fields.items(), keys_of(model), strict=True):
        properties[key] = _described(texts.get(key, ""), _field(model, name, info.annotation))
        if info.is_required():
            required.append(key)
    result: dict[str, Any] = {"type": "object", "description": summary(model), "properties": properties}
    return {**result, "required": required, "additionalProperties": False}


def _described(description: str, value: dict[str, Any]) -> dict[str, Any]:
    """A value with the text of its key; beside a `$ref` draft 7 allows nothing."""
    if not description:
        return value
    marked = {"markdownDescription": description} if "`" in description else {}
    return {
        "description": description.replace("`", ""),
        **marked,
        **({"allOf": [value]} if "$ref" in value else value),
    }


def _of_verb(kind: type[Step]) -> dict[str, Any]:
    """The map that begins with a verb."""
    described = {**_object(kind), "title": kind.verb}
    del described["properties"]["host"]
    described["properties"]["when"] = _ref("when")
    if kind.verb == "until":
        described = _until(described)
    described["properties"][kind.verb].update(_whole_text(kind.verb, kind))
    return described


def _whole_text(title: str, model: type[Model]) -> dict[str, Any]:
    """What hovering over the key that says the kind shows: all that its class says."""
    return {"title": title, "description": summary(model), "markdownDescription": markdown(model)}


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
    return {**described, "properties": {"until": keys, "when": _ref("when")}, "required": ["until"]}


def _expectation(kind: str, model: type[Model]) -> dict[str, Any]:
    described = {**_object(model), "title": kind}
    described["properties"][kind].update(_whole_text(kind, model))
    described["properties"]["when"] = _ref("when")
    return described


def _world() -> dict[str, Any]:
    """Hosts and networks, in short and long form."""
    names = {"type": "array", "items": {"type": "string"}}
    host = {**_object(HostMap), "type": ["object", "null"], "title": "a host"}
    network = {**_object(NetworkMap), "title": "a network"}
    return {
        "hosts": {"anyOf": [names, {"type": "object", "additionalProperties": host}]},
        "networks": {"type": "object", "additionalProperties": {"anyOf": [names, network]}},
    }


# -- values ------------------------------------------------------------------------------------------


def _field(model: type[Model], name: str, annotation: Any) -> dict[str, Any]:
    """What may stand under a key: a value as the key reads it, or a name that stands for one."""
    value = _value(model, name, annotation)
    named: dict[str, Any] = _by_name(value)
    return named if _takes_reference(value) else {"anyOf": [named, _ref("reference")]}


def _value(model: type[Model], name: str, annotation: Any) -> dict[str, Any]:
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


def _takes_reference(value: Mapping[str, Any]) -> bool:
    """Whether a value may be written as `$name`."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return name in _SHARED and _takes_reference(_SHARED[name])
    if "anyOf" in value:
        return any(map(_takes_reference, value["anyOf"]))
    if "enum" in value or "const" in value:
        return False
    kinds = value.get("type", [])
    return "string" in ([kinds] if isinstance(kinds, str) else kinds) and bool(
        re.search(value.get("pattern", ""), "$name")
    )


def _by_name(value: Any) -> Any:
    """A value, or a part of one, that is written under a name elsewhere."""
    name = _NAMES.get(json.dumps(value, sort_keys=True)) if isinstance(value, Mapping) else None
    return _ref(name) if name else _parts_by_name(value)


def _parts_by_name(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _by_name(part) for key, part in value.items()}
    return [_by_name(part) for part in value] if isinstance(value, list) else value
