"""What runs in a container just before the agent, in the same Python: its network is made a lab's.

Piped there as source, so: standard library only, Python 3.9 syntax, no import of ours. Routes and addresses
go through netlink because foreign images have no `ip`. The runner's end is `settings` and `bootstrap`.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes milliseconds to import, and every host would wait for it
    from collections.abc import Mapping, Sequence
    from typing import Any

READER = """
import os, json
def exactly(length):
    parts = []
    while length:
        part = os.read(0, length)
        if not part:
            os._exit(0)
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
guest, settings, confinement, agent = (exactly(int(exactly(8))) for _ in range(4))
names = {"__name__": "guest"}
exec(compile(guest, "guest.py", "exec"), names)
names["settle"](json.loads(settings))
exec(compile(confinement, "confinement.py", "exec"), names)
names["confine"]()
exec(compile(agent, "agent.py", "exec"), {"__name__": "__main__"})
"""
"""The program given to `python3 -c`: reads four texts from descriptor 0 and no more, as requests follow."""


def bootstrap(settings: dict[str, Any], guest: str, confinement: str, agent: str) -> bytes:
    """What READER reads: this module, its settings, `lab.confinement` and the agent, each after its length."""
    texts = [text.encode() for text in (guest, json.dumps(settings), confinement, agent)]
    return b"".join(b"%08d" % len(text) + text for text in texts)


def settings(
    *,
    first: str | None,
    addresses: Sequence[Sequence[str]] = (),
    routes: Sequence[Sequence[str]] = (),
    forget: bool = False,
    switch: Mapping[str, Any] | None = None,
    foreign: bool = False,
) -> dict[str, Any]:
    """The settings that `settle` takes.

    first      an address of the interface that multicast leaves by (the host's first network), or None
    addresses  more addresses of the host: [an address that the interface has, the new one with prefix length]
    routes     [destination as CIDR, gateway]
    forget     whether the host was used before, so that what its kernel remembers of that has to go
    switch     None, or where the host gets its links (`lab.engines.switch`): "socket_path", "host" (its name) and
               "links": of each its name, its addresses with prefix length, and [address, MAC] of its neighbours
    foreign    whether the network is somebody's own: it stays as it is
    """
    return {
        "first": first, "addresses": addresses, "routes": routes, "forget": forget, "switch": switch,
        "foreign": foreign,
    }  # fmt: skip


LINKS_DOWN = """
import fcntl, socket, struct
any_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _, name in socket.if_nameindex():
    if name != "lo":
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", name.encode(), 0))
"""
"""A program that takes every link down but lo: SIOCSIFFLAGS without IFF_UP, netdevice(7)."""

SIGNAL_ALL = """
import os, signal, sys, time
number, beside = signal.Signals[sys.argv[1]], sys.argv[2].encode()
def read(process, name):
    try:
        with open("/proc/%s/%s" % (process, name), "rb") as file:
            return file.read()
    except OSError:
        return b""
def is_meant(process):
    own = read(process, "cgroup") == read("self", "cgroup")
    return own and read(process, "cmdline").split(bytes(1))[-2:] != [beside, b""]
def state(process):
    try:
        with open("/proc/%d/stat" % process) as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
signalled = set()
while True:
    others = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {1, os.getpid()} - signalled
    others = set(filter(is_meant, others))
    if not others:
        break
    for process in others:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass
    signalled |= others
deadline = time.monotonic() + 1
while number == signal.SIGSTOP and time.monotonic() < deadline:
    if all(state(process) in "TXZ" for process in signalled):
        break
    time.sleep(0.0005)
"""
"""A program that sends a signal to every process of its container but the first, which only waits; also to new ones.

Those whose last argument is the second of its own are left alone. It returns when all have stopped: a thread stops when
it next comes by the kernel's signal handling.
"""

RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 16, 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEIGH = 24, 25, 28
NDA_DST, NDA_LLADDR, NUD_PERMANENT, IFF_UP = 1, 2, 0x80, 1
RTA_DST, RTA_OIF, RTA_GATEWAY, IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 4, 5, 1, 2, 4
REQUEST, ACKNOWLEDGE, DUMP, REPLACE, CREATE = 1, 4, 0x300, 0x100, 0x400
NODAD, TENTATIVE = 2, 0x40
"""linux/rtnetlink.h, linux/netlink.h, linux/if_addr.h, linux/neighbour.h."""
PATIENCE_S = 20.0
"""The longest that a host waits for its switch."""
FORGET = """
ss --kill --tcp --numeric state fin-wait-1 state fin-wait-2 state closing state last-ack state time-wait
ip tcp_metrics flush all; ip neigh flush all
find /tmp /run -mindepth 1 ! -name healthy -delete
if [ -e /sys/class/net/wire0 ]; then
    for link in /sys/class/net/*; do tc qdisc del dev "${link##*/}" clsact; done
    for link in /sys/class/net/wire?; do ip link del "${link##*/}"; done
