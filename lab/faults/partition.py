"""The fault `partition`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.faults.frame import Frame, Memory


@dataclass(frozen=True)
class Partition:
    """Cut hosts off from each other: what either side sends to the other is lost, in both directions.

    Links stay up and no stack is told, as when a switch between them fails. What is sent to a group (an ARP question
    among three) still reaches those who are not cut off, and no other: the hosts that are do not take it, nor do they
    capture it; only packet sockets of their programs see it. With conditions, `nth` or `probability` that cannot be
    done: a frame to a group of hosts on both sides is left alone, and the verdict is unknown. So it is where the
    partition begins or is healed while another fault delays such a frame.
    """

    name: ClassVar[str] = "partition"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """Nothing is left of it."""
        return []
