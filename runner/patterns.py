"""One line of a ladder against one packet: does it fit, and if not, what is different, in words for a
learner.

Knows lines and transmissions; order and what else must be explained is `runner.matching`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from runner import conditions
from runner.conditions import Condition, Owner
from runner.headers import ACK, FIN, PSH, RST, SYN, TCP, URG
from runner.ladder import Line
from runner.packets import Transmission
from runner.quoting import around, first_difference, quoted
from runner.words import Word, flags_text, words_of

_SHORT = 32
"""Payloads up to this length are shown whole in a difference, longer ones around the first byte that differs.
"""
_Moment = int | None
_Test = Callable[[Transmission, _Moment], bool]
_Difference = Callable[[Transmission, _Moment], str]


class Pattern:
    """A line, made ready to be held against many packets.

    `owner` resolves addresses to hosts. In `since_ns` both methods are told when the packet of the line
    before was sent, or None where there is none.
    """

    def __init__(self, line: Line, owner: Owner) -> None:
        self.line = line
        self.uses_time = line.names("after")
        self._source, self._target = owner(line.source.text), owner(line.target.text)
        self._owner = owner
        self._aspects = list(self._all_aspects())

    def fits(self, seen: Transmission, since_ns: _Moment = None) -> bool:
        """Whether the packet is as the line says."""
        if seen.source != self._source or seen.target != self._target or seen.lost != self.line.lost:
            return False
        return all(test(seen, since_ns) for test, _ in self._aspects)

    def differences(self, seen: Transmission, since_ns: _Moment = None) -> list[str]:
        """Everything in which the packet is not as the line says: `flags RST,ACK instead of SYN,ACK`."""
        found = []
        if (seen.source, seen.target) != (self._source, self._target):
            found.append(self._direction(seen))
        if seen.lost != self.line.lost:
            found.append("it was lost on its way" if seen.lost else "it arrived, it was not lost")
        found.extend(tell(seen, since_ns) for test, tell in self._aspects if not test(seen, since_ns))
        return found

    def _direction(self, seen: Transmission) -> str:
        if (seen.target, seen.source) == (self._source, self._target):
            return f"sent by {seen.source}, not by {self._source}"
        return f"from {seen.source} to {seen.target}, not from {self._source} to {self._target}"

    def _all_aspects(self) -> Iterator[tuple[_Test, _Difference]]:
        """Test and difference of all that the line says but its ends, cheap ones first."""
        line = self.line
        if line.flags is not None:
            yield partial(_has_flags, line.flags & ~PSH), partial(_other_flags, line.flags)
        for word in line.words:
            yield partial(_is, word), partial(_other_word, word.name)
        if line.wants_data is not None:
            yield partial(_has_data, line.wants_data), partial(_other_data, line.wants_data)
        if line.payload is not None:
            wanted = line.payload, line.prefix
            yield partial(_has_payload, *wanted), partial(_other_payload, *wanted)
        for condition in line.conditions:
            yield partial(_holds, condition, self._owner), partial(_other_value, condition, self._owner)


# --- tests ----------------------------------------------------------------------------------------


def _has_flags(wanted: int, seen: Transmission, _: _Moment) -> bool:
    flags = seen.sent.header.flags
    return flags >= 0 and flags & ~PSH == wanted


def _is(word: Word, seen: Transmission, _: _Moment) -> bool:
    return word.fits(seen.sent.header)


def _has_data(wanted: bool, seen: Transmission, _: _Moment) -> bool:
    return (seen.sent.header.length > 0) == wanted


def _has_payload(wanted: bytes, prefix: bool, seen: Transmission, _: _Moment) -> bool:
    return seen.sent.payload.startswith(wanted) if prefix else seen.sent.payload == wanted


def _holds(condition: Condition, owner: Owner, seen: Transmission, since_ns: _Moment) -> bool:
    return conditions.holds(condition, seen, owner, since_ns)


# --- differences ----------------------------------------------------------------------------------


def _other_flags(wanted: int, seen: Transmission, _: _Moment) -> str:
    header = seen.sent.header
    if header.flags < 0:
        return f"{' '.join(words_of(header))} instead of {flags_text(wanted)}"
    return f"flags {flags_text(header.flags)} instead of {flags_text(wanted)}"


def _other_word(wanted: str, seen: Transmission, _: _Moment) -> str:
    return f"{' '.join(words_of(seen.sent.header))} instead of {wanted}"


def _other_data(wanted: bool, seen: Transmission, _: _Moment) -> str:
    if wanted:
        return "it carries no data"
    payload = seen.sent.payload
    return f"it carries {seen.sent.header.length} bytes of data, {quoted(payload, 20)}"


def _other_payload(wanted: bytes, prefix: bool, seen: Transmission, _: _Moment) -> str:
    payload = seen.sent.payload
    if max(len(payload), len(wanted)) <= _SHORT:
        return f"payload {quoted(payload)} instead of {quoted(wanted)}{'...' if prefix else ''}"
    place = first_difference(payload, wanted) or 0
    there, due = (around(data, place) if place < len(data) else "its end" for data in (payload, wanted))
    return f"payload differs at byte {place}: {there} instead of {due}"


def _other_value(condition: Condition, owner: Owner, seen: Transmission, since_ns: _Moment) -> str:
    there = conditions.shown(condition, seen, owner, since_ns)
    return f"{there} instead of {condition}"


# --- kinds of packets -----------------------------------------------------------------------------


def is_acknowledgement(seen: Transmission) -> bool:
    """Whether it is a pure ACK: a TCP segment with no other flag that means something, and without data."""
    header = seen.sent.header
    return (
        header.protocol == TCP
        and header.flags >= 0
        and header.flags & (ACK | SYN | FIN | RST | URG) == ACK
        and header.length == 0
    )


def has_fin(seen: Transmission) -> bool:
    """Whether it is a TCP segment that ends its sender's stream."""
    return seen.sent.header.flags > 0 and bool(seen.sent.header.flags & FIN)
