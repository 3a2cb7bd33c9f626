"""The long form of hosts and networks, key by key, on real hosts of both engines; and labs that are up at once."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from lab.engine import Engine
from lab.errors import LabError, Unsupported
from lab.topology import NO_SUBNET, Host, Network, Topology
from tests.engines.remote import Remote
from tests.playing import play_text

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow  # plays on real hosts again and again

LONG_FORM = """\
name: all that can be said about hosts and networks
hosts:
  plain: {}
  bare: {capabilities: []}
  raw: {capabilities: [NET_RAW], user: nobody}
  full:
    addresses: {inside: [192.0.2.1, 192.0.2.77, "2001:db8::1", "2001:db8::77"], outside: 198.51.100.9}
    sysctls: {net.ipv4.ip_default_ttl: 33, net.ipv4.nobody_knows_this?: 1}
    env: {LANG: C, GREETING: hello lab}
    files: {/etc/lab-note: a note, /tmp/deep/down: {hex: "41 42 0a"}}
    ulimits: {nofile: 64}
    router: true
  far: {}
  ghost: {scripted: true}
networks:
  inside: {hosts: [plain, bare, raw, full, ghost], subnet4: 192.0.2.0/24, subnet6: 2001:db8::/64, mtu: 1400}
  outside: {hosts: [full, far], mtu: 576}
steps:
  # capabilities and user: of calls and programs alike
  - plain: {socket: r, type: SOCK_RAW, proto: IPPROTO_ICMP}
  - bare: {socket: s, type: SOCK_RAW, proto: IPPROTO_ICMP, raises: PermissionError}
  - raw: {socket: t, type: SOCK_RAW, proto: IPPROTO_ICMP}
  - raw: {run: [id, -u], as: who}
  - raw: {stdout: who, gives: {has: "65534"}}
  # several addresses, and a TTL that only a sysctl can have set
  - plain: {socket: inbox, type: SOCK_DGRAM}
  - plain: {bind: inbox, to: ":9999"}
  - full: {socket: u, type: SOCK_DGRAM}
  - full: {bind: u, to: "192.0.2.77:7777"}
  - full: {sendto: u, data: from the second, to: "plain:9999"}
  - plain: {recvfrom: inbox, size: 100, gives: {data: from the second, from: "192.0.2.77:7777"}}
  - full: {socket: u6, type: SOCK_DGRAM, family: AF_INET6}
  - full: {bind: u6, to: "[2001:db8::77]:7777"}
  # environment, files, limits
  - full: {run: [sh, -c, 'echo "$$GREETING"; cat /etc/lab-note; echo; cat /tmp/deep/down; ulimit -n'], as: p}
  - full: {stdout: p, gives: "hello lab\\na note\\nAB\\n64\\n"}
  - full: {wait: p}
  # a router, and what its narrow side does to a large packet
  - far: {socket: v, type: SOCK_DGRAM}
  - far: {bind: v, to: ":9999"}
  - plain: {socket: w, type: SOCK_DGRAM}
  - plain: {setsockopt: w, option: IP_MTU_DISCOVER, value: IP_PMTUDISC_DONT}
  - plain: {sendto: w, data: {repeat: x, times: 600}, to: "far:9999"}
  - far: {recv: v, size: 1000, gives: {length: 600}}
  # a host without a stack answers for its address, and for nothing else
  - plain: {socket: g, type: SOCK_DGRAM}
  - plain: {connect: g, to: "ghost:9"}
  - plain: {send: g, data: anybody}
  - ghost: {sniff_packet: UDP.dport = 9}
expect:
  - count: {flow: udp u, where: IP.ttl = 33 and IP.src = 192.0.2.77, at: plain, is: 1}
  - count: {flow: udp w, net: inside, at: full, is: 1}
  - count: {flow: udp w, net: outside, at: far, is: 2}
  - count: {flow: arp, where: ARP.op = 2 and ARP.psrc = ghost, at: plain, is: 1}
  - count: {flow: icmp, where: IP.src = ghost, at: plain, is: 0}
