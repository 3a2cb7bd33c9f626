"""The program of a router that rewrites source addresses: makes the kernel do it, by nf_tables.

What leaves by the outside gets the address that the router has there, and answers find their way back (RFC 3022 section
2.2, masquerading). Standard library only, Python 3.9 syntax: its source is piped into a host beside the agent (the
request `start`), and speaks JSON lines. Nothing of the runner here. Sources: linux/netfilter/nf_tables.h and
nfnetlink.h; nft(8), "NAT STATEMENTS".

Request: {"outside": NAME of an interface}.
Answer: {} or {"error": S, "errno": N}.
"""

from __future__ import annotations

import json
import os
import socket
import struct

NETLINK_NETFILTER, SUBSYSTEM, EVERY_FAMILY = 12, 10, 1
BATCH_BEGIN, BATCH_END = 16, 17
NEW_TABLE, NEW_CHAIN, NEW_RULE = 0, 3, 6
REQUEST, ACKNOWLEDGE, CREATE, APPEND = 1, 4, 0x400, 0x800
ERROR = 2
NESTED = 0x8000
POSTROUTING, SOURCE_NAT_PRIORITY = 4, 100
REGISTER, OUT_INTERFACE_NAME, EQUAL = 1, 7, 0
"""NFT_REG_1, NFT_META_OIFNAME, NFT_CMP_EQ."""
INTERFACE_NAME_SIZE = 16
TABLE, CHAIN = b"socket-lab\0", b"outside\0"


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *values: bytes) -> bytes:
    """An attribute that holds others (NLA_F_NESTED, netlink(7))."""
    return attribute(kind | NESTED, b"".join(values))


def number(kind: int, value: int) -> bytes:
    """nf_tables has its numbers in network order."""
    return attribute(kind, struct.pack("!I", value))


def message(kind: int, flags: int, sequence: int, body: bytes, family: int = EVERY_FAMILY) -> bytes:
    """One message with its struct nfgenmsg; those that open and close a batch name the subsystem there."""
    is_batch = kind in (BATCH_BEGIN, BATCH_END)
    head = struct.pack("!BBH", 0 if is_batch else family, 0, SUBSYSTEM if is_batch else 0)
    kind = kind if is_batch else SUBSYSTEM << 8 | kind
    length = 16 + len(head) + len(body)
    return struct.pack("=IHHII", length, kind, flags | REQUEST, sequence, 0) + head + body


def expression(name: bytes, *data: bytes) -> bytes:
    """One expression of a rule: an element of a list, with its name and data."""
    return nested(1, attribute(1, name + b"\0"), nested(2, *data))


def batch(outside: str) -> tuple[list[bytes], int]:
    """The messages that make table, chain and rule, and the sequence number of the last that is acknowledged."""
    name = outside.encode().ljust(INTERFACE_NAME_SIZE, b"\0")
    hook = nested(4, number(1, POSTROUTING), number(2, SOURCE_NAT_PRIORITY))
    chain = attribute(1, TABLE) + attribute(3, CHAIN) + hook + attribute(7, b"nat\0")
    leaves = expression(b"meta", number(1, REGISTER), number(2, OUT_INTERFACE_NAME))
    outwards = expression(b"cmp", number(1, REGISTER), number(2, EQUAL), nested(3, attribute(1, name)))
    rule = attribute(1, TABLE) + attribute(2, CHAIN) + nested(4, leaves, outwards, expression(b"masq"))
    make = CREATE | ACKNOWLEDGE
    messages = [
        message(BATCH_BEGIN, 0, 0, b""),
        message(NEW_TABLE, make, 1, attribute(1, TABLE)),
        message(NEW_CHAIN, make, 2, chain),
        message(NEW_RULE, make | APPEND, 3, rule),
        message(BATCH_END, 0, 4, b""),
    ]
    return messages, 3


def translate(outside: str) -> None:
    """Have the kernel rewrite what leaves by that interface; raises OSError as the kernel says."""
    messages, last = batch(outside)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.bind((0, 0))
        netlink.settimeout(10)
        netlink.send(b"".join(messages))
        while True:
            data, offset = netlink.recv(1 << 16), 0
            while offset + 20 <= len(data):
                length, kind, _, sequence = struct.unpack_from("=IHHI", data, offset)
                refused = -struct.unpack_from("=i", data, offset + 16)[0] if kind == ERROR else 0
                if refused:
                    raise OSError(refused, os.strerror(refused))
                if kind == ERROR and sequence == last:
                    return
                offset += max(16, length + -length % 4)


def main() -> None:
    """Answer requests until the input ends."""
    with os.fdopen(0, encoding="utf-8") as requests:
        for line in requests:
            answer = {}
            try:
                translate(json.loads(line)["outside"])
            except OSError as error:
                answer = {"error": str(error), "errno": error.errno or 0}
            os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
