"""Steps that set and read socket options.

setsockopt(2), getsockopt(2); the level follows from the option's prefix.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from runner.commands import Constant, Outcome
from runner.constants import ConstantName, constant, constants
from runner.errors import Misplaced
from runner.expected import (
    EXPECTED_WHOLE_SCHEMA,
    Expected,
    expecting,
    parts_or,
    read_expected_bytes,
    read_expected_duration,
    read_expected_text,
    read_whole_or_errno,
    same_bytes,
)
from runner.model import MisplacedAt, Reads, Surroundings
from runner.names import Unfilled, holds_unfilled
from runner.numbers import read_number
from runner.scope import Scope
from runner.steps.base import MethodStep, ThingKind, check
from runner.steps.structs import STRUCTS, TEXTS, TIMES, timeval
from runner.values import BYTE_KEYS, Name, Whole, read_bytes, read_duration

LEVELS: Mapping[str, str | int] = {
    "SO_": "SOL_SOCKET",
    "IPV6_": "IPPROTO_IPV6",
    "IP_": "IPPROTO_IP",
    "MCAST_": "IPPROTO_IP",
    "TCP_": "IPPROTO_TCP",
    "UDP_": "IPPROTO_UDP",
    "ICMP_": 255,
    "PACKET_": 263,
    "NETLINK_": 270,
    "TIPC_": 271,
}
"""Prefix of an option's name -> its level; numbers are those of linux/socket.h (SOL_RAW, SOL_PACKET, ...)."""


def level_of(option: Constant | int) -> Constant | int | None:
    """The level of an option by its prefix; None where it has none that is known."""
    if isinstance(option, int):
        return None
    found = next((level for prefix, level in LEVELS.items() if option.name.startswith(prefix)), None)
    return Constant(found) if isinstance(found, str) else found


def _as_it_is(value: Any, around: Surroundings) -> Any:
    """What an option's value means, only its option tells."""
    return value


_VALUE_SCHEMA = {"type": ["string", "integer", "object"]}
Raw = Annotated[Any, Reads(_as_it_is, _VALUE_SCHEMA)]


class OptionStep(MethodStep):
    """A step about one socket option."""

    option: Annotated[
        Constant | int,
        constants(*LEVELS),
    ]
    level: ConstantName | None = None

    @property
    def option_name(self) -> str:
        """The option's name, or its number."""
        return self.option.name if isinstance(self.option, Constant) else str(self.option)

    def both(self) -> tuple[Any, Any]:
        """Level and option."""
        level = self.level if self.level is not None else level_of(self.option)
        return level, self.option

    def wrong(self) -> Iterator[MisplacedAt]:
        """Mistakes that only level, option and value together show."""
        if not isinstance(self.option, Unfilled) and self.both()[0] is None:
            yield MisplacedAt(("option",), "an option by number needs a key 'level'")


