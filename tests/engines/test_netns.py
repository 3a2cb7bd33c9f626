"""The namespaces engine: what is its own beside the contract of every engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import syscalls
from lab.engine import Lab
from lab.engines.netns import NetnsEngine, NetnsLab
from lab.engines.zygote import KEPT_CAPABILITIES
from lab.errors import HostGone, LabError, Unsupported
from lab.topology import Host, Network, Topology
from tests.engines.conftest import engine_or_skip
from tests.engines.remote import Remote

pytestmark = pytest.mark.slow  # plays on real hosts again and again

ROOT = Path(__file__).resolve().parents[2]
PAIR = Topology.simple("server", "client")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    """A lab for tests that leave it as it was."""
    engine_or_skip("netns")
    with NetnsEngine().up(PAIR, logs=tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.fixture(scope="module")
def server(lab: Lab) -> Remote:
    return Remote(lab, "server")


# What a host sees and may do


def test_facts_and_process_ids(lab: NetnsLab) -> None:
    assert lab.facts() == {
        "engine": "netns",
        "kernel": os.uname().release,
        "python": ".".join(map(str, sys.version_info[:3])),
        "rootless": "no" if os.geteuid() == 0 else "yes",
    }
    own = Path("/proc/self/ns/net").stat().st_ino
    seen = {Path(f"/proc/{lab.pids[host]}/ns/net").stat().st_ino for host in ("server", "client")}
    assert len(seen | {own}) == 3


def test_the_machines_files_cannot_be_written(server: Remote) -> None:
    for path in ("/etc/new", "/usr/new", "/new", f"{ROOT}/new", "/proc/sys/net/ipv4/ip_forward", "/sys/new"):
        said, status = server.run("sh", "-c", f"echo 1 > {path} && echo written")
        assert (said, status == 0) == ("", False), path
        assert not Path(path).exists() or "/proc" in path
    for folder in ("/tmp", "/run", "/var/lib", "/var/tmp", "/dev/shm"):
        assert server.run("sh", "-c", f"echo 1 > {folder}/new")[1] == 0, folder


def test_a_host_may_use_the_network_but_not_the_machine(server: Remote) -> None:
    assert sorted(server.run("ls", "/dev")[0].split()) == sorted(
        [
            "fd",
            "full",
            "net",
            "null",
            "ptmx",
            "pts",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
        ]
    )
    held = int(server.text_of("/proc/self/status").split("CapEff:\t")[1].split()[0], 16)
    net_admin, sys_module, sys_admin, mknod = 12, 16, 21, 27
    assert held >> net_admin & 1
    assert not any(held >> number & 1 for number in (sys_module, sys_admin, mknod))
    assert server.run("mount", "-t", "tmpfs", "tmpfs", "/tmp")[1] != 0
    assert server.run("unshare", "-m", "true")[1] != 0


def test_processes_of_others_are_out_of_sight(server: Remote) -> None:
    pids = [name for name in server.run("ls", "/proc")[0].split() if name.isdigit()]
    assert "1" in pids
    assert len(pids) <= 3
    assert sorted(server.run("ls", "/sys/class/net")[0].split()) == ["eth0", "lo"]


def test_names_come_from_files_alone(server: Remote) -> None:
    assert "hosts: files" in server.text_of("/etc/nsswitch.conf")
    if Path("/etc/resolv.conf").is_file():
        assert server.text_of("/etc/resolv.conf") == ""


def test_the_kernel_is_quiet(server: Remote) -> None:
    wanted = {
        "ipv4/icmp_ratelimit": "0",
        "ipv4/tcp_congestion_control": "reno",
        "ipv4/ip_unprivileged_port_start": "1024",
        "ipv4/conf/eth0/rp_filter": "0",
        "ipv6/conf/eth0/accept_dad": "0",
        "ipv6/conf/eth0/addr_gen_mode": "1",
        "ipv6/conf/eth0/router_solicitations": "0",
    }
    for key, value in wanted.items():
        assert server.text_of(f"/proc/sys/net/{key}").strip() == value, key


def test_multicast_and_broadcast_have_a_way(lab: NetnsLab, server: Remote) -> None:
    client = Remote(lab, "client")
    receiving = server.socket("udp")
    server.call("bind", ["", 7001], on=receiving)
    sending = client.socket("udp")
    client.call("setsockopt", {"constant": "SOL_SOCKET"}, {"constant": "SO_BROADCAST"}, 1, on=sending)
    client.call("sendto", b"to all", ["255.255.255.255", 7001], on=sending)
    assert server.call("recv", 100, on=receiving) == b"to all"
    assert "error" not in client.reply("sendto", b"to a group", ["239.1.2.3", 7001], on=sending)


def test_hosts_have_no_user_environment(server: Remote) -> None:
    names = {line.split("=")[0] for line in server.run("env")[0].splitlines()}
    assert names <= {"PATH", "LANG", "HOME", "LD_LIBRARY_PATH", "PWD", "SHLVL", "_"}


def test_a_program_that_is_interrupted_at_the_terminal_is_the_runner_alone(lab: NetnsLab) -> None:
    for pid in lab.pids.values():
        assert os.getsid(pid) != os.getsid(0)


# Many hosts


def test_many_hosts_know_each_other_without_asking(tmp_path: Path) -> None:
    with NetnsEngine().up(Topology.simple(*(f"h{number}" for number in range(24))), logs=tmp_path) as lab:
        first = Remote(lab, "h0")
        rows = first.text_of("/proc/net/arp").splitlines()[1:]
        assert len(rows) == 23
        assert {row.split()[2] for row in rows} == {"0x6"}  # ATF_COM | ATF_PERM of linux/if_arp.h
        mine, theirs = first.connect_to(Remote(lab, "h23"), 6)
        first.call("sendall", b"far", on=mine)
        assert Remote(lab, "h23").call("recv", 3, on=theirs) == b"far"


def test_first_packets_never_stall(tmp_path: Path) -> None:
    for number in range(20):
        with NetnsEngine().up(PAIR, logs=tmp_path) as lab:
            server, client = Remote(lab, "server"), Remote(lab, "client")
            receiving, to = server.bound("udp", 4 if number % 2 else 6)
            sending = client.socket("udp", 4 if number % 2 else 6)
            began = client.reply("sendto", b"first", to[:2], on=sending)["began"]
            took = server.reply("recv", 100, on=receiving)["ended"] - began
            assert took < 900_000_000  # a stall is of a second


SETTLED = """
import os, socket, sys, time
from lab import syscalls
from lab.addressing import plan
from lab.engines.netns import wire_plan
from lab.engines.wiring import Wiring
from lab.topology import Topology

