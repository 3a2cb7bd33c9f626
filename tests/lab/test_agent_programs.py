"""Agents as real child processes: the programs they run, how they end, interfaces and privileges."""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab import agent
from tests.agents import (
    SOURCE,
    Host,
    agent_in,
    asleep,
    constant,
    in_a_namespace,
    namespace_agent,
    run,
)

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to take privileges from an agent that has them"
)


# --- programs -------------------------------------------------------------------------------------


def test_a_program_prompts_without_echo_and_its_status_is_told(shared: Host) -> None:
    run(shared, "asks", "sh", "-c", 'printf "who? "; read name; echo "hello $name"; exit 3')
    assert shared.value("read", 5, on="asks") == b"who? "
    assert shared.value("write", {"bytes": "Ada\n"}, on="asks") == 4
    assert shared.value("read_until", {"bytes": "\n"}, on="asks") == b"hello Ada\n"
    assert shared.value("wait", on="asks") == {"exit": 3}
    assert shared.value("wait", on="asks") == {"exit": 3}
    assert shared.value("read", 5, on="asks") == b""
    assert shared.error("signal", "SIGTERM", on="asks") == ("ProcessLookupError", "ESRCH")


def test_all_bytes_pass_the_terminal_as_they_are(shared: Host) -> None:
    data = bytes(range(256)) * 3 + b"\n"
    run(shared, "copies", "cat")
    assert shared.value("write", agent.encode(data), on="copies") == len(data)
    assert shared.value("read", len(data), on="copies") == data
    shared.value("end_input", on="copies")
    assert shared.value("wait", on="copies") == {"exit": 0}


def test_a_line_that_a_terminal_would_cut_is_an_error(shared: Host) -> None:
    run(shared, "reads", "cat")
    assert shared.error("write", {"bytes": "x" * 4096}, on="reads") == ("ValueError", None)
    line = b"x" * 4095 + b"\n"
    assert shared.value("write", agent.encode(line), on="reads") == 4096
    assert shared.value("read", 4096, on="reads") == line
    shared.value("signal", "SIGKILL", on="reads")
    assert shared.value("wait", on="reads") == {"signal": "SIGKILL"}


def test_reading_gives_what_there_was_when_the_program_ends(shared: Host) -> None:
    run(shared, "prints", "printf", "one\ntwo")
    assert shared.value("read_until", {"bytes": "\n"}, on="prints") == b"one\n"
    assert shared.value("read_until", {"bytes": "\n"}, on="prints") == b"two"
    assert shared.value("read_until", {"bytes": "\n"}, on="prints") == b""
    run(shared, "prints more", "seq", "20000")
    everything = shared.value("read", 10_000_000, on="prints more")
    assert everything == b"".join(b"%d\n" % number for number in range(1, 20001))


def test_environment_folder_and_terminal_of_a_program(shared: Host, tmp_path: Path) -> None:
    script = 'echo "$COLOUR $PWD"; tty < /dev/tty; test -t 0 -a -t 1 && echo terminal'
    run(shared, "looks", "sh", "-c", script, environment={"COLOUR": "red"}, folder=str(tmp_path))
    assert shared.value("read_until", {"bytes": "\n"}, on="looks") == f"red {tmp_path}\n".encode()
    assert shared.value("read_until", {"bytes": "\n"}, on="looks") == b"/dev/tty\n"
    assert shared.value("read_until", {"bytes": "\n"}, on="looks") == b"terminal\n"


def test_a_program_that_is_not_there_is_an_error_and_its_name_stays_free(shared: Host) -> None:
    reply = shared.request(do="run", argv=["/no/such/program"], makes="missing")
    assert (reply["error"]["type"], reply["error"]["errno"]) == ("FileNotFoundError", "ENOENT")
    run(shared, "missing", "true")
    assert shared.value("wait", on="missing") == {"exit": 0}


