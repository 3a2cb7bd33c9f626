"""Every fault on real hosts, on every engine: exact on the frame that it means, on the timeline, gone when healed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engine import Engine, Lab
from lab.errors import LabError
from lab.faults import FAULTS
from lab.faults import striking as striking_module
from lab.faults.striking import Striking
from lab.topology import Topology
from runner import evidence
from runner.history import FaultRecord
from tests.playing import Played, play_text

pytestmark = pytest.mark.slow  # plays on real hosts again and again

HEAD = """
name: faults
hosts: [server, client]
steps:
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: ":9999"}
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {connect: c, to: "server:9999"}
  - client: {send: c, data: before}
  - server: {recv: s, size: 100, gives: before}
"""
FIVE = "".join(f"  - client: {{send: c, data: number {number}}}\n" for number in range(1, 6))
KILL = """
import os, signal
for pid in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{pid}/cmdline") as file:
        if "child" in file.read() and int(pid) != os.getpid():
            os.kill(int(pid), signal.SIGKILL)
"""


def received(data: str, took: str = "..5s") -> str:
    return f"  - server: {{recv: s, size: 100, gives: {data}, takes: {took}}}\n"


def play(engine: Engine, folder: Path, steps: str, expect: str = "  - count: {flow: tcp, is: 0}\n") -> Played:
    return play_text(f"{HEAD}{steps}expect:\n{expect}", folder, engine.name)


def changes(played: Played) -> list[tuple[str, int]]:
    """What was done to which of the frames that the fault meant."""
    return [(one.what, one.nth) for one in played.records if isinstance(one, FaultRecord) and one.length]


def arrivals(played: Played) -> dict[str, tuple[int, bool, tuple[str, ...]]]:
    """For each datagram sent: how often it arrived, whether it is lost, and what is said of it."""
    return {
        one.sent.payload.decode(): (len(one.arrivals), one.lost, one.struck)
        for one in evidence.load(played.folder).transmissions
        if one.sent.header.dport == 9999
    }


ORDERS = {
    "drop": [1, 2, 4, 5],
    "partition": [1, 2, 4, 5],
    "duplicate": [1, 2, 3, 3, 4, 5],
    "delay, by: 400ms": [1, 2, 4, 5, 3],
    "reorder, past: 1": [1, 2, 4, 3, 5],
    "corrupt": [1, 2, 4, 5],
    "truncate, length: 40": [1, 2, 4, 5],
    "rate, bits_per_second: 1000": [1, 2, 4, 5, 3],
}
SAID = {
    "drop": (0, True, ("dropped",)), "partition": (0, True, ("cut off",)), "duplicate": (2, False, ("doubled",)),
    "delay": (1, False, ("delayed 400ms",)), "reorder": (1, False, ("overtaken",)),
    "corrupt": (1, False, ("corrupted",)),
}  # fmt: skip


def test_the_list_below_has_every_fault() -> None:
    assert {one.partition(",")[0] for one in ORDERS} == set(FAULTS)


@pytest.mark.parametrize("fault", ORDERS)
def test_a_fault_strikes_exactly_the_frame_that_it_means(engine: Engine, fault: str, tmp_path: Path) -> None:
    to = ", to: server" if "partition" not in fault else ""
    step = f"  - {{fault: {fault}, from: client{to}, where: UDP, nth: 3, as: it}}\n"
    read = "".join(received(f"number {number}") for number in ORDERS[fault])
    played = play(engine, tmp_path, f"{step}{FIVE}{read}  - {{heal: it}}\n{FIVE}{received('number 1')}")
    assert not played.steps("failed"), played.reason
    assert played.judgement.verdict == "pass", played.judgement
    kind = fault.partition(",")[0]
    assert changes(played) == [(kind, 3)]
    begun = [one.what for one in played.records if isinstance(one, FaultRecord) and not one.length]
    assert begun == ["begins", "healed"]


@pytest.mark.parametrize("fault", [one for one in ORDERS if one.partition(",")[0] in SAID])
def test_the_timeline_says_what_became_of_the_frame(engine: Engine, fault: str, tmp_path: Path) -> None:
    played = play(engine, tmp_path, f"  - {{fault: {fault}, from: client, where: UDP, nth: 3}}\n{FIVE}")
    assert played.judgement.verdict == "pass", played.judgement
    found = arrivals(played)
    assert found["number 3"] == SAID[fault.partition(",")[0]]
    others = {found[one] for one in ("before", "number 1", "number 2", "number 4", "number 5")}
    assert others == {(1, False, ())}


def test_a_changed_byte_reaches_the_application_where_checksums_are_mended(
    engine: Engine, tmp_path: Path
) -> None:
    steps = "  - {fault: corrupt, from: client, where: UDP, nth: 1, mend: true}\n  - client: {send: c, data: abc}\n"
    played = play(engine, tmp_path, steps + "  - server: {recv: s, size: 9, gives: {hex: 61629c}}\n")
    assert played.judgement.verdict == "pass", played.judgement


def test_a_delay_is_exact(engine: Engine, tmp_path: Path) -> None:
    played = play(
        engine, tmp_path, "  - {fault: delay, from: client, to: server, where: UDP, by: 20ms}\n" + FIVE
    )
    late = [
        (one.arrivals[0].time_ns - one.sent.time_ns) / 1e6
        for one in evidence.load(played.folder).transmissions
        if one.struck
    ]
    assert len(late) == 5 and min(late) >= 20, late


def test_tcp_delivers_all_in_order_whatever_happens_below(engine: Engine, tmp_path: Path) -> None:
    steps = """
  - {fault: drop, from: client, to: server, where: TCP, probability: 0.2, seed: 7}
  - {fault: reorder, from: client, to: server, where: TCP and len > 0, nth: [2, 5], past: 2}
  - {fault: duplicate, from: server, to: client, where: TCP, probability: 20%, seed: 1}
  - server: {socket: l}
  - server: {bind: l, to: ":80"}
  - server: {listen: l}
  - client: {socket: t}
  - client: {connect: t, to: "server:80"}
  - server: {accept: l, as: conn}
  - client: {sendall: t, data: {random: 20000, seed: 1}}
  - server: {recv: conn, size: 20000, flags: MSG_WAITALL, gives: {length: 20000}, takes: ..60s}