topology = Topology.simple("a", "b")
wires, slowest = wire_plan(topology, plan(topology)), 0.0
for _ in range(60):
    syscalls.unshare(syscalls.CLONE_NEWNET)
    wiring = Wiring(wires)
    wiring.make(wires["hosts"], "0 0")
    wiring.settle(wires["hosts"])
    ends = []
    for name in ("b", "a"):
        syscalls.setns(wiring.wires[name].namespace, syscalls.CLONE_NEWNET)
        ends.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    ends[0].bind(("10.0.0.2", 7))
    began = time.monotonic()
    ends[1].sendto(b"first", ("10.0.0.2", 7))
    ends[0].recv(10)
    slowest = max(slowest, time.monotonic() - began)
print(slowest)
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make wires in this process")
def test_packets_pass_as_soon_as_the_wires_are_made() -> None:
    argv = ["unshare", "--net", "--mount", sys.executable, "-c", SETTLED]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.1


def test_no_host_can_gain_what_hosts_do_not_have_nor_comes_before_others(tmp_path: Path) -> None:
    kept = sum(1 << syscalls.CAPABILITIES.index(name) for name in KEPT_CAPABILITIES)
    with NetnsEngine().up(PAIR, logs=tmp_path) as lab:
        for pid in lab.pids.values():
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            bound = int(status.partition("CapBnd:")[2].split()[0], 16)
            assert bound and not bound & ~kept
            assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)


# The child


def test_a_warm_child_is_used_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    engine = NetnsEngine()
    assert engine.ready() is None
    assert engine._warm is not None
    warm = engine._warm.pid
    with engine.up(PAIR, logs=tmp_path) as lab:
        assert lab._child.pid == warm
    assert engine.ready() is None
    os.kill(engine._warm.pid, signal.SIGKILL)
    with engine.up(PAIR, logs=tmp_path) as lab:
        assert Remote(lab, "client").call("gethostname") == "client"


def test_a_child_dies_with_the_thread_that_started_it(tmp_path: Path) -> None:
    engine = NetnsEngine()
    thread = threading.Thread(target=engine.ready)
    thread.start()
    thread.join()
    with engine.up(PAIR, logs=tmp_path) as lab:
        assert Remote(lab, "client").call("gethostname") == "client"


def test_the_end_of_the_first_process_is_told(tmp_path: Path) -> None:
    with NetnsEngine().up(PAIR, logs=tmp_path) as lab:
        os.kill(lab._child.pid, signal.SIGKILL)
        with pytest.raises(HostGone, match="host server is gone"):
            for _ in range(1000):
                lab.agent("server").ask(do="interfaces")
        with pytest.raises(LabError, match="first process is gone"):
            lab.kill("server")


def test_how_a_host_ended_is_told(tmp_path: Path) -> None:
    with NetnsEngine().up(PAIR, logs=tmp_path) as lab:
        os.kill(lab.pids["server"], signal.SIGKILL)
        with pytest.raises(HostGone, match=r"host server is gone: its first process was killed by SIGKILL"):
            lab.agent("server").ask(do="interfaces")
        assert Remote(lab, "client").call("gethostname") == "client"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (Host("server", limits={"no_such": 1}), "no limit 'no_such'"),
        (Host("../server"), "cannot be the name of a host"),
        (Host("server", files={"../x": b""}), "not an absolute path"),
    ],
)
def test_what_the_engine_lacks_is_unsupported(host: Host, said: str, tmp_path: Path) -> None:
    with (
        pytest.raises(Unsupported, match=said),
        NetnsEngine().up(Topology((host,), (Network("lab", (host.name,)),)), logs=tmp_path),
    ):
        pass
