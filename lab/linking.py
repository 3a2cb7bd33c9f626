"""The process in a host that takes its links down and brings them up again, with all that the kernel forgets meanwhile.

Runs beside the agent: standard library and `lab.netlink` only, Python 3.9 syntax. A link that is taken down loses its
routes, its IPv6 addresses and its neighbours (fib_disable_ip in net/ipv4/fib_frontend.c, addrconf_ifdown in
net/ipv6/addrconf.c, neigh_ifdown in net/core/neighbour.c); those that were given to it are given back.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

from lab import netlink
from lab.netlink import Netlink, NetlinkError, attribute, attributes_of, message

if TYPE_CHECKING:
    from typing import Any

_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_CREATE_OR_REPLACE = netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
_NLM_F_DUMP = 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTA_OIF, _RTA_CACHEINFO, _RTPROT_KERNEL, _RT_TABLE_MAIN, _RTN_UNICAST = 4, 12, 2, 254, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_F_NODAD = 1, 2, 0x02
_NUD_PERMANENT = 0x80
_IFLA_LINK, _IFLA_AF_SPEC, _IFLA_LINK_NETNSID, _IFLA_TARGET_NETNSID = 5, 26, 37, 46
_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 8, 1
"""linux/rtnetlink.h, linux/if_addr.h, linux/neighbour.h, linux/if_link.h."""
SETTLE_S = 5.0


class Links:
    """The links of this host; `saved` has for each that is down the messages that give back what it lost."""

    def __init__(self) -> None:
        self._netlink = Netlink()
        self.saved: dict[str, list[bytes]] = {}

    def take_down(self, name: str) -> int:
        """Take a link down; returns when it was (CLOCK_REALTIME, nanoseconds). Raises OSError as the kernel says."""
        index = socket.if_nametoindex(name)
        if name not in self.saved:
            self.saved[name] = [*_addresses(index), *_neighbours(index), *_routes(index)]
        # No address is made when it comes up again: the kernel would first ask all others about it (RFC 4862).
        mode = attribute(_ADDR_GEN_MODE, struct.pack("=B", _ADDR_GEN_MODE_NONE))
        quiet = attribute(_IFLA_AF_SPEC, attribute(socket.AF_INET6, mode))
        try:
            self._netlink.do(
                [message(netlink.RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, 0, 0) + quiet)]
            )
        except NetlinkError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EINVAL):  # a host without IPv6 has no such mode
                raise
        self._netlink.do([netlink.set_link(index, up=False)])
        return time.time_ns()

    def bring_up(self, name: str) -> int:
        """Bring it up again; returns when packets pass (CLOCK_REALTIME). Raises OSError as the kernel says."""
        index = socket.if_nametoindex(name)
        self._netlink.do([netlink.set_link(index, up=True)])
        self._settle(index)
        for one in self.saved.pop(name, []):
            try:
                self._netlink.do([one])
            except NetlinkError as error:
                if error.errno != errno.EEXIST:  # the kernel has kept it, or made it again by itself
                    raise
        return time.time_ns()

    def _settle(self, index: int) -> None:
        """Wait until both ends of the link say that they are up: the first packets would be lost otherwise.

        The kernel's link watch runs behind; to be asked about one link makes it catch up (linkwatch_sync_dev).
        """
        peer = _peer_of(index)
        deadline = time.monotonic() + SETTLE_S
        for asked in (netlink.get_link(index), *([peer] if peer else ())):
            while _operstate(asked) not in (None, netlink.OPERSTATE_UP):
                if time.monotonic() > deadline:
                    raise OSError(errno.ETIMEDOUT, "the link does not come up")
                time.sleep(0.0005)


def _peer_of(index: int) -> bytes | None:
    """The request for the other end of a veth pair, which is in another network namespace; None where there is none."""
    parts = _link(netlink.get_link(index)) or {}
    if _IFLA_LINK not in parts or _IFLA_LINK_NETNSID not in parts:
        return None
    peer = struct.unpack("=I", parts[_IFLA_LINK])[0]
    namespace = attribute(_IFLA_TARGET_NETNSID, parts[_IFLA_LINK_NETNSID])
    return message(netlink.RTM_GETLINK, 0, struct.pack("=BxHiII", 0, 0, peer, 0, 0) + namespace)


def _operstate(asked: bytes) -> int | None:
    """RFC 2863's state of a link; None where we may not know."""
    parts = _link(asked)
    return None if parts is None else parts[netlink.IFLA_OPERSTATE][0]