"""
    played = play(engine, tmp_path, steps, "  - stream: {from: t, to: conn}\n")
    assert played.judgement.verdict == "pass", played.judgement
    assert {what for what, _ in changes(played)} == {"drop", "reorder", "duplicate"}


def test_a_partition_cuts_both_directions(engine: Engine, tmp_path: Path) -> None:
    steps = """
  - {fault: partition, from: client, as: cut}
  - client: {send: c, data: lost}
  - client: {getsockname: c, as: me}
  - server: {sendto: s, data: lost too, to: "client:$me.port"}
  - {heal: cut}
  - client: {send: c, data: after}
  - server: {recv: s, size: 100, gives: after}
"""
    played = play(engine, tmp_path, steps)
    assert played.judgement.verdict == "pass", played.judgement
    assert sorted(changes(played))[:2] == [("partition", 1), ("partition", 1)]


def test_a_partition_keeps_groups_from_the_other_side_and_from_scripted_hosts(
    engine: Engine, tmp_path: Path
) -> None:
    text = """
name: partition
hosts: {server: {}, client: {}, ghost: {scripted: true}}
steps:
  - {fault: partition, from: client, as: cut}
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {sendto: s, data: x, to: "ghost:9"}
  - ghost: {sniff_packet: UDP.dport = 9}
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {sendto: c, data: x, to: "ghost:9"}
  - client: {sendto: c, data: x, to: "server:9"}
  - {sleep: 20ms}
  - {heal: cut}
  - client: {sendto: c, data: y, to: "server:9"}
expect:
  - count: {flow: arp, where: ARP.op = 1 and ARP.psrc = client, is: 2..}
  - count: {flow: arp, where: ARP.op = 2 and ARP.psrc = ghost and ARP.pdst = client, is: 0}
  - count: {flow: arp, where: ARP.op = 2 and ARP.psrc = ghost and ARP.pdst = server, is: 1..}
"""
    played = play_text(text, tmp_path, engine.name)
    assert played.judgement.verdict == "pass", played.judgement
    said = [one for one in evidence.load(played.folder).transmissions if one.sent.header.operation == 1]
    asked = {
        (one.source, one.struck): (one.lost, tuple(seen.host for seen in one.arrivals))
        for one in said
        if one.struck
    }
    assert asked["client", ("cut off",)] == (True, ())
    assert asked["server", ("cut off from client",)] == (False, ("ghost",))


def test_a_fault_finds_a_segment_by_its_place_in_the_connection(engine: Engine, tmp_path: Path) -> None:
    steps = """
  - server: {socket: l}
  - server: {bind: l, to: ":80"}
  - server: {listen: l}
  - client: {socket: t}
  - client: {connect: t, to: "server:80"}
  - server: {accept: l, as: conn}
  - {fault: drop, from: client, where: TCP and seq = 6 and len > 0, nth: 1}
  - {fault: drop, from: server, where: TCP and ack = 11 and TCP.flags = A, nth: 1}
  - client: {sendall: t, data: first}
  - server: {recv: conn, size: 5, flags: MSG_WAITALL, gives: first}
  - client: {sendall: t, data: next.}
  - server: {recv: conn, size: 5, flags: MSG_WAITALL, gives: next.}
  - until: {within: 5s, steps: [{client: {state: t, is: ESTABLISHED}}]}
