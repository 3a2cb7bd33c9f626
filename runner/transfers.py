"""Packets whose meaning an earlier one tells: a TFTP transfer goes between two ports that are none of TFTP's.

RFC 1350 section 4: the request goes to port 69; the server answers from a port that it chose, to the port of the
client, and these two are the transfer's from then on. No other protocol here is known by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from runner.headers import UDP
from runner.packets import Packet

TFTP_PORT = 69


def told(packets: Iterable[Packet]) -> Iterator[Packet]:
    """The packets in their order, those of a transfer with what they carry."""
    asking: set[tuple[str, int]] = set()
    for packet in packets:
        header = packet.header
        if header.protocol == UDP and header.dport >= 0:
            if header.dport == TFTP_PORT:
                asking.add((header.src, header.sport))
            elif asking and ((header.src, header.sport) in asking or (header.dst, header.dport) in asking):
                packet = replace(packet, carries="TFTP")
        yield packet
