"""Steps that wait until one of several sockets is ready: poll and select.

https://docs.python.org/3/library/select.html, poll(2), select(2)
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from runner.commands import Call, Constant, Kept, Outcome, Performance
from runner.constants import constants
from runner.errors import Misplaced, Unmet
from runner.expected import shown
from runner.model import Reads, Surroundings
from runner.numbers import NUMBERS
from runner.scope import Scope
from runner.steps.base import CallStep, ThingKind
from runner.values import NAME_SCHEMA, Duration, duration_text, list_of, read_name

NAMES_SCHEMA = {"anyOf": [{"type": "array", "items": NAME_SCHEMA}, NAME_SCHEMA]}
Names: TypeAlias = Annotated[tuple[str, ...], Reads(list_of(read_name, single=True), NAMES_SCHEMA)]


def read_ready(value: Any, around: Surroundings) -> tuple[str, ...]:
    """Names of sockets that are ready; an empty list: none within the time."""
    return list_of(read_name, single=True)(value, around)


class ReadyStep(CallStep):
    """A step that waits for sockets.

    timeout  how long to wait; as long as it takes where nothing is said
    gives    the names of the sockets that are ready, in any order; an empty list: none in time
    """

    said: ClassVar[Mapping[str, Callable[[Any], str]]] = {"timeout": duration_text}
    timeout: Duration | None = None
    gives: Annotated[tuple[str, ...] | None, Reads(read_ready, NAMES_SCHEMA)] = None

    def check_value(self, value: Any, scope: Scope) -> None:
        """The ready sockets, in any order."""
        if self.gives is not None and sorted(self.gives) != sorted(value):
            raise Unmet(f"expected {_names(self.gives)} to be ready, and it was {_names(value)}")


def _names(names: Any) -> str:
    return ", ".join(map(str, names)) if names else "none"


def _name_of(value: Any) -> str:
    return str(value["object"]) if isinstance(value, dict) and "object" in value else shown(value)


class Poll(ReadyStep):
    """Wait until one of several sockets is ready (poll(2)).

    poll     the sockets, as a list
    for      what for: POLLIN, POLLOUT, POLLPRI; several joined with |
    timeout  how long to wait; as long as it takes where nothing is said
    gives    the names of the sockets that are ready, in any order; an empty list: none in time
    as       the name of the result; its parts are the sockets' names, their values what each is ready for
    """

    verb: ClassVar[str] = "poll"
    needs: ClassVar[Mapping[str, ThingKind]] = {"poll": "socket"}
    poll: Names
    for_: Annotated[Constant | int, constants("POLL"), Field(alias="for")] = Constant("POLLIN")

    def perform(self, scope: Scope) -> Performance:
        """Make a poll object, register the sockets, poll."""
        name = f"poll.{sum(known.startswith('poll.') for known in scope.things) + 1}"
        yield Call(self.here(), "poll", makes=name)
        for one in self.poll:
            yield Call(self.here(), "register", (Kept(one), self.for_), on=name)
        arguments = () if self.timeout is None else (self.timeout / 1e6,)
        outcome = yield Call(self.here(), "poll", arguments, on=name, blocks=self.blocks_)
        return self.conclude(outcome, scope)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """Socket name -> what it is ready for, by constants."""
        return {_name_of(one): _events(events) for one, events in outcome.value}


def _events(events: Any) -> str:
    known = [
        name
        for name, number in NUMBERS.items()
        if name.startswith("POLL") and isinstance(events, int) and events & number
    ]
    return "|".join(known) or shown(events)


class Select(ReadyStep):
    """Wait until one of several sockets can be read, or written with `for: write` (select(2)).

    select   the sockets, as a list
    for      read or write; read where nothing is said
    timeout  how long to wait; as long as it takes where nothing is said
    gives    the names of the sockets that are ready, in any order; an empty list: none in time
    """

    verb: ClassVar[str] = "select"
    needs: ClassVar[Mapping[str, ThingKind]] = {"select": "socket"}
    select: Names
    for_: Annotated[
        str, Reads(lambda value, around: _direction(value), {"enum": ["read", "write"]}), Field(alias="for")
    ] = "read"

    def command(self, scope: Scope) -> Call:
        """The call with its three lists."""
        asked: list[Any] = [Kept(name) for name in self.select]
        lists: tuple[Any, ...] = (asked, [], []) if self.for_ == "read" else ([], asked, [])
        if self.timeout is not None:
            lists = (*lists, self.timeout / 1e9)
        return Call(self.here(), "select", lists, blocks=self.blocks_)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The names of the sockets that are ready."""
        return [_name_of(one) for part in outcome.value[:2] for one in part]


def _direction(value: Any) -> str:
    if value not in ("read", "write"):
        raise Misplaced(f"`for` is read or write, not {value!r}", length=len(str(value)))
    return str(value)
