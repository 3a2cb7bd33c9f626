"""The program of a host without a stack of its own: takes its addresses away from the kernel, and answers for them.

It says who has the host's addresses (ARP, RFC 826; neighbour discovery, RFC 4861 section 7.2.4), and nothing else: what
the host says is its steps' affair. Standard library only, Python 3.9 syntax: its source is piped into a host beside the
agent (the request `start`), and speaks JSON lines. Nothing of the runner here.

Requests: {"interfaces": [..]}, as the agent tells them, every address with its prefix length; answered with
{"removed": [S..]} or {"error": S}. {"deaf": [MAC..]}: do not hear what these send to groups; answered with {}.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ARP, IPV6, ICMPV6 = 0x0806, 0x86DD, 58
WHO_HAS = b"\x00\x01\x08\x00\x06\x04\x00\x01"
IS_AT = b"\x00\x01\x08\x00\x06\x04\x00\x02"
"""An ARP header for IPv4 on Ethernet, up to the operation."""
SOLICITATION, ADVERTISEMENT = 135, 136
SOLICITED, OVERRIDE = 0x40000000, 0x20000000
RTM_DELADDR, REQUEST_AND_ACK = 21, 5
IFA_ADDRESS, IFA_LOCAL = 1, 2
ALL_NODES = "ff02::1"


# What is answered


def arp_answer(frame: bytes, mac: bytes, addresses: set[bytes]) -> bytes | None:
    """The answer to an ARP request for one of these IPv4 addresses; None for any other frame."""
    asked = frame[14:42]
    if len(asked) < 28 or asked[:8] != WHO_HAS or asked[24:28] not in addresses:
        return None
    return asked[8:14] + mac + struct.pack("!H", ARP) + IS_AT + mac + asked[24:28] + asked[8:18]


def neighbour_answer(frame: bytes, mac: bytes, addresses: set[bytes]) -> bytes | None:
    """The advertisement for a solicitation of one of these IPv6 addresses; None for any other frame."""
    packet = frame[14:]
    if len(packet) < 64 or packet[6] != ICMPV6 or packet[7] != 255 or packet[40] != SOLICITATION:
        return None
    target, asker = packet[48:64], packet[8:24]
    if target not in addresses:
        return None
    unknown = not any(asker)  # who asks has no address yet: everybody is told (section 7.2.4)
    to = socket.inet_pton(socket.AF_INET6, ALL_NODES) if unknown else asker
    flags = OVERRIDE if unknown else SOLICITED | OVERRIDE
    body = struct.pack("!I", flags) + target + b"\x02\x01" + mac
    message = struct.pack("!BBH", ADVERTISEMENT, 0, 0) + body
    pseudo = target + to + struct.pack("!II", len(message), ICMPV6)
    message = struct.pack("!BBH", ADVERTISEMENT, 0, checksum(pseudo + message)) + body
    header = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + target + to
    hardware = b"\x33\x33" + to[12:] if unknown else frame[6:12]
    return hardware + mac + struct.pack("!H", IPV6) + header + message


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Answering(threading.Thread):
    """Answers on one interface, until the process ends."""

    def __init__(self, interface: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._mac = bytes.fromhex(interface["mac"].replace(":", ""))
        self._ip4 = {socket.inet_aton(one.split("/")[0]) for one in interface["ip4"]}
        self._ip6 = {socket.inet_pton(socket.AF_INET6, one.split("/")[0]) for one in interface["ip6"]}
        self.deaf: frozenset[bytes] = frozenset()
        self._sockets = {}
        for protocol, answer in ((ARP, self._arp), (IPV6, self._neighbour)):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            made.bind((interface["name"], protocol))
            self._sockets[made.fileno()] = (made, answer)

    def _arp(self, frame: bytes) -> bytes | None:
        return arp_answer(frame, self._mac, self._ip4)

    def _neighbour(self, frame: bytes) -> bytes | None:
        return neighbour_answer(frame, self._mac, self._ip6)

    def run(self) -> None:
        """Answer whatever asks."""
        waiting = select.poll()
        for descriptor in self._sockets:
            waiting.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in waiting.poll():
                made, answer = self._sockets[descriptor]
                try:
                    frame, source = made.recvfrom(65536)
                    unheard = source[2] == socket.PACKET_OUTGOING or (
                        frame[0] & 1 and frame[6:12] in self.deaf
                    )
                    reply = None if unheard else answer(frame)
                    if reply is not None:
                        made.send(reply)
                except OSError:  # the link is down
                    continue


# Taking addresses away


def remove(index: int, family: int, address: bytes, prefix: int) -> None:
    """Take an address from an interface (rtnetlink(7)); raises OSError."""
    part = struct.pack("=HH", 4 + len(address), IFA_LOCAL) + address
    part += struct.pack("=HH", 4 + len(address), IFA_ADDRESS) + address
    body = struct.pack("=BBBBI", family, prefix, 0, 0, index) + part
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("=IHHII", 16 + len(body), RTM_DELADDR, REQUEST_AND_ACK, 1, 0) + body)
        number = struct.unpack_from("=i", netlink.recv(65536), 16)[0]
    if number:
        raise OSError(-number, os.strerror(-number))


def take(interfaces: list[dict[str, Any]], answering: list[Answering]) -> list[str]:
    """Answer for all addresses, then take them from the kernel; returns those that it had."""
    for one in interfaces:
        answering.append(Answering(one))
        answering[-1].start()
    removed = []
    for one in interfaces:
        for family, addresses in ((socket.AF_INET, one["ip4"]), (socket.AF_INET6, one["ip6"])):
            for address in addresses:
                text, _, prefix = address.partition("/")
                remove(one["index"], family, socket.inet_pton(family, text), int(prefix))
                removed.append(text)
    return removed


def main() -> None:
    """Read requests from descriptor 0 and answer on descriptor 1 until the agent ends."""
    answering: list[Answering] = []
    with os.fdopen(os.dup(0)) as requests:
        for line in requests:
            answer: dict[str, Any] = {}
            request = json.loads(line)
            try:
                if "deaf" in request:
                    deaf = frozenset(bytes.fromhex(mac.replace(":", "")) for mac in request["deaf"])
                    for one in answering:
                        one.deaf = deaf
                else:
                    answer = {"removed": take(request["interfaces"], answering)}
            except OSError as error:
                answer = {"error": f"{error.strerror} ({error.errno})"}
            os.write(1, json.dumps(answer).encode("ascii") + b"\n")


if __name__ == "__main__":
    main()
