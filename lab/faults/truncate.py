"""The fault `truncate`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from lab.faults.frame import Frame, Memory

SHORTEST = 14
"""Bytes of an Ethernet header: a packet socket sends nothing shorter (packet(7))."""


@dataclass(frozen=True)
class Truncate:
    """Cut frames off; a receiver finds that the lengths in the headers do not fit, and discards them.

    length  how many bytes of the frame are left, Ethernet header included; 14 at least
    """

    length: int
    name: ClassVar[str] = "truncate"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """Its beginning."""
        return [replace(frame, data=frame.data[: max(self.length, SHORTEST)])]
