"""The detour that frames take on their way out of a host: a veth pair, and a selector that diverts frames into it.

Runs in the host: standard library only, Python 3.9 syntax. What the host's stack sends is seen on `wireN` (of
interface number N), read on `wireNp` and sent out of the interface itself past its queueing. Whoever is not there to
read loses it all: a detour without its process fails closed.
Sources: linux/pkt_sched.h, linux/pkt_cls.h, linux/filter.h, tc-bpf(8).
"""

from __future__ import annotations

import errno
import socket
import struct

from lab.netlink import (
    IFF_UP,
    IFLA_IFNAME,
    IFLA_LINKINFO,
    IFLA_MTU,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELLINK,
    RTM_NEWLINK,
    Netlink,
    NetlinkError,
    attribute,
    message,
)

_RTM_NEWQDISC, _RTM_DELQDISC, _RTM_NEWTFILTER = 36, 37, 44
_TC_H_CLSACT, _INGRESS, _EGRESS = 0xFFFFFFF1, 0xFFFFFFF2, 0xFFFFFFF3
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_ACT, _TCA_BPF_OPS_LEN, _TCA_BPF_OPS, _TCA_BPF_FLAGS = 1, 4, 5, 8
_TCA_BPF_FLAG_ACT_DIRECT, _TC_ACT_OK, _TC_ACT_SHOT, _TC_ACT_STOLEN = 1, 0, 2, 4
_TCA_ACT_KIND, _TCA_ACT_OPTIONS, _TCA_MIRRED_PARMS, _TCA_EGRESS_REDIR = 1, 2, 2, 1
_IFLA_TXQLEN, _IFLA_AF_SPEC, _IFLA_INET6_ADDR_GEN_MODE = 13, 26, 8
_IN6_ADDR_GEN_MODE_NONE, _IFF_NOARP = 1, 0x80
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_QUEUE = 10000
_EXTENSIONS = (0, 43, 44, 51, 60, 135)
"""IPv6 headers behind which the protocol stands (RFC 8200, section 4), fragments among them: they are all diverted."""
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _IF_EQUAL, _IF_ANY, _ALWAYS, _RETURN = (
    0x20,
    0x28,
    0x30,
    0x15,
    0x45,
    0x05,
    0x06,
)
"""linux/bpf_common.h: BPF_LD|BPF_ABS of four, two and one byte, BPF_JMP with JEQ, JSET and JA, BPF_RET|BPF_K."""
_MATCH = 0xFFFFFFFF
_TAGGED = (0x8100, 0x88A8, 0x9100)
"""EtherTypes of VLAN tags (IEEE 802.1Q): what is behind one is not looked at, all of it is diverted."""


def wire_name(number: int) -> str:
    """What frames of interface number `number` are diverted into; what is read has a `p` at its end."""
    return "wire%d" % number


def selector(kinds: list[list[int]]) -> bytes:
    """A classic BPF program that matches these pairs of EtherType and IP protocol, -1 being any, and tagged frames."""
    program: list[tuple[int, int, int, int]] = [(_LOAD_HALF, 0, 0, 12)]
    for ether_type in _TAGGED:
        program += [(_IF_EQUAL, 0, 1, ether_type), (_RETURN, 0, 0, _MATCH)]
    for ether_type, protocol in kinds:
        if ether_type < 0:
            return _packed([(_RETURN, 0, 0, _MATCH)])
        program.append((_LOAD_HALF, 0, 0, 12))
        if protocol < 0:
            program += [(_IF_EQUAL, 0, 1, ether_type), (_RETURN, 0, 0, _MATCH)]
            continue
        place, values = (23, (protocol,)) if ether_type == 0x0800 else (20, (protocol, *_EXTENSIONS))
        count = len(values)
        program += [(_IF_EQUAL, 0, count + 3, ether_type), (_LOAD_BYTE, 0, 0, place)]
        program += [(_IF_EQUAL, count - at, 0, value) for at, value in enumerate(values)]
        program += [(_ALWAYS, 0, 0, 1), (_RETURN, 0, 0, _MATCH)]
    return _packed([*program, (_RETURN, 0, 0, 0)])


