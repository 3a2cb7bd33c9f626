"""The runner's end: order and queues, errors that say which host, ends noticed, and no deadlock."""

from __future__ import annotations

import contextlib
import fcntl
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.channel import Channel, SocketStream
from lab.errors import HostGone, LabError
from tests.agents import Host, agent_in


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with agent_in(tmp_path_factory.mktemp("agent")) as made:
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel and the other end, on which the test plays the agent."""
    ours, theirs = socket.socketpair()
    channel = Channel("server", SocketStream(ours))
    yield channel, theirs
    channel.close()
    theirs.close()


def test_a_reply_is_found_among_others_which_stay_queued(host: Host) -> None:
    slow = host.channel.post({"do": "call", "function": "sleep", "arguments": [0.1], "watch": True})
    quick = host.channel.post({"do": "call", "function": "htons", "arguments": [1]})
    assert host.channel.wait(slow, 5)["id"] == slow
    assert sorted(message["id"] for message in host.channel.queued()) == [slow, quick]
    assert host.channel.queued() == []


def test_the_notice_is_not_taken_for_the_reply(host: Host) -> None:
    slow = host.channel.post({"do": "call", "function": "sleep", "arguments": [0.05], "watch": True})
    assert "value" in host.channel.wait(slow, 5)
    assert [message["syscall"] for message in host.channel.receive()] == ["clock_nanosleep"]


def test_receive_does_not_wait_and_gives_everything_there_is(host: Host) -> None:
    assert host.channel.receive() == []
    asked = [host.channel.post({"do": "call", "function": "htons", "arguments": [n]}) for n in range(50)]
    got: list[int] = []
    while len(got) < 50:
        got += [message["id"] for message in host.channel.receive()]
    assert sorted(got) == asked


def test_errors_and_malformed_requests_are_told_with_the_host(host: Host) -> None:
    with pytest.raises(LabError, match=r"host client: call gethostbyname: .*"):
        host.channel.ask(do="call", function="gethostbyname", arguments=[1])
    with pytest.raises(LabError, match="host client did not take 'nonsense': there is no request nonsense"):
        host.channel.ask(do="nonsense")


def test_a_reply_that_does_not_come_is_an_error_after_the_time(host: Host) -> None:
    began = time.monotonic()
    with pytest.raises(LabError, match=r"host client did not answer within 0\.05 s"):
        host.channel.ask(0.05, do="call", function="sleep", arguments=[2])
    assert 0.05 <= time.monotonic() - began < 1.5


def test_messages_may_come_in_pieces(pair: tuple[Channel, socket.socket]) -> None:
    """One piece has the end of a message and the beginning of the next."""
    channel, agent = pair
    text = b'{"id":1,"value":"' + b"x" * 100_000 + b'"}\n{"id":2,"value":"' + b"y" * 50_000 + b'"}\n'
    got = []
    for place in range(0, len(text), 30_011):
        agent.sendall(text[place : place + 30_011])
        got += channel.receive()
    assert [message["value"] for message in got] == ["x" * 100_000, "y" * 50_000]


def test_what_is_not_the_protocol_is_an_error_that_shows_it(pair: tuple[Channel, socket.socket]) -> None:
    channel, agent = pair
    agent.sendall(b"bash: python3: not found\n")
    with pytest.raises(LabError, match="python3: not found"):
        channel.hello(1)


def test_an_agent_that_does_not_start_is_told_with_its_stderr(tmp_path: Path) -> None:
    (tmp_path / "stderr").write_text("no such file: python3")
    ours, theirs = socket.socketpair()
    with contextlib.closing(Channel("server", SocketStream(ours, tmp_path / "stderr"))) as channel:
        with pytest.raises(LabError, match=r"server did not start within 0.01 s: no such file"):
            channel.hello(0.01)
        theirs.close()


def test_a_killed_host_is_gone_by_name_with_how_and_its_last_words(tmp_path: Path) -> None:
    with agent_in(tmp_path, "echo the last words >&2") as host:
        pending = host.channel.post({"do": "call", "function": "sleep", "arguments": [60]})
        host.process.send_signal(signal.SIGKILL)
        with pytest.raises(
            HostGone, match=r"host client is gone: its agent ended \(-9\).*the last words"
        ) as gone:
            host.channel.wait(pending, 5)
        assert gone.value.host == "client"
        with pytest.raises(HostGone, match="host client is gone"):
            host.channel.ask(do="states")
        with pytest.raises(HostGone):
            host.channel.receive()


def test_what_was_said_before_the_end_is_still_heard(pair: tuple[Channel, socket.socket]) -> None:
    channel, agent = pair
    agent.sendall(b'{"id":1,"value":7}\n')
    agent.close()
    assert channel.receive() == [{"id": 1, "value": 7}]
    with pytest.raises(HostGone, match="host server is gone: its agent ended"):
        channel.receive()


def test_a_large_request_does_not_wait_for_an_agent_that_is_sending(
    pair: tuple[Channel, socket.socket],
) -> None:
    """Both directions are full at once: a channel that only sends would wait for an agent that only sends."""
    channel, agent = pair
    reply = b'{"id":1,"value":"' + b"x" * (4 << 20) + b'"}\n'
    heard: list[int] = []

    def talk() -> None:
        agent.sendall(reply)
        while sum(heard) < 4 << 20:
            heard.append(len(agent.recv(1 << 20)))

    talking = threading.Thread(target=talk, daemon=True)
    posting = threading.Thread(target=channel.post, args=({"do": "x" * (4 << 20)},), daemon=True)
    talking.start()
    time.sleep(0.05)
    posting.start()
    posting.join(10)
    assert not posting.is_alive()
    assert len(channel.wait(1, 5)["value"]) == 4 << 20
    talking.join(5)


def test_large_requests_and_replies_pass_each_other(host: Host) -> None:
    text = "x" * (8 << 20)
    asked = [
        host.channel.post({"do": "call", "function": "bytes", "arguments": [{"bytes": text}]})
        for _ in range(4)
    ]
    for identifier in asked:
        assert host.channel.wait(identifier, 20)["value"] == {"bytes": text}


def test_descriptors_beyond_those_of_select_work(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip(f"this process may have only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    try:
        ours, theirs = socket.socketpair()
        high = socket.socket(fileno=fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD_CLOEXEC, 2000))
        ours.close()
        channel = Channel("server", SocketStream(high))
        assert channel.fileno() >= 2000
        with pytest.raises(LabError, match="did not answer"):
            channel.wait(1, 0.01)
        theirs.sendall(b'{"id":1}\n')
        assert channel.wait(1, 1) == {"id": 1}
        theirs.close()
        channel.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_closing_ends_the_agent(tmp_path: Path) -> None:
    with agent_in(tmp_path) as host:
        host.channel.close()
        assert host.process.wait(10) == 0
        with pytest.raises(HostGone, match="its channel was closed"):
            host.channel.receive()


def test_an_unreadable_stderr_is_no_error(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with contextlib.closing(SocketStream(ours, tmp_path / "missing")) as stream:
        assert stream.last_words() == ""
    theirs.close()
