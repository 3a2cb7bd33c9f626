"""The wires of a namespaces lab: a namespace for each host, a bridge for each network, quiet kernels.

Runs in the lab's first process. Nothing here has a name outside the lab: namespaces are held by descriptors.
Standard library only; knows no files and starts no process.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab import agent, netlink, syscalls
from lab.netlink import Netlink, NetlinkError

FIRST_BRIDGE, FIRST_LINK, FIRST_PORT = 10, 10, 10_000
"""Indexes of bridges, of a host's links and of bridge ports; the kernel's own tunnels may have lower ones."""
SETTLE_S = 10.0

QUIET = (
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv4/tcp_congestion_control", "reno"),
    ("net/ipv4/ip_unprivileged_port_start", "1024"),
)
"""A new namespace starts with the machine's own settings (net.core.devconf_inherit_init_net)."""
QUIET_IP6 = (
    ("net/ipv6/conf/default/disable_ipv6", "0"),
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv6/conf/default/router_solicitations", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
    ("net/ipv6/icmp/ratelimit", "0"),
)
ROUTER = (
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
)
SWITCH = (
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/ip_forward", "0"),
    ("net/bridge/bridge-nf-call-iptables", "0"),
    ("net/bridge/bridge-nf-call-ip6tables", "0"),
    ("net/bridge/bridge-nf-call-arptables", "0"),
)
"""Bridges must not look into packets: the bridge filter would drop malformed ones and join fragments."""


class Refused(Exception):
    """A host asks for what the kernel does not have, or does not allow in a host; the text says what."""


@dataclass
class Wire:
    """One host's end of the lab's network: its namespace and the ports its links are plugged into.

    `ring` is a ring for its capture, where one was made ahead.
    """

    name: str
    namespace: int
    control: Netlink
    links: list[int]
    ports: list[int]
    ring: socket.socket | None


@dataclass
class Spare:
    """A network namespace made ahead, with a capture's ring in it (see `lab.agent.ring_socket`)."""

    namespace: int
    ring: socket.socket


def make_spare() -> Spare:
    """Make one, and come back to the namespace that the calling thread is in."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        return Spare(namespace, agent.ring_socket(agent.READY_RING_BYTES))
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWNET)
        os.close(home)


class Wiring:
    """All wires of one lab. Made in the namespace that becomes the switch; the calling thread stays in it.

    `spares` are namespaces made ahead: the first hosts get them.
    """

    def __init__(self, spares: Iterable[Spare] = ()) -> None:
        self._spares = list(spares)
        self._has_ip6 = os.path.exists("/proc/sys/net/ipv6")
        for key, value in SWITCH:
            _write_if_there(key, value)
        self._namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._control = Netlink()
        self.wires: dict[str, Wire] = {}
        self._next_port = FIRST_PORT

    def make(self, plan: dict[str, Any], any_group: str) -> None:
        """Make everything that the plan says (see `lab.engines.netns.wire_plan`); returns when packets pass.

        `any_group` is what ping_group_range may be. Raises Refused, NetlinkError and OSError.
        """
        self._control.do(
            netlink.new_bridge(f"bridge{number}", FIRST_BRIDGE + number, network["mtu"])
            for number, network in enumerate(plan["networks"])
        )
        self._make_hosts(plan["hosts"], _Neighbours(plan), any_group)

    def remake(self, host: dict[str, Any], plan: dict[str, Any], any_group: str) -> None:
        """The same for one host of it that has ended: a new namespace with the links and addresses that it had.

        The old links go first: the kernel keeps a dead host's namespace as long as its TCP connections wait for
        an answer, and it would go on speaking.
        """
        self._control.delete_links(self.wires[host["name"]].ports)
        self._make_hosts([host], _Neighbours(plan), any_group)

    def _make_hosts(self, hosts: list[dict[str, Any]], neighbours: _Neighbours, any_group: str) -> None:
        try:
            for host in hosts:
                self._make_host(host, any_group)
        finally:
            syscalls.setns(self._namespace, syscalls.CLONE_NEWNET)
        self._plug_in(hosts)
        for host in hosts:
            self._address(host, neighbours)
        self._set_up_hosts(hosts)
        self._settle([self.wires[host["name"]] for host in hosts])

    def _make_host(self, host: dict[str, Any], any_group: str) -> None:
        """A network namespace with quiet defaults and the host's ends of links; we are in it afterwards."""
        spare = self._spares.pop() if self._spares else None
        if spare is None:
            syscalls.unshare(syscalls.CLONE_NEWNET)
        else:
            syscalls.setns(spare.namespace, syscalls.CLONE_NEWNET)
            os.close(spare.namespace)
        for key, value in QUIET:
            _write_if_there(key, value)
        _write_if_there("net/ipv4/ip_forward", "1" if host["router"] else "0")
        _write_if_there("net/ipv4/ping_group_range", any_group)
        if self._has_ip6:
            for key, value in QUIET_IP6:
                _write_if_there(key, value)
        if host["router"]:
            for key, value in ROUTER:
                _write_if_there(key, value)
            _write_if_there("net/ipv6/conf/all/forwarding", "1")
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ends, first = host["interfaces"], self._next_port
        self._next_port += len(ends)
        wire = Wire(
            host["name"],
            namespace,
            Netlink(),
            [FIRST_LINK + number for number in range(len(ends))],
            [first + number for number in range(len(ends))],
            spare.ring if spare else None,
        )
        self.wires[host["name"]] = wire
        wire.control.do(
            netlink.new_veth(
                end["name"],
                link,
                end["mac"],
                end["mtu"],
                peer_name=f"port{port}",
                peer_index=port,
                peer_namespace=self._namespace,
            )
            for end, link, port in zip(ends, wire.links, wire.ports, strict=True)
        )

    def _plug_in(self, hosts: list[dict[str, Any]]) -> None:
        self._control.do(
            netlink.set_link(port, up=True, master=FIRST_BRIDGE + end["network"])
            for host in hosts
            for end, port in zip(host["interfaces"], self.wires[host["name"]].ports, strict=True)
        )

    def _address(self, host: dict[str, Any], neighbours: _Neighbours) -> None:
        """Links up, addresses, routes and, where there are many hosts, neighbours."""
        wire = self.wires[host["name"]]
        index = {end["name"]: link for end, link in zip(host["interfaces"], wire.links, strict=True)}
        messages = [netlink.set_link(1, up=True)]
        for end in host["interfaces"]:
            link = index[end["name"]]
            messages.append(netlink.set_link(link, up=True))
            messages += [netlink.new_address(link, address, prefix) for address, prefix in end["addresses"]]
        if host["interfaces"]:  # as on a machine with a default route, which a lab does not have
            messages.append(netlink.new_route("224.0.0.0/4", FIRST_LINK))
            messages.append(netlink.new_route("255.255.255.255/32", FIRST_LINK))
        messages += [
            netlink.new_route(route["destination"], index[route["interface"]], route["gateway"])
            for route in host["routes"]
        ]
        for end in host["interfaces"]:
            messages += neighbours.of(index[end["name"]], end)
        try:
            wire.control.do(messages)
        except NetlinkError as error:
            raise NetlinkError(error.errno, f"host {wire.name}: {error.strerror}") from None

    def _set_up_hosts(self, hosts: list[dict[str, Any]]) -> None:
        """The sysctls that the scenario asks for; the interfaces that keys may name are there by now."""
        asked = [host for host in hosts if host["sysctls"]]
        try:
            for host in asked:
                syscalls.setns(self.wires[host["name"]].namespace, syscalls.CLONE_NEWNET)
                for key, value in host["sysctls"].items():
                    set_sysctl(key, value)
        finally:
            if asked:
                syscalls.setns(self._namespace, syscalls.CLONE_NEWNET)

    def _settle(self, wires: list[Wire]) -> None:
        """Wait until each end of each link says it is up: the first packets after set-up are lost otherwise.

        The kernel's link watch runs behind; to be asked about one link makes it catch up.
        """
        deadline = time.monotonic() + SETTLE_S
        for wire in wires:
            for control, indexes in ((wire.control, wire.links), (self._control, wire.ports)):
                for index in indexes:
                    while control.operstate(index) != netlink.OPERSTATE_UP:
                        if time.monotonic() > deadline:
                            raise OSError(errno.ETIMEDOUT, f"the links of host {wire.name} do not come up")
                        time.sleep(0.0005)
            wire.control.close()

    def unplug(self, host: str) -> None:
        """Take the host off all its networks at once: nothing that it still sends arrives anywhere."""
        self._control.do(netlink.set_link(port, up=False) for port in self.wires[host].ports)