def test_stderr_of_programs_is_kept_apart(host: Host) -> None:
    run(host, "complains", "sh", "-c", "echo wrong >&2; echo right")
    assert host.value("read", 100, on="complains") == b"right\n"
    assert host.stderr.read_text() == "wrong\n"


def test_waiting_for_a_program_is_sleep(shared: Host) -> None:
    run(shared, "sleeps", "sleep", "30")
    waiting = shared.channel.post({"do": "call", "on": "sleeps", "method": "wait", "watch": True})
    reading = shared.channel.post(
        {"do": "call", "on": "sleeps", "method": "read", "arguments": [1], "watch": True}
    )
    assert asleep(shared, waiting, reading) == ["waitid", "read"]
    shared.value("signal", "SIGTERM", on="sleeps")
    assert shared.channel.wait(waiting, 5)["value"] == {"signal": "SIGTERM"}
    assert shared.channel.wait(reading, 5)["value"] == {"bytes": ""}


HIDES = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork():
    os.write(1, b"%d\\n" % os.getpid())  # whole: the other writes too
    time.sleep(60)
os.setsid()
if os.fork():
    os._exit(0)
os.write(1, b"%d\\n" % os.getpid())
time.sleep(60)
"""


@pytest.mark.parametrize("ending", ["quit", "end of input"])
def test_programs_end_with_the_agent_however_they_hide(tmp_path: Path, ending: str) -> None:
    with agent_in(tmp_path) as host:
        run(host, "p", "python3", "-c", HIDES)
        pids = [int(host.value("read_until", {"bytes": "\n"}, on="p")) for _ in range(2)]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        if ending == "quit":
            assert host.channel.ask(do="quit") is None
        else:
            host.channel.close()
        assert host.process.wait(10) == 0
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_the_agent_ends_at_once_with_calls_still_blocked(tmp_path: Path) -> None:
    with agent_in(tmp_path) as host:
        host.listener("l")
        host.channel.post({"do": "call", "on": "l", "method": "accept"})
        host.channel.post({"do": "call", "function": "sleep", "arguments": [60]})
        host.channel.close()
        assert host.process.wait(10) == 0


def test_the_agent_ends_when_its_replies_are_left_unread(tmp_path: Path) -> None:
    """The kernel tells that to the other end of a socket as a reset, not as an end."""
    with agent_in(tmp_path) as host:
        host.channel.post({"do": "call", "function": "htons", "arguments": [1]})
        time.sleep(0.05)
        host.channel.close()
        assert host.process.wait(10) == 0


def test_the_agent_needs_no_newer_python_and_nothing_but_its_library() -> None:
    tree = ast.parse(SOURCE, feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names) | {"__future__"}


def test_the_protocol_is_out_of_reach_of_programs_and_prints(host: Host) -> None:
    folder = Path(f"/proc/{host.process.pid}/fd")
    assert (folder / "0").readlink() == Path("/dev/null")
    assert (folder / "1").readlink() == (folder / "2").readlink() == host.stderr
    run(host, "p", "ls", "/proc/self/fd")
    listed = host.value("read", 1000, on="p").split()
    assert set(listed) <= {b"0", b"1", b"2", b"3"}  # 3 is the folder that ls reads


# --- interfaces and privileges --------------------------------------------------------------------


def test_interfaces_are_told_with_their_addresses(shared: Host) -> None:
    lo = next(one for one in shared.channel.ask(do="interfaces") if one["name"] == "lo")
    assert lo["index"] == 1
    assert lo["mac"] == "00:00:00:00:00:00"
    assert "127.0.0.1/8" in lo["ip4"]
    assert lo["mtu"] == int(Path("/sys/class/net/lo/mtu").read_text())


@in_a_namespace
def test_offloads_are_off_afterwards(tmp_path: Path) -> None:
    with namespace_agent(tmp_path) as host:
        off = host.channel.ask(do="offload")
    assert set(off) == {"eth0", "eth1"}
    assert set(off["eth0"]) >= {"tx-checksum", "tso", "gso", "gro"}


@in_a_namespace
def test_offloads_that_may_not_be_changed_are_an_error(tmp_path: Path) -> None:
    forbid = 'set -- setpriv --bounding-set -net_admin --inh-caps -net_admin "$@"'
    with namespace_agent(tmp_path, forbid) as host:
        assert host.request(do="offload")["error"]["errno"] == "EPERM"


def raw(host: Host, name: str) -> str | None:
    """The errno of making a raw socket, or None."""
    reply = host.call("socket", constant("AF_INET"), constant("SOCK_RAW"), 253, makes=name)
    errno: str | None = reply["error"]["errno"] if "error" in reply else None
    return errno


def privileges(host: Host, capabilities: list[str] | None, user: str | None) -> dict[str, Any]:
    return host.request(do="privileges", capabilities=capabilities, user=user)


def status(host: Host, name: str) -> dict[str, str]:
    """/proc/self/status as a program started now sees it."""
    run(host, name, "cat", "/proc/self/status")
    lines = host.value("read", 100_000, on=name).decode().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@as_root
def test_capabilities_are_taken_from_calls_and_programs_and_given_back(host: Host) -> None:
    assert raw(host, "before") is None
    assert "value" in privileges(host, ["NET_BIND_SERVICE", "CAP_CHOWN"], None)
    assert raw(host, "without") == "EPERM"
    told = status(host, "p")
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 1 << 10 | 1
    assert privileges(host, None, None)["value"] is None
    assert raw(host, "after") is None
    assert status(host, "q")["CapEff"] == Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0]


@as_root
def test_a_user_is_taken_by_calls_and_programs(host: Host) -> None:
    assert "value" in privileges(host, None, "nobody")
    assert raw(host, "r") == "EPERM"
    told = status(host, "p")
    assert told["Uid"].split() == ["65534"] * 4
    assert told["Gid"].split() == ["65534"] * 4
    assert told["Groups"] in ("65534", "")
    assert int(told["CapEff"], 16) == 0
    assert "value" in privileges(host, ["NET_RAW"], "12345")
    assert raw(host, "s") is None
    told = status(host, "q")
    assert told["Uid"].split() == ["12345"] * 4
    assert int(told["CapEff"], 16) == 1 << 13


@as_root
def test_a_refused_change_of_privileges_changes_nothing(host: Host) -> None:
    assert privileges(host, None, "no such user")["error"]["type"] == "LookupError"
    assert privileges(host, ["FLY"], None)["error"]["type"] == "LookupError"
    assert raw(host, "still") is None
    assert "value" in privileges(host, [], None)
    assert privileges(host, None, "no such user")["error"]["type"] == "LookupError"
    assert raw(host, "not any more") == "EPERM"


@as_root
def test_without_privileges_blocked_calls_are_still_seen(host: Host) -> None:
    host.value("socketpair", makes="a,b")
    before = host.channel.post({"do": "call", "on": "b", "method": "recv", "arguments": [1]})
    assert "value" in privileges(host, [], "nobody")
    pending = host.channel.post({"do": "call", "on": "b", "method": "recv", "arguments": [1], "watch": True})
    assert asleep(host, pending) == ["recvfrom"]
    assert host.channel.ask(do="asleep", of=pending) is True
    host.value("sendall", {"bytes": "xy"}, on="a")
    assert {host.channel.wait(one, 5)["value"]["bytes"] for one in (before, pending)} == {"x", "y"}
    assert [raw(host, f"r{number}") for number in range(20)] == ["EPERM"] * 20


@as_root
def test_programs_of_another_user_end_with_the_agent(tmp_path: Path) -> None:
    with agent_in(tmp_path) as host:
        run(host, "as root", "sleep", "61")
        privileges(host, [], "nobody")
        run(host, "p", "python3", "-c", HIDES)
        pids = [int(host.value("read_until", {"bytes": "\n"}, on="p")) for _ in range(2)]
        host.channel.close()
        assert host.process.wait(10) == 0
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
