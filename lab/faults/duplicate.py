"""The fault `duplicate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.faults.frame import Frame, Memory


@dataclass(frozen=True)
class Duplicate:
    """Let frames arrive twice, one right after the other."""

    name: ClassVar[str] = "duplicate"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """The frame, twice."""
        return [frame, frame]
