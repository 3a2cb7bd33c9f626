"""Steps of programs: start one, read what it prints, type for it, wait for its end, send it a signal.

Programs run on a terminal of their own that does not echo, without a shell; `/programs` is the folder beside
the scenario.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from runner.commands import Call, Command, Outcome, Performance, Run
from runner.errors import Misplaced, Unmet
from runner.expected import (
    EXPECTED_BYTES_SCHEMA,
    EXPECTED_WHOLE_SCHEMA,
    Exactly,
    Expected,
    Has,
    Length,
    expected_schema,
    expecting,
    parts_or,
    parts_schema,
    read_expected_bytes,
    read_expected_whole,
    shown,
)
from runner.model import MisplacedAt, Reads, Surroundings
from runner.scope import Scope
from runner.steps.base import CallStep, MethodStep, Step, ThingKind, check
from runner.values import TEXT_SCHEMA, Bytes, Name, Truth, list_of, map_of, read_text


def read_words(value: Any, around: Surroundings) -> tuple[str, ...]:
    """A program and its arguments, at least the program."""
    words = list_of(read_text)(value, around)
    if not words:
        raise Misplaced("a program and its arguments are wanted here, and this list is empty")
    return words


Words: TypeAlias = Annotated[
    tuple[str, ...],
    Reads(read_words, {"type": ["array", "string"], "items": TEXT_SCHEMA, "minItems": 1}),
]


class RunStep(Step):
    """Start a program, without a shell (execve(2)).

    run  the program and its arguments, as a list
    as   the name of the program, for stdout, stdin, wait and signal
    env  environment variables, beside those of the host
    """

    verb: ClassVar[str] = "run"
    makes: ClassVar[Mapping[str, ThingKind]] = {"as": "program"}
    run: Words
    as_: Annotated[Name, Field(alias="as")]
    env: Annotated[
        Mapping[str, str], Reads(map_of(read_text), {"type": "object", "additionalProperties": TEXT_SCHEMA})
    ] = Field(default_factory=dict)

    def perform(self, scope: Scope) -> Performance:
        """Start it."""
        outcome = yield Run(self.here(), self.run, self.as_, dict(self.env))
        if outcome.failure is not None:
            raise Unmet(
                f"expected it to start, and it raised {outcome.failure.errno}: {outcome.failure.text}"
            )
        return None


def read_output(value: Any, around: Surroundings) -> Expected:
    """What a program prints next: bytes, {has: bytes} or {length: N}."""
    expected = read_expected_bytes(value, around)
    if isinstance(expected, Length) and not isinstance(expected.length, Exactly):
        raise MisplacedAt(
            ("length",),
            "what a program prints has no end that could be waited for: one number is wanted here",
        )
    if not isinstance(expected, Exactly | Has | Length):
        raise Misplaced("a text, {has: ..} or {length: N} is wanted here: how much to read must be known")
    return expected


class Stdout(CallStep):
    """Read what a program prints next and compare it.

    stdout  the program
    gives   the next bytes; {has: T} reads up to T, {length: N} reads so many; "" means that it prints no more
    as      the name of what was read
    """

    verb: ClassVar[str] = "stdout"
    needs: ClassVar[Mapping[str, ThingKind]] = {"stdout": "program"}
    stdout: Name
    gives: Annotated[Expected, Reads(read_output, EXPECTED_BYTES_SCHEMA)]

    def command(self, scope: Scope) -> Command:
        """Read as many bytes as are expected, or up to a text."""
        match self.gives:
            case Has(bytes() as end):
                return Call(self.here(), "read_until", (end,), on=self.stdout, blocks=self.blocks_)
            case Length(Exactly(int() as length)):
                return Call(self.here(), "read", (length,), on=self.stdout, blocks=self.blocks_)
            case Exactly(bytes() as data):
                return Call(self.here(), "read", (max(1, len(data)),), on=self.stdout, blocks=self.blocks_)
        raise Unmet(f"it is not known how much to read for {self.gives}")

    def check_value(self, value: Any, scope: Scope) -> None:
        """The bytes; a program that ended early is told."""
        match self.gives:
            case Exactly(bytes() as data) if data and isinstance(value, bytes) and len(value) < len(data):
                raise Unmet(f"expected {shown(data)}, and it ended after {shown(value)}")
            case Has(bytes() as end) if isinstance(value, bytes) and end not in value:
                raise Unmet(f"expected something that has {shown(end)}, and it ended after {shown(value)}")
            case _:
                check(self.gives, value, None)


class Stdin(CallStep):
    """Type for a program, or end its input.

    stdin  the program
    data   the bytes; a line's end belongs to them
    end    true: type the key that ends the input
    """

    verb: ClassVar[str] = "stdin"
    needs: ClassVar[Mapping[str, ThingKind]] = {"stdin": "program"}
    stdin: Name
    data: Bytes | None = None
    end: Truth = False

    def wrong(self) -> Any:
        """Something is to be typed."""
        if self.data is None and self.end is False:
            yield MisplacedAt((), "stdin needs data, or `end: true`")

    def perform(self, scope: Scope) -> Performance:
        """Type, then end."""
        value = None
        if self.data is not None:
            outcome = yield Call(self.here(), "write", (self.data,), on=self.stdin, blocks=self.blocks_)
            value = self.conclude(outcome, scope)
        if self.end:
            outcome = yield Call(self.here(), "end_input", on=self.stdin)
            value = self.conclude(outcome, scope)
        return value


def read_signal(value: Any, around: Surroundings) -> str:
    """A signal by name (signal(7))."""
    import signal

    from runner.reading import suggestion

    name = read_text(value, around)
    known = [one.name for one in signal.Signals]
    if name not in known:
        raise Misplaced(
            f"there is no signal {name!r}", length=max(1, len(name)), suggestion=suggestion(name, known)
        )
    return name


SIGNAL_SCHEMA = {"type": "string", "pattern": r"^SIG[A-Z0-9]+$|\$"}
_ENDING = {"exit": read_expected_whole, "signal": expecting(read_signal)}


class Wait(MethodStep):
    """Wait for the end of a program (wait(2)).

    wait   the program
    gives  exit: its status, or signal: what killed it; exit 0 is expected where nothing is said
    as     the name of the result; its parts are exit and signal
    """

    verb: ClassVar[str] = "wait"
    needs: ClassVar[Mapping[str, ThingKind]] = {"wait": "program"}
    wait: Name
    gives: Annotated[
        Mapping[str, Expected] | None,
        Reads(
            parts_or(read_expected_whole, _ENDING, "exit"),
            parts_schema(
                EXPECTED_WHOLE_SCHEMA,
                {"exit": EXPECTED_WHOLE_SCHEMA, "signal": expected_schema(SIGNAL_SCHEMA)},
            ),
        ),
    ] = None

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """Both parts, None for the one that it was not."""
        return {"exit": outcome.value.get("exit"), "signal": outcome.value.get("signal")}

    def check_value(self, value: Any, scope: Scope) -> None:
        """How it ended."""
        gives = self.gives or {"exit": Exactly(0)}
        for part, expected in gives.items():
            if not expected.holds(value[part]):
                told = str(expected).replace('"', "")
                raise Unmet(f"expected {part} {told}, and it ended with {_ending(value)}")


def _ending(value: Mapping[str, Any]) -> str:
    return f"signal {value['signal']}" if value["signal"] else f"exit {value['exit']}"


class Signal(MethodStep):
    """Send a program a signal (kill(2)).

    signal  the program
    name    the signal by name: SIGTERM, SIGKILL, SIGINT, ...
    """

    verb: ClassVar[str] = "signal"
    needs: ClassVar[Mapping[str, ThingKind]] = {"signal": "program"}
    signal: Name
    name: Annotated[str, Reads(read_signal, SIGNAL_SCHEMA)]

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The name."""
        return (self.name,)
