"""A capture from anywhere, read as a whole: its packets in the order of time, their flows and marks.

For files of millions of packets: columns for all, a packet as an object only where somebody looks at it.
Raises UsageError where a file cannot be read. What is shown of it is `runner.report.captured`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab import capture_index
from lab.capture import CaptureError
from lab.capture_index import Index, Integers
from runner import columns as header_columns
from runner import conditions, conversations, retransmissions
from runner.columns import Columns, Truth
from runner.conditions import Condition
from runner.conversations import Conversations
from runner.errors import UsageError
from runner.headers import decode
from runner.operands import Operand
from runner.packets import Packet, Transmission
from runner.retransmissions import Marks


@dataclass(frozen=True, eq=False)
class Survey:
    """All packets of a capture, each once, in the order of time; a row is a place in all of the columns.

    `numbers` are the packets' places in the file, from 1. `damage` says what is wrong with the file behind the
    packets that could be read, or nothing.
    """

    index: Index
    numbers: Integers
    columns: Columns
    conversations: Conversations
    marks: Marks
    damage: str

    def __len__(self) -> int:
        return len(self.numbers)

    def transmission(self, row: int) -> Transmission:
        """One packet with all that is known of it; `struck` says how TCP takes it."""
        source = self.index.sources[int(self.index.source[row])]
        data = self.index.frame(row)
        header = decode(data, source.link)
        packet = Packet(
            int(self.numbers[row]), int(self.index.time_ns[row]), source.host, source.name, "", "in", data,
            header, source.link,
        )  # fmt: skip
        ends = (header.src, header.dst) if header.version else (header.source_mac, header.target_mac)
        seq, ack = int(self.marks.relative_seq[row]), int(self.marks.relative_ack[row])
        return Transmission(packet, (), *ends, False, seq, ack, self._words(row))

    def _words(self, row: int) -> tuple[str, ...]:
        marks = self.marks
        pairs = ((marks.again, "sent again"), (marks.misplaced, "out of order"), (marks.probe, "probe"))
        return tuple(word for mask, word in pairs if mask[row])


def read(path: Path) -> Survey:
    """Survey a pcap or pcapng file; raises UsageError where it is none or cannot be read."""
    if not path.is_file():
        what = "is no file" if path.exists() else "is not there"
        raise UsageError(f"the capture {path} {what}")
    try:
        whole = capture_index.read(path)
    except CaptureError as error:
        raise UsageError(f"the capture {path} is damaged: {error}") from None
    except OSError as error:
        raise UsageError(f"the capture {path} cannot be read: {error.strerror}") from None
    rows = conversations.originals(whole)
    index = whole.picked(rows)
    found = header_columns.read(index)
    groups = conversations.group(found)
    marks = retransmissions.mark(found, groups, index.time_ns)
    return Survey(index, rows + 1, found, groups, marks, whole.damage)


# --- picking packets ------------------------------------------------------------------------------


def choose(survey: Survey, wanted: Sequence[Condition]) -> Integers:
    """The rows whose packets meet all conditions; raises Blind as `conditions.holds` does.

    Common fields are compared as columns; what is left of the conditions is asked of each packet that met
    those.
    """
    chosen = np.ones(len(survey), np.bool_)
    asked: list[Condition] = []
    for condition in wanted:
        mask = _compared(survey, condition)
        if mask is None:
            asked.append(condition)
        else:
            chosen &= mask
    rows: Integers = np.flatnonzero(chosen)
    if asked:
        rows = np.array([int(row) for row in rows if _meets(survey, int(row), asked)], np.int64)
    return rows


def _meets(survey: Survey, row: int, asked: Sequence[Condition]) -> bool:
    one = survey.transmission(row)
    return all(conditions.holds(condition, one, _nobody) for condition in asked)


def _nobody(address: str) -> str:
    return address


_NUMBERS: dict[str, Callable[[Survey], Integers]] = {
    "TCP.sport": lambda survey: survey.columns.sport.astype(np.int64),
    "TCP.dport": lambda survey: survey.columns.dport.astype(np.int64),
    "TCP.seq": lambda survey: survey.columns.seq,
    "TCP.ack": lambda survey: survey.columns.ack,
    "TCP.window": lambda survey: survey.columns.window.astype(np.int64),
    "UDP.sport": lambda survey: survey.columns.sport.astype(np.int64),
    "UDP.dport": lambda survey: survey.columns.dport.astype(np.int64),
}
_LAYERS = {"TCP": 6, "UDP": 17}


def _compared(survey: Survey, condition: Condition) -> Truth | None:
    """Which rows meet a condition, by their columns; None where only the packets themselves can tell."""
    layer, _, name = condition.field.partition(".")
    protocol = _LAYERS.get(layer)
    if protocol is None or _may_be_inside(survey):
        return None
    has: Truth = (survey.columns.protocol == protocol) & survey.columns.whole & (survey.columns.version > 0)
    if not condition.operator:
        return has
    if condition.field == "TCP.flags" and isinstance(condition.operand, frozenset):
        has &= _flags(survey, condition.operator, condition.operand)
        return has
    column = _NUMBERS.get(f"{layer}.{name}")
    if column is None or not isinstance(condition.operand, int):
        return None
    has &= _ordered(column(survey), condition.operator, condition.operand)
    return has


def _may_be_inside(survey: Survey) -> bool:
    """Whether some packet may carry a whole packet inside, whose layers count too (tunnels)."""
    return bool(np.isin(survey.columns.protocol, (4, 41, 47)).any())


def _flags(survey: Survey, operator: str, letters: Operand) -> Truth:
    from runner.fields import FLAG_LETTERS

    assert isinstance(letters, frozenset)
    bits = sum(1 << FLAG_LETTERS.index(letter) for letter in letters)
    seen = survey.columns.flags.astype(np.int64)
    alike: Truth = seen & bits == bits if operator == "has" else (seen == bits) == (operator == "=")
    return alike


def _ordered(values: Integers, operator: str, wanted: int) -> Truth:
    found: Truth = _compare(values, operator, wanted)
    return found


def _compare(values: Integers, operator: str, wanted: int) -> Any:
    if abs(wanted) >= 1 << 62:
        wanted = (1 << 62) * (1 if wanted > 0 else -1)
    match operator:
        case "=":
            return values == wanted
        case "!=":
            return values != wanted
        case "<":
            return values < wanted
        case "<=":
            return values <= wanted
        case ">":
            return values > wanted
        case ">=":
            return values >= wanted
    return values & wanted == wanted
