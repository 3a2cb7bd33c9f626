"""The wires of a namespaces lab: a namespace for each host, a bridge for each network, quiet kernels.

Runs in the lab's first process. Nothing here has a name outside the lab: namespaces are held by descriptors.
Standard library only; knows no files and starts no process.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from lab import agent, netlink, syscalls
from lab.engines import sysctls
from lab.netlink import Netlink, NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIRST_BRIDGE, FIRST_LINK, FIRST_PORT = 10, 10, 10_000
"""Indexes of bridges, of a host's links and of bridge ports; the kernel's own tunnels may have lower ones."""


class Wire:
    """One host's end of the lab's network: its namespace and the ports its links are plugged into.

    `ring` is a ring for its capture, where one was made ahead.
    """

    def __init__(self, namespace: int, ports: range, ring: socket.socket | None) -> None:
        self.namespace = namespace
        self.control = Netlink()
        self.links = range(FIRST_LINK, FIRST_LINK + len(ports))
        self.ports = ports
        self.ring = ring


class Spare:
    """A network namespace made ahead, with a capture's ring in it (see `lab.agent.ring_socket`)."""

    def __init__(self, namespace: int, ring: socket.socket) -> None:
        self.namespace = namespace
        self.ring = ring


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

    def __init__(self, plan: dict[str, Any], spares: Iterable[Spare] = ()) -> None:
        self._spares = list(spares)
        sysctls.quieten_switch()
        self._namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._control = Netlink()
        self._neighbours = _Neighbours(plan)
        self.wires: dict[str, Wire] = {}
        self._next_port = FIRST_PORT
        self._control.do(
            netlink.new_bridge(f"bridge{number}", FIRST_BRIDGE + number, network["mtu"])
            for number, network in enumerate(plan["networks"])
        )

    def make(self, hosts: list[dict[str, Any]], groups: str, *, plugged_in: bool = True) -> None:
        """Make the wires of some hosts (see `lab.engines.netns.wire_plan`); `settle` is to follow, or first `plug_in`.

        `groups` is what ping_group_range may be. One that has ended loses its old links first: the kernel keeps a dead
        host's namespace as long as its TCP connections wait for an answer, and it would go on speaking. Raises
        Refused, NetlinkError and OSError.
        """
        try:
            for host in hosts:
                if host["name"] in self.wires:
                    self._control.delete_links(self.wires[host["name"]].ports)
                self._make_host(host, groups)
        finally:
            syscalls.setns(self._namespace, syscalls.CLONE_NEWNET)
        if plugged_in:
            self.plug_in(hosts)
        for host in hosts:
            self._address(host)
        self._set_up_hosts(hosts)

    def settle(self, hosts: list[dict[str, Any]]) -> None:
        """Wait until each end of each link is up."""
        for host in hosts:
            wire = self.wires[host["name"]]
            wire.control.settle(wire.links)
            wire.control.close()
            self._control.settle(wire.ports)

    def unplug(self, host: str) -> None:
        """Take the host off all its networks at once: nothing that it still sends arrives anywhere."""
        self._control.do(netlink.set_link(port, up=False) for port in self.wires[host].ports)

    def let_go(self, host: str) -> None:
        """The host has its namespace now: it goes when the host does."""
        wire = self.wires[host]
        os.close(wire.namespace)
        if wire.ring is not None:
            wire.ring.close()

    def _make_host(self, host: dict[str, Any], groups: str) -> None:
        """A network namespace with quiet defaults and the host's ends of links; we are in it afterwards."""
        spare = self._spares.pop() if self._spares else None
        if spare is None:
            syscalls.unshare(syscalls.CLONE_NEWNET)
        else:
            syscalls.setns(spare.namespace, syscalls.CLONE_NEWNET)
            os.close(spare.namespace)
        sysctls.quieten_host(router=host["router"], groups=groups)
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        first, ends = self._next_port, host["interfaces"]
        self._next_port += len(ends)
        wire = Wire(namespace, range(first, self._next_port), spare.ring if spare else None)
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

    def plug_in(self, hosts: list[dict[str, Any]]) -> None:
        """Let packets pass between these hosts and their networks."""
        self._control.do(
            netlink.set_link(port, up=True, master=FIRST_BRIDGE + end["network"])
            for host in hosts
            for end, port in zip(host["interfaces"], self.wires[host["name"]].ports, strict=True)
        )

    def _address(self, host: dict[str, Any]) -> None:
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
            messages += self._neighbours.of(index[end["name"]], end)
        try:
            wire.control.do(messages)
        except NetlinkError as error:
            raise NetlinkError(error.errno, f"host {host['name']}: {error.strerror}") from None

    def _set_up_hosts(self, hosts: list[dict[str, Any]]) -> None:
        """The sysctls that the scenario asks for; the interfaces that keys may name are there by now."""
        asked = [host for host in hosts if host["sysctls"]]
        try:
            for host in asked:
                syscalls.setns(self.wires[host["name"]].namespace, syscalls.CLONE_NEWNET)
                for key, value in host["sysctls"].items():
                    sysctls.set_asked(key, value)
        finally:
            if asked:
                syscalls.setns(self._namespace, syscalls.CLONE_NEWNET)


class _Neighbours:
    """Permanent neighbour entries of each network, made once for all its hosts."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._of: dict[tuple[int, int], tuple[bytes, dict[str, slice]]] = {}
        if not plan["neighbours"]:
            return
        ends = [(at, end) for host in plan["hosts"] for at, end in enumerate(host["interfaces"])]
        for network, place in sorted({(end["network"], at) for at, end in ends}):
            entries, places = bytearray(), {}
            for _, end in ends:
                if end["network"] == network:
                    began = len(entries)
                    for address, _ in end["addresses"]:
                        entries += netlink.new_neighbour(FIRST_LINK + place, address, end["mac"])
                    places[end["mac"]] = slice(began, len(entries))
            self._of[network, FIRST_LINK + place] = bytes(entries), places

    def of(self, link: int, own: dict[str, Any]) -> tuple[bytes, ...]:
        """Entries for all other ends of the network that `own` is on, for the link with that index."""
        if not self._of:
            return ()
        entries, places = self._of[own["network"], link]
        left_out = places[own["mac"]]
        return entries[: left_out.start], entries[left_out.stop :]
