"""A host that tries to get out of its lab, and somebody at every door of the machine who looks whether it did.

Only documentation addresses (RFC 5737, RFC 3849), groups, and the machine's own addresses are aimed at.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FOREIGN4, FOREIGN6 = ("203.0.113.9", "198.51.100.9"), ("2001:db8::9",)
FORGED4, FORGED6 = "203.0.113.77", "2001:db8::77"
GATEWAY4, GATEWAY6 = "203.0.113.1", "2001:db8::1"
NOBODY = "02:00:00:00:99:99"
"""A MAC that nobody has: a switch sends such frames everywhere."""
UNSET = "00:00:00:00:00:00"
"""What a bridge without ports may have."""
GROUPS = ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "01:00:5e:00:00:fb", "33:33:00:00:00:01", "33:33:00:00:00:fb",
          "01:80:c2:00:00:00", "01:80:c2:00:00:0e", NOBODY)  # fmt: skip

ESCAPE = """
import fcntl, json, socket, struct, subprocess, sys
told = json.loads(sys.argv[1])
marker, own = bytes.fromhex(told["marker"]), bytes.fromhex(told["mac"].replace(":", ""))
sent = 0

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def udp(port):
    return struct.pack("!HHHH", 4444, port, 8 + len(marker), 0) + marker

def packet4(source, target, port):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(marker), 1, 0, 9, 17, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp(port)

def packet6(source, target, port):
    head = struct.pack("!IHBB", 6 << 28, 8 + len(marker), 17, 9)
    return head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + udp(port)

# Frames by hand, also past the queueing discipline, where a filter could be.
for bypass in (0, 1):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.setsockopt(263, 20, bypass)  # SOL_PACKET, PACKET_QDISC_BYPASS
        raw.bind((told["link"], 0))
        for mac in told["macs"]:
            head = bytes.fromhex(mac.replace(":", "")) + own
            frames = [head + b"\\x88\\xb5" + marker]
            for source in told["sources4"]:
                frames += [head + b"\\x08\\x00" + packet4(source, target, told["port"]) for target in told["targets4"]]
            for source in told["sources6"]:
                frames += [head + b"\\x86\\xdd" + packet6(source, target, told["port"]) for target in told["targets6"]]
            for target in told["targets4"]:
                asked = b"\\0\\1\\x08\\0\\6\\4\\0\\1" + own + socket.inet_aton(told["sources4"][0]) + bytes(6)
                frames.append(head + b"\\x08\\x06" + asked + socket.inet_aton(target) + marker)
            for frame in frames:
                sent += raw.send(frame) > 0

# As a program with all the rights of a host: ways out of its own making, then ordinary sockets.
def ip(*words):
    subprocess.run(["ip", *words], capture_output=True)

for gateway, mac in ((told["gateway4"], told["macs"][0]), (told["gateway6"], told["macs"][0])):
    ip("neigh", "replace", gateway, "lladdr", mac, "dev", told["link"])
    ip("route", "replace", gateway, "dev", told["link"])
    ip("route", "replace", "default", "via", gateway, "dev", told["link"], "onlink")
for family, targets in ((socket.AF_INET, told["targets4"]), (socket.AF_INET6, told["targets6"])):
    for target in targets:
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                sent += datagrams.sendto(marker, (target, told["port"])) > 0
            except OSError:
                pass
        with socket.socket(family, socket.SOCK_STREAM) as stream:
            stream.settimeout(0.05)
            try:
                stream.connect((target, told["port"]))
                stream.sendall(marker)
            except OSError:
                pass
print(sent)
"""
"""Sends as much as it can of what must not get out; says how many frames and datagrams the kernel took."""


@dataclass
class Machine:
    """What this machine's own doors are."""

    macs: list[str]
    addresses4: list[str]
    addresses6: list[str]


def machine() -> Machine:
    """All links of this machine, with their addresses."""
    said = subprocess.run(["ip", "-json", "address"], capture_output=True, text=True, check=True).stdout
    links: list[dict[str, Any]] = [one for one in json.loads(said) if one.get("ifname") != "lo"]
    macs = [link.get("address", "") for link in links]
    addresses = [one["local"] for link in links for one in link["addr_info"]]
    return Machine(
        [mac for mac in macs if mac.count(":") == 5 and mac != UNSET],
        [text for text in addresses if "." in text],
        [text for text in addresses if ":" in text and not text.startswith("fe80")],
    )


@dataclass
class Watch:
    """Looks at every frame on every link of the machine, and serves on all of its addresses.

    `seen` are frames with the marker or with a forged address; `served` is what its services were sent.
    """

    marker: bytes
    seen: list[bytes] = field(default_factory=list)
    served: list[Any] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watch]:
        """From now until the end of the block, on all links, also new ones."""
        with contextlib.ExitStack() as stack:
            frames = stack.enter_context(
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            )  # ETH_P_ALL
            frames.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            streams = stack.enter_context(
                socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
            )
            self.port = streams.getsockname()[1]
            datagrams = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            datagrams.bind(("::", self.port))
            woken, wake = os.pipe()
            thread = threading.Thread(target=self._look, args=(frames, streams, datagrams, woken))
            thread.start()
            try:
                yield self
            finally:
                os.write(wake, b"x")
                thread.join()
                dropped = struct.unpack("II", frames.getsockopt(263, 6, 8))[
                    1
                ]  # SOL_PACKET, PACKET_STATISTICS
                for descriptor in (woken, wake):
                    os.close(descriptor)
                assert dropped == 0, "the machine's own capture lost frames: nothing can be said"

    def _look(
        self, frames: socket.socket, streams: socket.socket, datagrams: socket.socket, woken: int
    ) -> None:
        while True:
            ready, _, _ = select.select([frames, streams, datagrams, woken], [], [])
            if frames in ready:
                frame = frames.recv(65536)
                if self._is_ours(frame):
                    self.seen.append(frame)
                continue  # all of them first
            if streams in ready:
                self.served.append(streams.accept()[1])
            if datagrams in ready:
                self.served.append(datagrams.recvfrom(2048))
            if woken in ready:
                return

    def _is_ours(self, frame: bytes) -> bool:
        forged = socket.inet_aton(FORGED4), socket.inet_pton(socket.AF_INET6, FORGED6)
        return self.marker in frame or any(
            one in (frame[start : start + len(one)] for start in places)
            for one, places in zip(forged, ((26, 30, 28, 38), (22, 38)), strict=True)
        )


def from_the_machine(watch: Watch) -> None:
    """Send the marker on the machine itself: a watch that does not see this sees nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.sendto(watch.marker, ("127.0.0.1", watch.port))
