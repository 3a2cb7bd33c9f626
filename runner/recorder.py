"""Captures on every host: begun before the first step, drained after the last, written as one file.

Talks to agents only; what a capture means is judged elsewhere, from the file.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import capture, ring
from lab.agent import READY_RING_BYTES
from lab.capture import Frame
from lab.engine import Lab
from lab.errors import LabError
from lab.faults.striking import Striking
from runner.rundir import CaptureInfo

FEW_HOSTS = 4
"""Labs with more hosts than this share out the memory of so many full rings."""
QUIET_NS = 4_000_000
"""A lab is quiet when no host has sent or received a frame for so long."""
SETTLE_NS = 500_000_000
"""The longest that the end of a run waits for quiet: kernel timers such as retransmissions may never give it."""
LONGEST_DELAY_S = 10
"""The longest that the end of a run waits for frames that a fault delays."""
ANSWER_S = 30.0


@dataclass
class HostCapture:
    """What one host's capture has given so far."""

    frames: list[Frame] = field(default_factory=list)
    drops: int = 0
    missing: str = ""
    sealed: bool = False
    drops_before: int = 0
    """Those of agents that were there before the host was started again."""

    def info(self) -> CaptureInfo:
        """For run.json."""
        return CaptureInfo(len(self.frames), self.drops, self.missing)


class Recorder:
    """The captures of one lab. `begin`, then `drain` as often as wanted, then `write`.

    `striking` are the fault processes of the lab: what their detours show was sent by the interface itself, and what
    they read was captured before. `left_out` are hosts without a capture; their offloads go off all the same.
    """

    def __init__(
        self,
        lab: Lab,
        hosts: Sequence[str],
        striking: Striking | None = None,
        *,
        left_out: Sequence[str] = (),
    ) -> None:
        self._lab = lab
        self._left_out = tuple(left_out)
        self._striking = striking or Striking(lab, {})
        self.captures = {host: HostCapture() for host in hosts}

    def begin(self) -> None:
        """Turn offloads off and begin to capture, on all hosts at once; returns when every capture runs.

        Raises LabError where a host cannot: a run that sees nothing is not worth playing.
        """
        self._begin(self.captures)

    def begin_again(self, host: str) -> None:
        """The same for a host that was started again: its capture goes on."""
        seen = self.captures[host]
        seen.sealed, seen.drops_before = False, seen.drops
        self._begin([host])

    def _begin(self, hosts: Iterable[str]) -> None:
        ring = max(1 << 20, READY_RING_BYTES * FEW_HOSTS // max(FEW_HOSTS, len(self.captures)))
        channels = {host: self._lab.agent(host) for host in hosts}
        begin = {"do": "capture", "ring": ring}
        waiting = [
            (host, channel, channel.post(request))
            for host, channel in channels.items()
            for request in ({"do": "offload"}, {**begin, "without": self._striking.readers(host)})
        ]
        for host in self._left_out:
            channel = self._lab.agent(host)
            waiting.append((host, channel, channel.post({"do": "offload"})))
        for host, channel, identifier in waiting:
            reply = channel.wait(identifier, ANSWER_S)
            problem = reply.get("malformed") or (reply.get("error") or {}).get("text")
            if problem:
                raise LabError(
                    f"host {host} cannot capture its packets: {problem}",
                    "Its agent needs the capabilities NET_ADMIN and NET_RAW.",
                )

    def settle(self) -> int:
        """Drain until no host had sent or received anything for a moment before, or for half a second at most.

        Before, wait for the frames that faults delay, for ten seconds at most. Returns until when (CLOCK_REALTIME)
        all is known: what was sent before, and whether it arrived.
        """
        self._wait_for_delayed()
        called_ns = time.time_ns()
        while True:
            began_ns = time.time_ns()  # whatever there was until now, the drain fetches it
            self.drain()
            newest = max((one.frames[-1].time_ns for one in self.captures.values() if one.frames), default=0)
            if newest <= began_ns - QUIET_NS:
                return began_ns
            if began_ns - called_ns > SETTLE_NS:  # not the time after it: a drain may take long
                return max(called_ns, began_ns - QUIET_NS)
            time.sleep(max(0, newest + QUIET_NS - time.time_ns()) / 1e9)

    def end(self, until_ns: int) -> None:
        """Leave out what was sent later: it may have arrived where nobody looked any more."""
        for seen in self.captures.values():
            seen.frames = [one for one in seen.frames if one.time_ns <= until_ns or one.direction != "out"]

    def _wait_for_delayed(self) -> None:
        """Until every delayed frame has left, and has had time to arrive."""
        deadline_ns = time.time_ns() + LONGEST_DELAY_S * 1_000_000_000
        waited = False
        while (until_ns := self._striking.until_ns()) and time.time_ns() < deadline_ns:
            time.sleep(max(1_000_000, min(until_ns, deadline_ns) - time.time_ns()) / 1e9)
            waited = True
        if waited:
            time.sleep(QUIET_NS / 1e9)

    def drain(self) -> None:
        """Fetch what was captured since the last time; a host that cannot answer any more is `missing`."""
        for host in self.captures:
            self.drain_host(host)

    def drain_host(self, host: str) -> None:
        """The same for one host."""
        seen = self.captures[host]
        if seen.missing or seen.sealed:
            return
        try:
            while self._fetch(host, seen):
                pass
        except LabError as error:
            seen.missing = error.what

    def seal(self, host: str, until_ns: int) -> None:
        """Fetch the last of a host that is off all networks since `until_ns` (CLOCK_REALTIME): its capture is whole.

        What the host tried to send after that was on no wire, and is left out.
        """
        if host in self._left_out:
            return
        seen = self.captures[host]
        self.drain_host(host)
        seen.frames = [one for one in seen.frames if one.time_ns <= until_ns]
        seen.sealed = True

    def _fetch(self, host: str, seen: HostCapture) -> bool:
        value = self._lab.agent(host).ask(ANSWER_S, do="frames")
        renamed = self._striking.renamed(host)
        names = {int(index): renamed.get(name, name) for index, name in value["interfaces"].items()}
        for block in value["blocks"]:
            seen.frames.extend(ring.frames_of(base64.b64decode(block), host, names))
        seen.drops = seen.drops_before + value["drops"]
        if value.get("spool_error"):
            seen.missing = f"the capture of {host} could not be kept: {value['spool_error']}"
        return bool(value["more"])

    def write(self, path: Path) -> None:
        """Write all that was captured as one pcapng file, an interface for each end of each host."""
        ends = [(host, end.name) for host in self.captures for end in self._lab.interfaces(host)]
        drops = {
            (host, self._lab.interfaces(host)[0].name): seen.drops
            for host, seen in self.captures.items()
            if self._lab.interfaces(host)
        }
        capture.write(path, self._frames(), ends, drops)

    def _frames(self) -> Iterator[Frame]:
        for seen in self.captures.values():
            yield from seen.frames
