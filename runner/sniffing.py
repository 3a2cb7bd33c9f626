"""What hosts have received and steps have not taken yet: packets out of the recorder, as `sniff_packet` sees them.

Reads captures while they go on; nothing is taken away from the run's own record. What a step wants is its own affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.engine import Interface
from runner.commands import SniffPacket
from runner.errors import Unmet
from runner.headers import decode
from runner.packets import Packet
from runner.recorder import Recorder


class Sniffer:
    """The received packets of every host, in the order in which they came."""

    def __init__(self, recorder: Recorder, interfaces: Mapping[str, Sequence[Interface]]) -> None:
        self._recorder = recorder
        self._networks = {(end.host, end.name): end.network for ends in interfaces.values() for end in ends}
        self._read: dict[str, int] = {}
        self._waiting: dict[str, list[Packet]] = {}

    def take(self, wanted: SniffPacket) -> Packet | None:
        """The first packet that matches and is behind the last one that was taken; None where none has come yet.

        Raises Unmet where the host's capture is gone, and what the command's `matches` raises.
        """
        waiting = self._received(wanted.host)
        for place, packet in enumerate(waiting):
            if wanted.matches(packet):
                del waiting[: place + 1]
                return packet
        return None

    def _received(self, host: str) -> list[Packet]:
        """What the host has received and nobody took or passed over, with what has come by now."""
        self._recorder.drain_host(host)
        capture = self._recorder.captures[host]
        if capture.missing:
            raise Unmet(capture.missing)
        waiting = self._waiting.setdefault(host, [])
        for frame in capture.frames[self._read.get(host, 0) :]:
            if frame.direction == "in":
                network = self._networks.get((host, frame.interface), "")
                header = decode(frame.data, frame.link)
                waiting.append(
                    Packet(
                        0, frame.time_ns, host, frame.interface, network, "in", frame.data, header, frame.link
                    )
                )
        self._read[host] = len(capture.frames)
        return waiting