fi
"""
"""What an agent that was killed left, detours of faults (`lab.faults.wires`) among it.

Connections whose processes are gone are the kernel's, which goes on with them for minutes: with what it sends again it
would ask for neighbours before the run's own packets do, and those then wait for that question to be asked once more.
"""


def settle(wanted: dict[str, Any]) -> None:
    """No default route, the multicast route, more addresses and routes; raises OSError as the kernel says."""
    if wanted["foreign"]:
        return
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        if wanted["switch"]:
            join(netlink, **wanted["switch"])
        for family in (socket.AF_INET, socket.AF_INET6):
            delete_default_routes(netlink, family)
        indexes = {}
        for found in addresses_with(netlink, wanted["first"]):
            indexes[found["address"]] = found["index"]
            if found["tentative"]:
                skip_detection(netlink, found)
        if wanted["first"] in indexes:
            groups = ["224.0.0.0/4", *(["255.255.255.255/32"] if wanted["switch"] else [])]
            for group in groups:  # as on a machine with a default route, which a lab does not have
                message = route(socket.AF_INET, group, None, indexes[wanted["first"]])
                ask(netlink, RTM_NEWROUTE, CREATE | REPLACE, message)
        for there, new in wanted["addresses"]:
            ask(netlink, RTM_NEWADDR, CREATE | REPLACE, address(new, indexes[there]))
        for destination, gateway in wanted["routes"]:
            family = socket.AF_INET6 if ":" in destination else socket.AF_INET
            ask(netlink, RTM_NEWROUTE, CREATE | REPLACE, route(family, destination, gateway, None))
    if wanted["forget"]:
        quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", FORGET], os.environ, file_actions=quiet), 0)


def join(netlink: Any, socket_path: str, host: str, links: list[dict[str, Any]]) -> None:
    """Get the links of this host from its switch, and bring them up; returns when packets pass. Raises OSError."""
    with connected(socket_path) as switch:
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        socket.send_fds(switch, [host.encode()], [namespace])
        os.close(namespace)
        heard(switch)
        for link in links:
            begin(netlink, link)
        switch.sendall(b"up")
        heard(switch)


def connected(path: str) -> socket.socket:
    """A connection to the switch, which may begin later than we do; raises OSError where it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def heard(switch: socket.socket) -> None:
    """Wait for the switch's answer; raises OSError with what it says is wrong."""
    said = b""
    while not said.endswith(b"\n"):
        part = switch.recv(4096)
        if not part:
            raise ConnectionError("the lab's switch ended")
        said += part
    if said != b"\n":
        raise OSError(said.decode("utf-8", "replace").strip())


def begin(netlink: Any, link: dict[str, Any]) -> None:
    """Bring a link up with its addresses and with neighbours that are never asked for (see `lab.addressing.MANY`)."""
    index = socket.if_nametoindex(link["name"])
    ask(netlink, RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, IFF_UP, IFF_UP))
    for text in link["addresses"]:
        if ":" not in text or has_ip6():
            ask(netlink, RTM_NEWADDR, CREATE | REPLACE, address(text, index))
    for text, mac in link["neighbours"]:
        if ":" not in text or has_ip6():
            ask(netlink, RTM_NEWNEIGH, CREATE | REPLACE, neighbour(text, mac, index))


def has_ip6() -> bool:
    """Whether this host has IPv6: the kernel may lack it, and a scenario may turn it off."""
    try:
        with open("/proc/sys/net/ipv6/conf/all/disable_ipv6") as file:
            return file.read().strip() == "0"
    except OSError:
        return False


