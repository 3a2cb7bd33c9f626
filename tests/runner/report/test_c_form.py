"""Calls as C writes them; on real hosts, every call that a step makes has such a form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner import history, rundir
from runner.history import CallRecord
from runner.report import c_form
from tests.playing import play_file

SOCKET, OPTION = {"constant": "SOL_SOCKET"}, {"constant": "SO_LINGER"}
GROUP = ["4s4si", {"base64": "7wECAw=="}, {"base64": "AAAAAA=="}, {"interface": "eth0"}]
EVERY = Path(__file__).parents[1] / "steps" / "played" / "every_step.yaml"


def call(name: str, *arguments: Any, **rest: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "object": "c", "python": f"c.{name}()", "began_ns": 0, "ended_ns": 1, "family": "AF_INET"
    } | rest  # fmt: skip
    return CallRecord(1, "client", name=name, arguments=list(arguments), **fields)


def failed(name: str, *arguments: Any, errno: str | None = None, type: str = "OSError") -> CallRecord:
    return call(name, *arguments, failure={"type": type, "errno": errno, "text": ""})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            call("socket", {"constant": "AF_INET"}, {"constant": "SOCK_DGRAM"}, value={"object": "c"}),
            "socket(AF_INET, SOCK_DGRAM, 0) = c",
        ),
        (
            failed("connect", ["10.0.0.2", 8888], errno="ECONNREFUSED"),
            'connect(c, {AF_INET, "10.0.0.2", 8888}, 16) = -1 ECONNREFUSED',
        ),
        (call("connect_ex", ["10.0.0.2", 1], value=115), 'connect(c, {AF_INET, "10.0.0.2", 1}, 16) = -1 EINPROGRESS'),
        (call("bind", ["", 80]), 'bind(c, {AF_INET, "0.0.0.0", 80}, 16) = 0'),
        (call("bind", ["", 80], family="AF_INET6"), 'bind(c, {AF_INET6, "::", 80}, 28) = 0'),
        (call("bind", "/tmp/door", family="AF_UNIX"), 'bind(c, {AF_UNIX, "/tmp/door"}, 12) = 0'),
        (call("bind", "\0door", family="AF_UNIX"), 'bind(c, {AF_UNIX, "\\000door"}, 7) = 0'),
        (call("listen"), "listen(c, 128) = 0"),
        (
            call("accept", value=[{"object": "conn"}, ["10.0.0.1", 4000]], made="conn"),
            'accept(c, {AF_INET, "10.0.0.1", 4000}, {16}) = conn',
        ),
        (call("accept", ended_ns=None), "accept(c, &address, &length)"),
        (call("send", {"bytes": "one\n"}, value=4), 'send(c, "one\\n", 4, 0) = 4'),
        (call("send", {"base64": "/wA="}, {"constant": "MSG_OOB"}, value=2), 'send(c, "\\377\\000", 2, MSG_OOB) = 2'),
        (call("sendall", {"bytes": "x" * 40}), f'send(c, "{"x" * 32}"..., 40, 0) = 40'),
        (call("recv", 1024, value={"bytes": "hello"}), 'recv(c, "hello", 1024, 0) = 5'),
        (call("recv", 1024, value={"bytes": ""}), 'recv(c, "", 1024, 0) = 0'),
        (failed("recv", 1024, errno="ECONNRESET"), "recv(c, buffer, 1024, 0) = -1 ECONNRESET"),
        (failed("recv", 1024, type="TimeoutError"), "recv(c, buffer, 1024, 0) = no call: poll gave 0"),
        (
            call("sendto", {"bytes": "hi"}, ["10.0.0.2", 53], value=2),
            'sendto(c, "hi", 2, 0, {AF_INET, "10.0.0.2", 53}, 16) = 2',
        ),
        (
            call("recvfrom", 100, value=[{"bytes": "hi"}, ["10.0.0.2", 53]]),
            'recvfrom(c, "hi", 100, 0, {AF_INET, "10.0.0.2", 53}, {16}) = 2',
        ),
        (
            call("setsockopt", SOCKET, OPTION, {"pack": ["ii", 1, 0]}),
            "setsockopt(c, SOL_SOCKET, SO_LINGER, {1, 0}, 8) = 0",
        ),
        (
            call("setsockopt", SOCKET, OPTION, {"pack": GROUP}),
            'setsockopt(c, SOL_SOCKET, SO_LINGER, {239.1.2.3, 0.0.0.0, if_nametoindex("eth0")}, 12) = 0',
        ),
        (call("getsockopt", SOCKET, OPTION, value=7), "getsockopt(c, SOL_SOCKET, SO_LINGER, {7}, {4}) = 0"),
        (call("settimeout", 0.1), "ioctl(c, FIONBIO, {1}) = 0"),
        (call("settimeout", None), "ioctl(c, FIONBIO, {0}) = 0"),
        (call("setblocking", True), "ioctl(c, FIONBIO, {0}) = 0"),
        (call("gettimeout", value=0.1), "c.gettimeout() = no call: kept by Python"),
        (failed("htons", 65536, type="OverflowError"), "htons(65536) = no call: OverflowError is Python's own"),
        (failed("inet_aton", "192.0.2.256"), 'inet_aton("192.0.2.256", &address) = 0'),
        (call("inet_aton", "192.0.2.1", value={"base64": "wAACAQ=="}), 'inet_aton("192.0.2.1", {192, 0, 2, 1}) = 1'),
        (
            failed("getaddrinfo", "nobody.invalid", 80, errno="EAI_NONAME"),
            'getaddrinfo("nobody.invalid", "80", NULL, &list) = EAI_NONAME',
        ),
        (call("fileno", value=6), "c = 6"),
        (call("send", {"base64": "5L2g5aW9"}, value=6), 'send(c, "你好", 6, 0) = 6'),
        (call("something new", 1), "c.something new()"),
        (call("sendto"), "c.sendto()"),
    ],
)  # fmt: skip
def test_calls_in_c(record: CallRecord, said: str) -> None:
    assert c_form.of(record).whole == said


def test_the_call_and_what_it_came_to_can_be_had_apart() -> None:
    form = c_form.of(call("recv", 1024, value={"bytes": "hello"}))
    assert (form.asked, form.result, form.filled) == ("recv(c, buffer, 1024, 0)", "5", '"hello"')
    assert c_form.of(failed("getpeername", errno="ENOTCONN")).filled == ""


def test_what_c_does_otherwise_is_said() -> None:
    assert "until all is taken" in c_form.of(call("sendall", {"bytes": "x"})).note
    assert "poll for at most 0.1 s" in c_form.of(call("settimeout", 0.1)).note


def test_programs_and_files_are_told_from_sockets() -> None:
    run = call("run", object="p", python="p = Popen(['cat', '-'])", family=None, value={"object": "p"})
    opened = call("makefile", "r", made="f", value={"object": "f"})
    kinds = c_form.kinds_of([run, opened])
    assert c_form.of(run, kinds).whole == 'execvp({"cat", "-", NULL}) after fork() = p'
    read = {"value": {"bytes": "ab"}, "family": None}
    assert c_form.of(call("read", 2, object="p", **read), kinds).whole == 'read(p, "ab", 2) = 2'
    assert c_form.of(call("read", 2, object="f", **read), kinds).whole == 'fread("ab", 1, 2, f) = 2'
    assert c_form.of(call("close", object="f"), kinds).whole == "fclose(f) = 0"
    assert c_form.of(call("close"), kinds).whole == "close(c) = 0"


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r\n", "\u202e", "\0"])
def test_nothing_that_a_terminal_would_obey_gets_through(hostile: str) -> None:
    records = [
        call("recv", 10, value={"bytes": hostile}),
        call("connect", hostile, family="AF_UNIX"),
        call("gethostbyname", hostile, value=hostile),
        call("makefile", hostile, value={"object": hostile}),
        call("other", python=hostile),
    ]
    for record in records:
        form = c_form.of(record)
        assert all(text.isprintable() for text in (form.whole, form.asked, form.filled, form.note)), record


def test_every_call_that_a_step_makes_has_a_form(tmp_path: Path) -> None:
    play_file(EVERY, tmp_path / "run")
    calls = [one for one in history.read(tmp_path / "run" / rundir.HISTORY) if isinstance(one, CallRecord)]
    assert len(calls) > 50
    assert {one.name for one in calls} <= set(c_form.FORMS)
    assert all(c_form.of(one, c_form.kinds_of(calls)).whole for one in calls)
