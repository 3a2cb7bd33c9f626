"""A child process beside a real agent: it answers, its end is told, and it ends with the agent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import Host, agent_in

ECHO = """
import json, os
while True:
    data = os.read(0, 65536)
    if not data:
        break
    request = json.loads(data)
    if request.get("exit"):
        os._exit(request["exit"])
    os.write(1, json.dumps({"pid": os.getpid(), "said": request}).encode() + b"\\n")
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with agent_in(tmp_path) as made:
        yield made


def test_a_child_answers_each_request_with_one_line(host: Host) -> None:
    assert host.request(do="start", source=ECHO, makes="child")["value"] == {"object": "child"}
    for number in range(3):
        assert host.request(do="tell", to="child", what={"n": number})["value"]["said"] == {"n": number}


def test_the_end_of_a_child_is_told(host: Host) -> None:
    host.request(do="start", source=ECHO, makes="child")
    for _ in range(2):
        error = host.request(do="tell", to="child", what={"exit": 3})["error"]
        assert (error["type"], error["text"]) == (
            "ChildProcessError",
            "[Errno 10] the child process ended with exit code 3",
        )


def test_what_is_no_child_cannot_be_told(host: Host) -> None:
    assert host.request(do="tell", to="nobody", what={})["error"]["type"] == "NameError"
    host.value("socket", makes="s")
    assert host.request(do="tell", to="s", what={})["error"]["type"] == "TypeError"
    assert "malformed" in host.request(do="tell", to="s", what="x")


def test_a_child_ends_with_its_agent(host: Host) -> None:
    host.request(do="start", source=ECHO, makes="child")
    child = Path(f"/proc/{host.request(do='tell', to='child', what={})['value']['pid']}")
    assert child.exists()
    host.process.kill()
    deadline = time.monotonic() + 5
    while child.exists() and time.monotonic() < deadline and "Z" not in (child / "stat").read_text():
        time.sleep(0.01)
    assert not child.exists() or "Z" in (child / "stat").read_text()
