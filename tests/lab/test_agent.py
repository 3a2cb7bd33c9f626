"""The program in every host, as a real child process: calls, names, values, notices and states.

Programs and privileges are in test_agent_programs.py, what it captures in test_agent_capture.py.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import agent
from lab.errors import HostGone
from tests.agents import Host, agent_in, asleep, constant, notices, run, until

# --- calls and what their replies tell ------------------------------------------------------------


def test_a_call_is_made_and_its_reply_tells_value_times_and_facts(shared: Host) -> None:
    before = time.time_ns()
    reply = shared.call("socket", constant("AF_INET"), constant("SOCK_DGRAM"), makes="facts")
    assert reply["value"] == {"object": "facts"}
    assert before <= reply["began"] <= reply["ended"] <= time.time_ns()
    facts = reply["object"]
    assert (facts["name"], facts["family"], facts["type"]) == ("facts", "AF_INET", "SOCK_DGRAM")
    assert facts["fd"] >= 0
    assert (facts["local"], facts["peer"]) == (["0.0.0.0", 0], None)


def test_an_error_tells_its_type_and_errno_by_name(shared: Host) -> None:
    shared.value("socket", makes="refused")
    reply = shared.call("connect", ["127.0.0.1", 1], on="refused")
    assert reply["error"]["type"] == "ConnectionRefusedError"
    assert reply["error"]["errno"] == "ECONNREFUSED"
    assert reply["object"]["name"] == "refused"
    assert shared.error("bind", ["127.0.0.1", 65536], on="refused") == ("OverflowError", None)
    assert shared.error("getaddrinfo", "no.such.name.invalid", 1, 0, 0, 0, constant("AI_NUMERICHOST")) == (
        "gaierror",
        "EAI_NONAME",
    )


def test_a_socket_timeout_has_no_errno_and_one_of_the_kernel_has(shared: Host) -> None:
    shared.listener("slow")
    shared.value("settimeout", 0.01, on="slow")
    assert shared.error("accept", on="slow") == ("TimeoutError", None)


def test_accept_makes_a_socket_whose_facts_are_told_beside(shared: Host) -> None:
    address = shared.listener("door")
    shared.value("create_connection", address, makes="guest")
    reply = shared.call("accept", on="door", makes="met")
    guest = shared.value("getsockname", on="guest")
    assert reply["value"] == [{"object": "met"}, guest]
    assert reply["object"]["name"] == "door"
    assert (reply["made"]["name"], reply["made"]["local"], reply["made"]["peer"]) == ("met", address, guest)


def test_a_pair_gets_both_names(shared: Host) -> None:
    reply = shared.call("socketpair", makes="left,right")
    assert reply["value"] == [{"object": "left"}, {"object": "right"}]
    assert (reply["object"]["name"], reply["made"]["name"]) == ("left", "right")
    shared.value("send", {"bytes": "over"}, on="left")
    assert shared.value("recv", 10, on="right") == b"over"


def test_a_closed_socket_keeps_its_name_and_its_addresses(shared: Host) -> None:
    shared.connection("near", "far")
    peer = shared.value("getpeername", on="near")
    shared.value("close", on="near")
    reply = shared.call("recv", 1, on="near")
    assert (reply["error"]["type"], reply["error"]["errno"]) == ("OSError", "EBADF")
    assert (reply["object"]["fd"], reply["object"]["peer"]) == (-1, peer)


def test_a_name_that_was_never_made_is_a_name_error(shared: Host) -> None:
    assert shared.error("close", on="nobody") == ("NameError", None)
    assert shared.error("select", [{"object": "nobody"}], [], [], 0) == ("NameError", None)


def test_a_name_made_twice_is_malformed_but_a_call_that_failed_made_none(shared: Host) -> None:
    shared.value("socket", makes="once")
    assert "once was made before" in shared.call("socket", makes="once")["malformed"]
    assert shared.error("socket", 9999, makes="again") == ("OSError", "EAFNOSUPPORT")
    shared.value("socket", makes="again")


def test_a_name_is_taken_while_the_call_that_makes_it_is_pending(shared: Host) -> None:
    shared.listener("waiting")
    pending = shared.channel.post({"do": "call", "on": "waiting", "method": "accept", "makes": "later"})
    assert "later was made before" in shared.call("socket", makes="later")["malformed"]
    assert shared.error("recv", 1, on="later") == ("NameError", None)
    shared.value("shutdown", constant("SHUT_RDWR"), on="waiting")
    assert shared.channel.wait(pending, 5)["error"]["errno"] == "EINVAL"


def test_functions_and_methods_that_are_not_there_are_attribute_errors(shared: Host) -> None:
    shared.value("socket", makes="plain")
    assert shared.error("fly") == ("AttributeError", None)
    assert shared.error("fly", on="plain") == ("AttributeError", None)
    assert shared.error("_real_close", on="plain") == ("AttributeError", None)
    assert shared.error("__class__", on="plain") == ("AttributeError", None)


# --- one request, one reply -----------------------------------------------------------------------

LINES = st.one_of(
    st.binary(max_size=60).filter(lambda line: b"\n" not in line),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner),
        max_leaves=5,
    ).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(
            ["id", "do", "function", "on", "method", "arguments", "keywords", "makes", "watch", "of", "argv"]
        ),
        st.sampled_from(
            ["call", "state", "run", "asleep", "htons", "x", 1, -1, True, None, [], [1], {}, {"a": 1}, 1.5]
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.just(b"[" * 100_000),
    st.just(b'{"id": ' + b"9" * 5000 + b"}"),
)


@given(line=LINES)
def test_any_line_gets_exactly_one_reply_and_the_agent_lives_on(shared: Host, line: bytes) -> None:
    shared.channel._stream.send(line + b"\n")
    after = shared.channel.post({"do": "call", "function": "sleep", "arguments": [0]})
    replies: list[dict[str, Any]] = []
    waiting = select.poll()
    waiting.register(shared.channel.fileno(), select.POLLIN)
    while len(replies) < 2:
        assert waiting.poll(5000), f"{len(replies)} replies"
        replies += shared.channel.receive()
    assert len([one for one in replies if one["id"] == after and "began" in one]) >= 1
    assert not waiting.poll(0)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"do": "call"}, "needs either"),
        ({"do": "call", "function": "htons", "on": "x"}, "needs either"),
        ({"do": "call", "on": "x"}, "needs either"),
        ({"do": "call", "function": "htons", "retry": True}, 'call has no "retry"'),
        ({"do": "call", "function": "htons", "arguments": {}}, '"arguments" must be a list'),
        ({"do": "call", "function": "htons", "watch": 1}, '"watch" must be true or false'),
        ({"do": "call", "function": "socketpair", "makes": "a,a"}, "two different ones"),
        ({"do": "call", "function": "socketpair", "makes": ""}, "must be a name"),
        ({"do": "run", "argv": [], "makes": "p"}, '"argv" is empty'),
        ({"do": "run", "argv": ["a\0b"], "makes": "p"}, '"argv" must hold texts'),
        ({"do": "run", "argv": ["a"]}, 'run needs "makes"'),
        ({"do": "capture", "ring": True}, '"ring" must be a whole number'),
        ({"do": "capture", "ring": 0}, '"ring" must be from'),
        ({"do": "privileges", "capabilities": "NET_RAW", "user": None}, "must be a list or null"),
        ({"do": "privileges", "capabilities": [1], "user": None}, "must hold texts"),
        ({"do": "dance"}, "no request dance"),
        ({"do": ["call"]}, '"do" must be a text'),
        ({}, '"do" must be a text'),
    ],
)
def test_a_malformed_request_is_told_what_is_wrong(shared: Host, request_: dict[str, Any], said: str) -> None:
    assert said in shared.request(**request_)["malformed"]


def test_an_id_that_is_pending_cannot_be_used_again(shared: Host) -> None:
    pending = shared.channel.post({"do": "call", "function": "sleep", "arguments": [0.1]})
    shared.channel._stream.send(b'{"id": %d, "do": "states"}\n' % pending)
    assert "still pending" in shared.channel.wait(pending, 5)["malformed"]
    assert "value" in shared.channel.wait(pending, 5)


# --- asleep in the kernel -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "syscall"), [(None, "accept4"), (5.0, "poll")], ids=["without a timeout", "with one it polls"]
)
def test_a_call_that_sleeps_is_told_once_and_before_its_reply(
    host: Host, timeout: float | None, syscall: str
) -> None:
    address = host.listener("l")
    host.value("settimeout", timeout, on="l")
    pending = host.channel.post({"do": "call", "on": "l", "method": "accept", "makes": "c", "watch": True})
    assert asleep(host, pending) == [syscall]
    assert host.channel.ask(do="asleep", of=pending) is True
    assert notices(host, pending, 0.03) == []
    host.value("create_connection", address, makes="g")
    assert host.channel.wait(pending, 5)["made"]["name"] == "c"
    assert host.channel.ask(do="asleep", of=pending) is False
    assert notices(host, pending, 0.02) == []


def test_a_call_that_does_not_sleep_is_never_told(shared: Host) -> None:
    for number in range(200):
        identifier = shared.channel.post(
            {"do": "call", "function": "htons", "arguments": [number], "watch": True}
        )
        assert "value" in shared.channel.wait(identifier, 5)
    assert shared.channel.receive() == []


def test_waiting_for_a_lock_of_the_interpreter_is_not_sleep(host: Host) -> None:
    """Of two reads of one terminal one sleeps in the kernel, the other waits for its turn (futex)."""
    run(host, "p", "cat")
    read = {"do": "call", "on": "p", "method": "read", "arguments": [1], "watch": True}
    first = host.channel.post(read)
    asleep(host, first)
    second = host.channel.post(read)
    assert notices(host, second, 0.05) == []
    assert host.channel.ask(do="asleep", of=first) is True
    assert host.channel.ask(do="asleep", of=second) is False
    host.value("write", {"bytes": "ab\n"}, on="p")
    assert {host.channel.wait(one, 5)["value"]["bytes"] for one in (first, second)} == {"a", "b"}


def test_only_watched_calls_are_told(shared: Host) -> None:
    pending = shared.channel.post({"do": "call", "function": "sleep", "arguments": [0.03]})
    assert "value" in shared.channel.wait(pending, 5)
    assert shared.channel.receive() == []


def test_many_calls_may_block_at_once_while_others_are_made(host: Host) -> None:
    host.value("socketpair", makes="a,b")
    blocked = [
        host.channel.post({"do": "call", "on": "b", "method": "recv", "arguments": [1], "watch": True})
        for _ in range(40)
    ]
    until(host, lambda: len(host.channel._queue) == 40 or host.channel._read() is None)
    assert host.value("htons", 1) == 256
    host.value("sendall", {"bytes": "x" * 40}, on="a")
    for identifier in blocked:
        assert host.channel.wait(identifier, 5)["value"] == {"bytes": "x"}


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_megabytes_go_through_a_call(host: Host) -> None:
    size = 100_000_000
    host.connection("near", "far")
    data = {"base64": "AAEC" * (size // 3)}
    sending = host.channel.post({"do": "call", "on": "near", "method": "sendall", "arguments": [data]})
    received = 0
    while received < size // 3 * 3:
        flags = constant("MSG_WAITALL")
        wanted = min(64 << 20, size // 3 * 3 - received)
        reply = host.channel.wait(
            host.channel.post({"do": "call", "on": "far", "method": "recv", "arguments": [wanted, flags]}), 60
        )
        got = agent.decode(reply["value"])
        assert len(got) == wanted
        assert got[:6] in (b"\0\1\2\0\1\2", b"\1\2\0\1\2\0", b"\2\0\1\2\0\1")
        received += len(got)
    assert "value" in host.channel.wait(sending, 60)


def test_buffers_messages_and_files(shared: Host) -> None:
    shared.value("socketpair", makes="here,there")
    shared.value("send", {"bytes": "hello"}, on="here")
    shared.value("bytearray", 8, makes="buffer")
    assert shared.value("recv_into", {"object": "buffer"}, on="there") == 5
    assert shared.value("bytes", {"object": "buffer"}) == b"hello\0\0\0"
    shared.value("sendmsg", [{"bytes": "two "}, {"bytes": "parts"}], on="here")
    assert shared.value("recvmsg", 100, on="there")[:3] == [b"two parts", [], 0]
    shared.value("makefile", "rw", makes="file", keywords={"newline": "\n"}, on="here")
    assert shared.value("write", "a line\n", on="file") == 7
    shared.value("flush", on="file")
    assert shared.value("recv", 100, on="there") == b"a line\n"
    shared.value("send", {"bytes": "one\ntwo"}, on="there")
    assert shared.value("readline", on="file") == "one\n"
    shared.value("close", on="there")
    assert shared.value("readline", on="file") == "two"
    assert shared.value("readline", on="file") == ""
    shared.value("close", on="file")


def test_duplicates_and_detached_descriptors(shared: Host) -> None:
    shared.value("socketpair", makes="first,second")
    reply = shared.call("dup", on="first", makes="copy")
    assert reply["made"]["name"] == "copy"
    shared.value("close", on="first")
    shared.value("send", {"bytes": "x"}, on="copy")
    assert shared.value("recv", 5, on="second") == b"x"
    reply = shared.call("detach", on="copy", makes="number")
    assert reply["object"]["fd"] == -1
    shared.value("socket", makes="adopted", keywords={"fileno": {"object": "number"}})
    shared.value("send", {"bytes": "y"}, on="adopted")
    assert shared.value("recv", 5, on="second") == b"y"


def test_poll_objects_speak_of_sockets_by_name(shared: Host) -> None:
    shared.value("socketpair", makes="polled,poller")
    shared.value("poll", makes="poll")
    shared.value("register", {"object": "polled"}, constant("POLLIN"), on="poll")
    assert shared.value("poll", 0, on="poll") == []
    shared.value("send", {"bytes": "x"}, on="poller")
    assert shared.value("poll", 0, on="poll") == [[{"object": "polled"}, 1]]
    shared.value("epoll", makes="epoll")
    shared.value("register", {"object": "polled"}, constant("EPOLLIN"), on="epoll")
    assert shared.value("poll", 0, on="epoll") == [[{"object": "polled"}, 1]]
    got = shared.value("select", [{"object": "polled"}, {"object": "poller"}], [], [], 0)
    assert got == [[{"object": "polled"}], [], []]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user with a limit of its own")
def test_an_agent_for_which_there_is_no_thread_says_so(tmp_path: Path) -> None:
    user = ("prlimit", "--nproc=1", "setpriv", "--reuid=54322", "--regid=54322", "--clear-groups")
    said = pytest.raises(HostGone, match="all the processes that it may have")
    with agent_in(tmp_path, "PATH=/usr/bin", user) as host, said:
        host.call("gethostname")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user with a limit of its own")
def test_a_call_for_which_there_is_no_thread_is_refused_and_later_ones_are_made(tmp_path: Path) -> None:
    user = ("prlimit", "--nproc=8", "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
    other = subprocess.Popen([*user, "cat"], stdin=subprocess.PIPE)
    with other, agent_in(tmp_path, "PATH=/usr/bin", user) as host:
        address = host.listener("listener")
        accepting = {"do": "call", "on": "listener", "method": "accept", "watch": True}
        pending = [host.channel.post(accepting) for _ in range(8)]
        for _ in range(2):
            reply = host.call("getsockname", on="listener")
            assert reply["error"]["errno"] == "EAGAIN" and "no thread for this call" in reply["error"]["text"]
        other.kill()
        other.wait()
        assert host.value("getsockname", on="listener") == address
        host.value("create_connection", address, makes="client")
        assert host.channel.wait(pending[-1], 10)["error"]["errno"] == "EAGAIN"
        until(host, lambda: any(one["id"] in pending and "value" in one for one in host.channel.receive()))
