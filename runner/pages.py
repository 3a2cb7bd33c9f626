"""The pages of docs/reference and the JSON Schema in scenarios/, made from the registries (`make docs`).

Here are headings and tables only: each text comes from the class or the command that it is about. A test holds the
pages in the repository to what is made here.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import click

from lab.faults import FAULTS
from runner import schema
from runner.checks import CHECKS
from runner.cli import cli
from runner.docstrings import key_texts, prose
from runner.hosts import HostMap, NetworkMap
from runner.model import Model, keys_of
from runner.reference import KINDS
from runner.scenario import ScenarioMap
from runner.steps import STEPS
from runner.steps.base import Step

MADE = "<!-- Made by `make docs` from the code; changes belong there. -->"
FOLDER = Path("docs/reference")
"""Where the pages are, from the top of the repository."""
SCHEMA = Path("scenarios") / schema.FILE
"""Where editors find the schema of the scenarios there."""
WIDTH = 100
"""How many columns a command's help has."""


def pages() -> Mapping[str, str]:
    """File name -> the whole page, in the order in which the first page names them."""
    found = {
        "scenario.md": ("Scenario files", "their keys, hosts and networks", _scenario()),
        "steps.md": ("Steps", "every verb, what it does and its keys", _steps()),
        "checks.md": ("Expectations", "what is judged on the captures", _checks()),
        "faults.md": ("Faults", "what may happen to frames on their way", _faults()),
        "engines.md": ("Engines", "what hosts are made of", _engines()),
        "commands.md": ("Commands", "the command line", _commands()),
    }
    index = ["The reference, made from the code. `runner list` shows the same in a terminal.", ""]
    index += [f"- [{title}]({file}): {what}" for file, (title, what, _) in found.items()]
    made = {file: _page(title, lines) for file, (title, _, lines) in found.items()}
    return {"README.md": _page("Reference", index), **made}


def write(folder: Path) -> None:
    """Write all pages into a folder, which is made where it is missing; pages of before are written over."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", *lines]).rstrip() + "\n"


def _scenario() -> Iterator[str]:
    for title, model in (
        ("The document", ScenarioMap),
        ("A host, in long form", HostMap),
        ("A network, in long form", NetworkMap),
    ):
        yield from _entry(title, prose(model, keys_of(model)))
        yield from _table(_keys(model))


def _steps() -> Iterator[str]:
    yield "A step is `host: {verb: object, key: value}`; those that no host does are written without a host."
    yield "Each may have `when: {kind: a}` as well: it is played only for these values of the matrix."
    yield ""
    yield ", ".join(f"[{verb}](#{verb})" for verb in sorted(STEPS))
    yield ""
    for verb, step in sorted(STEPS.items()):
        yield from _entry(f"`{verb}`", prose(step, keys_of(step)))
        if step.hostless:
            yield from ("No host does this.", "")
        yield from _table(_keys_of_step(step))


def _keys_of_step(step: type[Step]) -> Mapping[str, str]:
    """The verb first, then what only some steps have, then the keys of most."""
    texts = key_texts(step)
    uses = Counter(key for one in STEPS.values() for key in keys_of(one))
    ordered = sorted(texts, key=lambda key: (key != step.verb, 2 * uses[key] > len(STEPS)))
    return {key: texts[key] for key in ordered}


def _checks() -> Iterator[str]:
    for kind, check in CHECKS.items():
        yield from _entry(f"`{kind}`", prose(check, keys_of(check)))
        yield from _table(_keys(check))


def _faults() -> Iterator[str]:
    yield "What all faults share (`from`, `to`, `where`, `nth`, `probability`) is at the step [fault](steps.md#fault)."
    yield ""
    texts = key_texts(STEPS["fault"])
    for name, fault in FAULTS.items():
        own = [one.name for one in dataclasses.fields(cast(Any, fault))]
        yield from _entry(f"`{name}`", prose(fault, own))
        yield from _table({key: texts[key].removeprefix(f"{name}: ") for key in own})


def _engines() -> Iterator[str]:
    for name, text in KINDS["engines"]().items():
        yield from _entry(f"`{name}`", text.partition("\n\n")[0])


def _commands() -> Iterator[str]:
    above = click.Context(cli, info_name="runner", terminal_width=WIDTH, **cli.context_settings)
    yield from _help(cli, above)
    for name, command in sorted(cli.commands.items()):
        yield from _entry(f"`runner {name}`", "")
        beneath = click.Context(
            command, info_name=name, parent=above, terminal_width=WIDTH, **command.context_settings
        )
        yield from _help(command, beneath)


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("```text", *command.get_help(context).splitlines(), "```", "")


def _entry(title: str, text: str) -> Iterator[str]:
    yield from (f"## {title}", "")
    if text.strip():
        yield from (*text.strip().splitlines(), "")


def _keys(model: type[Model]) -> Mapping[str, str]:
    texts = key_texts(model)
    return {key: texts.get(key, "") for key in keys_of(model)}


def _table(keys: Mapping[str, str]) -> Iterator[str]:
    if not keys:
        return
    yield from ("| key | is |", "|---|---|")
    for key, text in keys.items():
        yield f"| `{key}` | {text.replace('|', chr(92) + '|')} |"
    yield ""


if __name__ == "__main__":
    write(FOLDER)
    schema.write(SCHEMA, CHECKS)
