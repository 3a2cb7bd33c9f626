"""What every step is: one verb of the language, as a frozen model whose `perform` is a generator of commands.

Steps do no I/O and see no clock: they yield commands and are sent their outcomes. A step's class has its
verb, its keys (described in its docstring, one line each), what names it needs and makes, and what it
expects.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, PrivateAttr

from runner.commands import Blocks, Call, Change, Command, Outcome, Performance
from runner.errors import Misplaced, Unmet
from runner.exceptions import FAILURE_SCHEMA, is_failure, read_failure
from runner.expected import (
    AnyOf,
    Between,
    Exactly,
    Expected,
    ExpectedDuration,
    expected_schema,
    expecting,
    shown,
)
from runner.model import MisplacedAt, Model, Reads, Surroundings
from runner.scope import Scope
from runner.values import TRUTH_SCHEMA, Name, Text, duration_text, read_text

PATIENCE_NS = 5_000_000_000
"""How long a step is waited for where it has no `takes`."""

ThingKind = Literal["socket", "file", "program", "socket or file", "value", "fault"]
"""What a name is of; `value` is what `as` names where the result is no object."""


def read_blocks(value: Any, around: Surroundings) -> Blocks:
    """`true`: seen asleep in the kernel, then the scenario goes on; `forever`: and asleep still at the
    end."""
    known: Mapping[str, Blocks] = {"true": "yes", "forever": "forever", "false": "no"}
    text = "true" if value is True else "false" if value is False else read_text(value, around)
    if text not in known:
        raise Misplaced(f"`blocks` is true or forever, not {text!r}", length=max(1, len(text)))
    return known[text]


_BLOCKS_SCHEMA: dict[str, Any] = {"anyOf": [TRUTH_SCHEMA, {"enum": ["forever"]}]}
_EXPECTED_FAILURE_SCHEMA = expected_schema(FAILURE_SCHEMA)
SHARED_SCHEMAS: Mapping[str, Any] = {
    "failure": FAILURE_SCHEMA, "expected.failure": _EXPECTED_FAILURE_SCHEMA, "blocks": _BLOCKS_SCHEMA,
}  # fmt: skip
"""Those that many keys have; `runner.schema` writes each once."""
Blocking: TypeAlias = Annotated[Blocks, Reads(read_blocks, _BLOCKS_SCHEMA)]
ExpectedFailure: TypeAlias = Annotated[Expected, Reads(expecting(read_failure), _EXPECTED_FAILURE_SCHEMA)]


class Step(Model):
    """One verb of the language."""

    verb: ClassVar[str] = ""
    hostless: ClassVar[bool] = False
    """Whether no host does it."""
    needs: ClassVar[Mapping[str, ThingKind]] = {}
    """Keys whose values are names of objects that must exist."""
    makes: ClassVar[Mapping[str, ThingKind]] = {"as": "value"}
    """Keys whose values are names that the step makes."""
    said: ClassVar[Mapping[str, Callable[[Any], str]]] = {}
    """Keys whose values `text` tells in their own way."""
    links_maker: ClassVar[bool] = False
    """Whether it wants to know the step that made its object (see `maker`)."""

    host: Text | None = None

    _maker: Any = PrivateAttr(default=None)
    _judged_elsewhere: bool = PrivateAttr(default=False)
    _inner: Sequence[Any] = PrivateAttr(default=())

    @property
    def maker(self) -> "Step | None":
        """The step that made the object this one works on; for `returns` the pending call."""
        made: Step | None = self._maker
        return made

    def link(self, maker: "Step | None", judged_elsewhere: bool = False, inner: Sequence[Any] = ()) -> None:
        """Say what its own map does not: who made the object it works on, whether somebody else judges the
        outcome (a later `returns`, or a test in Python), and which placed steps it plays."""
        self._maker = maker
        self._judged_elsewhere = judged_elsewhere
        self._inner = inner

    def wrong(self) -> Iterator[MisplacedAt]:
        """Mistakes that only several keys together show; asked once all keys were read."""
        return iter(())

    def misplaced_in(self, lab: Surroundings) -> Iterator[MisplacedAt]:
        """Mistakes that the lab's hosts and networks show; asked in the same way, once, before anything is played."""
        return iter(())

    @property
    def limit_ns(self) -> int:
        """How long the scenario waits for it, in nanoseconds."""
        return PATIENCE_NS

    @property
    def blocks(self) -> Blocks:
        """Whether it is expected to block in the kernel."""
        return "no"

    def here(self) -> str:
        """The host that does it."""
        assert self.host is not None, "only steps of hosts make calls"
        return self.host

    def perform(self, scope: Scope) -> Performance:
        """What it does: yields commands, is sent outcomes, returns the value that `as` names; raises
        Unmet."""
        raise NotImplementedError

    def text(self) -> str:
        """The step for people, one line: `connect c to server:8888`."""
        words = [self.verb]
        fields = type(self).model_fields.items()
        for name, info in sorted(fields, key=lambda field: (field[1].alias == "as", field[0] != self.verb)):
            value = getattr(self, name)
            key = info.alias or name
            if key in UNSAID or value is None or value == info.get_default(call_default_factory=True):
                continue
            told = self.said[key](value) if key in self.said else _said(value)
            words.append(told if key == self.verb else f"{key} {told}")
        return " ".join(words)