def _packed(program: list[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack("=HBBI", *one) for one in program)


def lay(interface: str, number: int) -> None:
    """Make the detour of one interface, into which nothing is diverted yet; raises OSError as the kernel says."""
    netlink = Netlink()
    try:
        name = wire_name(number)
        clear(netlink, interface, number)
        netlink.do([_new_pair(name, _mtu(interface))])
        wire, reader = socket.if_nametoindex(name), socket.if_nametoindex(name + "p")
        shot = _packed([(_RETURN, 0, 0, _TC_ACT_SHOT)])
        direct = attribute(_TCA_BPF_FLAGS, struct.pack("=I", _TCA_BPF_FLAG_ACT_DIRECT))
        netlink.do(
            [
                _clsact(_RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, reader),
                _filter(reader, _INGRESS, shot, direct),  # taps see a frame before, the host's stack never
                _up(wire),
                _up(reader),
            ]
        )
        netlink.settle([wire, reader])
    finally:
        netlink.close()


def divert(interface: str, number: int, kinds: list[list[int]]) -> None:
    """Divert what an interface sends of these kinds (see `selector`) into its detour, where somebody reads already."""
    netlink = Netlink()
    try:
        index, wire = socket.if_nametoindex(interface), socket.if_nametoindex(wire_name(number))
        qdisc = _clsact(_RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index)
        netlink.do([qdisc, _filter(index, _EGRESS, selector(kinds), _redirection(wire))])
    finally:
        netlink.close()


def deafen(interface: str, macs: list[str]) -> None:
    """From now on an interface takes from these MACs nothing that is for a group; its taps have seen it before.

    Replaces the MACs that were said before. The interface must have a detour, whose queueing discipline is used.
    """
    program = [(_LOAD_BYTE, 0, 0, 0), (_IF_ANY, 1, 0, 1), (_RETURN, 0, 0, _TC_ACT_OK)]
    for mac in macs:
        data = bytes.fromhex(mac.replace(":", ""))
        high, low = struct.unpack("!IH", data)
        program += [(_LOAD_WORD, 0, 0, 6), (_IF_EQUAL, 0, 3, high)]
        program += [(_LOAD_HALF, 0, 0, 10), (_IF_EQUAL, 0, 1, low), (_RETURN, 0, 0, _TC_ACT_SHOT)]
    program.append((_RETURN, 0, 0, _TC_ACT_OK))
    direct = attribute(_TCA_BPF_FLAGS, struct.pack("=I", _TCA_BPF_FLAG_ACT_DIRECT))
    netlink = Netlink()
    try:
        netlink.do([_filter(socket.if_nametoindex(interface), _INGRESS, _packed(program), direct, handle=1)])
    finally:
        netlink.close()


def clear(netlink: Netlink, interface: str, number: int) -> None:
    """Take the detour of one interface away, if there is one: nothing is diverted any more."""
    name = wire_name(number)
    if name not in (known for _, known in socket.if_nameindex()):
        return
    index = socket.if_nametoindex(interface)
    for one in (
        _clsact(_RTM_DELQDISC, 0, index),
        message(RTM_DELLINK, 0, _link(socket.if_nametoindex(name))),
    ):
        try:
            netlink.do([one])
        except NetlinkError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL, errno.ENODEV):  # there was none
                raise


def passed(number: int) -> tuple[int, int]:
    """How many frames went into a detour, and how many the kernel lost inside of it.

    From /proc/net/dev, proc_pid_net(5), which takes no lock of the kernel's: frames may become due meanwhile.
    """
    name = wire_name(number)
    numbers = _statistics()
    return numbers[name][9], sum(numbers[end][at] for end in (name, name + "p") for at in (3, 11))


def _statistics() -> dict[str, list[int]]:
    """What each interface received and then what it sent, eight columns each: bytes, packets, errors, drops.."""
    with open("/proc/net/dev") as file:
        named = [line.split(":", 1) for line in file if ":" in line]
    return {name.strip(): [int(one) for one in columns.split()] for name, columns in named}


def _mtu(interface: str) -> int:
    with open("/sys/class/net/%s/mtu" % interface) as file:
        return int(file.read())


def _link(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def _up(index: int) -> bytes:
    """Bring a link up that sends nothing by itself: no addresses are made, nothing is resolved."""
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, struct.pack("=B", _IN6_ADDR_GEN_MODE_NONE))
    quiet = attribute(_IFLA_AF_SPEC, attribute(socket.AF_INET6, mode))
    return message(RTM_NEWLINK, 0, _link(index, IFF_UP | _IFF_NOARP, IFF_UP | _IFF_NOARP) + quiet)


def _new_pair(name: str, mtu: int) -> bytes:
    """A veth pair with long queues."""

    def end(called: str) -> bytes:
        return (
            _link(0)
            + attribute(IFLA_IFNAME, called.encode() + b"\0")
            + attribute(IFLA_MTU, struct.pack("=I", mtu))
            + attribute(_IFLA_TXQLEN, struct.pack("=I", _QUEUE))
        )

    data = attribute(_IFLA_INFO_DATA, attribute(_VETH_INFO_PEER, end(name + "p")))
    kind = attribute(_IFLA_INFO_KIND, b"veth\0")
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, end(name) + attribute(IFLA_LINKINFO, kind + data))


def _traffic(index: int, handle: int, parent: int, information: int) -> bytes:
    """struct tcmsg."""
    return struct.pack("=BxxxiIII", 0, index, handle, parent, information)


def _clsact(kind: int, flags: int, index: int) -> bytes:
    body = _traffic(index, 0xFFFF0000, _TC_H_CLSACT, 0) + attribute(_TCA_KIND, b"clsact\0")
    return message(kind, flags, body)


def _filter(index: int, hook: int, program: bytes, more: bytes, handle: int = 0) -> bytes:
    """A cls_bpf filter for all protocols at one of clsact's hooks; with a handle it takes the place of that one."""
    options = (
        attribute(_TCA_BPF_OPS_LEN, struct.pack("=H", len(program) // 8))
        + attribute(_TCA_BPF_OPS, program)
        + more
    )
    body = _traffic(index, handle, hook, 1 << 16 | socket.htons(3))
    body += attribute(_TCA_KIND, b"bpf\0") + attribute(_TCA_OPTIONS, options)
    return message(_RTM_NEWTFILTER, NLM_F_CREATE | (0 if handle else NLM_F_EXCL), body)


def _redirection(index: int) -> bytes:
    """The action `mirred egress redirect`: struct tc_mirred, linux/tc_act/tc_mirred.h."""
    parameters = struct.pack("=IIiiiiI", 0, 0, _TC_ACT_STOLEN, 0, 0, _TCA_EGRESS_REDIR, index)
    action = attribute(_TCA_ACT_KIND, b"mirred\0")
    action += attribute(_TCA_ACT_OPTIONS, attribute(_TCA_MIRRED_PARMS, parameters))
    return attribute(_TCA_BPF_ACT, attribute(1, action))
