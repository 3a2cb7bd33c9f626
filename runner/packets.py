"""A frame with its headers read, and a transmission: one frame sent, with what arrived of it.

Frozen data. Reading headers is `runner.headers`, names of fields are `runner.fields`, scapy is only in
`runner.dissect`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Header:
    """The common header fields of one frame, as numbers on the wire; -1 or empty text where the frame has no
    such field.

    `ether_type` of the innermost tag. `protocol` is the upper protocol behind IPv6 extension headers. `ttl`
    is the hop limit in IPv6. `fragment` is the offset in bytes, `more` the more-fragments flag; ports are
    read from first fragments only. `flags` are the nine TCP flag bits. `code` and `type` are ICMP's, ICMPv6's
    or IGMP's; `operation` is ARP's. `payload` is where the transport payload begins in the frame and `length`
    how many bytes it has (by the lengths in the headers, so that Ethernet padding does not count). `src` and
    `dst` are IP addresses, or ARP's.
    """

    source_mac: str = ""
    target_mac: str = ""
    ether_type: int = -1
    version: int = 0
    src: str = ""
    dst: str = ""
    protocol: int = -1
    ttl: int = -1
    tos: int = -1
    ident: int = -1
    dont_fragment: bool = False
    more: bool = False
    fragment: int = 0
    sport: int = -1
    dport: int = -1
    seq: int = -1
    ack: int = -1
    flags: int = -1
    window: int = -1
    type: int = -1
    code: int = -1
    operation: int = -1
    transport: int = -1
    payload: int = -1
    length: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame as one host's capture saw it.

    `number` is its place in the capture file, from 1: Wireshark's frame number. `network` is the lab's name
    of the link. `link` is the file format's number of the link: 1 is Ethernet, and a lab makes nothing else.
    `carries` is what the payload is, by scapy's name, where only earlier packets tell (`runner.transfers`).
    """

    number: int
    time_ns: int
    host: str
    interface: str
    network: str
    direction: Literal["out", "in"]
    data: bytes
    header: Header
    link: int = 1
    carries: str = ""

    @property
    def payload(self) -> bytes:
        """What the transport protocol carries (what IP carries, where there is no transport that we know)."""
        header = self.header
        return b"" if header.payload < 0 else self.data[header.payload : header.payload + header.length]


@dataclass(frozen=True, slots=True)
class Transmission:
    """One frame that a host sent, and its copies that arrived, on one network.

    `source` and `target` are the owners of the packet's addresses (of its MACs where it has no IP): a host's
    name, or the address itself where nobody owns it. `lost` is true where no capture of another host on that
    network saw it although every host that should have received it was captured. `seq` and `ack` are relative
    to the flow's first sequence numbers as Wireshark shows them, -1 without TCP.
    `struck` is what faults did to it on its way: `dropped`, `delayed 10ms`.
    """

    sent: Packet
    arrivals: tuple[Packet, ...]
    source: str
    target: str
    lost: bool
    seq: int = -1
    ack: int = -1
    struck: tuple[str, ...] = ()
