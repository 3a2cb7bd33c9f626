"""Builds frames byte by byte with right checksums: for tests that must not ask the code under test, nor load
scapy.
"""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, inet_pton

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}


def internet_checksum(data: bytes) -> int:
    """RFC 1071, the plain way."""
    total = sum((data + b"\0")[at] << 8 | (data + b"\0")[at + 1] for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(source: str, target: str, kind: int, carried: bytes) -> bytes:
    return bytes.fromhex((target + source).replace(":", "")) + struct.pack("!H", kind) + carried


def ipv4(
    source: str,
    target: str,
    protocol: int,
    carried: bytes,
    *,
    ident: int = 0,
    ttl: int = 64,
    fragment: int = 0,
    more: bool = False,
    dont: bool = True,
) -> bytes:
    bits = (dont and not more and not fragment) << 14 | more << 13 | fragment >> 3
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(carried), ident, bits, ttl, protocol, 0)
    head += inet_pton(AF_INET, source) + inet_pton(AF_INET, target)
    return head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:] + carried


def ipv6(source: str, target: str, protocol: int, carried: bytes, *, hops: int = 64) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(carried), protocol, hops)
    return head + inet_pton(AF_INET6, source) + inet_pton(AF_INET6, target) + carried


def pseudo(source: str, target: str, protocol: int, length: int) -> bytes:
    if ":" in source:
        ends = inet_pton(AF_INET6, source) + inet_pton(AF_INET6, target)
        return ends + struct.pack("!II", length, protocol)
    return inet_pton(AF_INET, source) + inet_pton(AF_INET, target) + struct.pack("!BBH", 0, protocol, length)


def tcp(
    source: str,
    target: str,
    sport: int,
    dport: int,
    flags: str,
    seq: int = 0,
    ack: int = 0,
    carried: bytes = b"",
    window: int = 64240,
) -> bytes:
    bits = 5 << 12 | sum(FLAGS[letter] for letter in flags)
    head = struct.pack("!HHIIHHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, bits, window, 0, 0)
    whole = head + carried
    checksum = internet_checksum(pseudo(source, target, 6, len(whole)) + whole)
    return whole[:16] + struct.pack("!H", checksum) + whole[18:]


def udp(source: str, target: str, sport: int, dport: int, carried: bytes = b"") -> bytes:
    whole = struct.pack("!HHHH", sport, dport, 8 + len(carried), 0) + carried
    checksum = internet_checksum(pseudo(source, target, 17, len(whole)) + whole) or 0xFFFF
    return whole[:6] + struct.pack("!H", checksum) + whole[8:]


def icmp(kind: int, code: int, rest: bytes = b"\0\0\0\0", carried: bytes = b"") -> bytes:
    whole = struct.pack("!BBH", kind, code, 0) + rest + carried
    return whole[:2] + struct.pack("!H", internet_checksum(whole)) + whole[4:]


def icmpv6(source: str, target: str, kind: int, code: int, carried: bytes) -> bytes:
    whole = struct.pack("!BBH", kind, code, 0) + carried
    checksum = internet_checksum(pseudo(source, target, 58, len(whole)) + whole)
    return whole[:2] + struct.pack("!H", checksum) + whole[4:]


def arp(operation: int, source_mac: str, source: str, target_mac: str, target: str) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    sides = [
        bytes.fromhex(mac.replace(":", "")) + inet_pton(AF_INET, address)
        for mac, address in ((source_mac, source), (target_mac, target))
    ]
    return head + sides[0] + sides[1]