UNSAID = frozenset({"host", "gives", "raises", "takes", "blocks"})
"""Keys that `text` leaves out: what is expected is no part of what is done."""


def _said(value: Any) -> str:
    match value:
        case str() if value and " " not in value and value.isprintable():
            return value
        case dict():
            return "{" + ", ".join(f"{key}: {_said(part)}" for key, part in value.items()) + "}"
        case tuple():
            return " ".join(map(_said, value))
        case _:
            return shown(value)


class ChangeStep(Step):
    """What is done to the lab, and by no host: one command, and a failure of it is the step's."""

    hostless: ClassVar[bool] = True
    makes: ClassVar[Mapping[str, ThingKind]] = {}

    def command(self) -> Change:
        """What it asks for."""
        raise NotImplementedError

    def perform(self, scope: Scope) -> Performance:
        """Have it done."""
        outcome = yield self.command()
        if outcome.failure is not None:
            raise Unmet(outcome.failure.text)
        return None


class TimedStep(Step):
    """A step that takes a while and may say how long."""

    takes: ExpectedDuration | None = None

    @property
    def limit_ns(self) -> int:
        """The end of `takes`, or 5 s; 5 s beyond its beginning where it has no end."""
        return PATIENCE_NS if self.takes is None else _longest(self.takes)

    def check_time(self, began_ns: int, ended_ns: int) -> None:
        """Raise Unmet where it took a time that `takes` does not allow."""
        took = ended_ns - began_ns
        if self.takes is not None and not self.takes.holds(took):
            raise Unmet(f"expected it to take {self._takes_text()}, and it took {_milliseconds(took)}")

    def _takes_text(self) -> str:
        match self.takes:
            case Exactly(int() as ns):
                return f"exactly {duration_text(ns)}"
            case _:
                return str(self.takes)


