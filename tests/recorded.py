"""Run directories as a lab would have left them, made by hand: who sent what when, what arrived, which calls
were made.

run = Recorded(["client", "server"])
run.connection("client", "server", 40000, 80).open().send("client", b"hello").close("client")
seen = run.evidence(tmp_path)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab import capture
from lab.capture import Frame
from lab.engine import Interface
from runner import evidence, history, rundir
from runner.evidence import Evidence
from runner.history import CallRecord, Record, StateRecord
from runner.rundir import CaptureInfo, RunInfo
from tests import frames

START_NS = 1_700_000_000_000_000_000
MICROSECOND = 1_000
FLIGHT_NS = 20 * MICROSECOND
"""How long a frame takes from one host's capture to the other's."""


def interface(host: str, number: int, network: str = "lab", name: str = "eth0", link: int = 0) -> Interface:
    """The end of a host: 10.LINK.0.NUMBER and fd00:LINK::NUMBER, with a MAC to match."""
    return Interface(
        host,
        network,
        name,
        f"02:00:00:00:{link:02x}:{number:02x}",
        (f"10.{link}.0.{number}",),
        (f"fd00:{link:x}::{number:x}" if link else f"fd00::{number:x}",),
        24,
        64,
        1500,
    )


@dataclass
class Recorded:
    """A run in the making. Times advance by 100 microseconds from one thing to the next."""

    names: Sequence[str]
    interfaces: list[Interface] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    captures: dict[str, CaptureInfo] = field(default_factory=dict)
    now_ns: int = START_NS

    def __post_init__(self) -> None:
        if not self.interfaces:
            self.interfaces = [interface(name, number) for number, name in enumerate(self.names, 1)]

    def end(self, host: str, network: str = "lab") -> Interface:
        return next(one for one in self.interfaces if (one.host, one.network) == (host, network))

    def ip(self, host: str) -> str:
        return self.end(host).ip4[0]

    def tick(self, ns: int = 100 * MICROSECOND) -> int:
        self.now_ns += ns
        return self.now_ns

    def frame(
        self,
        source: str,
        data: bytes,
        to: Sequence[str] = (),
        *,
        flight_ns: Sequence[int] = (FLIGHT_NS,),
        network: str = "lab",
    ) -> int:
        """`source` sends a frame now; a copy reaches each of `to` after each of `flight_ns`. Returns the
        time.
        """
        at_ns = self.tick()
        self.frames.append(Frame(at_ns, source, self.end(source, network).name, "out", data, len(data)))
        for host in to:
            self.arrive(host, data, [at_ns + one for one in flight_ns], network=network)
        return at_ns

    def arrive(self, host: str, data: bytes, at_ns: Sequence[int], network: str = "lab") -> None:
        """Copies of a frame reach a host at those times."""
        name = self.end(host, network).name
        self.frames += [Frame(one, host, name, "in", data, len(data)) for one in at_ns]

    def packet(
        self, source: str, target: str, protocol: int, carried: bytes, *, lost: bool = False, **ip: Any
    ) -> bytes:
        """An IPv4 packet from one host to another; returns the frame."""
        data = frames.ethernet(
            self.end(source).mac,
            self.end(target).mac,
            0x0800,
            frames.ipv4(self.ip(source), self.ip(target), protocol, carried, **ip),
        )
        self.frame(source, data, [] if lost else [target])
        return data

    def udp(self, source: str, target: str, sport: int, dport: int, carried: bytes, **options: Any) -> bytes:
        """A UDP datagram; returns the frame."""
        datagram = frames.udp(self.ip(source), self.ip(target), sport, dport, carried)
        return self.packet(source, target, 17, datagram, **options)

    def connection(self, client: str, server: str, sport: int, dport: int) -> Connection:
        return Connection(self, client, server, sport, dport)

    def call(self, host: str, object: str | None, name: str, *arguments: Any, **rest: Any) -> CallRecord:
        """A call that takes ten microseconds; began and ended may be given."""
        began_ns = rest.pop("began_ns", None) or self.tick()
        ended_ns = rest.pop("ended_ns", began_ns + 10 * MICROSECOND)
        rest.setdefault("family", "AF_INET")
        rest.setdefault("type", "SOCK_STREAM")
        record = CallRecord(
            1, host, object, name, name, began_ns, ended_ns, arguments=list(arguments), **rest
        )
        self.records.append(record)
        return record

    def state(self, host: str, of: str, state: str) -> None:
        """What the kernel said about a socket now."""
        self.records.append(StateRecord(1, host, of, state, self.tick()))

    def write(self, folder: Path, drops: Mapping[str, int] | None = None) -> Path:
        """Write the run directory."""
        folder.mkdir(parents=True, exist_ok=True)
        counts = dict.fromkeys(self.names, 0)
        for frame in self.frames:
            counts[frame.host] += 1
        captures = {host: CaptureInfo(count) for host, count in counts.items()} | self.captures
        for host, dropped in (drops or {}).items():
            captures[host] = replace(captures[host], drops=dropped)
        ended_ns = self.tick()
        info = RunInfo(
            "recorded",
            "recorded.yaml",
            "netns",
            START_NS,
            ended_ns,
            "completed",
            interfaces=tuple(self.interfaces),
            captures=captures,
        )
        rundir.write_info(folder, info)
        history.write(folder / rundir.HISTORY, self.records)
        ends = [(one.host, one.name) for one in self.interfaces]
        capture.write(folder / rundir.CAPTURE, self.frames, ends)
        return folder

    def evidence(self, folder: Path, drops: Mapping[str, int] | None = None) -> Evidence:
        """Write it and read it back."""
        return evidence.load(self.write(folder, drops))


@dataclass
class Connection:
    """A TCP connection whose segments are written with the right numbers."""

    run: Recorded
    client: str
    server: str
    sport: int
    dport: int
    next: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.next = {self.client: 0xFFFFFFF0, self.server: 5000}

    def segment(
        self,
        source: str,
        flags: str,
        carried: bytes = b"",
        *,
        lost: bool = False,
        seq: int | None = None,
        ack: int | None = None,
    ) -> Connection:
        """One segment from one end; it takes up its sequence numbers even if it is lost."""
        target = self.server if source == self.client else self.client
        ports = (self.sport, self.dport) if source == self.client else (self.dport, self.sport)
        begin = self.next[source] if seq is None else seq
        if ack is None:
            ack = self.next[target] if "A" in flags else 0
        data = frames.tcp(self.run.ip(source), self.run.ip(target), *ports, flags, begin, ack, carried)
        self.run.packet(source, target, 6, data, lost=lost)
        if seq is None:
            self.next[source] = begin + len(carried) + ("S" in flags) + ("F" in flags) & 0xFFFFFFFF
        return self

    def open(self) -> Connection:
        self.segment(self.client, "S").segment(self.server, "SA")
        return self.segment(self.client, "A")

    def send(self, source: str, carried: bytes) -> Connection:
        """Data and its acknowledgement."""
        other = self.server if source == self.client else self.client
        return self.segment(source, "PA", carried).segment(other, "A")

    def close(self, first: str, packets: int = 3) -> Connection:
        """Closed by `first`, then by the other, in three packets or in four."""
        other = self.server if first == self.client else self.client
        self.segment(first, "FA")
        if packets == 4:
            self.segment(other, "A")
        return self.segment(other, "FA").segment(first, "A")

    def made_by(self, client: str, server: str, listener: str = "listener") -> Connection:
        """The records of the calls that make both sockets, as if made before all that comes."""
        run = self.run
        near, far = [run.ip(self.client), self.sport], [run.ip(self.server), self.dport]
        run.call(self.server, listener, "socket", local=["0.0.0.0", 0])
        run.call(self.server, listener, "bind", list(far), local=["0.0.0.0", self.dport])
        run.call(self.server, listener, "listen", 5, local=["0.0.0.0", self.dport])
        run.call(self.client, client, "socket", local=["0.0.0.0", 0])
        began_ns = run.tick()
        self.open()
        run.call(self.client, client, "connect", list(far), local=near, peer=far, began_ns=began_ns,
                 ended_ns=run.tick())  # fmt: skip
        run.call(self.server, listener, "accept", local=["0.0.0.0", self.dport], made=server,
                 made_local=far, made_peer=near)  # fmt: skip
        return self
