"""Evidence made of a capture from anywhere: addresses get names, and every packet counts as sent by its source.

Only `runner record` needs this: it drafts what was seen, and nothing of what was not. Raises UsageError where a
file cannot be read, and Blind where it is damaged: a draft of half a capture would be one of nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lab.engine import Interface
from runner import drafting, survey
from runner.errors import Blind
from runner.evidence import Evidence
from runner.headers import ACK, SYN
from runner.packets import Transmission
from runner.rundir import CaptureInfo, RunInfo

MOST_PACKETS = 20_000
"""Nobody reads the ladders of more."""


@dataclass(frozen=True)
class Named:
    """Evidence whose hosts are called by the names on the right: address -> name."""

    evidence: Evidence
    names: Mapping[str, str]


def evidence_of(path: Path) -> Named:
    """The evidence of a capture file."""
    seen = survey.read(path)
    if seen.damage:
        raise Blind(f"the capture {path} is damaged: {seen.damage}")
    if len(seen) > MOST_PACKETS:
        raise Blind(
            f"{len(seen):,} packets are too many for ladders; cut out what is meant (at most {MOST_PACKETS:,})"
        )
    packets = [seen.transmission(row) for row in range(len(seen))]
    names = _names(packets)
    hosts = list(dict.fromkeys(names.values()))
    transmissions = tuple(_sent(one, names) for one in packets)
    interfaces = tuple(
        Interface(
            host, "", "eth0", "",
            tuple(one for one in names if names[one] == host and ":" not in one),
            tuple(one for one in names if names[one] == host and ":" in one),
            0, 0, 0,
        )
        for host in hosts
    )  # fmt: skip
    times = [one.sent.time_ns for one in transmissions] or [0]
    counts = Counter(one.sent.host for one in transmissions)
    captures = {host: CaptureInfo(counts[host]) for host in hosts}
    info = RunInfo(
        path.name, "", "", times[0], times[-1], "completed", interfaces=interfaces, captures=captures
    )
    return Named(Evidence(info, (), tuple(one.sent for one in transmissions), transmissions), names)


def _sent(one: Transmission, names: Mapping[str, str]) -> Transmission:
    source, target = names.get(one.source, one.source), names.get(one.target, one.target)
    packet = replace(one.sent, host=source, direction="out")
    return replace(one, sent=packet, source=source, target=target, struck=())


def _names(packets: list[Transmission]) -> dict[str, str]:
    """A name for each address that packets come from: `client` and `server` where there are two machines, and
    else numbers. The addresses of one MAC are one machine's, unless a router's MAC stands before many.
    """
    begins: dict[str, str] = {}
    answers: dict[str, str] = {}
    for one in packets:
        header = one.sent.header
        if not drafting.is_housekeeping(one):
            is_answer = header.flags >= 0 and header.flags & (SYN | ACK) == SYN | ACK
            (answers if is_answer else begins).setdefault(one.source, header.source_mac)
    found = {**{address: mac for address, mac in begins.items() if address not in answers}, **answers}
    families = Counter((mac, ":" in address) for address, mac in found.items())
    by_mac = all(found.values()) and max(families.values(), default=0) == 1
    machines = list(dict.fromkeys(mac if by_mac else address for address, mac in found.items()))
    names = ["client", "server"] if len(machines) == 2 else [f"host{n + 1}" for n in range(len(machines))]
    name_of = dict(zip(machines, names, strict=True))
    return {address: name_of[mac if by_mac else address] for address, mac in found.items()}
