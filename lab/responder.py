"""The program of a host without a stack of its own: takes its addresses away from the kernel, and answers for them.

It says who has the host's addresses (ARP, RFC 826; neighbour discovery, RFC 4861 section 7.2.4), where an ordinary host
would, and nothing else: what the host says is its steps' affair. Standard library only, Python 3.9 syntax: its source
is piped into a host beside the agent (the request `start`), and speaks JSON lines. Nothing of the runner here.

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
SOURCE_LINK_LAYER = 1
"""RFC 4861, sections 4.3, 4.4 and 4.6.1."""
RTM_NEWLINK, RTM_DELADDR, REQUEST_AND_ACK = 16, 21, 5
IFA_ADDRESS, IFA_LOCAL, IFLA_MTU = 1, 2, 4
IPV6_MIN_MTU = 1280
ALL_NODES = bytes.fromhex("ff02" + "00" * 13 + "01")
NOT_FOR_US = (socket.PACKET_OUTGOING, socket.PACKET_OTHERHOST)
"""What packet(7) says of frames of our own, and of those to other MACs or of other VLANs."""
SOLICITED_NODE = bytes.fromhex("ff02" + "00" * 9 + "01ff")
"""RFC 4291, section 2.7.1: the last three bytes are those of the address."""


# What is answered


def arp_answer(frame: bytes, mac: bytes, addresses: set[bytes]) -> bytes | None:
    """The answer to an ARP request for one of these IPv4 addresses; None for any other frame."""
    asked = frame[14:42]
    if len(asked) < 28 or asked[:8] != WHO_HAS or asked[24:28] not in addresses:
        return None
    return asked[8:14] + mac + struct.pack("!H", ARP) + IS_AT + mac + asked[24:28] + asked[8:18]


def neighbour_answer(frame: bytes, mac: bytes, addresses: set[bytes]) -> bytes | None:
    """The advertisement for a valid solicitation of one of these IPv6 addresses; None for any other frame."""
    asked = solicitation(frame)
    if asked is None or asked[48:64] not in addresses or asked[24:40] not in _heard(addresses):
        return None
    target, asker = asked[48:64], asked[8:24]
    unknown = not any(asker)  # who asks has no address yet: everybody is told (section 7.2.4)
    to = ALL_NODES if unknown else asker
    flags = OVERRIDE if unknown else SOLICITED | OVERRIDE
    body = struct.pack("!I", flags) + target + b"\x02\x01" + mac
    message = struct.pack("!BBH", ADVERTISEMENT, 0, 0) + body
    message = struct.pack("!BBH", ADVERTISEMENT, 0, checksum(_pseudo(target + to, message) + message)) + body
    header = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + target + to
    hardware = b"\x33\x33" + to[12:] if unknown else frame[6:12]
    return hardware + mac + struct.pack("!H", IPV6) + header + message


def solicitation(frame: bytes) -> bytes | None:
    """The packet of a valid neighbour solicitation, without what follows it; None for any other frame.

    What makes one invalid is in RFC 4861, section 7.1.1; a packet from a group is none at all (RFC 4291, section 2.7).
    """
    length = 40 + int.from_bytes(frame[18:20], "big")
    packet = frame[14 : 14 + length]
    if not 64 <= length == len(packet) or packet[0] >> 4 != 6:
        return None
    if packet[6:8] != bytes((ICMPV6, 255)) or packet[8] == 0xFF:
        return None
    message, target = packet[40:], packet[48:64]
    if message[:2] != bytes((SOLICITATION, 0)) or checksum(_pseudo(packet[8:40], message) + message) != 0:
        return None
    kinds = _option_kinds(message[24:])
    if kinds is None or target[0] == 0xFF:
        return None
    if not any(packet[8:24]) and (SOURCE_LINK_LAYER in kinds or packet[24:37] != SOLICITED_NODE):
        return None
    return packet


def _option_kinds(options: bytes) -> list[int] | None:
    """The types of a message's options; None where one has no length, or a longer one than there is."""
    kinds = []
    while options:
        length = 8 * options[1] if len(options) > 1 else 0
        if not 0 < length <= len(options):
            return None
        kinds.append(options[0])
        options = options[length:]
    return kinds


def _heard(addresses: set[bytes]) -> set[bytes]:
    """All destinations at which a host with these IPv6 addresses is spoken to (RFC 4291, section 2.8)."""
    return {ALL_NODES, *addresses, *(SOLICITED_NODE + one[13:] for one in addresses)}


def _pseudo(ends: bytes, message: bytes) -> bytes:
    """What the checksum of an ICMPv6 message covers beside it; `ends` are source and destination (RFC 8200, 8.1)."""
    return ends + struct.pack("!II", len(message), ICMPV6)


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
                    unheard = source[2] in NOT_FOR_US or (frame[0] & 1 and frame[6:12] in self.deaf)
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
    _ask_kernel(RTM_DELADDR, struct.pack("=BBBBI", family, prefix, 0, 0, index) + part)


def forget_ipv6(index: int, mtu: int) -> None:
    """Let the kernel have no IPv6 on an interface, then begin it anew without addresses; raises OSError.

    It would tell for a second which groups it left with its addresses (MLDv2, RFC 3810 section 6.1). IPv6 ends on a
    link of a smaller MTU than its least (RFC 8200 section 5; addrconf_notify in net/ipv6/addrconf.c), with all that
    was to be told; hosts have no setting that does it, as /proc/sys is read-only in them.
    """
    if mtu >= IPV6_MIN_MTU:
        for wanted in (IPV6_MIN_MTU - 1, mtu):
            part = struct.pack("=HHI", 8, IFLA_MTU, wanted)
            _ask_kernel(RTM_NEWLINK, struct.pack("=BxHiII", 0, 0, index, 0, 0) + part)


def _ask_kernel(kind: int, body: bytes) -> None:
    """One request of rtnetlink(7); raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST_AND_ACK, 1, 0) + body)
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
        forget_ipv6(one["index"], one["mtu"])
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
