"""The faults in force on one host: which frame each of them means, what becomes of it, and a note of every change.

Runs in the host: standard library only, Python 3.9 syntax. Sees frames and no socket, no clock: whoever sends them asks
`take` what leaves when.
"""

from __future__ import annotations

import heapq
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from lab.faults import FAULTS
from lab.faults.frame import Fault, Frame, Memory
from lab.faults.headers import Headers
from lab.faults.numbers import Numbers
from lab.faults.partition import Partition
from lab.faults.selecting import test_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lab.faults.readable import Test


FREED, DOUBTED = "freed", "doubted"
"""What is noted of a frame that a fault lets go before its time, since the fault is healed or the steps end; and of one
for a group whose receivers a partition cuts off, or takes back, while it is on its way.
"""


@dataclass(frozen=True)
class Receivers:
    """Whose frames are meant: MACs and IP addresses of the receivers, and the wires on which they are all there are, so
    that a frame for a group is for them. On the wires in `among` there are others as well: the sender's own MAC there,
    and the receivers as people call them.
    """

    macs: frozenset[str]
    addresses: frozenset[str]
    alone_on: frozenset[int]
    among: dict[int, tuple[str, str]] = field(default_factory=dict)

    def include(self, found: Headers, wire: int) -> bool:
        """Whether a frame goes to one of them; one for a group only where it goes to nobody else."""
        if _is_for_a_group(found):
            return wire in self.alone_on
        return found.data[:6].hex(":") in self.macs or found.address(True) in self.addresses


@dataclass
class InForce:
    """One fault in force: what it means, how often it was met, and what it holds.

    `nth` are ranges of counts, both ends included, an open end None; without it and without `probability` every frame
    is struck.
    """

    name: str
    fault: Fault
    test: Optional[Test] = None
    to: Optional[Receivers] = None
    nth: Optional[list[tuple[int, Optional[int]]]] = None
    probability: Optional[float] = None
    chance: random.Random = field(default_factory=random.Random)
    count: int = 0
    memory: Memory = field(default_factory=Memory)

    def means(self, found: Headers, wire: int) -> bool:
        """Whether a frame is one of those that it counts."""
        return (self.test is None or self.test(found)) and (self.to is None or self.to.include(found, wire))

    def refuses(self, found: Headers, wire: int) -> bool:
        """Whether it names a frame that goes to others as well, so that it cannot strike it for its receivers alone."""
        if self.to is None or wire not in self.to.among or not _is_for_a_group(found):
            return False
        cuts = self.fault.name == Partition.name  # else a group is meant only where the conditions say so
        return self.test(found) if self.test is not None else cuts

    def leaves_to_receivers(self, found: Headers, wire: int) -> str:
        """The receivers that do not take a frame for a group by themselves, since they are cut off from its sender.

        Empty where that is not so: only a partition without conditions is done at its receivers as well, and they know
        the sender by its own MAC.
        """
        plain = self.test is None and self.nth is None and self.probability is None
        if not plain or self.fault.name != Partition.name or self.to is None or not _is_for_a_group(found):
            return ""
        mac, names = self.to.among.get(wire, ("", ""))
        return names if found.data[6:12].hex(":") == mac else ""

    def chooses(self) -> bool:
        """Whether the frame that was just counted is struck."""
        if self.probability is not None and self.chance.random() >= self.probability:
            return False
        if self.nth is None:
            return True
        return any(low <= self.count and (high is None or self.count <= high) for low, high in self.nth)

    def overtaken(self, wire: int) -> list[Frame]:
        """A frame has passed those that are held on its wire: the ones that need not wait any longer."""
        left = [(frame, more - (frame.wire == wire)) for frame, more in self.memory.held]
        self.memory.held = [one for one in left if one[1] > 0]
        return [frame for frame, more in left if more <= 0]


def _receivers(to: dict[str, Any]) -> Receivers:
    """The receivers of a request."""
    macs, addresses, alone_on = (frozenset(to[key]) for key in ("macs", "addresses", "alone_on"))
    return Receivers(macs, addresses, alone_on, {wire: (mac, names) for wire, mac, names in to["among"]})


