"""The registry of expectations: each is one class in one module, with its keys, its reference text and what
it examines.

A check sees recorded evidence only: no lab, no clock, no files.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.checks.count import Count
from runner.checks.packets import Packets
from runner.checks.states import States
from runner.checks.stream import Stream
from runner.model import Model

CHECKS: Mapping[str, type[Model]] = {check.kind: check for check in (Packets, Count, Stream, States)}
"""Kind, which is the key in the scenario, -> class."""
