"""Raw rtnetlink: the few messages that links, addresses, routes and neighbours need, and a socket for them.

Messages are plain bytes, made once and sent as often as wanted; nothing here knows what a lab is. Standard
library only. Sources: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h, RFC 3549.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Iterable, Iterator

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 20, 24, 28
MESSAGE_NAMES = {
    RTM_NEWLINK: "RTM_NEWLINK",
    RTM_DELLINK: "RTM_DELLINK",
    RTM_GETLINK: "RTM_GETLINK",
    RTM_NEWADDR: "RTM_NEWADDR",
    RTM_NEWROUTE: "RTM_NEWROUTE",
    RTM_NEWNEIGH: "RTM_NEWNEIGH",
}
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_NLMSG_NOOP, _NLMSG_ERROR = 1, 2
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_OPERSTATE = 1, 3, 4, 10, 16
IFLA_LINKINFO, IFLA_NET_NS_FD = 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER, _IFLA_BR_MCAST_SNOOPING = 1, 2, 1, 23
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_RT_TABLE_MAIN, _RTPROT_BOOT, _RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK, _RTN_UNICAST = 254, 3, 0, 253, 1
_NDA_DST, _NDA_LLADDR, _NUD_PERMANENT = 1, 2, 0x80
SETTLE_S = 10.0
IFF_UP = 0x1
OPERSTATE_UP = 6
"""IF_OPER_UP of RFC 2863, section 3.1.14: packets pass."""

_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_CHUNK = 96 * 1024
_LONGEST = 1 << 15
"""Bytes of the longest message that is read: an acknowledgement, or what there is to say of one link."""
_FENCE_SEQUENCE = 0xFFFFFFFF


class NetlinkError(OSError):
    """The kernel refused a message; the text names the message and says what the kernel said."""


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return struct.pack("=HHI", 8, kind, value)


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def message(kind: int, flags: int, body: bytes) -> bytes:
    """A whole message; its sequence number is 0, since order is enough to tell answers apart."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST, 0, 0) + body


def hardware_address(mac: str) -> bytes:
    """`02:00:00:00:00:01` as six bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def packed_address(text: str) -> tuple[int, bytes]:
    """The family of an address and its bytes in network order."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return family, socket.inet_pton(family, text)


def _link(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def new_bridge(name: str, index: int, mtu: int) -> bytes:
    """Make a bridge that is up and floods multicasts as a hub does, so that every capture may see them."""
    data = attribute(_IFLA_BR_MCAST_SNOOPING, b"\0")
    information = _text(_IFLA_INFO_KIND, "bridge") + attribute(_IFLA_INFO_DATA, data)
    body = (
        _link(index, IFF_UP, IFF_UP)
        + _text(IFLA_IFNAME, name)
        + _number(IFLA_MTU, mtu)
        + attribute(IFLA_LINKINFO, information)
    )
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def new_veth(
    name: str,
    index: int,
    mac: str,
    mtu: int,
    *,
    peer_name: str,
    peer_index: int,
    peer_namespace: int | None = None,
    namespace: int | None = None,
) -> bytes:
    """Make a pair of Ethernet devices, veth(4), each in the namespace of a descriptor or in this one; both down."""
    peer = _link(peer_index) + _text(IFLA_IFNAME, peer_name) + _number(IFLA_MTU, mtu)
    if peer_namespace is not None:
        peer += _number(IFLA_NET_NS_FD, peer_namespace)
    data = attribute(_VETH_INFO_PEER, peer)
    information = _text(_IFLA_INFO_KIND, "veth") + attribute(_IFLA_INFO_DATA, data)
    body = (
        _link(index)
        + _text(IFLA_IFNAME, name)
        + _number(IFLA_MTU, mtu)
        + attribute(IFLA_ADDRESS, hardware_address(mac))
        + attribute(IFLA_LINKINFO, information)
    )
    if namespace is not None:
        body += _number(IFLA_NET_NS_FD, namespace)
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def set_link(index: int, *, up: bool, master: int | None = None) -> bytes:
    """Bring a link up or down, and make it a port of the bridge with index `master`."""
    body = _link(index, IFF_UP if up else 0, IFF_UP)
    if master is not None:
        body += _number(IFLA_MASTER, master)
    return message(RTM_NEWLINK, 0, body)


def delete_link(index: int) -> bytes:
    """Take a link away; of a pair both ends."""
    return message(RTM_DELLINK, 0, _link(index))


def new_address(index: int, address: str, prefix: int) -> bytes:
    """Give a link an address; one of IPv6 without duplicate address detection (RFC 4862, section 5.4)."""
    family, packed = packed_address(address)
    link_local = family == socket.AF_INET6 and packed[:2] == b"\xfe\x80"
    scope = _RT_SCOPE_LINK if link_local else _RT_SCOPE_UNIVERSE
    body = struct.pack("=BBBBI", family, prefix, 0, scope, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if family == socket.AF_INET:
        if prefix < 31:  # RFC 3021: a /31 has no broadcast address
            body += attribute(_IFA_BROADCAST, broadcast_address(packed, prefix))
    else:
        body += _number(_IFA_FLAGS, _IFA_F_NODAD)
    return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def broadcast_address(packed: bytes, prefix: int) -> bytes:
    """The last address of an IPv4 subnet: all host bits set (RFC 919, section 7)."""
    return (int.from_bytes(packed, "big") | (1 << (32 - prefix)) - 1).to_bytes(4, "big")


def new_route(destination: str, index: int, gateway: str | None = None) -> bytes:
    """A route to `ADDRESS/PREFIX` through a link, by a gateway or directly."""
    text, prefix = destination.split("/")
    family, packed = packed_address(text)
    scope = _RT_SCOPE_LINK if gateway is None and family == socket.AF_INET else _RT_SCOPE_UNIVERSE
    body = struct.pack(
        "=BBBBBBBBI", family, int(prefix), 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, scope, _RTN_UNICAST, 0
    )
    body += attribute(_RTA_DST, packed) + _number(_RTA_OIF, index)
    if gateway is not None:
        body += attribute(_RTA_GATEWAY, packed_address(gateway)[1])
    return message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body)


def new_neighbour(index: int, address: str, mac: str) -> bytes:
    """A permanent entry of the ARP or neighbour-discovery table: never asked for, never forgotten."""
    family, packed = packed_address(address)
    body = struct.pack("=BxHiHBB", family, 0, index, _NUD_PERMANENT, 0, 0)
    body += attribute(_NDA_DST, packed) + attribute(_NDA_LLADDR, hardware_address(mac))
    return message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body)


