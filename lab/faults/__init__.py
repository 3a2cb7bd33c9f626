"""What may happen to a frame between its sender and its receiver: one file, one class for each kind of fault.

A fault is a frozen dataclass with its name, its parameters (described in its docstring, one line each) and `strike`,
which says what becomes of a frame. The same classes are what the language reads (`runner.steps.faults`) and what is
carried out in the host (`lab.faults.feed`); `lab.faults.striking` is the runner's end.
"""

from __future__ import annotations

from lab.faults.corrupt import Corrupt
from lab.faults.delay import Delay
from lab.faults.drop import Drop
from lab.faults.duplicate import Duplicate
from lab.faults.frame import Fault
from lab.faults.partition import Partition
from lab.faults.rate import Rate
from lab.faults.reorder import Reorder
from lab.faults.truncate import Truncate

FAULTS: dict[str, type[Fault]] = {
    one.name: one for one in (Drop, Delay, Duplicate, Reorder, Corrupt, Truncate, Rate, Partition)
}
"""Every kind of fault by its name."""