def _put_off(name: str, frame: Frame, by_ns: int) -> Frame:
    return replace(frame, put_off=(*frame.put_off, (name, by_ns))) if by_ns > 0 else frame


def _is_for_a_group(found: Headers) -> bool:
    return bool(found.data[:1]) and bool(found.data[0] & 1)


class Line:
    """All faults in force, the frames that are not due yet, and the changes since they were last asked for.

    `relative`: some fault will mean frames by numbers relative to the beginning of their connection, so that every
    frame must be taken, also while no fault is in force.
    """

    def __init__(self) -> None:
        self.forces: list[InForce] = []
        self.changes: list[dict[str, Any]] = []
        self.relative = False
        self._numbers = Numbers()
        self._waiting: list[tuple[int, int, Frame]] = []
        self._order = 0

    # faults

    def begin(self, request: dict[str, Any]) -> None:
        """Put a fault in force; raises KeyError or TypeError for a request that is none."""
        fault = FAULTS[request["kind"]](**request["parameters"])
        to = request["to"]
        begun = InForce(
            request["name"],
            fault,
            test_of(request["where"], self._numbers) if request["where"] else None,
            _receivers(to) if to else None,
            request["nth"],
            request["probability"],
            random.Random(request["seed"]),
            memory=Memory(every=request["nth"] is None and request["probability"] is None),
        )
        self.forces.append(begun)
        self._doubt(begun)

    def heal(self, name: str, now_ns: int) -> list[Frame]:
        """End a fault; returns the frames that leave because of that, in the order in which they were sent.

        What it held meets the faults that began later; what another fault has put off as well still waits for that.
        """
        freed: list[Frame] = []
        for force in [one for one in self.forces if one.name == name]:
            self._doubt(force)
            freed += self._let_go(force, now_ns)
            waiting, self._waiting = [frame for _, _, frame in sorted(self._waiting)], []
            freed += [self._put_off_no_more(force, frame, now_ns) for frame in waiting]
            for other in self.forces:
                held = other.memory.held
                other.memory.held = [
                    (self._put_off_no_more(force, frame, now_ns), more) for frame, more in held
                ]
            self.forces.remove(force)
        return sorted(self._now(freed, now_ns), key=lambda frame: frame.sent_ns)

    def release(self, now_ns: int) -> list[Frame]:
        """What faults hold until something passes; afterwards nothing waits but for its time."""
        return self._now([frame for force in self.forces for frame in self._let_go(force, now_ns)], now_ns)

    def _doubt(self, force: InForce) -> None:
        """Note the frames on their way that receivers take or not by themselves, and for whom that changes now."""
        held = [frame for one in self.forces for frame, _ in one.memory.held]
        for frame in [*held, *(one[2] for one in self._waiting)]:
            if force.leaves_to_receivers(Headers(frame.data), frame.wire):
                self._note(force, DOUBTED, frame, [frame])

    def _let_go(self, force: InForce, now_ns: int) -> list[Frame]:
        """What is left, by the faults that began later, of the frames that one holds."""
        held, force.memory.held = [frame for frame, _ in force.memory.held], []
        for frame in held:
            self._note_freed(force, frame, max(now_ns, frame.due_ns))
        return self._through(self.forces[self.forces.index(force) + 1 :], held)

    def _put_off_no_more(self, force: InForce, frame: Frame, now_ns: int) -> Frame:
        """A frame that waits, without the time for which a fault that is healed has put it off."""
        by_ns = sum(by_ns for name, by_ns in frame.put_off if name == force.name)
        if not by_ns:
            return frame
        due_ns = frame.due_ns - by_ns
        self._note_freed(force, frame, max(now_ns, due_ns))
        left = tuple(one for one in frame.put_off if one[0] != force.name)
        return replace(frame, due_ns=due_ns, put_off=left)

    # frames

    def take(self, frame: Frame) -> list[Frame]:
        """The frames that leave because this one was sent, in order; those not due yet are kept for `due`."""
        if self.relative:
            self._numbers.note(Headers(frame.data))
        frames = self._through(self.forces, [frame])
        self._doubt_others(frame, frames)
        return frames if len(frames) == 1 and frames[0] is frame else self._now(frames)

    def _doubt_others(self, frame: Frame, left: list[Frame]) -> None:
        """Note a frame for a group that is not seen any more to be of a sender that receivers are cut off from."""
        source = frame.data[6:12]
        if frame.data[:1] and frame.data[0] & 1 and any(one.data[6:12] != source for one in left):
            for force in self.forces:
                if force.leaves_to_receivers(Headers(frame.data), frame.wire):
                    self._note(force, DOUBTED, frame, [frame])

    def _through(self, forces: list[InForce], frames: list[Frame]) -> list[Frame]:
        """What these faults leave of frames, one after the other."""
        for force in forces:
            frames = [left for one in frames for left in self._strike(force, one)]
        return frames

    def _now(self, frames: list[Frame], now_ns: int = 0) -> list[Frame]:
        """Those that leave now; the others are kept for their time."""
        now = []
        for one in frames:
            if one.due_ns <= max(one.sent_ns, now_ns):
                now.append(one)
            else:
                self._order += 1
                heapq.heappush(self._waiting, (one.due_ns, self._order, one))
        return now

    def due(self, now_ns: int) -> Iterator[Frame]:
        """The frames whose time has come, in order."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            yield heapq.heappop(self._waiting)[2]

    @property
    def is_idle(self) -> bool:
        """Whether frames need not be taken: none would be changed, and nothing about them must be remembered."""
        return not self.forces and not self.relative

    @property
    def next_ns(self) -> Optional[int]:
        """When the next frame is due; None where none waits."""
        return self._waiting[0][0] if self._waiting else None

    @property
    def waiting(self) -> int:
        """How many frames wait for their time."""
        return len(self._waiting)

    @property
    def last_ns(self) -> int:
        """When the last frame that waits now is due; 0 where none waits."""
        return max((one[0] for one in self._waiting), default=0)

    def _strike(self, force: InForce, frame: Frame) -> list[Frame]:
        found = Headers(frame.data)
        if not force.means(found, frame.wire):
            told = force.leaves_to_receivers(found, frame.wire)
            if told:
                force.count += 1
                self._note(force, force.fault.name, frame, [frame], told)
                return [frame]
            if force.refuses(found, frame.wire):
                self._note(force, "refused", frame, [frame])
            return [frame]
        force.count += 1
        if not force.chooses():
            return [frame, *force.overtaken(frame.wire)]
        left = force.fault.strike(frame, force.memory)
        if left == [frame]:
            return [frame, *force.overtaken(frame.wire)]
        self._note(force, force.fault.name, frame, left)
        left = [_put_off(force.name, one, one.due_ns - frame.due_ns) for one in left]
        return [*left, *force.overtaken(frame.wire)] if left else []

    def _note_freed(self, force: InForce, frame: Frame, leaves_ns: int) -> None:
        self._note(force, FREED, frame, [frame])
        self.changes[-1].update(nth=0, later=leaves_ns - frame.sent_ns)

    def _note(self, force: InForce, what: str, frame: Frame, left: list[Frame], of: str = "") -> None:
        """A change, with enough to find the frame: what was sent and what became of it, by length and CRC-32."""
        change: dict[str, Any] = {
            "fault": force.name, "what": what, "at": frame.sent_ns, "nth": force.count, "wire": frame.wire,
            "length": len(frame.data), "crc": zlib.crc32(frame.data),
        }  # fmt: skip
        if of:
            change["of"] = of
        if left and left[0].data != frame.data:
            change["became"] = [len(left[0].data), zlib.crc32(left[0].data)]
        if left and left[0].due_ns > frame.due_ns:
            change["later"] = left[0].due_ns - frame.due_ns
        self.changes.append(change)
