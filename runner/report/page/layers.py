"""The bytes and the layers of packets, small enough for a page: every name and every value once, packets point to them.

What scapy makes of a frame takes long and is long: of a large run only the first packets have layers, and those that a
finding names; of a very large one only the beginning of each packet's bytes is there. `told` says which limits held.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runner import dissect
from runner.packets import Packet, Transmission
from runner.report.text import printable

DISSECTED = 2000
"""So many packets have their layers, and besides as many of those that findings name: about a second's work."""
BYTES = 4 << 20
"""Bytes of all packets together; where they are more, of each only the first `BEGINNING`."""
BEGINNING = 128
VALUE = 400
"""Characters of a field's value: the bytes are there besides."""


@dataclass
class Layers:
    """What is collected while packets are added."""

    dissected: int = 0
    cut_to: int = 0
    _kinds: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _values: dict[str, int] = field(default_factory=dict)
    _frames: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, sent: Sequence[Transmission], named: Sequence[int]) -> Layers:
        """The layers of a run's packets; `named` are the numbers of those that should be among them, in order."""
        made = cls()
        made.cut_to = BEGINNING if sum(len(one.sent.data) for one in sent) > BYTES else 0
        also = set(named[:DISSECTED])
        for place, one in enumerate(sent):
            made._add(one, whole=place < DISSECTED or one.sent.number in also)
        return made

    @property
    def told(self) -> dict[str, Any]:
        """`kinds` are a layer's name and its fields' names and places, `frames` by packet number: bytes, what arrived
        where that is different, and layers as [kind, begin, length, values].
        """
        return {
            "dissected": self.dissected,
            "cut": self.cut_to,
            "kinds": [list(one) for one in self._kinds],
            "values": list(self._values),
            "frames": self._frames,
        }

    def _add(self, one: Transmission, *, whole: bool) -> None:
        frame: dict[str, Any] = {"bytes": self._encoded(one.sent)}
        changed = next((copy for copy in one.arrivals if copy.data != one.sent.data), None)
        if changed is not None:
            frame["changed"] = self._encoded(changed)
        if whole:
            self.dissected += 1
            frame["layers"] = self._layers(one.sent)
            if changed is not None:
                frame["changed_layers"] = self._layers(changed)
        self._frames[one.sent.number] = frame

    def _layers(self, packet: Packet) -> list[list[Any]]:
        return [self._layer(layer) for layer in dissect.anatomy(packet.data, packet.link, packet.carries)]

    def _encoded(self, packet: Packet) -> str:
        data = packet.data[: self.cut_to] if self.cut_to else packet.data
        return base64.b64encode(data).decode("ascii")

    def _layer(self, layer: dissect.Layer) -> list[Any]:
        shape = (layer.name, *((one.name, one.begin - layer.begin, one.length) for one in layer.fields))
        kind = self._kinds.setdefault(shape, len(self._kinds))
        values = [
            self._values.setdefault(printable(_shortened(one.value)), len(self._values))
            for one in layer.fields
        ]
        return [kind, layer.begin, layer.length, values]


def _shortened(value: str) -> str:
    return value if len(value) <= VALUE else f"{value[:VALUE]}..."
