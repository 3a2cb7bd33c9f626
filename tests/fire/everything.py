"""All experiments, in the order of the page."""

from __future__ import annotations

from tests.fire import damage, machine, programs, runs
from tests.fire.measured import EXPERIMENTS

__all__ = ["EXPERIMENTS", "damage", "machine", "programs", "runs"]
