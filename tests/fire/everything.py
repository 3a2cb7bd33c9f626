"""All experiments, in the order of the page."""

from __future__ import annotations

from functools import partial

from tests.fire import damage, machine, programs, runs
from tests.fire.measured import EXPERIMENTS, Experiment

_ORDER = [one.__name__ for one in (runs, programs, machine, damage)]


def _place(one: Experiment) -> int:
    function = one.play.func if isinstance(one.play, partial) else one.play
    return _ORDER.index(function.__module__)


ALL = sorted(EXPERIMENTS, key=_place)