def _link(asked: bytes) -> dict[int, bytes] | None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as asking:
        asking.send(asked)
        for kind, _, _, body in netlink.messages_of(asking.recv(1 << 18)):
            if kind == netlink.RTM_NEWLINK:
                return attributes_of(body[16:])
    return None


def _dump(asked: int, answered: int, body: bytes) -> list[bytes]:
    """The bodies of all messages of a dump (netlink(7))."""
    found: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as asking:
        asking.send(message(asked, _NLM_F_DUMP, body))
        while True:
            for kind, _, _, part in netlink.messages_of(asking.recv(1 << 18)):
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                    return found
                if kind == answered:
                    found.append(part)


def _addresses(index: int) -> list[bytes]:
    """The IPv6 addresses of a link, to be used at once when they are back: nobody else can have them."""
    found = []
    for body in _dump(_RTM_GETADDR, _RTM_NEWADDR, struct.pack("=BBBBI", socket.AF_INET6, 0, 0, 0, 0)):
        family, prefix, _, scope, of = struct.unpack_from("=BBBBI", body)
        if family != socket.AF_INET6 or of != index:
            continue
        parts = attributes_of(body[8:])
        head = struct.pack("=BBBBI", family, prefix, _IFA_F_NODAD, scope, index)
        own = b"".join(attribute(kind, parts[kind]) for kind in (_IFA_ADDRESS, _IFA_LOCAL) if kind in parts)
        found.append(message(_RTM_NEWADDR, _CREATE_OR_REPLACE, head + own))
    return found


def _routes(index: int) -> list[bytes]:
    """The routes out of a link that were added by hand: the kernel makes its own again; direct ones first."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for body in _dump(_RTM_GETROUTE, _RTM_NEWROUTE, struct.pack("=BBBBBBBBI", family, *[0] * 8)):
            table, protocol, _, kind = struct.unpack_from("=4xBBBB", body)
            parts = attributes_of(body[12:])
            mine = struct.pack("=I", index) == parts.get(_RTA_OIF)
            if mine and (table, kind) == (_RT_TABLE_MAIN, _RTN_UNICAST) and protocol != _RTPROT_KERNEL:
                parts.pop(_RTA_CACHEINFO, None)
                rest = b"".join(attribute(number, value) for number, value in parts.items())
                found.append(message(_RTM_NEWROUTE, _CREATE_OR_REPLACE, body[:8] + bytes(4) + rest))
    return sorted(found, key=len)


def _neighbours(index: int) -> list[bytes]:
    """Neighbours that are known for good."""
    found = []
    for body in _dump(_RTM_GETNEIGH, _RTM_NEWNEIGH, struct.pack("=BxHiHBB", *[0] * 5, 0)[:12]):
        of, state = struct.unpack_from("=4xiH", body)
        if of == index and state & _NUD_PERMANENT:
            found.append(message(_RTM_NEWNEIGH, _CREATE_OR_REPLACE, body))
    return found


def main() -> None:
    """Answer requests {"interface", "up"} on descriptors 0 and 1, a line each; at their end no link stays down."""
    links = Links()
    try:
        for line in sys.stdin:
            os.write(1, json.dumps(_answer(links, line)).encode() + b"\n")
    finally:
        for name in list(links.saved):
            links.bring_up(name)


def _answer(links: Links, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        name = request["interface"]
        return {"at": links.bring_up(name) if request["up"] else links.take_down(name)}
    except Exception as error:  # whoever asked is told
        return {"error": f"{type(error).__name__}: {error}"}
