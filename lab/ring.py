"""Captured frames out of an agent's packet ring.

Bytes and where they were seen only. Nothing here talks to an agent. Sources: packet_mmap and linux/if_packet.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from lab.capture import CaptureError, Direction, Frame

_RECORD = struct.Struct("=6I2H2IH2x8x2xHiHB")
"""struct tpacket3_hdr, padded to TPACKET_ALIGN (48 bytes), and the struct sockaddr_ll behind it as far as we
need it: next, sec, nsec, snaplen, len, status, mac, net, rxhash, VLAN tci, VLAN tpid; protocol, ifindex,
hatype, pkttype."""
_PACKET_OUTGOING = 4
_VLAN_VALID, _VLAN_TPID_VALID = 1 << 4, 1 << 6
_DOT1Q = 0x8100


def frames_of(records: bytes, host: str, interfaces: Mapping[int, str]) -> Iterator[Frame]:
    """The frames of one block of a TPACKET_V3 ring, from its first `tpacket3_hdr` on (packet(7),
    packet_mmap).

    `tp_next_offset` leads from record to record, 0 ends them. A VLAN tag that the kernel took out of the
    frame is put back. Raises CaptureError where a record does not fit into what is there.
    """
    offset, end = 0, len(records)
    while offset < end:
        if end - offset < _RECORD.size:
            raise CaptureError("a record of the ring is cut off", offset)
        (
            following,
            seconds,
            nanoseconds,
            kept,
            length,
            status,
            mac,
            _,
            _,
            tag,
            tag_type,
            _,
            index,
            _,
            kind,
        ) = _RECORD.unpack_from(records, offset)
        begin = offset + mac
        if begin + kept > end:
            raise CaptureError("a frame of the ring is cut off", offset)
        data = records[begin : begin + kept]
        if status & _VLAN_VALID:
            data = _tagged(data, tag, tag_type if status & _VLAN_TPID_VALID else _DOT1Q)
            length += 4
        name = interfaces.get(index) or f"if{index}"
        direction: Direction = "out" if kind == _PACKET_OUTGOING else "in"
        yield Frame(seconds * 1_000_000_000 + nanoseconds, host, name, direction, data, length)
        if following == 0:
            return
        offset += following


def _tagged(data: bytes, tag: int, tag_type: int) -> bytes:
    """The frame with the VLAN tag that the kernel keeps beside it (skb->vlan_tci) back in its place."""
    return data[:12] + struct.pack("!HH", tag_type, tag & 0xFFFF) + data[12:]
