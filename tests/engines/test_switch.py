"""The switch of containers, in network namespaces instead: who may join, who joins again, what passes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.engines import guest
from lab.engines.docker_plan import guest_settings, layout, switch_request
from lab.topology import Topology

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("unshare"),
        reason="needs root and unshare, to make network namespaces",
    ),
]
ROOT = Path(__file__).resolve().parents[2]
SWITCH = [sys.executable, "-S", "-c", "from lab.engines.switch import main; main()"]
HOST = """
import json, sys
from lab.engines import guest
for line in sys.stdin:
    told = json.loads(line)
    try:
        if "settle" in told:
            guest.settle(told["settle"])
        answer = eval(told.get("say", "'joined'"))
    except OSError as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""
PING = "(lambda s: (s.settimeout(2), s.sendto(b'x', ('{}', 7000)))[1])(__import__('socket').socket(type=2))"


@contextmanager
def process(*argv: str) -> Iterator[Any]:
    """A process in a network namespace of its own; called with an object, it answers with one."""
    with subprocess.Popen(
        ["unshare", "--net", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as made:
        assert made.stdin is not None and made.stdout is not None

        def ask(told: Any) -> Any:
            print(json.dumps(told), file=made.stdin, flush=True)
            return json.loads(made.stdout.readline())

        try:
            yield ask
        finally:
            made.stdin.close()
            made.kill()


@contextmanager
def host() -> Iterator[Any]:
    with process(sys.executable, "-c", HOST) as ask:
        yield ask


@contextmanager
def switched(folder: Path, *names: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """A switch that expects hosts of these names: what each of them is to settle with, and the switch to ask."""
    made = layout(Topology.simple(*names), "test", {})
    path = str(folder / "socket")
    with process(*SWITCH) as ask:
        assert ask({**switch_request(made), "socket": path}) == {}
        settings = {name: guest_settings(made, name) for name in names}
        for one in settings.values():
            one["switch"]["socket_path"] = path
        yield settings, ask


LINKS = "sorted(name for _, name in __import__('socket').if_nameindex())"
SILENCE = "s.settimeout(0.2) or s.recv(10).decode()"
LISTEN = "globals().update(s=__import__('socket').socket(type=2)) or s.bind(('', 7000)) or s.settimeout(5) or 'bound'"


def test_hosts_that_joined_reach_each_other(tmp_path: Path) -> None:
    with switched(tmp_path, "a", "b") as (told, _), host() as a, host() as b:
        assert a({"settle": told["a"]}) == b({"settle": told["b"]}) == "joined"
        assert b({"say": LISTEN}) == "bound"
        assert a({"say": PING.format("10.0.0.2")}) == 1
        assert b({"say": "s.recv(10).decode()"}) == "x"
        assert a({"say": LINKS}) == ["eth0", "lo"]


def test_a_host_that_nobody_expects_gets_no_link(tmp_path: Path) -> None:
    with switched(tmp_path, "a", "b") as (told, _), host() as stranger:
        assert "the switch expects no host 'c'" in stranger(
            {"settle": {**told["a"], "switch": {**told["a"]["switch"], "host": "c"}}}
        )
        assert "eth0" not in stranger({"say": LINKS})


def test_a_host_that_is_unplugged_is_off_the_wire_and_may_join_again(tmp_path: Path) -> None:
    """Also while the one before still lives, as its kernel does for its connections: then that one has no link."""
    with switched(tmp_path, "a", "b") as (told, ask), host() as a, host() as b, host() as again:
        assert a({"settle": told["a"]}) == b({"settle": told["b"]}) == "joined"
        assert ask({"do": "unplug", "host": "b"}) == {}
        assert (
            a({"say": LISTEN}) == "bound" and b({"say": PING.format("10.0.0.1")}) == 1
        )  # its kernel takes it
        assert a({"say": SILENCE}) == "timed out"
        assert again({"settle": told["b"]}) == "joined"
        assert "eth0" not in b({"say": LINKS})
        assert again({"say": LISTEN}) == "bound"
        assert a({"say": PING.format("10.0.0.2")}) == 1
        assert again({"say": SILENCE}) == "timed out", "nobody asked for it to be plugged in yet"
        assert ask({"do": "plug", "host": "b"}) == {}
        assert a({"say": PING.format("10.0.0.2")}) == 1
        assert again({"say": "s.settimeout(5) or s.recv(10).decode()"}) == "x"


def test_a_request_that_cannot_be_is_said(tmp_path: Path) -> None:
    with switched(tmp_path, "a") as (_, ask):
        assert "KeyError" in ask({"do": "make"})["error"]
        assert "AttributeError" in ask({"do": "fly"})["error"]


def test_a_switch_that_never_comes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "PATIENCE_S", 0.05)
    with pytest.raises(OSError, match="No such file"):
        guest.connected(str(tmp_path / "nobody"))
