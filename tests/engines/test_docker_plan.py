"""From topologies to what Docker is told, without any Docker."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.container import CAPABILITIES, IMAGE, SYSCTLS
from lab.engines import docker_plan
from lab.errors import LabError, Unsupported
from lab.topology import Host, Network, Topology

LABELS = {"socket-lab.run": "abc"}


def planned(topology: Topology, run: str = "abc", taken: tuple[str, ...] = ()) -> docker_plan.Layout:
    return docker_plan.layout(topology, run, LABELS, [ipaddress.ip_network(one) for one in taken])


def config(topology: Topology, host: str) -> dict[str, Any]:
    one = topology.host(host)
    return docker_plan.container_config(planned(topology), one, docker_plan.sysctls(one))


@given(st.text(max_size=8), st.sets(st.integers(0, 255), max_size=250))
@settings(max_examples=60, deadline=None)
def test_subnets_are_ones_that_nobody_has(run: str, second: set[int]) -> None:
    taken = tuple(f"10.{number}.0.0/16" for number in second)
    (network,) = planned(Topology.simple("a", "b"), run, taken).topology.networks
    subnet4, subnet6 = (
        ipaddress.ip_network(network.subnet4 or ""),
        ipaddress.ip_network(network.subnet6 or ""),
    )
    assert isinstance(subnet4, ipaddress.IPv4Network) and isinstance(subnet6, ipaddress.IPv6Network)
    assert subnet4.is_private and not any(subnet4.overlaps(ipaddress.IPv4Network(one)) for one in taken)
    assert subnet6.subnet_of(ipaddress.IPv6Network("fd00::/8")) and subnet6.prefixlen == 64


def test_two_runs_choose_differently_and_one_run_the_same() -> None:
    topology = Topology.simple("a", "b")
    assert planned(topology, "one").topology != planned(topology, "two").topology
    assert planned(topology, "one").topology == planned(topology, "one").topology


def test_nothing_free_is_an_error() -> None:
    with pytest.raises(LabError, match="no private subnet is free"):
        planned(Topology.simple("a"), taken=("10.0.0.0/8",))


@given(st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_docker_keeps_an_address_that_no_host_has(hosts: int) -> None:
    names = tuple(f"h{number}" for number in range(hosts))
    topology = Topology(
        tuple(Host(name) for name in names), (Network("n", names, "192.0.2.0/27", "2001:db8::/64"),)
    )
    if hosts == 30:  # all that the subnet has
        with pytest.raises(Unsupported, match="no room"):
            docker_plan.network_arguments(planned(topology), topology.networks[0])
        return
    made = planned(topology)
    pools = docker_plan.network_arguments(made, made.topology.networks[0])["ipam"]["Config"]
    had = {
        address for ends in made.plan.interfaces.values() for end in ends for address in (*end.ip4, *end.ip6)
    }
    assert [pool["Subnet"] for pool in pools] == ["192.0.2.0/27", "2001:db8::/64"]
    for pool in pools:
        assert pool["Gateway"] not in had
        assert ipaddress.ip_address(pool["Gateway"]) in ipaddress.ip_network(pool["Subnet"])


def test_networks_are_internal_unless_there_are_routers() -> None:
    simple = planned(Topology.simple("a", "b"))
    told = docker_plan.network_arguments(simple, simple.topology.networks[0])
    assert told["internal"] and told["enable_ipv6"] and told["labels"] == LABELS
    assert told["options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"
    routed = planned(Topology((Host("r", router=True),), (Network("n", ("r",), mtu=576),)))
    told = docker_plan.network_arguments(routed, routed.topology.networks[0])
    assert not told["internal"]
    assert told["options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    assert told["options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"
    assert told["options"]["com.docker.network.driver.mtu"] == "576"


def test_a_container_is_never_privileged() -> None:
    host = config(Topology.simple("a", "b"), "a")["HostConfig"]
    assert "Privileged" not in host and host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == list(CAPABILITIES) and host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Sysctls"] == SYSCTLS
    assert "PortBindings" not in host and "Binds" not in host


def test_names_of_all_hosts_with_all_addresses() -> None:
    topology = Topology((Host("a"), Host("b", addresses={"n": ("192.0.2.9", "192.0.2.10", "2001:db8::9")})),
                        (Network("n", ("a", "b")),))  # fmt: skip
    lines = config(topology, "a")["HostConfig"]["ExtraHosts"]
    assert {"b:192.0.2.9", "b:192.0.2.10", "b:2001:db8::9", "a:192.0.2.1", "a:2001:db8::1"} <= set(lines)
    assert not [line for line in lines if "fe80" in line]
    assert docker_plan.guest_settings(planned(topology), "b")["addresses"] == [["192.0.2.9", "192.0.2.10/24"]]


def test_what_a_host_asks_for() -> None:
    host = Host("a", image="other", sysctls={"net.ipv4.ip_forward": "1", "net.x?": "2"}, limits={"nofile": 5},
                capabilities=("cap_sys_nice", "NET_RAW"))  # fmt: skip
    topology = Topology((host,), (Network("n", ("a",)),), Path("/usr/share"))
    told = config(topology, "a")
    assert told["Image"] == "other"
    assert told["HostConfig"]["Sysctls"]["net.ipv4.ip_forward"] == "1"
    assert told["HostConfig"]["Sysctls"]["net.x"] == "2"
    assert told["HostConfig"]["CapAdd"] == [*CAPABILITIES, "SYS_NICE"]
    assert told["HostConfig"]["Ulimits"] == [
        {"Name": "core", "Soft": 1, "Hard": 1},
        {"Name": "nofile", "Soft": 5, "Hard": 5},
    ]
    (mount,) = told["HostConfig"]["Mounts"]
    assert mount == {"Type": "bind", "Source": "/usr/share", "Target": "/programs", "ReadOnly": True}
    assert config(Topology.simple("a"), "a")["Image"] == IMAGE


def test_a_host_without_a_network() -> None:
    told = config(Topology((Host("a"),), ()), "a")
    assert told["HostConfig"]["NetworkMode"] == "none" and told["NetworkingConfig"] == {"EndpointsConfig": {}}
    assert docker_plan.guest_settings(planned(Topology((Host("a"),), ())), "a")["first"] is None


@pytest.mark.parametrize("host", [Host("a", nat="n"), Host("a", capabilities=("SYS_ADMIN",))])
def test_what_docker_cannot_do_is_unsupported(host: Host) -> None:
    with pytest.raises(Unsupported, match="a"):
        planned(Topology((host,), (Network("n", ("a",)),)))


def test_interfaces_are_known_by_their_address() -> None:
    made = planned(Topology((Host("a"),), (Network("n", ("a",), "192.0.2.0/24", "2001:db8::/64"),
                                           Network("m", ("a",), "198.51.100.0/24"))))  # fmt: skip
    seen = [
        {"name": "eth0", "mac": "02:00:00:00:00:02", "mtu": 1400, "ip4": ["198.51.100.1/24"], "ip6": []},
        {"name": "eth1", "mac": "02:00:00:00:00:01", "mtu": 1500, "ip4": ["192.0.2.1/24"],
         "ip6": ["fe80::1/64", "2001:db8::1/64"]},
    ]  # fmt: skip
    first, second = docker_plan.real_interfaces(made.plan.interfaces["a"], seen)
    assert (first.name, first.mac, first.network, first.ip6) == (
        "eth1", "02:00:00:00:00:01", "n", ("2001:db8::1", "fe80::1"))  # fmt: skip
    assert (second.name, second.mtu) == ("eth0", 1400)
    with pytest.raises(LabError, match=r"no interface on network n: 192\.0\.2\.1 is missing"):
        docker_plan.real_interfaces(made.plan.interfaces["a"], seen[:1])


def test_taken_subnets() -> None:
    networks = [
        {"IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}, {"Subnet": "fd00::/64"}]}},
        {"IPAM": {"Config": None}},
    ]
    routes = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000010AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert [str(one) for one in docker_plan.taken_subnets(networks, routes)] == [
        "172.18.0.0/16", "fd00::/64", "172.16.0.0/16"]  # fmt: skip
