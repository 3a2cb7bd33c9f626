"""All that a run left, on one timeline: its calls, its packets and what arrived of them.

Evidence is read from a run directory and never changes. What could not be seen raises `Blind` when somebody
asks for it, so that nothing unseen is ever a pass. Nothing here judges.
"""

from __future__ import annotations

import gc
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path

from lab import capture
from lab.engine import Interface
from runner import files, history, rundir, struck, transfers, wire
from runner.errors import Blind, UsageError
from runner.headers import decode
from runner.history import CallRecord, FaultRecord, MomentRecord, Record
from runner.packets import Packet, Transmission
from runner.rundir import CAPTURE, HISTORY, RunInfo
from runner.sockets import AddressPair, SocketFacts, endpoint, sockets_of


@dataclass(frozen=True, eq=False)
class Evidence:
    """What happened in one run.

    `packets` in the order of the file, so that `packets[n - 1].number == n`; `transmissions` in the order
    they were sent, each once. `copies` says of which transmission each packet number is a copy. `damage` says
    why the capture as a whole cannot be trusted, and is empty where it can.
    """

    info: RunInfo
    history: tuple[Record, ...]
    packets: tuple[Packet, ...]
    transmissions: tuple[Transmission, ...]
    copies: Mapping[int, Transmission] = field(default_factory=dict, repr=False)
    damage: str = ""

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Every end of every host."""
        return self.info.interfaces

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The names of the hosts, in the order of the scenario."""
        return tuple(dict.fromkeys((*(end.host for end in self.interfaces), *self.info.captures)))

    @cached_property
    def networks(self) -> tuple[str, ...]:
        """The names of the networks."""
        return tuple(dict.fromkeys(end.network for end in self.interfaces))

    @cached_property
    def _owners(self) -> Mapping[str, str]:
        return wire.owners_of(self.interfaces)

    def owner(self, address: str) -> str:
        """The host that owns an IP address or a MAC, else the address itself."""
        return self._owners.get(address) or self._owners.get(wire.canonical(address), address)

    def addresses(self, host: str) -> tuple[str, ...]:
        """The IP addresses of a host."""
        return tuple(
            one for end in self.info.interfaces_of(host) for one in map(wire.canonical, (*end.ip4, *end.ip6))
        )

    @cached_property
    def _calls(self) -> tuple[CallRecord, ...]:
        return tuple(record for record in self.history if isinstance(record, CallRecord))

    def calls(self, object: str | None = None, host: str | None = None) -> list[CallRecord]:
        """The calls in the order of the history: all, or those on one object, or those of one host."""
        return [
            call
            for call in self._calls
            if (object is None or call.object == object) and (host is None or call.host == host)
        ]

    def must_see(self, hosts: Iterable[str]) -> None:
        """Raise Blind unless the captures of all these hosts are there and complete."""
        for host in hosts:
            if reason := self._blindness(host):
                raise Blind(reason)

    def is_left_out(self, host: str) -> bool:
        """Whether a host was not to capture, as what others say to each other is seen without it."""
        one = self.info.captures.get(host)
        return one is not None and one.left_out

    def _blindness(self, host: str) -> str:
        """Why the capture of a host cannot be trusted, or nothing."""
        one = self.info.captures.get(host)
        if one is None:
            return f"nothing was captured on host {host}"
        if one.missing:
            return f"the capture of host {host} is missing: {one.missing}"
        if self.damage:
            return self.damage
        if one.drops:
            return f"the kernel dropped {one.drops:,} packets of the capture on host {host}"
        there = len(self._captured.get(host, ()))
        if there < one.frames:
            return (
                f"the capture of host {host} had {one.frames:,} packets, but the file has {there:,} of them"
            )
        return ""

    @cached_property
    def _captured(self) -> Mapping[str, tuple[Packet, ...]]:
        found: dict[str, list[Packet]] = {}
        for packet in self.packets:
            found.setdefault(packet.host, []).append(packet)
        return {host: tuple(packets) for host, packets in found.items()}

    def captured(self, host: str) -> tuple[Packet, ...]:
        """What one host captured, in its order; raises Blind where that is missing or not complete."""
        self.must_see([host])
        return self._captured.get(host, ())

    def view(self, packet: Packet) -> Transmission:
        """A captured packet as its host saw it: what it sent is the transmission, what arrived stands for
        itself.
        """
        whole = self.whole(packet)
        if whole.sent is packet:
            return whole
        return replace(whole, sent=packet, arrivals=(packet,), lost=False)

    def whole(self, packet: Packet) -> Transmission:
        """The transmission that a captured packet is a copy of."""
        return self._copies[packet.number]

    @cached_property
    def _copies(self) -> Mapping[int, Transmission]:
        if self.copies:
            return self.copies
        return {copy.number: one for one in self.transmissions for copy in (*one.arrivals, one.sent)}

    @cached_property
    def _sockets(self) -> Mapping[str, SocketFacts]:
        return sockets_of(self._calls)

    @property
    def sockets(self) -> tuple[str, ...]:
        """The names of all sockets that calls made."""
        return tuple(self._sockets)

    def socket(self, name: str) -> SocketFacts:
        """What is known about a socket, addresses that it lost in a connect that failed included.

        Raises Blind where no call made it.
        """
        facts = self._sockets.get(name)
        if facts is None:
            raise Blind(f"no call made a socket {name}, so its packets cannot be told")
        forgotten = self._forgotten(facts)
        return replace(facts, pairs=(*facts.pairs, *forgotten)) if forgotten else facts

    def _forgotten(self, facts: SocketFacts) -> list[AddressPair]:
        """Pairs of connects that failed: the kernel takes the port away, but what the host sent meanwhile
        tells it.
        """
        found: dict[AddressPair, None] = {}
        taken = {pair.local for other in self._sockets.values() for pair in other.pairs if other is not facts}
        for call in self.calls(facts.name):
            target = _target(call)
            if target is None:
                continue
            addresses = self.addresses(target[0]) if target[0] in self.hosts else (target[0],)
            for packet in self.during(facts.host, call.began_ns, call.ended_ns):
                header = packet.header
                if packet.direction != "out" or header.dport != target[1] or header.dst not in addresses:
                    continue
                pair = AddressPair((header.src, header.sport), (header.dst, header.dport))
                if pair.local not in taken and pair not in facts.pairs:
                    found[pair] = None
        return list(found)

    def during(self, host: str, began_ns: int, ended_ns: int | None) -> Sequence[Packet]:
        """What a host captured from one moment to another (None: to the end), both included, complete or
        not.
        """
        packets = self._captured.get(host, ())
        begin = bisect_left(packets, began_ns, key=_time)
        return (
            packets[begin:]
            if ended_ns is None
            else packets[begin : bisect_right(packets, ended_ns, key=_time)]
        )


