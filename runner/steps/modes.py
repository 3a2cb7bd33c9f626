"""Steps that say how long a socket's calls may wait, and time itself: settimeout, setblocking, sleep.

https://docs.python.org/3/library/socket.html#notes-on-socket-timeouts
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from runner.commands import Outcome, Performance, Sleep
from runner.errors import Unmet
from runner.expected import EXPECTED_DURATION_SCHEMA, Expected, ExpectedTruth, expecting
from runner.model import Reads, Surroundings
from runner.scope import Scope
from runner.steps.base import MethodStep, Step, ThingKind
from runner.values import DURATION_SCHEMA, Duration, Name, Truth, duration_text, read_duration

NO_TIMEOUT = "None"
"""How a scenario writes that a call waits as long as it takes: Python's word."""


def read_timeout(value: Any, around: Surroundings) -> int | None:
    """A duration in nanoseconds, or None where `None` is written."""
    return None if value in (NO_TIMEOUT, "none") else read_duration(value, around)


class Settimeout(MethodStep):
    """Say how long calls on a socket may wait, before they raise TimeoutError (Python: socket.settimeout).

    settimeout  the socket
    value       a duration with its unit; 0s: not at all; None: as long as it takes
    """

    verb: ClassVar[str] = "settimeout"
    needs: ClassVar[Mapping[str, ThingKind]] = {"settimeout": "socket"}
    settimeout: Name
    value: Annotated[int | str | None, Reads(read_timeout, {"anyOf": [DURATION_SCHEMA, {"const": "None"}]})]

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Seconds, as Python wants them."""
        return (self.value / 1e9 if isinstance(self.value, int) else None,)

    def text(self) -> str:
        """The step with its duration."""
        value = duration_text(self.value) if isinstance(self.value, int) else self.value or NO_TIMEOUT
        return f"settimeout {self.settimeout} {value}"


class Gettimeout(MethodStep):
    """Ask how long calls on a socket may wait (Python: socket.gettimeout).

    gettimeout  the socket
    gives       a duration, or None
    """

    verb: ClassVar[str] = "gettimeout"
    needs: ClassVar[Mapping[str, ThingKind]] = {"gettimeout": "socket"}
    gettimeout: Name
    gives: Annotated[
        Expected | None,
        Reads(expecting(read_timeout, ranges="ns"), {"anyOf": [EXPECTED_DURATION_SCHEMA, {"const": "None"}]}),
    ] = None

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """Nanoseconds, or None."""
        return None if outcome.value is None else round(outcome.value * 1e9)

    def check_value(self, value: Any, scope: Scope) -> None:
        """The duration, told as one."""
        if self.gives is not None and not self.gives.holds(value):
            told = NO_TIMEOUT if value is None else duration_text(value)
            raise Unmet(f"expected {_told(self.gives)}, and it gave {told}")


def _told(expected: Expected) -> str:
    value = getattr(expected, "value", None)
    if isinstance(value, int):
        return duration_text(value)
    return NO_TIMEOUT if hasattr(expected, "value") else str(expected)


class Setblocking(MethodStep):
    """Say whether calls on a socket may wait at all (Python: socket.setblocking).

    setblocking  the socket
    flag         true or false
    """

    verb: ClassVar[str] = "setblocking"
    needs: ClassVar[Mapping[str, ThingKind]] = {"setblocking": "socket"}
    setblocking: Name
    flag: Truth

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The flag."""
        return (self.flag,)


class Getblocking(MethodStep):
    """Ask whether calls on a socket may wait (Python: socket.getblocking).

    getblocking  the socket
    gives        true or false
    """

    verb: ClassVar[str] = "getblocking"
    needs: ClassVar[Mapping[str, ThingKind]] = {"getblocking": "socket"}
    getblocking: Name
    gives: ExpectedTruth | None = None


class SleepStep(Step):
    """Let time pass; the only thing that no host does and that takes a while.

    sleep  how long, with its unit
    """

    verb: ClassVar[str] = "sleep"
    hostless: ClassVar[bool] = True
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    sleep: Duration

    def perform(self, scope: Scope) -> Performance:
        """Sleep."""
        yield Sleep(self.sleep)
        return None

    def text(self) -> str:
        """`sleep 100ms`."""
        return f"sleep {duration_text(self.sleep)}"
