"""Recorded runs with whatever hosts may do to each other, drawn by hypothesis."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

from tests import frames
from tests.recorded import Recorded

HOSTS = ("client", "server")
BROADCAST = "ff:ff:ff:ff:ff:ff"

ends = st.sampled_from([HOSTS, HOSTS[::-1]])
payloads = st.binary(max_size=60) | st.sampled_from([b"", b"hello", b'"q\\"', b"$x #y\n", b"x" * 200])
flags = st.sampled_from(["S", "SA", "A", "PA", "FA", "R", "RA", "FPA", "SFPUAR", "", "P"])
icmp_types = st.tuples(
    st.sampled_from([0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 42]), st.sampled_from([0, 1, 2, 3, 4, 13, 99])
)
actions = st.one_of(
    st.tuples(st.just("tcp"), ends, flags, payloads, st.booleans()),
    st.tuples(st.just("udp"), ends, payloads, st.booleans()),
    st.tuples(st.just("piece"), ends, payloads, st.booleans(), st.booleans()),
    st.tuples(st.just("icmp"), ends, icmp_types, payloads),
    st.tuples(st.just("other"), ends, st.sampled_from([2, 89, 253]), payloads),
    st.tuples(st.just("arp"), ends, st.sampled_from([1, 2, 3])),
    st.tuples(st.just("frame"), ends, st.sampled_from([0x0000, 0x0102, 0x88CC, 0x8100]), payloads),
    st.tuples(st.just("foreign"), ends, payloads),
)
plays = st.lists(actions, max_size=12)


def perform(run: Recorded, played: list[tuple[Any, ...]]) -> Recorded:
    """Let the hosts do it."""
    connection = run.connection("client", "server", 40000, 80)
    for kind, (source, target), *rest in played:
        match kind, rest:
            case "tcp", [letters, payload, lost]:
                connection.segment(source, letters, payload, lost=lost)
            case "udp", [payload, lost]:
                run.udp(source, target, 1000, 2000, payload, lost=lost)
            case "piece", [payload, more, first]:
                head = struct.pack("!HHHH", 1000, 2000, 8 + len(payload), 0)
                offset = 0 if first else 1480
                run.packet(source, target, 17, head + payload, more=more, fragment=offset, ident=7)
            case "icmp", [(number, code), payload]:
                run.packet(source, target, 1, frames.icmp(number, code, carried=payload))
            case "other", [protocol, payload]:
                run.packet(source, target, protocol, payload)
            case "arp", [operation]:
                _arp(run, source, target, operation)
            case "frame", [number, payload]:
                data = frames.ethernet(run.end(source).mac, run.end(target).mac, number, payload)
                run.frame(source, data, [target])
            case "foreign", [payload]:
                _foreign(run, source, target, payload)
    return run


def _arp(run: Recorded, source: str, target: str, operation: int) -> None:
    asked = frames.arp(operation, run.end(source).mac, run.ip(source), "00:00:00:00:00:00", run.ip(target))
    run.frame(source, frames.ethernet(run.end(source).mac, BROADCAST, 0x0806, asked), [target])


def _foreign(run: Recorded, source: str, target: str, payload: bytes) -> None:
    """A forged source: an address that nobody owns."""
    datagram = frames.udp("192.0.2.7", run.ip(target), 5, 6, payload)
    packet = frames.ipv4("192.0.2.7", run.ip(target), 17, datagram)
    data = frames.ethernet(run.end(source).mac, run.end(target).mac, 0x0800, packet)
    run.frame(source, data, [target])