"""


def test_the_long_form_of_hosts_and_networks(engine: Engine, tmp_path: Path) -> None:
    try:
        played = play_text(LONG_FORM, tmp_path, engine.name)
    except Unsupported as lacks:
        pytest.skip(lacks.what)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)


ONLY_IP6 = """\
name: networks of IPv6 only
hosts: {client: {}, gate: {router: true}, server: {}}
networks:
  inside: {hosts: [client, gate], subnet4: none}
  outside: {hosts: [gate, server], subnet4: none, subnet6: 2001:db8:7::/64}
steps:
  - server: {socket: listener, family: AF_INET6}
  - server: {bind: listener, to: ":8888"}
  - server: {listen: listener, backlog: 5}
  - client: {socket: c, family: AF_INET6}
  - client: {connect: c, to: "server:8888"}
  - server: {accept: listener, as: conn}
  - client: {sendall: c, data: without any IPv4}
  - server: {recv: conn, size: 100, gives: without any IPv4}
expect:
  - count: {flow: tcp c, net: outside, where: IPv6.dst = server and TCP.flags = S, at: server, is: 1}
  - count: {flow: any, net: outside, where: IP, is: 0}
  - count: {flow: arp, net: inside, is: 0}
"""


def test_networks_of_ip6_only(engine: Engine, tmp_path: Path) -> None:
    played = play_text(ONLY_IP6, tmp_path, engine.name)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)


TWO_LINKS = """\
name: one of two links
hosts: [server, client]
networks: {wired: [server, client], wireless: [server, client]}
steps:
  - server: {socket: inbox, type: SOCK_DGRAM}
  - server: {bind: inbox, to: ":9999"}
  - client: {socket: u, type: SOCK_DGRAM}
  - {link: client, to: down, net: wired}
  - client: {sendto: u, data: lost, to: "$server.wired.ip4:9999", raises: ENETUNREACH}
  - client: {sendto: u, data: by air, to: "$server.wireless.ip4:9999"}
  - server: {recv: inbox, size: 100, gives: by air}
  - {link: client, to: up, net: wired}
  - client: {sendto: u, data: by wire, to: "$server.wired.ip4:9999"}
  - server: {recv: inbox, size: 100, gives: by wire}
expect:
  - count: {flow: udp u, net: wired, is: 1}
  - count: {flow: udp u, net: wireless, is: 1}
"""


def test_one_of_two_links_goes_down_and_comes_up(engine: Engine, tmp_path: Path) -> None:
    played = play_text(TWO_LINKS, tmp_path, engine.name)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)


MULTIPATH = """\
name: one connection of Multipath TCP
hosts: [server, client]
requires: [kernel mptcp]
steps:
  - server: {socket: listener, proto: IPPROTO_MPTCP}
  - server: {bind: listener, to: ":8888"}
  - server: {listen: listener, backlog: 5}
  - client: {socket: c, proto: IPPROTO_MPTCP}
  - client: {connect: c, to: "server:8888"}
  - server: {accept: listener, as: conn}
  - client: {sendall: c, data: hello}
  - server: {recv: conn, size: 5, gives: hello}
expect:
  - stream: {from: c, to: conn}
