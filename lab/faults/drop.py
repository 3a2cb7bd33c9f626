"""The fault `drop`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.faults.frame import Frame, Memory


@dataclass(frozen=True)
class Drop:
    """Lose frames: sent and never received, as on a line with noise or in a full queue."""

    name: ClassVar[str] = "drop"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """Nothing is left of it."""
        return []
