"""A good recorded run of a TCP echo, with one thing changed on request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import ScenarioError
from runner.evidence import Evidence
from runner.model import Model, Surroundings, read_model
from runner.names import unfilled
from runner.reading import read_text, value_of
from runner.verdict import Finding
from tests.recorded import Connection, Recorded

HELLO = b"hello lab"
LADDER = """\
client -> server  SYN
client <- server  SYN,ACK
client -> server  ACK
client -> server  PSH,ACK  "hello lab"
client <- server  PSH,ACK  "hello lab"
client -> server  FIN,ACK
client <- server  FIN,ACK
client -> server  ACK
"""


def echo(change: str = "") -> Recorded:
    """The run; `change` is the one thing that is different."""
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 8888).made_by("c", "conn")
    said = b"hello lob" if change == "payload" else HELLO
    _calls(run, "client", "c", "sendall", HELLO)
    connection.segment("client", "PA", said, lost=change == "lost").segment("server", "A")
    _calls(run, "server", "conn", "recv", b"hello lub" if change == "received" else HELLO)
    if change != "order":
        _answer(run, connection, change)
    _close(run, connection, change)
    if change == "order":
        _answer(run, connection, change)
    return run


def _answer(run: Recorded, connection: Connection, change: str) -> None:
    _calls(run, "server", "conn", "sendall", HELLO)
    if change != "missing":
        connection.send("server", HELLO)
        _calls(run, "client", "c", "recv", HELLO)


def _close(run: Recorded, connection: Connection, change: str) -> None:
    run.call("client", "c", "close")
    connection.segment("client", "RA" if change == "flag" else "FA")
    run.call("server", "conn", "close")
    connection.segment("server", "FA").segment("client", "A")


def _calls(run: Recorded, host: str, socket: str, name: str, data: bytes) -> None:
    ends = [["10.0.0.1", 40000], ["10.0.0.2", 8888]]
    local, peer = ends if host == "client" else ends[::-1]
    given = {"bytes": data.decode()}
    if name == "recv":
        run.call(host, socket, name, 1024, value=given, local=local, peer=peer)
    else:
        run.call(host, socket, name, given, local=local, peer=peer)


def examine(
    check: type[Model],
    keys: Mapping[str, Any],
    run: Recorded,
    folder: Path,
    drops: Mapping[str, int] | None = None,
) -> list[Finding]:
    """The findings of an expectation as it is written, on a run."""
    return list(findings(check, keys, run.evidence(folder / "run", drops)))


def findings(check: type[Model], keys: Mapping[str, Any], evidence: Evidence) -> list[Finding]:
    """The same on evidence that was read already."""
    model: Any = written(check, keys)
    return list(model.examine(evidence))


def written(check: type[Model], keys: Mapping[str, Any]) -> Any:
    """An expectation read as a scenario is read; raises ScenarioError with its mistakes. JSON is YAML."""
    document = read_text(json.dumps(keys), "here.yaml")
    assert document.root is not None
    model = read_model(check, document.root, unfilled(value_of(document.root)), document, Surroundings())
    if document.mistakes:
        raise ScenarioError(document.mistakes)
    return model
