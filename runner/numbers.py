"""Numbers that Linux gives constants which results are told by: `getsockopt: c, option: SO_TYPE, gives:
SOCK_DGRAM`.

What a call is *asked* with travels by name and is looked up in the host; only what comes back needs this
table. Sources: linux/socket.h, linux/in.h, asm-generic/poll.h (the values of x86 and arm).
"""

from __future__ import annotations

from typing import Any

from runner.errors import Misplaced
from runner.model import Surroundings
from runner.reading import suggestion
from runner.values import read_text, read_whole

NUMBERS = {
    "AF_UNSPEC": 0, "AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17, "AF_TIPC": 30,
    "SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOCK_RDM": 4, "SOCK_SEQPACKET": 5,
    "IPPROTO_IP": 0, "IPPROTO_ICMP": 1, "IPPROTO_IGMP": 2, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_IPV6": 41,
    "IPPROTO_ICMPV6": 58, "IPPROTO_SCTP": 132, "IPPROTO_RAW": 255, "IPPROTO_MPTCP": 262,
    "MSG_OOB": 1, "MSG_PEEK": 2, "MSG_DONTROUTE": 4, "MSG_CTRUNC": 8, "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40,
    "MSG_EOR": 0x80, "MSG_WAITALL": 0x100, "MSG_ERRQUEUE": 0x2000, "MSG_NOSIGNAL": 0x4000,
    "IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2, "IP_PMTUDISC_PROBE": 3,
    "POLLIN": 1, "POLLPRI": 2, "POLLOUT": 4, "POLLERR": 8, "POLLHUP": 0x10, "POLLNVAL": 0x20, "POLLRDHUP": 0x2000,
}  # fmt: skip


def read_number(value: Any, around: Surroundings) -> int:
    """A whole number, or constants by name, several joined with `|`."""
    if not isinstance(value, str) or not value[:1].isalpha():
        return read_whole(value, around)
    number = 0
    for word in read_text(value, around).split("|"):
        name = word.strip()
        if name not in NUMBERS:
            raise Misplaced(
                f"the number of {name} is not known here",
                length=len(value),
                suggestion=suggestion(name, NUMBERS),
            )
        number |= NUMBERS[name]
    return number
