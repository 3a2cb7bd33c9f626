"""Evidence is what the run directory says, and what it cannot say is Blind."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from runner import evidence
from runner.errors import Blind, UsageError
from runner.history import StepRecord
from runner.rundir import CAPTURE, HISTORY, INFO, CaptureInfo
from tests.recorded import Recorded


def echo() -> Recorded:
    """A connection with its calls, and a datagram."""
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).made_by("c", "conn")
    connection.send("client", b"hello").close("client")
    run.udp("client", "server", 5000, 6000, b"x")
    return run


def test_packets_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    seen = echo().evidence(tmp_path)
    assert [packet.number for packet in seen.packets] == list(range(1, len(seen.packets) + 1))
    assert [packet.time_ns for packet in seen.packets] == sorted(packet.time_ns for packet in seen.packets)
    assert seen.hosts == ("client", "server")
    assert seen.networks == ("lab",)
    assert len(seen.captured("client")) == len(seen.captured("server")) == 9
    assert len(seen.transmissions) == 9


def test_owners(tmp_path: Path) -> None:
    seen = echo().evidence(tmp_path)
    assert [seen.owner(address) for address in ("10.0.0.1", "::ffff:10.0.0.2", "02:00:00:00:00:02")] == [
        "client",
        "server",
        "server",
    ]
    assert seen.owner("192.0.2.1") == "192.0.2.1"
    assert seen.addresses("server") == ("10.0.0.2", "fd00::2")


def test_calls(tmp_path: Path) -> None:
    run = echo()
    run.records.append(StepRecord(1, 1, "x.yaml", 1, None, "sleep", "sleep", "passed"))
    seen = run.evidence(tmp_path)
    assert [call.name for call in seen.calls("listener")] == ["socket", "bind", "listen", "accept"]
    assert [call.name for call in seen.calls(host="client")] == ["socket", "connect"]
    assert len(seen.calls()) == 6


def test_sockets_have_all_addresses_they_ever_had(tmp_path: Path) -> None:
    seen = echo().evidence(tmp_path)
    assert seen.socket("c").pairs == ((("10.0.0.1", 40000), ("10.0.0.2", 80)),)
    assert seen.socket("conn").pairs == ((("10.0.0.2", 80), ("10.0.0.1", 40000)),)
    assert (seen.socket("conn").host, seen.socket("conn").type) == ("server", "SOCK_STREAM")
    assert seen.socket("listener").pairs == ((("0.0.0.0", 80), None),)
    with pytest.raises(Blind, match="no call made a socket nobody"):
        seen.socket("nobody")


def test_a_connect_that_failed_has_the_port_that_the_kernel_took_away(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.call("client", "c", "socket", local=["0.0.0.0", 0])
    run.call("client", "other", "socket", local=["0.0.0.0", 0])
    began_ns = run.tick()
    connection = run.connection("client", "server", 43210, 81).segment("client", "S").segment("server", "RA")
    run.connection("client", "server", 43211, 81).open()  # another socket's, at the same time
    failure = {"type": "ConnectionRefusedError", "errno": "ECONNREFUSED", "text": ""}
    target = ["10.0.0.2", 81]
    run.call("client", "c", "connect", target, local=["0.0.0.0", 0], failure=failure,
             began_ns=began_ns, ended_ns=run.tick())  # fmt: skip
    run.call("client", "other", "connect", target, local=["10.0.0.1", 43211], peer=target)
    connection.segment("client", "S")  # after the call: not this one's
    run.connection("client", "server", 50000, 81).segment("client", "S")
    seen = run.evidence(tmp_path)
    assert seen.socket("c").pairs == ((("10.0.0.1", 43210), ("10.0.0.2", 81)),)
    assert seen.socket("other").pairs == ((("10.0.0.1", 43211), ("10.0.0.2", 81)),)


def test_what_the_kernel_dropped_makes_blind(tmp_path: Path) -> None:
    seen = echo().evidence(tmp_path, drops={"server": 1200})
    assert len(seen.captured("client")) == 9
    with pytest.raises(Blind, match="dropped 1,200 packets of the capture on host server"):
        seen.captured("server")
    with pytest.raises(Blind):
        seen.must_see(["client", "server"])


def test_a_missing_capture_makes_blind(tmp_path: Path) -> None:
    run = echo()
    run.captures["server"] = CaptureInfo(missing="the agent is gone")
    with pytest.raises(Blind, match="the agent is gone"):
        run.evidence(tmp_path).captured("server")
    with pytest.raises(Blind, match="nothing was captured on host mars"):
        run.evidence(tmp_path).captured("mars")


def test_a_capture_file_that_is_not_whole_makes_blind(tmp_path: Path) -> None:
    folder = echo().write(tmp_path)
    whole = (folder / CAPTURE).read_bytes()
    (folder / CAPTURE).write_bytes(whole[:-40])
    with pytest.raises(Blind, match="damaged: the file ends in the middle"):
        evidence.load(folder).captured("client")
    size = struct.unpack_from("<I", whole, len(whole) - 4)[0]
    (folder / CAPTURE).write_bytes(whole[:-size])  # cut between two blocks: only the count tells
    with pytest.raises(Blind, match="had 9 packets, but the file has 8"):
        evidence.load(folder).must_see(["server", "client"])
    (folder / CAPTURE).unlink()
    with pytest.raises(Blind, match="cannot be read"):
        evidence.load(folder).captured("client")


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the directory of a run"):
        evidence.load(tmp_path)
    folder = echo().write(tmp_path / "run")
    (folder / HISTORY).write_text('{"kind": "call"')
    with pytest.raises(UsageError, match=r"history\.jsonl:1"):
        evidence.load(folder)
    (folder / INFO).write_text("{}")
    with pytest.raises(UsageError):
        evidence.load(folder)
