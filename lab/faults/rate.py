"""The fault `rate`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from lab.faults.frame import Frame, Memory


@dataclass(frozen=True)
class Rate:
    """Let frames pass one after the other, as a slow line does; its queue has no end and loses nothing.

    bits_per_second  how fast: the bits of the whole frame, Ethernet header included, each second
    """

    bits_per_second: int
    name: ClassVar[str] = "rate"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """The frame, due when its last bit is through."""
        takes_ns = len(frame.data) * 8_000_000_000 // self.bits_per_second
        memory.free_ns = max(memory.free_ns, frame.due_ns) + takes_ns
        return [replace(frame, due_ns=memory.free_ns)]
