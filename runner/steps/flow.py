"""Steps about other steps and about states: state, returns, until, repeat, include.

`repeat` and `include` are written out when the scenario is read; their classes say what they look like.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from runner.commands import Attempt, Await, Outcome, Performance, Poll, ReadState
from runner.errors import Misplaced, Unmet
from runner.expected import Expected, expected_schema, expecting
from runner.model import Reads, Surroundings
from runner.names import NAME
from runner.reading import suggestion
from runner.scope import Scope
from runner.steps.base import CallStep, ExpectedFailure, Step, ThingKind, TimedStep
from runner.values import Duration, Name, Text, duration_text, read_text

STATES = (
    "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
    "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND", "gone",
)  # fmt: skip
"""TCP states as Linux names them (net/tcp_states.h); BOUND has an address and nothing else, `gone` is in no
table."""
_OTHER_NAMES = {
    "FIN_WAIT_1": "FIN_WAIT1", "FIN_WAIT_2": "FIN_WAIT2", "SYN_RECEIVED": "SYN_RECV", "CLOSED": "CLOSE", "GONE": "gone",
}  # fmt: skip


def read_state(value: Any, around: Surroundings) -> str:
    """A TCP state by the kernel's name."""
    name = read_text(value, around)
    if name not in STATES:
        meant = _OTHER_NAMES.get(name.upper().replace("-", "_")) or suggestion(name, STATES)
        raise Misplaced(f"there is no TCP state {name!r}", length=max(1, len(name)), suggestion=meant)
    return name


def read_subject(value: Any, around: Surroundings) -> str:
    """A socket's name, or `tcp :8888` for a socket of a program."""
    text = read_text(value, around)
    kind, _, port = text.partition(" ")
    if kind == "tcp" and port.startswith(":") and port[1:].isdigit() and int(port[1:]) <= 65535:
        return text
    if not NAME.fullmatch(text):
        raise Misplaced("a socket's name, or `tcp :PORT`, is wanted here", length=max(1, len(text)))
    return text


STATE_SCHEMA = {"enum": list(STATES)}


class State(TimedStep):
    """Read the kernel's tables until a TCP socket is in a state (proc_pid_net(5)).

    state  the socket, also after close; or tcp :PORT for a socket of a program
    is     the state by the kernel's name (TIME_WAIT), or gone, or BOUND
    takes  how long it may take
    """

    verb: ClassVar[str] = "state"
    needs: ClassVar[Mapping[str, ThingKind]] = {"state": "socket"}
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    state: Annotated[str, Reads(read_subject, {"type": "string"})]
    is_: Annotated[Expected, Reads(expecting(read_state), expected_schema(STATE_SCHEMA)), Field(alias="is")]

    def perform(self, scope: Scope) -> Performance:
        """Read again and again."""
        outcome = yield Poll(ReadState(self.here(), self.state), self._reached)
        if outcome.failure is not None:
            raise Unmet(
                f"expected {self._wanted()}, and it raised {outcome.failure.type}: {outcome.failure.text}"
            )
        if not self._reached(outcome):
            raise Unmet(f"expected {self._wanted()}, and it was {_state_of(outcome)}")
        return None

    def _reached(self, outcome: Outcome) -> bool:
        return outcome.failure is not None or self.is_.holds(_state_of(outcome))

    def _wanted(self) -> str:
        return str(self.is_).replace('"', "")

    def text(self) -> str:
        """`state c is TIME_WAIT`."""
        return f"state {self.state} is {self._wanted()}"


def _state_of(outcome: Outcome) -> str:
    return str((outcome.value or {}).get("state", "unknown"))


def _as_it_is(value: Any, around: Surroundings) -> Any:
    """Read as the awaited call's own, once that is known."""
    return value


class Returns(TimedStep):
    """Wait for a pending call; what it came to is judged here, by the words of that call.

    returns  the name of the pending call: the one in its `as`
    gives    what it gives, as its own step would say it
    raises   the errno or Python exception that it fails with
    takes    how long it took from call to return, as the host measured it
    """

    verb: ClassVar[str] = "returns"
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    links_maker: ClassVar[bool] = True
    returns: Name
    gives: Annotated[Any, Reads(_as_it_is, {})] = None
    raises: ExpectedFailure | None = None

    def perform(self, scope: Scope) -> Performance:
        """Wait for the call, and judge it."""
        outcome = yield Await(self.returns)
        return self.maker.conclude(outcome, scope) if isinstance(self.maker, CallStep) else None


class Until(Step):
    """Play steps again until all their expectations hold.

    within  how long to try
    steps   the steps
    """

    verb: ClassVar[str] = "until"
    hostless: ClassVar[bool] = True
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    within: Duration

    def perform(self, scope: Scope) -> Performance:
        """Try."""
        outcome = yield Attempt(self._inner, self.within)
        if outcome.failure is not None:
            raise Unmet(
                f"its steps did not hold within {duration_text(self.within)}; the last time: {outcome.failure.text}"
            )
        return None

    def text(self) -> str:
        """`until its 2 steps hold, within 5s`."""
        steps = "its step holds" if len(self._inner) == 1 else f"its {len(self._inner)} steps hold"
        return f"until {steps}, within {duration_text(self.within)}"


STEPS_SCHEMA = {"type": "array", "items": {"$ref": "#/definitions/step"}}


class Repeat(Step):
    """Write steps out once for each value of a name.

    repeat  a map of two keys: `for`, the name and its values ({i: 1..20}, or a list {kind: [a, b]}; of
            several names every combination), and `steps`, the steps
    """

    verb: ClassVar[str] = "repeat"
    hostless: ClassVar[bool] = True
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    repeat: Annotated[
        Any,
        Reads(
            _as_it_is,
            {
                "type": "object",
                "required": ["for", "steps"],
                "properties": {"for": {"type": "object"}, "steps": STEPS_SCHEMA},
                "additionalProperties": False,
            },
        ),
    ]


class Include(Step):
    """Insert the steps of a file, as if they were written here.

    include  the path of the file, seen from the scenario's folder; it holds a list of steps
    """

    verb: ClassVar[str] = "include"
    hostless: ClassVar[bool] = True
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    include: Text
