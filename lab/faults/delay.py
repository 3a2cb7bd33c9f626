"""The fault `delay`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from lab.faults.frame import Frame, Memory


@dataclass(frozen=True)
class Delay:
    """Let frames arrive later. Frames that are all delayed by the same keep their order.

    by  for how long, counted from when the sender's kernel sent it: 10ms
    """

    by: int
    name: ClassVar[str] = "delay"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """The frame, due `by` nanoseconds later."""
        return [replace(frame, due_ns=frame.due_ns + self.by)]
