"""Calls and values in few words."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from runner.history import CallRecord
from runner.report import wording

SOL_SOCKET = {"constant": "SOL_SOCKET"}


def owner(address: str) -> str:
    return {"10.0.0.2": "server"}.get(address, address)


def call(name: str, *arguments: Any, **rest: Any) -> CallRecord:
    fields: dict[str, Any] = {"object": "c", "python": f"c.{name}()", "began_ns": 0, "ended_ns": 1} | rest
    return CallRecord(1, "client", name=name, arguments=list(arguments), **fields)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (call("connect", ["10.0.0.2", 80]), "c.connect(server:80)"),
        (call("bind", ["", 80]), "c.bind(:80)"),
        (call("bind", ["::", 80, 0, 0]), "c.bind(:80)"),
        (call("connect", ["fd00::9", 80, 0, 0]), "c.connect([fd00::9]:80)"),
        (call("bind", "\0name"), "c.bind(@name)"),
        (call("sendto", {"bytes": "x"}, ["10.0.0.2", 53]), 'c.sendto("x", server:53)'),
        (call("setsockopt", SOL_SOCKET, {"constant": "SO_REUSEADDR"}, 1), "c.setsockopt(SO_REUSEADDR, 1)"),
        (call("socket", {"constant": "AF_INET"}, python="c = socket(AF_INET)"), "c = socket(AF_INET)"),
        (call("gethostname", python="gethostname()", object=None), "gethostname()"),
        (call("send", {"list": [1, 2]}), "c.send([1, 2])"),
        (call("send", {"base64": base64.b64encode("你好".encode()).decode()}), 'c.send("你好")'),
    ],
)  # fmt: skip
def test_calls(record: CallRecord, said: str) -> None:
    assert wording.call(record, owner) == said


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (call("recv", value={"bytes": "hello"}), '"hello"'),
        (call("recv", value={"bytes": ""}), '""'),
        (call("close"), ""),
        (call("accept", value=[{"object": "conn"}, ["10.0.0.2", 9]], made="conn"), "conn"),
        (call("recvfrom", value=[{"bytes": "x"}, ["10.0.0.2", 9]]), '"x" from server:9'),
        (call("getsockname", value=["10.0.0.2", 9]), "server:9"),
        (call("send", value=5), "5"),
        (call("connect", failure={"type": "OSError", "errno": "EPERM", "text": ""}), "EPERM"),
        (call("recv", failure={"type": "TimeoutError", "errno": None, "text": ""}), "TimeoutError"),
        (call("accept", ended_ns=None), "never returned"),
        (call("recv", value={"bytes": "x" * 100}), '"' + "x" * 48 + '"... 100 characters'),
    ],
)
def test_outcomes(record: CallRecord, said: str) -> None:
    assert wording.outcome(record, owner) == said