class Setsockopt(OptionStep):
    """Set a socket option (setsockopt(2)).

    setsockopt  the socket
    option      the option by name; its prefix says the level
    level       the level, where the option is a number
    value       a whole number or constant, or what the option takes: {onoff, linger} for SO_LINGER, a duration for
                SO_RCVTIMEO, {group, interface or address} for IP_ADD_MEMBERSHIP, a text for SO_BINDTODEVICE
    """

    verb: ClassVar[str] = "setsockopt"
    needs: ClassVar[Mapping[str, ThingKind]] = {"setsockopt": "socket"}
    setsockopt: Name
    value: Raw

    def wrong(self) -> Iterator[MisplacedAt]:
        """A value that its option does not take."""
        yield from super().wrong()
        if isinstance(self.option, Unfilled) or holds_unfilled(self.value):
            return
        try:
            self._read(Surroundings(lenient=self.raises is not None))
        except Misplaced as wrong:
            yield MisplacedAt.below("value", wrong)

    def _read(self, around: Surroundings) -> Any:
        name = self.option_name
        if name in TIMES:
            return timeval(read_duration(self.value, around))
        if name in STRUCTS and isinstance(self.value, dict) and not set(self.value) & set(BYTE_KEYS):
            return STRUCTS[name].read(self.value, around)
        if name in TEXTS:
            return read_bytes(self.value, around)
        if isinstance(self.value, dict | bytes):
            return read_bytes(self.value, around)
        if isinstance(self.value, list) and around.lenient:
            return self.value
        return constant()(self.value, around)

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Level, option and value."""
        value = self._read(Surroundings(lenient=True))
        if isinstance(value, dict) and self.option_name in STRUCTS:
            value = STRUCTS[self.option_name].pack(value, self.here(), scope)
        return (*self.both(), value)


class Getsockopt(OptionStep):
    """Read a socket option (getsockopt(2)).

    getsockopt  the socket
    option      the option by name; its prefix says the level
    level       the level, where the option is a number
    buflen      how many bytes to ask for: the result is bytes then
    gives       a whole number, constant or errno name; parts for SO_LINGER, SO_PEERCRED and TCP_INFO
                ({snd_cwnd: 10}), a duration for SO_RCVTIMEO, a text for TCP_CONGESTION, bytes where `buflen` is said
    """

    verb: ClassVar[str] = "getsockopt"
    needs: ClassVar[Mapping[str, ThingKind]] = {"getsockopt": "socket"}
    getsockopt: Name
    buflen: Whole | None = None
    gives: Annotated[
        Any, Reads(_as_it_is, {"anyOf": [EXPECTED_WHOLE_SCHEMA, {"type": ["string", "object"]}]})
    ] = None

    def wrong(self) -> Iterator[MisplacedAt]:
        """An expectation that does not fit the option."""
        yield from super().wrong()
        if self.gives is None or isinstance(self.option, Unfilled) or holds_unfilled(self.gives):
            return
        try:
            self._expected()
        except Misplaced as wrong:
            yield MisplacedAt.below("gives", wrong)

    def _expected(self) -> Expected | Mapping[str, Expected]:
        around, name = Surroundings(), self.option_name
        if self.buflen is not None:
            return read_expected_bytes(self.gives, around)
        if name in TIMES:
            return read_expected_duration(self.gives, around)
        if name in TEXTS:
            return read_expected_text(self.gives, around)
        if self._size() and isinstance(self.gives, dict):
            parts = dict.fromkeys(STRUCTS[name].names, expecting(read_number, ranges=""))
            return parts_or(read_expected_bytes, parts, None)(self.gives, around)
        return _expected_number(self.gives, around)

    def _size(self) -> int:
        return STRUCTS[self.option_name].size if self.option_name in STRUCTS else 0

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Level, option, and how many bytes where it is no number."""
        if self.buflen is not None:
            return (*self.both(), self.buflen)
        length = 16 if self.option_name in (*TIMES, *TEXTS) else self._size()
        return (*self.both(), length) if length else self.both()

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The number, parts, text, duration (ns) or bytes."""
        value, name = outcome.value, self.option_name
        if self.buflen is not None or not isinstance(value, bytes):
            return value
        if name in TIMES:
            seconds, microseconds = struct.unpack("ll", value.ljust(16, b"\0")[:16])
            return int(seconds) * 1_000_000_000 + int(microseconds) * 1000
        if name in TEXTS:
            return value.partition(b"\0")[0].decode("utf-8", "replace")
        return STRUCTS[name].unpack(value)

    def check_value(self, value: Any, scope: Scope) -> None:
        """The value as the option has it."""
        if self.gives is not None:
            check(self._expected(), value, same_bytes if isinstance(value, bytes) else None)


def _read_number_or_errno(value: Any, around: Surroundings) -> int:
    if isinstance(value, str) and value.startswith("E"):
        return read_whole_or_errno(value, around)
    return read_number(value, around)


_expected_number = expecting(_read_number_or_errno, ranges="")