_time = attrgetter("time_ns")


def _target(call: CallRecord) -> tuple[str, int] | None:
    """Where a connect that did not succeed (or has not returned) went; None for all other calls."""
    if call.name not in ("connect", "connect_ex") or not call.arguments:
        return None
    if call.ended_ns is not None and call.failure is None and not call.value:
        return None
    return endpoint(call.arguments[0])


def load(folder: Path) -> Evidence:
    """The evidence in a run directory; raises UsageError where that is no run.

    A capture that is missing or damaged is no error here: whoever needs it is told by Blind.
    """
    info = rundir.read_info(folder)
    try:
        records = tuple(history.read(folder / HISTORY))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is not the directory of a run: {error}") from None
    with _without_collection():
        packets, damage = _recorded(folder / CAPTURE, info.interfaces)
        return _paired(info, records, list(transfers.told(packets)), damage)


def _paired(info: RunInfo, records: Sequence[Record], packets: list[Packet], damage: str) -> Evidence:
    """Evidence with its packets put together: what was sent, and what arrived of it."""
    found = struck.find((one for one in records if isinstance(one, FaultRecord)), packets)
    pairing = wire.pair(packets, info.interfaces, info.captures, found)
    return Evidence(info, tuple(records), tuple(packets), pairing.transmissions, pairing.copies, damage)


def evidence_until(whole: Evidence, moment: MomentRecord) -> Evidence:
    """What there was to be seen at a moment of a run; what is missing of the whole is missing here too."""
    records = whole.history[: whole.history.index(moment)]
    packets = [one for one in whole.packets if one.time_ns <= moment.at_ns]
    later = Counter(one.host for one in whole.packets[len(packets) :])
    captures = {
        host: replace(one, frames=one.frames - later[host]) for host, one in whole.info.captures.items()
    }
    known = whole.info.records
    known = None if known is None else known - len(whole.history) + len(records)
    info = replace(whole.info, captures=captures, records=known)
    with _without_collection():
        return _paired(info, records, packets, whole.damage)


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection meanwhile: a million objects without one cycle are made, and all are kept."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _recorded(path: Path, interfaces: Sequence[Interface]) -> tuple[list[Packet], str]:
    """The packets of a run's capture, and what is wrong with it."""
    try:
        files.check(path)
    except OSError as error:
        return [], f"the capture {path} cannot be read: {error.strerror}"
    return _packets(path, interfaces)


def _packets(path: Path, interfaces: Sequence[Interface]) -> tuple[list[Packet], str]:
    """The packets of a capture file, and what is wrong with it (nothing, where all could be read)."""
    networks = {(end.host, end.name): end.network for end in interfaces}
    packets: list[Packet] = []
    try:
        for number, frame in enumerate(capture.read(path), 1):
            packets.append(
                Packet(
                    number,
                    frame.time_ns,
                    frame.host,
                    frame.interface,
                    networks.get((frame.host, frame.interface), ""),
                    frame.direction,
                    frame.data,
                    decode(frame.data, frame.link),
                    frame.link,
                )
            )
    except capture.CaptureError as error:
        return packets, f"the capture {path} is damaged: {error}"
    except OSError as error:
        return packets, f"the capture {path} cannot be read: {error.strerror}"
    return packets, ""