"""


def test_the_stream_of_several_connections_is_unknown_on_the_wire(tmp_path: Path) -> None:
    try:
        played = play_text(MULTIPATH, tmp_path, "netns")
    except Unsupported as lacks:
        pytest.skip(lacks.what)
    assert played.judgement.verdict == "unknown"
    assert any("Multipath TCP" in one.summary + one.detail for one in played.judgement.findings)
    (tmp_path / "plain").mkdir()
    plain = play_text(MULTIPATH.replace(", proto: IPPROTO_MPTCP", ""), tmp_path / "plain", "netns")
    assert plain.judgement.verdict == "pass", plain.judgement


def test_addresses_of_a_family_that_a_network_lacks_are_refused(engine: Engine, tmp_path: Path) -> None:
    for network, host, said in (
        (Network("n", ("a", "b"), mtu=576, subnet6="2001:db8::/64"), Host("a"), "MTU is 576"),
        (Network("n", ("a", "b"), subnet4=NO_SUBNET), Host("a", addresses={"n": ("192.0.2.1",)}), "none"),
    ):
        with (
            pytest.raises(LabError, match=said),
            engine.up(Topology((host, Host("b")), (network,)), logs=tmp_path),
        ):
            pass


@pytest.mark.parametrize("name", ["SYS_ADMIN", "SYS_MODULE", "NO_SUCH_THING"])
def test_a_capability_that_leads_out_of_a_lab_is_unsupported(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    topology = Topology((Host("a", capabilities=(name,)), Host("b")), (Network("n", ("a", "b")),))
    with pytest.raises(Unsupported, match=name), engine.up(topology, logs=tmp_path):
        pass


def test_a_sysctl_of_a_link_is_set_or_refused(engine: Engine, tmp_path: Path) -> None:
    """Never left out in silence."""
    host = Host("a", sysctls={"net.ipv4.neigh.eth0.retrans_time_ms": "200"})
    topology = Topology((host, Host("b")), (Network("n", ("a", "b")),))
    try:
        with engine.up(topology, logs=tmp_path) as lab:
            assert Remote(lab, "a").text_of("/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms").strip() == "200"
    except Unsupported as lacks:
        assert "retrans_time_ms" in lacks.what


RUNS = 4
PLAYER = """
import sys
from pathlib import Path
from lab import engine as engines
from lab.topology import Host, Network, Topology
from tests.engines.remote import Remote
engine, number = engines.find(sys.argv[1]), int(sys.argv[3])
hosts = (Host("server"), Host("gate", router=True), Host("client"))
networks = (
    Network("inside", ("client", "gate"), subnet4="192.0.2.0/24", subnet6="2001:db8:1::/64"),
    Network("outside", ("gate", "server"), subnet4="198.51.100.0/24", subnet6="2001:db8:2::/64"),
)
with engine.up(Topology(hosts, networks), logs=Path(sys.argv[2])) as lab:
    server, client = Remote(lab, "server"), Remote(lab, "client")
    receiving = server.socket("udp")
    server.call("bind", ["", 7000], on=receiving)
    print("up", flush=True)
    sys.stdin.readline()
    client.call("sendto", b"of lab %d" % number, [server.address(4), 7000], on=client.socket("udp"))
    print(server.call("recv", 100, on=receiving).decode(), flush=True)
    sys.stdin.readline()
"""


def test_several_labs_at_once_with_the_same_addresses_do_not_meet(engine: Engine, tmp_path: Path) -> None:
    """Runs of the same names, subnets and ports, all up before the first of them says anything."""
    with contextlib.ExitStack() as stack:
        runs = []
        for number in range(RUNS):
            logs = tmp_path / str(number)
            logs.mkdir()
            command = [sys.executable, "-c", PLAYER, engine.name, str(logs), str(number)]
            run = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            stack.enter_context(run)
            stack.callback(run.stdin.close)  # type: ignore[union-attr]
            runs.append(run)
        assert [_said(run) for run in runs] == ["up"] * RUNS
        for run in runs:
            _tell(run)
        assert [_said(run) for run in runs] == [f"of lab {number}" for number in range(RUNS)]
        for run in runs:
            _tell(run)
        assert [run.wait(60) for run in runs] == [0] * RUNS


def _said(run: subprocess.Popen[str]) -> str:
    assert run.stdout is not None
    return run.stdout.readline().strip()


def _tell(run: subprocess.Popen[str]) -> None:
    assert run.stdin is not None
    print("go on", file=run.stdin, flush=True)