"""
    played = play(engine, tmp_path, steps, "  - count: {flow: tcp t, where: seq = 6 and len = 5, is: 2..}\n")
    assert played.judgement.verdict == "pass", played.judgement
    struck = [one for one in evidence.load(played.folder).transmissions if "dropped" in one.struck]
    assert [(one.seq, one.ack) for one in struck][:1] == [(6, 1)]
    assert {one.ack for one in struck} <= {1, 11}


@pytest.mark.parametrize("end", ["link: client, to: down", "kill: client"])
def test_a_delayed_frame_does_not_leave_a_host_that_is_off_the_network(
    engine: Engine, end: str, tmp_path: Path
) -> None:
    steps = f"""
  - {{fault: delay, from: client, where: UDP, nth: 2, by: 1s}}
  - client: {{send: c, data: in time}}
  - server: {{recv: s, size: 100, gives: in time}}
  - client: {{send: c, data: too late}}
  - {{{end}}}
  - {{sleep: 1200ms}}
"""
    played = play(engine, tmp_path, steps)
    assert played.judgement.verdict == "pass", played.judgement
    found = arrivals(played)
    assert found["in time"] == (1, False, ())
    assert found["too late"] == (0, True, ("delayed 1s",))


def test_a_delayed_frame_is_waited_for_at_the_end(engine: Engine, tmp_path: Path) -> None:
    played = play(engine, tmp_path, "  - {fault: delay, from: client, where: UDP, by: 900ms}\n" + FIVE)
    assert [found[0] for found in arrivals(played).values()] == [1] * 6


def test_a_fault_process_that_died_makes_the_verdict_unknown(engine: Engine, tmp_path: Path) -> None:
    program = KILL.replace("\n", "\\n").replace('"', '\\"')
    steps = f"""
  - {{fault: drop, from: client, where: UDP, nth: 9}}
  - client: {{run: [python3, -c, "{program}"], as: p}}
  - client: {{wait: p, gives: {{exit: 0}}}}
  - client: {{send: c, data: nobody takes it}}
"""
    played = play(engine, tmp_path, steps)
    assert played.judgement.verdict == "unknown"
    (finding,) = [one for one in played.judgement.findings if one.verdict == "unknown"]
    assert "the fault process of host client is gone" in finding.summary and "SIGKILL" in finding.summary
    assert arrivals(played)["nobody takes it"][0] == 0  # it fails closed


def test_a_frame_for_a_group_is_refused_for_one_receiver(engine: Engine, tmp_path: Path) -> None:
    text = (
        HEAD.replace("[server, client]", "[server, client, other]")
        + """
  - {fault: drop, from: client, to: server, where: UDP}
  - client: {socket: b, type: SOCK_DGRAM}
  - client: {setsockopt: b, option: SO_BROADCAST, value: 1}
  - client: {sendto: b, data: all, to: "255.255.255.255:9999"}
"""
    )
    played = play_text(text, tmp_path, engine.name)
    assert played.judgement.verdict == "unknown"
    assert changes(played) == [("refused", 0)]


def test_a_host_whose_faults_are_over_is_as_before(engine: Engine, tmp_path: Path) -> None:
    with engine.up(Topology.simple("server", "client"), logs=tmp_path) as lab:
        before = lab.agent("client").ask(do="interfaces")
        striking = Striking(lab, {"client": [[-1, -1]]})
        striking.begin()
        assert {"wire0", "wire0p"} <= {one["name"] for one in lab.agent("client").ask(do="interfaces")}
        striking.tell("client", do="deaf", macs=["02:00:00:00:00:01"])
        counted = striking.end()["client"]
        assert counted["lost"] == 0
        assert counted["in"] == counted["out"]  # 0, or what IPv6 sends by itself
        assert lab.agent("client").ask(do="interfaces") == before


def test_a_lab_may_have_faults_again(engine: Engine, tmp_path: Path) -> None:
    with engine.up(Topology.simple("server", "client"), logs=tmp_path) as lab:
        with wires_of(lab, "client") as number:
            assert number == 2
        with wires_of(lab, "client") as number:  # a queueing discipline that was left behind would be EEXIST
            assert number == 2


@contextlib.contextmanager
def wires_of(lab: Lab, host: str) -> Iterator[int]:
    """A fault process, on an agent of its own name each time; how many ends of detours there are."""
    name, striking_module.NAME = striking_module.NAME, f"fault process {time.monotonic_ns()}"
    try:
        striking = Striking(lab, {host: [[-1, -1]]})
        striking.begin()
        yield len([one for one in lab.agent(host).ask(do="interfaces") if one["name"].startswith("wire")])
        striking.end()
    finally:
        striking_module.NAME = name


def test_a_fault_process_says_what_it_cannot_do(engine: Engine, tmp_path: Path) -> None:
    with engine.up(Topology.simple("server", "client"), logs=tmp_path) as lab:
        striking = Striking(lab, {"client": [[-1, -1]]})
        striking.begin()
        with pytest.raises(LabError, match="no fault in 7"):
            striking.tell("client", do="begin", kind="no fault in 7")
        striking.end()
        with pytest.raises(LabError, match="ended with exit code 0"):
            striking.tell("client", do="counts")