def get_link(index: int) -> bytes:
    """Ask for one link."""
    return message(RTM_GETLINK, 0, _link(index))


def messages_of(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, sequence number and body of each message in what was received."""
    place = 0
    while place + 16 <= len(data):
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, place)
        if length < 16 or place + length > len(data):
            raise ValueError(f"a netlink message of {length} bytes at {place} of {len(data)}")
        yield kind, flags, sequence, data[place + 16 : place + length]
        place += length + 3 & ~3


def attributes_of(data: bytes) -> dict[int, bytes]:
    """Attribute kind -> value; of several of a kind the last."""
    found: dict[int, bytes] = {}
    place = 0
    while place + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        if length < 4 or place + length > len(data):
            raise ValueError(f"a netlink attribute of {length} bytes at {place} of {len(data)}")
        found[kind & 0x3FFF] = data[place + 4 : place + length]
        place += length + 3 & ~3
    return found


def error_of(flags: int, body: bytes) -> tuple[int, int, str]:
    """Of an NLMSG_ERROR: errno (0 for an acknowledgement), the refused message's kind, the kernel's words."""
    code, length, kind = struct.unpack_from("=iIH", body)
    said = ""
    if flags & _NLM_F_ACK_TLVS:
        place = 20 if flags & _NLM_F_CAPPED else 4 + (length + 3 & ~3)
        said = attributes_of(body[place:]).get(1, b"").rstrip(b"\0").decode("utf-8", "replace")
    return -code, kind, said


class Netlink:
    """A NETLINK_ROUTE socket of the network namespace in which it was made; it stays there."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)

    def do(self, messages: Iterable[bytes]) -> None:
        """Have the kernel do all of them; raises NetlinkError with the first refusal."""
        chunk: list[bytes] = []
        size = 0
        for one in messages:
            if size + len(one) > _CHUNK:
                self._send(chunk)
                chunk, size = [], 0
            chunk.append(one)
            size += len(one)
        if chunk:
            self._send(chunk)

    def _send(self, messages: list[bytes]) -> None:
        # The kernel answers refusals at once and works in order: the answer to a last message that does
        # nothing says that all before it were done, with one answer instead of one for each.
        fence = struct.pack("=IHHII", 16, _NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, _FENCE_SEQUENCE, 0)
        self._socket.send(b"".join([*messages, fence]))
        refused: NetlinkError | None = None
        while True:
            for kind, flags, sequence, body in messages_of(self._socket.recv(_LONGEST)):
                if kind != _NLMSG_ERROR:
                    continue
                if sequence == _FENCE_SEQUENCE:
                    if refused is not None:
                        raise refused
                    return
                refused = refused or _refusal(flags, body)

    def delete_links(self, indexes: Iterable[int]) -> None:
        """Delete links; one is gone already where the namespace of its other end is."""
        for index in indexes:
            try:
                self.do([delete_link(index)])
            except NetlinkError as refusal:
                if refusal.errno != errno.ENODEV:
                    raise

    def operstate(self, index: int) -> int:
        """The operational state of a link (RFC 2863): `OPERSTATE_UP` when packets pass."""
        self._socket.send(get_link(index))
        for kind, flags, _, body in messages_of(self._socket.recv(_LONGEST)):
            if kind == _NLMSG_ERROR:
                raise _refusal(flags, body)
            if kind == RTM_NEWLINK:
                return attributes_of(body[16:])[IFLA_OPERSTATE][0]
        raise NetlinkError(0, f"no answer about link {index}")

    def settle(self, links: Iterable[int]) -> None:
        """Wait until each of these links says that it is up: the first packets are lost otherwise.

        The kernel's link watch runs behind; to be asked about one link makes it catch up (linkwatch_sync_dev). Raises
        OSError (ETIMEDOUT) after `SETTLE_S`.
        """
        deadline = time.monotonic() + SETTLE_S
        for index in links:
            while self.operstate(index) != OPERSTATE_UP:
                if time.monotonic() > deadline:
                    raise OSError(errno.ETIMEDOUT, f"link {index} does not come up")
                time.sleep(0.0005)

    def close(self) -> None:
        self._socket.close()


def _refusal(flags: int, body: bytes) -> NetlinkError:
    code, kind, said = error_of(flags, body)
    name = MESSAGE_NAMES.get(kind, f"message {kind}")
    return NetlinkError(code, f"{name}: {said or os.strerror(code)}")
