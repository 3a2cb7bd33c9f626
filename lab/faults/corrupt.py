"""The fault `corrupt`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Optional

from lab.faults.frame import Frame, Memory
from lab.faults.headers import Headers, mended


@dataclass(frozen=True)
class Corrupt:
    """Change one byte of frames on their way: all its bits are turned round.

    A receiver discards what has a wrong checksum, so an application sees that as loss; with `mend` the checksums of IP,
    TCP, UDP and ICMP are made right again, and the application is given wrong bytes.

    at    which byte, counted from 0 at the beginning of the frame; without it the last byte of the packet
    mend  true: make the checksums right again
    """

    at: Optional[int] = None
    mend: bool = False
    name: ClassVar[str] = "corrupt"

    def strike(self, frame: Frame, memory: Memory) -> list[Frame]:
        """The frame with one byte changed; as it is where it has no such byte."""
        data = bytearray(frame.data)
        place = Headers(frame.data).end - 1 if self.at is None else self.at
        if not 0 <= place < len(data):
            return [frame]
        data[place] ^= 0xFF
        return [replace(frame, data=mended(bytes(data)) if self.mend else bytes(data))]