def neighbour(text: str, mac: str, index: int) -> bytes:
    """The body of a message about a permanent neighbour (struct ndmsg, rtnetlink(7))."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    body = struct.pack("=BxxxiHBB", family, index, NUD_PERMANENT, 0, 0)
    body += attribute(NDA_DST, socket.inet_pton(family, text))
    return body + attribute(NDA_LLADDR, bytes.fromhex(mac.replace(":", "")))


def delete_default_routes(netlink: Any, family: int) -> None:
    """Delete them until there is none: each would lead to the machine that the container runs on."""
    while True:
        try:
            ask(
                netlink,
                RTM_DELROUTE,
                0,
                route(family, "::/0" if family == socket.AF_INET6 else "0.0.0.0/0", None, None),
            )
        except OSError:  # ESRCH: there is none
            return


def skip_detection(netlink: Any, found: dict[str, Any]) -> None:
    """Have an address at once that the kernel still asks all others about: address detection of RFC 4862.

    It takes a second, in which the kernel sends nothing from the address, and a packet may stall for it.
    """
    text = f"{found['address']}/{found['prefix']}"
    ask(netlink, RTM_DELADDR, 0, address(text, found["index"]))
    ask(netlink, RTM_NEWADDR, CREATE | REPLACE, address(text, found["index"]))


def addresses_with(netlink: Any, first: str | None) -> list[dict[str, Any]]:
    """All addresses, once that one is among them: a host that was just started may still be joining its lab."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = addresses(netlink)
        if first in (None, *(one["address"] for one in found)) or time.monotonic() > deadline:
            return found
        time.sleep(0.005)


def addresses(netlink: Any) -> list[dict[str, Any]]:
    """Every address of this host: its text, prefix length, interface's index, and whether it is tentative."""
    found = []
    netlink.send(message(RTM_GETADDR, DUMP, struct.pack("=BBBBI", 0, 0, 0, 0, 0)))
    for kind, body in answers(netlink):
        if kind != RTM_NEWADDR:
            continue
        family, prefix, flags, _, index = struct.unpack_from("=BBBBI", body)
        parts = attributes(body, 8)
        own = parts.get(IFA_LOCAL) or parts.get(IFA_ADDRESS)
        if own:
            text = socket.inet_ntop(family, own)
            found.append(
                {"address": text, "prefix": prefix, "index": index, "tentative": bool(flags & TENTATIVE)}
            )
    return found


def attributes(body: bytes, offset: int) -> dict[int, bytes]:
    """The attributes of a message from an offset on (rtnetlink(7))."""
    parts = {}
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        parts[kind] = body[offset + 4 : offset + length]
        offset += max(4, length + -length % 4)
    return parts


def route(family: int, destination: str, gateway: str | None, index: int | None) -> bytes:
    """The body of a message about a unicast route of the main table (struct rtmsg, rtnetlink(7))."""
    text, _, prefix = destination.partition("/")
    main, boot, universe, link, unicast = 254, 3, 0, 253, 1
    body = struct.pack(
        "=BBBBBBBBI", family, int(prefix), 0, 0, main, boot, link if index else universe, unicast, 0
    )
    if int(prefix):
        body += attribute(RTA_DST, socket.inet_pton(family, text))
    if gateway:
        body += attribute(RTA_GATEWAY, socket.inet_pton(family, gateway))
    if index:
        body += attribute(RTA_OIF, struct.pack("=I", index))
    return body


def address(text: str, index: int) -> bytes:
    """The body of a message about an address (struct ifaddrmsg), usable at once: nobody else can have it."""
    number, _, prefix = text.partition("/")
    family = socket.AF_INET6 if ":" in number else socket.AF_INET
    packed = socket.inet_pton(family, number)
    link_scope = 253 if number.startswith("fe80") else 0
    flags = NODAD if family == socket.AF_INET6 else 0
    body = struct.pack("=BBBBI", family, int(prefix), flags, link_scope, index)
    if family == socket.AF_INET and int(prefix) < 31:  # RFC 3021: a /31 has no broadcast address
        last = int.from_bytes(packed, "big") | (1 << 32 - int(prefix)) - 1
        body += attribute(IFA_BROADCAST, last.to_bytes(4, "big"))
    return body + attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """One request (struct nlmsghdr, netlink(7))."""
    return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 1, 0) + body


def ask(netlink: Any, kind: int, flags: int, body: bytes) -> None:
    """Send one request and wait for its acknowledgement; raises OSError as the kernel says."""
    netlink.send(message(kind, ACKNOWLEDGE | flags, body))
    for _ in answers(netlink):
        pass


def answers(netlink: Any) -> list[tuple[int, bytes]]:
    """All messages of one answer, up to its end or its acknowledgement; raises OSError for an error."""
    found: list[tuple[int, bytes]] = []
    while True:
        data = netlink.recv(1 << 16)
        offset = 0
        while offset + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, offset)
            body = data[offset + 16 : offset + length]
            if kind == 3:  # NLMSG_DONE
                return found
            if kind == 2:  # NLMSG_ERROR, also the acknowledgement, with 0
                number = -struct.unpack_from("=i", body)[0]
                if number:
                    raise OSError(number, os.strerror(number))
                return found
            found.append((kind, body))
            offset += length + -length % 4
