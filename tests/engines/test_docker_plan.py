"""From topologies to what Docker is told, without any Docker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.container import (
    CAPABILITIES,
    IMAGE,
    QUIET_SYSCTLS,
    SERVERS_IMAGE,
    SWITCH_FOLDER,
    SWITCH_SYSCTLS,
    SYSCTLS,
)
from lab.engines import docker_hosts, docker_plan
from lab.errors import LabError, Unsupported
from lab.topology import Host, Network, Topology

LABELS = {"socket-lab.run": "abc"}


def planned(topology: Topology) -> docker_plan.Layout:
    return docker_plan.layout(topology, "abc", LABELS)


def config(topology: Topology, host: str) -> dict[str, Any]:
    one = topology.host(host)
    return docker_plan.container_config(planned(topology), one, docker_plan.sysctls(one))


def test_no_container_has_a_network_of_dockers() -> None:
    made = planned(Topology((Host("r", router=True), Host("a")), (Network("n", ("r", "a"), mtu=576),)))
    hosts = [config(made.topology, name) for name in ("r", "a")]
    for told in (*hosts, docker_plan.switch_config(made, SWITCH_SYSCTLS)):
        assert told["HostConfig"]["NetworkMode"] == "none" and "NetworkingConfig" not in told
        assert "PortBindings" not in told["HostConfig"] and "PidMode" not in told["HostConfig"]


def test_the_switch_may_do_nothing_but_switch() -> None:
    told = docker_plan.switch_config(planned(Topology.simple("a", "b")), SWITCH_SYSCTLS)
    host = told["HostConfig"]
    assert host["CapDrop"] == ["ALL"] and host["CapAdd"] == ["NET_ADMIN"]
    assert host["SecurityOpt"] == ["no-new-privileges"] and not host["Mounts"] and "Privileged" not in host
    assert list(told["Volumes"]) == [SWITCH_FOLDER] and told["Labels"] == LABELS
    assert config(Topology.simple("a", "b"), "a")["HostConfig"]["VolumesFrom"] == ["socket-lab-abc:ro"]


def test_the_switch_is_told_all_ends_and_hosts_all_their_links() -> None:
    topology = Topology((Host("a"), Host("r", router=True), Host("b", addresses={"m": ("192.0.2.9", "192.0.2.10")})),
                        (Network("n", ("a", "r"), mtu=1280), Network("m", ("r", "b"))))  # fmt: skip
    made = planned(topology)
    request = docker_plan.switch_request(made)
    assert request["networks"] == [{"mtu": 1280}, {"mtu": 1500}]
    assert [(end["network"], end["name"], end["mtu"]) for end in request["hosts"]["r"]] == [
        (0, "eth0", 1280), (1, "eth1", 1500)]  # fmt: skip
    told = docker_plan.guest_settings(made, "b")
    (link,) = told["switch"]["links"]
    assert link["addresses"][:2] == ["192.0.2.9/24", "192.0.2.10/24"] and link["neighbours"] == []
    assert link["addresses"][-1].startswith("fe80:") and link["addresses"][-1].endswith("/64")
    assert told["routes"] == [["10.0.0.0/24", made.plan.interfaces["r"][1].ip4[0]],
                              ["fd00:1::/64", made.plan.interfaces["r"][1].ip6[0]]]  # fmt: skip
    assert told["first"] == "192.0.2.9"


@pytest.mark.parametrize(("hosts", "known"), [(19, 0), (20, 19 * 3), (255, 254 * 3), (256, 0)])
def test_many_hosts_know_each_other_for_good(hosts: int, known: int) -> None:
    made = planned(Topology.simple(*(f"h{number}" for number in range(hosts))))
    (link,) = docker_plan.guest_settings(made, "h0")["switch"]["links"]
    assert len(link["neighbours"]) == known
    assert not {mac for _, mac in link["neighbours"]} & {made.plan.interfaces["h0"][0].mac}


def test_settings_of_a_link_are_those_of_all_links_to_come() -> None:
    host = Host(
        "a", sysctls={"net.ipv4.conf.eth0.arp_accept": "1", "net.ipv6.neigh.eth1.mcast_solicit?": "2"}
    )
    told = docker_plan.sysctls(host)
    assert (
        told["net.ipv4.conf.default.arp_accept"] == "1"
        and told["net.ipv6.neigh.default.mcast_solicit"] == "2"
    )
    assert not [key for key in told if ".eth" in key]
    differing = {f"net.ipv4.conf.eth{number}.arp_accept": str(number) for number in (0, 1)}
    with pytest.raises(Unsupported, match="all links of a host the same settings"):
        docker_plan.sysctls(Host("a", sysctls=differing))


def test_a_container_is_never_privileged() -> None:
    host = config(Topology.simple("a", "b"), "a")["HostConfig"]
    assert "Privileged" not in host and host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == list(CAPABILITIES) and host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Sysctls"] == {**SYSCTLS, **QUIET_SYSCTLS}
    assert "PortBindings" not in host and "Binds" not in host


def test_names_of_all_hosts_with_all_addresses() -> None:
    topology = Topology((Host("a"), Host("b", addresses={"n": ("192.0.2.9", "192.0.2.10", "2001:db8::9")})),
                        (Network("n", ("a", "b")),))  # fmt: skip
    lines = config(topology, "a")["HostConfig"]["ExtraHosts"]
    assert {"b:192.0.2.9", "b:192.0.2.10", "b:2001:db8::9", "a:192.0.2.1", "a:2001:db8::1"} <= set(lines)
    assert not [line for line in lines if "fe80" in line]


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
        {"Name": "fsize", "Soft": 1 << 30, "Hard": 1 << 30},
        {"Name": "nofile", "Soft": 5, "Hard": 5},
    ]
    (mount,) = told["HostConfig"]["Mounts"]
    assert mount == {"Type": "bind", "Source": "/usr/share", "Target": "/programs", "ReadOnly": True}
    assert config(Topology.simple("a"), "a")["Image"] == IMAGE


def test_a_host_without_a_network() -> None:
    told = config(Topology((Host("a"),), ()), "a")
    assert told["HostConfig"]["NetworkMode"] == "none" and "VolumesFrom" not in told["HostConfig"]
    assert docker_plan.guest_settings(planned(Topology((Host("a"),), ())), "a")["first"] is None


def test_what_docker_cannot_do_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="SYS_ADMIN: a"):
        planned(Topology((Host("a", capabilities=("SYS_ADMIN",)),), (Network("n", ("a",)),)))


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


def test_what_to_do_about_an_image_that_is_not_here_depends_on_whose_it_is() -> None:
    ours = docker_hosts._without_image(Host("a", image=SERVERS_IMAGE))
    assert isinstance(ours, Unsupported) and "make images" in ours.what
    everybodys = docker_hosts._without_image(Host("a"))
    assert not isinstance(everybodys, Unsupported) and "make images" in everybodys.remedy
    theirs = docker_hosts._without_image(Host("a", image="somebody/else"))
    assert not isinstance(theirs, Unsupported) and "docker pull somebody/else" in theirs.remedy