def _milliseconds(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms" if ns < 1_000_000_000 else f"{ns / 1e9:.3f} s"


def _longest(takes: Expected) -> int:
    match takes:
        case Between(_, int() as high):
            return high
        case Between(int() as low, None):
            return low + PATIENCE_NS
        case AnyOf(options):
            return max(map(_longest, options))
        case Exactly(int() as ns):
            return ns
        case _:
            return PATIENCE_NS


class CallStep(TimedStep):
    """A step that makes one call and says what it should come to.

    as      the name of the result, for later steps
    raises  the errno (ECONNREFUSED) or Python exception (TimeoutError) that it fails with
    takes   how long it takes from call to return, as the host measures it: 2s..10s
    blocks  true: it must fall asleep in the kernel, then the scenario goes on; forever: and sleep to the end
    """

    as_: Annotated[Name | None, Field(alias="as")] = None
    raises: ExpectedFailure | None = None
    blocks_: Annotated[Blocking, Field(alias="blocks")] = "no"

    @property
    def blocks(self) -> Blocks:
        """Whether it is expected to block in the kernel."""
        return self.blocks_

    @property
    def expects_nothing(self) -> bool:
        """Whether it has no outcome words of its own."""
        return self.raises is None and self.takes is None and getattr(self, "gives", None) is None

    def command(self, scope: Scope) -> Command:
        """The call that it makes; raises Unmet where it cannot be said (a host without such an address)."""
        raise NotImplementedError

    def perform(self, scope: Scope) -> Performance:
        """Make the call and judge what it came to."""
        outcome = yield self.command(scope)
        return self.conclude(outcome, scope)

    def conclude(self, outcome: Outcome, scope: Scope) -> Any:
        """The value of the result; judged here, unless somebody else does that."""
        if not self._judged_elsewhere:
            return self.judge(outcome, scope)
        return None if outcome.failure else self.result(outcome, scope)

    def judge(self, outcome: Outcome, scope: Scope) -> Any:
        """The value of the result; raises Unmet where the outcome is not what the step expects."""
        self.check_time(outcome.began_ns, outcome.ended_ns)
        if outcome.failure is not None:
            self._judge_failure(outcome)
            return None
        value = self.result(outcome, scope)
        if self.raises is not None:
            raise Unmet(f"expected it to raise {_failures(self.raises)}, and it gave {shown(value)}")
        self.check_value(value, scope)
        return value

    def _judge_failure(self, outcome: Outcome) -> None:
        failure = outcome.failure
        assert failure is not None
        if self.raises is not None and self.raises.holds(failure, lambda name, seen: is_failure(name, seen)):
            return
        raised = f"{failure.errno or failure.type}: {failure.text}"
        if self.raises is not None:
            raise Unmet(f"expected it to raise {_failures(self.raises)}, and it raised {raised}")
        gives = getattr(self, "gives", None)
        expected = "expected success" if gives is None else f"expected {_gives_text(gives)}"
        raise Unmet(f"{expected}, and it raised {raised}")

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The value of a call that did not fail, as `gives` and `as` see it."""
        return outcome.value

    def same(self, scope: Scope) -> Callable[[Any, Any], bool] | None:
        """When an expected value and a seen one are the same; None where `==` says it."""
        return None

    def check_value(self, value: Any, scope: Scope) -> None:
        """Raise Unmet where the value is not what `gives` says."""
        gives = getattr(self, "gives", None)
        if gives is not None:
            check(gives, value, self.same(scope))


def check(
    gives: Expected | Mapping[str, Expected], value: Any, same: Callable[[Any, Any], bool] | None
) -> None:
    """Raise Unmet where a value, or one of the parts that are named, is not what is expected."""
    if isinstance(gives, Expected):
        if not (gives.holds(value, same) if same else gives.holds(value)):
            raise Unmet(f"expected {gives}, and it gave {shown(value)}")
        return
    for part, expected in gives.items():
        seen = value.get(part) if isinstance(value, dict) else None
        if not (expected.holds(seen, same) if same else expected.holds(seen)):
            raise Unmet(f"expected {part} to be {expected}, and it was {shown(seen)}")


def _gives_text(gives: Any) -> str:
    """What `gives` says, also where a step keeps it in a form of its own (names of sockets, an option's value)."""
    if isinstance(gives, Mapping):
        return ", ".join(f"{part} to be {expected}" for part, expected in gives.items())
    return str(gives) if isinstance(gives, Expected) else shown(gives)


def _failures(raises: Expected) -> str:
    return str(raises).replace('"', "")


class FunctionStep(CallStep):
    """A call of a function of the module `socket`."""

    function: ClassVar[str] = ""
    """The function's name where it is not the verb."""

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The arguments, in the order of Python's function."""
        raise NotImplementedError

    def command(self, scope: Scope) -> Command:
        """The call."""
        return Call(self.here(), self.function or self.verb, self.arguments(scope), blocks=self.blocks_)


class MethodStep(FunctionStep):
    """A call of a method of a socket, file or program that was made before: the value of the verb is its
    name."""

    @property
    def object(self) -> str:
        """The name of what it is called on."""
        return str(getattr(self, self.verb))

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """No arguments, where a verb has none."""
        return ()

    def made(self) -> str | None:
        """The name of the object that the method makes, or None."""
        return None

    def command(self, scope: Scope) -> Command:
        """The call."""
        return Call(
            self.here(),
            self.function or self.verb,
            self.arguments(scope),
            on=self.object,
            makes=self.made(),
            blocks=self.blocks_,
        )

    def family(self, scope: Scope) -> str:
        """The address family of the socket it is called on, by its constant's name."""
        thing = scope.things.get(self.object)
        return thing.family if thing else "AF_INET"
