"""The fault `reorder`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.faults.frame import Frame, Memory


@dataclass(frozen=True)
class Reorder:
    """Let frames be overtaken: each waits until others that match have passed it on its link, however long that takes.

    A frame that nothing overtakes leaves when the fault is healed, or at the end of the steps. Where every frame is
    meant (no `nth`, no `probability`), none is held while another one is, so that they leave in pairs.

    past  how many matching frames pass it (1: it and the next one change places)
    """

    past: int = 1
    name: ClassVar[str] = "reorder"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """Nothing yet, as a rule: it is held until `past` frames have passed."""
        if memory.every and any(one.wire == frame.wire for one, _ in memory.held):
            return [frame]
        memory.held.append((frame, self.past))
        return []
