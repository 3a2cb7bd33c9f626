"""Netlink messages: their bytes against the kernel itself, in a namespace of the test's own, and refusals."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import netlink

ROOT = Path(__file__).resolve().parents[2]
in_a_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"),
    reason="needs root, unshare and ip, to compare with what ip sees",
)

SETUP = """
import os, sys
from lab import netlink
from lab.netlink import Netlink
here = os.open("/proc/self/ns/net", os.O_RDONLY)
control = Netlink()
control.do([
    netlink.new_bridge("bridge0", 10, 1400),
    netlink.new_veth("eth0", 20, "02:00:00:00:00:07", 1400, peer_name="port0", peer_index=30, peer_namespace=here),
    netlink.set_link(30, up=True, master=10),
    netlink.set_link(20, up=True),
    netlink.new_address(20, "192.0.2.7", 24),
    netlink.new_address(20, "2001:db8::7", 64),
    netlink.new_route("198.51.100.0/24", 20, "192.0.2.1"),
    netlink.new_route("224.0.0.0/4", 20),
    netlink.new_route("2001:db8:1::/48", 20, "2001:db8::1"),
    netlink.new_neighbour(20, "192.0.2.8", "02:00:00:00:00:08"),
    netlink.new_neighbour(20, "2001:db8::8", "02:00:00:00:00:08"),
])
"""


def in_namespace(script: str) -> str:
    """What a script prints in a network namespace of its own."""
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_ip_sees_it(*command: str) -> Any:
    """The answer of `ip -json` after SETUP."""
    argv = ["ip", "-json", "-details", *command]
    return json.loads(in_namespace(f"{SETUP}\nos.execvp('ip', {argv!r})"))


@in_a_namespace
def test_links_are_what_ip_sees() -> None:
    links = {link["ifname"]: link for link in as_ip_sees_it("link")}
    assert links["bridge0"]["linkinfo"]["info_kind"] == "bridge"
    assert links["bridge0"]["linkinfo"]["info_data"]["mcast_snooping"] == 0
    assert links["port0"]["master"] == "bridge0"
    assert (links["eth0"]["address"], links["eth0"]["mtu"], links["eth0"]["ifindex"]) == (
        "02:00:00:00:00:07",
        1400,
        20,
    )
    assert "UP" in links["eth0"]["flags"]


@in_a_namespace
def test_addresses_are_what_ip_sees() -> None:
    found = {one["local"]: one for one in as_ip_sees_it("address", "show", "dev", "eth0")[0]["addr_info"]}
    assert found["192.0.2.7"]["broadcast"] == "192.0.2.255"
    assert found["2001:db8::7"]["prefixlen"] == 64
    assert not found["2001:db8::7"].get("tentative")
    assert found["2001:db8::7"]["nodad"]


@in_a_namespace
def test_routes_and_neighbours_are_what_ip_sees() -> None:
    routes = {one["dst"]: one for one in as_ip_sees_it("route")}
    assert routes["198.51.100.0/24"]["gateway"] == "192.0.2.1"
    assert routes["224.0.0.0/4"]["scope"] == "link"
    assert any(one["dst"] == "2001:db8:1::/48" for one in as_ip_sees_it("-6", "route"))
    neighbours = {one["dst"]: one for one in as_ip_sees_it("neighbour")}
    assert neighbours["192.0.2.8"]["state"] == neighbours["2001:db8::8"]["state"] == ["PERMANENT"]
    assert neighbours["192.0.2.8"]["lladdr"] == "02:00:00:00:00:08"


@in_a_namespace
def test_a_link_says_when_packets_pass() -> None:
    script = (
        SETUP
        + "print(control.operstate(20)); control.do([netlink.set_link(30, up=False)]); print(control.operstate(20))"
    )
    up, down = in_namespace(script).split()
    assert int(up) == netlink.OPERSTATE_UP
    assert int(down) != netlink.OPERSTATE_UP


@in_a_namespace
def test_the_first_refusal_is_raised_with_its_message_and_the_rest_is_done() -> None:
    script = (
        SETUP
        + """
try:
    control.do([netlink.new_address(99, "192.0.2.9", 24), netlink.new_address(20, "192.0.2.7", 24),
                netlink.new_address(20, "192.0.2.10", 24)])
except netlink.NetlinkError as error:
    print(error.errno, error.strerror)
control.do([])
try:
    control.operstate(99)
except netlink.NetlinkError as error:
    print(error.errno, error.strerror)
os.execvp("ip", ["ip", "-brief", "address", "show", "dev", "eth0"])
"""
    )
    first, second, addresses = in_namespace(script).splitlines()
    assert first.startswith(f"{errno.ENODEV} RTM_NEWADDR: ")
    assert second.startswith(f"{errno.ENODEV} RTM_GETLINK: ")
    assert "192.0.2.10/24" in addresses


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40)))
def test_attributes_are_read_as_they_were_written(attributes: dict[int, bytes]) -> None:
    data = b"".join(netlink.attribute(kind, value) for kind, value in attributes.items())
    assert len(data) % 4 == 0
    assert netlink.attributes_of(data) == attributes


@given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40))))
def test_messages_are_read_as_they_were_written(messages: list[tuple[int, bytes]]) -> None:
    padded = [(kind, body + bytes(-len(body) % 4)) for kind, body in messages]
    data = b"".join(netlink.message(kind, 0, body) for kind, body in padded)
    assert [(kind, body) for kind, _, _, body in netlink.messages_of(data)] == padded


@given(st.binary(max_size=100))
def test_damaged_bytes_are_values_or_an_error(data: bytes) -> None:
    for read in (netlink.attributes_of, lambda data: list(netlink.messages_of(data))):
        try:
            read(data)
        except ValueError as error:
            assert "bytes" in str(error)


def test_the_kernels_own_words_are_found() -> None:
    request = struct.pack("=IHHII", 16, netlink.RTM_NEWADDR, 1, 0, 0)
    words = netlink.attribute(1, b"Nexthop has invalid gateway\0")
    body = struct.pack("=i", -errno.EINVAL) + request + words
    assert netlink.error_of(0x300, body) == (errno.EINVAL, netlink.RTM_NEWADDR, "Nexthop has invalid gateway")
    assert netlink.error_of(0x100, body[:20]) == (errno.EINVAL, netlink.RTM_NEWADDR, "")


@pytest.mark.parametrize(
    ("address", "prefix", "last"),
    [("192.0.2.7", 24, "192.0.2.255"), ("192.0.2.7", 30, "192.0.2.7"), ("10.1.2.3", 16, "10.1.255.255")],
)
def test_broadcast_addresses(address: str, prefix: int, last: str) -> None:
    packed = netlink.packed_address(address)[1]
    assert netlink.broadcast_address(packed, prefix) == netlink.packed_address(last)[1]


@in_a_namespace
def test_links_are_deleted_also_those_that_are_gone_already() -> None:
    script = (
        SETUP
        + """
import socket
control.delete_links([30, 30, 99])
print(sorted(name for _, name in socket.if_nameindex()))
try:
    control.delete_links([1])
except netlink.NetlinkError as refusal:
    print(refusal)
"""
    )
    links, refusal = in_namespace(script).splitlines()
    assert links == "['bridge0', 'lo']"
    assert "RTM_DELLINK" in refusal
