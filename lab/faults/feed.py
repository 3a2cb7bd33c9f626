"""The fault process: reads what a host's stack sent into the detours, and sends on what faults leave of it.

Runs in the host as a child of the agent: standard library only, Python 3.9 syntax. It takes one JSON line a request and
answers each with one; at the end of its input it takes the detours away and ends.

Requests, each an object with "do":
  "lay"      {"wires": [[INTERFACE, KINDS]..], "relative": true or false}: make a detour for each, see
             `lab.faults.wires`; relative: some fault will mean frames by `seq` or `ack`
  "begin"    a fault: {"name", "kind", "parameters", "where", "to", "nth", "probability", "seed"}, see `lab.faults.line`
  "heal"     {"name"}: end a fault; what it holds leaves now
  "deaf"     {"macs": [MAC..]}: take nothing any more that these send to groups; replaces those of before
  "release"  what faults hold until something passes leaves now
  "waits"    {"until": NS when the last frame that waits for its time is due, or 0}
  "changes"  {"changes": [..], "more": true or false}: what was done to frames since the last time
  "end"      take the detours away, answer and end
  "counts"   {"in": N, "out": N, "lost": N, "waiting": N}: frames read and sent, those that it could not keep up with,
             and those that are not due yet
Answers: an object; with "error", a text, where the request could not be carried out.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import time
from collections.abc import Iterable
from typing import Any

from lab.faults import wires
from lab.faults.batches import Intake, Outlet
from lab.faults.frame import Frame
from lab.faults.line import Line
from lab.netlink import Netlink

BUFFER_BYTES = 32 << 20
MOST_CHANGES = 2000
FEW_CHANGES = 32
"""How many changes one answer holds at most, and while frames wait for their time: nothing else is done meanwhile."""
LONGEST_DRAIN_S = 0.5
LONGEST_SLEEP_S = 3600.0
AWAKE_NS, AWAKE_AMONG_OTHERS_NS = 100_000, 1_000_000
"""So long before a frame is due nobody sleeps any more: to be woken may take as long, and longer without privilege."""
ANSWER_NS, PATIENCE_NS = 300_000, 20_000_000
"""To answer a request may take so long; until no frame is due meanwhile it waits, but no longer than that."""
_PR_SET_TIMERSLACK = 29


class Feed:
    """The detours of one host, and the loop that serves them."""

    def __init__(self) -> None:
        self.line = Line()
        self._interfaces: list[str] = []
        self._intakes: list[Intake] = []
        self._outlets: list[Outlet] = []
        self._seen = self._left = 0
        self._taken: list[int] = []
        self._lost_before = 0
        self._asked_ns = 0
        self._awake_ns = AWAKE_NS
        self._ended = False

    def serve(self, reader: int, writer: int) -> None:
        """Carry out requests until the end of input."""
        gc.disable()  # it makes no cycles, and to look for some takes longer than a frame may be late
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # else a delay is 50 us late
        try:  # programs wait then, and not the wire: only root of the machine may, and not in every container
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            self._awake_ns = AWAKE_AMONG_OTHERS_NS
        rest = b""
        try:
            while True:
                for descriptor in self._wait(reader):
                    if descriptor != reader:
                        self._read(int(descriptor))
                        continue
                    if self._puts_off():
                        continue
                    data = os.read(reader, 1 << 16)
                    if not data:
                        return
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._write(writer, self._answer(line))
                        if self._ended:
                            return
        finally:
            self._clear()

    def _write(self, writer: int, answer: dict[str, Any]) -> None:
        data = memoryview(json.dumps(answer).encode() + b"\n")
        while data:
            data = data[os.write(writer, data) :]

    def _wait(self, reader: int) -> list[int]:
        """Send what is due, then wait for frames, a request, or the time of the next frame that is due."""
        self._send(self.line.due(time.time_ns()))
        due = self.line.next_ns
        timeout = (
            None if due is None else min(LONGEST_SLEEP_S, max(0, due - time.time_ns() - self._awake_ns) / 1e9)
        )
        watched = [reader, *(one.socket.fileno() for one in self._intakes)]
        return select.select(watched, [], [], timeout)[0]

    def _puts_off(self) -> bool:
        """Whether the request that is there has to wait, since a frame would become due while it is answered."""
        now, due = time.time_ns(), self.line.next_ns
        self._asked_ns = self._asked_ns or now
        if due is not None and due - now < ANSWER_NS and now - self._asked_ns < PATIENCE_NS:
            return True
        self._asked_ns = 0
        return False

    # frames

    def _read(self, descriptor: int) -> None:
        for number, intake in enumerate(self._intakes):
            if intake.socket.fileno() == descriptor:
                self._pass_on(number, intake)

    def _pass_on(self, number: int, intake: Intake) -> int:
        """Read one batch and send on what is left of it; returns how many frames were read."""
        count = intake.read()
        self._seen += count
        self._taken[number] += count
        outlet = self._outlets[number]
        if self.line.is_idle:
            outlet.send_slots(intake, list(range(count)))
            self._left += count
            return count
        unchanged: list[int] = []
        for slot in range(count):
            if self._has_due():
                self._send_slots(number, unchanged)
                unchanged = []
                self._send(self.line.due(time.time_ns()))
            sent_ns = intake.time_ns(slot)
            frame = Frame(bytes(intake.frame(slot)), sent_ns, sent_ns, number)
            left = self.line.take(frame)
            if len(left) == 1 and left[0] is frame:
                unchanged.append(slot)
                continue
            self._send_slots(number, unchanged)
            unchanged = []
            self._send(left)
        self._send_slots(number, unchanged)
        return count

    def _has_due(self) -> bool:
        due = self.line.next_ns
        return due is not None and due <= time.time_ns()

    def _send_slots(self, number: int, slots: list[int]) -> None:
        if slots:
            self._outlets[number].send_slots(self._intakes[number], slots)
            self._left += len(slots)

    def _send(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._outlets[frame.wire].send(frame.data)
            self._left += 1

    def _drain(self) -> None:
        """Pass on all that was sent before now, so that a change of faults meets none of it.

        A busy kernel may hold frames between the two ends of a detour: its count says how many were sent into it.
        """
        for number, intake in enumerate(self._intakes):
            sent = wires.passed(number)[0]
            deadline = time.monotonic() + LONGEST_DRAIN_S
            while self._taken[number] + intake.lost() < sent and time.monotonic() < deadline:
                if not self._pass_on(number, intake):
                    select.select([intake.socket], [], [], 0.001)
                self._send(self.line.due(time.time_ns()))

    # requests

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            handler = getattr(self, "do_" + request["do"])
            self._drain()
            return handler(request) or {}
        except Exception as error:  # whoever asked is told; the frames go on
            return {"error": "%s: %s" % (type(error).__name__, error)}

    def do_lay(self, request: dict[str, Any]) -> None:
        """Make the detours and the sockets at both of their ends."""
        self.line.relative = request["relative"]
        for number, (interface, kinds) in enumerate(request["wires"]):
            self._interfaces.append(interface)
            wires.lay(interface, number)
            with open("/sys/class/net/%s/mtu" % interface) as file:
                slot = (int(file.read()) + 22 + 2047) // 2048 * 2048
            self._intakes.append(Intake(wires.wire_name(number) + "p", slot, BUFFER_BYTES))
            self._outlets.append(Outlet(interface, BUFFER_BYTES))
            sent, lost = wires.passed(number)  # by links that were coming up: nothing of the host's
            self._taken.append(sent)
            self._lost_before += lost
            wires.divert(interface, number, kinds)

    def do_begin(self, request: dict[str, Any]) -> dict[str, Any]:
        """Put a fault in force."""
        self.line.begin(request)
        return {"at": time.time_ns()}

    def do_heal(self, request: dict[str, Any]) -> dict[str, Any]:
        """End a fault."""
        self._send(self.line.heal(request["name"], time.time_ns()))
        return {"at": time.time_ns()}

    def do_deaf(self, request: dict[str, Any]) -> None:
        """Do not hear what some hosts send to groups."""
        for interface in self._interfaces:
            wires.deafen(interface, request["macs"])

    def do_release(self, request: dict[str, Any]) -> None:
        """Let go of what waits for others to pass."""
        self._send(self.line.release(time.time_ns()))

    def do_changes(self, request: dict[str, Any]) -> dict[str, Any]:
        """Hand over the oldest changes."""
        most = MOST_CHANGES if self.line.next_ns is None else FEW_CHANGES
        changes = self.line.changes[:most]
        del self.line.changes[:most]
        return {"changes": changes, "more": bool(self.line.changes)}

    def do_waits(self, request: dict[str, Any]) -> dict[str, Any]:
        """How long the delayed frames need."""
        return {"until": self.line.last_ns}

    def do_counts(self, request: dict[str, Any]) -> dict[str, Any]:
        """What came in and went out; lost is what never reached us and what the kernel did not take from us."""
        lost = sum(outlet.refused for outlet in self._outlets) - self._lost_before
        for number, intake in enumerate(self._intakes):
            lost += intake.lost() + wires.passed(number)[1]
        return {"in": self._seen, "out": self._left, "lost": lost, "waiting": self.line.waiting}

    def do_end(self, request: dict[str, Any]) -> dict[str, Any]:
        """The last request: frames of a host take the straight way again."""
        self._clear()
        self._ended = True
        return {}

    def _clear(self) -> None:
        netlink = Netlink()
        for number, interface in enumerate(self._interfaces):
            wires.clear(netlink, interface, number)
        netlink.close()
        self._interfaces = []


def main() -> None:
    """Be the fault process on stdin and stdout."""
    Feed().serve(0, 1)