class _Neighbours:
    """Permanent neighbour entries for each network, made once and used for all its hosts."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._wanted = plan["neighbours"]
        self._of: dict[tuple[int, int], list[tuple[str, bytes]]] = {}
        self._ends: dict[int, list[dict[str, Any]]] = {}
        for host in plan["hosts"] if self._wanted else ():
            for end in host["interfaces"]:
                self._ends.setdefault(end["network"], []).append(end)

    def of(self, index: int, own: dict[str, Any]) -> list[bytes]:
        """Entries for all other ends of the network that `own` is on, for the link with that index."""
        if not self._wanted:
            return []
        key = (own["network"], index)
        if key not in self._of:
            self._of[key] = [
                (
                    end["mac"],
                    b"".join(
                        netlink.new_neighbour(index, address, end["mac"]) for address, _ in end["addresses"]
                    ),
                )
                for end in self._ends[own["network"]]
            ]
        return [entries for mac, entries in self._of[key] if mac != own["mac"]]


def _write_if_there(key: str, value: str) -> None:
    """Write a setting of ours; a kernel that lacks it has nothing to quieten."""
    try:
        _write(key, value)
    except FileNotFoundError:
        return


def _write(key: str, value: str) -> None:
    descriptor = os.open("/proc/sys/" + key, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def set_sysctl(key: str, value: str) -> None:
    """Write a setting of the host whose network namespace we are in; raises Refused.

    `key` is like `net.ipv4.tcp_syn_retries`, with `?` at its end to leave it out where the kernel lacks it.
    """
    name = key.removesuffix("?")
    if not name.startswith("net."):
        raise Refused(f"sysctl {name} is the machine's, not a host's")
    path = name.replace(".", "/")
    try:
        _write(path, value)
    except FileNotFoundError:
        if os.path.exists(
            "/proc/sys/" + path
        ):  # the setting is there: it is the value that names what is not
            raise Refused(f"this kernel does not have {value!r} for sysctl {name}") from None
        if not key.endswith("?"):
            raise Refused(
                f"sysctl {name} is not in a host: this kernel lacks it or has it only machine-wide"
            ) from None
    except PermissionError:
        raise Refused(f"sysctl {name} is the machine's, not a host's") from None
    except OSError as error:
        raise Refused(f"sysctl {name} does not take {value!r}: {error.strerror}") from None
