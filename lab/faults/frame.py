"""A frame on its way, what a fault remembers between frames, and what every fault can do.

Runs in the host: standard library only, Python 3.9 syntax. Knows no socket and no single fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol


@dataclass(frozen=True)
class Frame:
    """The bytes of an Ethernet frame (without its checksum), where it leaves, and when.

    `sent_ns` is when the stack sent it, `due_ns` when it leaves, both nanoseconds of CLOCK_REALTIME; a frame that is
    due when it was sent leaves at once. `wire` is the number of the host's interface, counted from 0, `put_off` has
    the names of the faults in force that put it off, each with the nanoseconds.
    """

    data: bytes
    sent_ns: int
    due_ns: int
    wire: int = 0
    put_off: tuple[tuple[str, int], ...] = ()


@dataclass
class Memory:
    """What one fault in force remembers: the frames it holds back, each with the number of frames that must pass it
    first, when the line is free again (`rate`), in nanoseconds of CLOCK_REALTIME, and whether it strikes every frame.
    """

    held: list[tuple[Frame, int]] = field(default_factory=list)
    free_ns: int = 0
    every: bool = True


class Fault(Protocol):
    """A kind of fault: frozen, its fields are the keys of a `fault` step."""

    name: ClassVar[str]

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """What becomes of a frame: none, itself, another one, or several in the order in which they leave.

        A frame that is kept in `memory.held` is in none of them.
        """
        ...
