"""Steps that make the network worse, and better again: fault, heal.

What kinds of faults there are, and their parameters, is `lab.faults`; which host carries one out is the stage's affair.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from lab.faults import FAULTS, readable, selecting
from lab.faults.truncate import SHORTEST
from runner import conditions
from runner.commands import BeginFault, EndFault
from runner.conditions import Condition
from runner.errors import Misplaced
from runner.headers import is_group
from runner.model import MisplacedAt, Reads, Surroundings
from runner.names import Unfilled
from runner.operands import ADDRESSES, ORDERS, whole
from runner.reading import suggestion
from runner.steps.base import ChangeStep, ThingKind
from runner.steps.naming_hosts import known_hosts, read_host
from runner.values import (
    TRUTH_SCHEMA,
    WHOLE_SCHEMA,
    Duration,
    Name,
    duration_text,
    read_text,
    read_truth,
    read_whole,
)

Ranges: TypeAlias = tuple[tuple[int, int | None], ...]
LONGEST_NS = 24 * 3600 * 1_000_000_000
_KINDS = {"enum": list(FAULTS), "markdownEnumDescriptions": [inspect.getdoc(one) for one in FAULTS.values()]}


def read_kind(value: Any, around: Surroundings) -> str:
    """The name of a kind of fault."""
    name = read_text(value, around)
    if name not in FAULTS:
        message = f"there is no fault {name!r} (but {', '.join(FAULTS)})"
        raise Misplaced(message, length=max(1, len(name)), suggestion=suggestion(name, FAULTS))
    return name


def read_hosts(value: Any, around: Surroundings) -> tuple[str, ...]:
    """A host, or a list of them."""
    if not isinstance(value, list):
        return (read_host(value, around),)
    if not value:
        raise Misplaced("name one host at least; without the key any is meant")
    found: list[str] = []
    for place, one in enumerate(value):
        try:
            name = read_host(one, around)
            if name in found:
                raise Misplaced(f"{name} is named twice", length=len(name))
        except Misplaced as wrong:
            raise MisplacedAt.below(place, wrong) from None
        found.append(name)
    return tuple(found)


def read_where(value: Any, around: Surroundings) -> tuple[Condition, ...]:
    """Conditions that can be seen on a frame on its way; raises Misplaced for one that cannot, at its place."""
    found = conditions.parse(read_text(value, around))
    for condition in found:
        why = _unseen(condition)
        if why:
            raise Misplaced(why, column=condition.column, length=len(condition.field))
    known_hosts(found, around)
    return found


def _unseen(condition: Condition) -> str:
    """Why a condition cannot be told from one frame on its way, or nothing."""
    field, operand = condition.field, condition.operand
    layer = readable.layer_of(field)
    if not selecting.known(field):
        if layer in readable.LAYERS:
            return f"a fault cannot see {field} on a frame on its way: it reads the fields of headers that are fixed"
        return (
            f"a fault cannot see {field}: it reads frames on their way, without scapy, and knows fields of"
            f" {', '.join(one for one in readable.LAYERS if '6' not in one)}, IPv6 and ICMPv6 headers, len, seq and ack"
        )
    if condition.operator and operand is None and layer not in readable.CHECKED:
        return f"a fault can tell whether a checksum is bad for {', '.join(readable.CHECKED)}"
    if condition.operator and isinstance(operand, bytes):
        return f"a fault cannot compare {field} with that"
    if field in ADDRESSES and condition.operator == "has":
        return f"a fault can compare {field} with = and != only"
    if isinstance(operand, str) and field not in ADDRESSES:
        return _unfit(condition, operand)
    return ""


def _unfit(condition: Condition, operand: str) -> str:
    """Why a text does not fit a field that no condition reads as a number by itself, or nothing."""
    if condition.field in readable.TEXTS:
        ordered = condition.operator in ORDERS
        return f"{condition.field} is no number: it can be compared with =, != and has" if ordered else ""
    return "" if whole(operand) is not None else f"{condition.field} is a number; {operand!r} is none"


def read_nth(value: Any, around: Surroundings) -> Ranges:
    """Which of the matching frames: `2`, `2..4`, `5..`, or a list of these; the first is 1."""
    if isinstance(value, list):
        if not value:
            raise Misplaced("say which frames; without the key all are meant")
        found: list[tuple[int, int | None]] = []
        for place, one in enumerate(value):
            try:
                found += read_nth(one, around)
            except Misplaced as wrong:
                raise MisplacedAt.below(place, wrong) from None
        return tuple(found)
    text = read_text(value, around)
    low_text, dots, high_text = text.partition("..")
    if not text.strip("."):
        raise Misplaced("frames are counted from 1: 2, 1..3 or 5..", length=max(1, len(text)))
    low = read_whole(low_text, around) if low_text else 1
    high = low if not dots else read_whole(high_text, around) if high_text else None
    if low < 1 or (high is not None and high < low):
        raise Misplaced("frames are counted from 1, and a range goes upwards", length=len(str(value)))
    return ((low, high),)


def read_probability(value: Any, around: Surroundings) -> float:
    """How likely each matching frame is struck: `0.1`, or `10%`."""
    text = read_text(value, around)
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise Misplaced("a probability is a number from 0 to 1, or 0% to 100%", length=max(1, len(text)))
    return found


Hosts: TypeAlias = Annotated[
    tuple[str, ...], Reads(read_hosts, {"type": ["string", "array"], "items": {"type": "string"}})
]
Whole: TypeAlias = Annotated[int, Reads(read_whole, WHOLE_SCHEMA)]


class Fault(ChangeStep):
    """Do something to frames on their way, after the sender's capture and before the receiver's.

    In force when the step ends, until it is healed or the lab goes down. Faults strike in the order in which they
    began; each sees, and counts, what those before it left.

    A frame for a group goes to all of it: `to` means one only where all other hosts of the network are named.

    fault            what is done: drop, delay, duplicate, reorder, corrupt, truncate, rate or partition
    from             the host that sends (or a list of hosts); without it any
    to               the host that the frames go to (or a list), by MAC or IP address; without it any
    where            conditions on the frame as those of checks: UDP and UDP.dport = 9999
    nth              which of the matching frames, counted from 1 since the fault began, for each host that sends by
                     itself: 2, 1..3, 5.. or a list
    probability      how likely each matching frame is struck: 0.1 or 10%; needs seed
    seed             the number that the chances follow from: the same seed, the same frames
    by               delay: for how long: 10ms
    past             reorder: how many matching frames overtake it; 1 without it
    at               corrupt: which byte of the frame, counted from 0; the packet's last without it
    mend             corrupt: true: checksums are made right again
    length           truncate: how many bytes of the frame are left, Ethernet header included
    bits_per_second  rate: how fast the line is
    as               the fault's name, for heal
    """

    verb: ClassVar[str] = "fault"
    makes: ClassVar[Mapping[str, ThingKind]] = {"as": "fault"}
    fault: Annotated[str, Reads(read_kind, _KINDS)]
    from_: Annotated[Hosts | None, Field(alias="from")] = None
    to: Hosts | None = None
    where: Annotated[tuple[Condition, ...] | None, Reads(read_where, {"type": "string"})] = None
    nth: Annotated[Ranges | None, Reads(read_nth, {"type": ["integer", "string", "array"]})] = None
    probability: Annotated[
        float | None, Reads(read_probability, {"type": ["number", "string"], "minimum": 0, "maximum": 1})
    ] = None
    seed: Whole | None = None
    by: Duration | None = None
    past: Whole | None = None
    at: Whole | None = None
    mend: Annotated[bool | None, Reads(read_truth, TRUTH_SCHEMA)] = None
    length: Whole | None = None
    bits_per_second: Whole | None = None
    as_: Annotated[Name | None, Field(alias="as")] = None

    def wrong(self) -> Iterator[MisplacedAt]:
        """Parameters of another kind, those that are missing, and what cannot be done."""
        yield from self._wrong_parameters()
        if self.probability is not None and self.nth is not None:
            yield MisplacedAt(("probability",), "`nth` says already which frames are struck")
        if (self.probability is None) != (self.seed is None):
            message = "`probability` and `seed` go together: chances that can be played again"
            yield MisplacedAt(("probability" if self.seed is None else "seed",), message)
        for key, least in (("past", 1), ("at", 0), ("length", SHORTEST), ("bits_per_second", 1)):
            value = getattr(self, key)
            if isinstance(value, int) and value < least:
                yield MisplacedAt((key,), f"{key} is {least} at least")
        if isinstance(self.by, int) and self.by > LONGEST_NS:
            yield MisplacedAt(("by",), "by is 24h at most")
        if isinstance(self.from_, tuple) and isinstance(self.to, tuple) and set(self.from_) & set(self.to):
            yield MisplacedAt(("to",), "what a host sends to itself is on no network")
        yield from self._wrong_group()

    def _wrong_parameters(self) -> Iterator[MisplacedAt]:
        if isinstance(self.fault, Unfilled):
            return
        own = {one.name: one for one in fields(FAULTS[self.fault])}  # type: ignore[arg-type]
        for key in PARAMETERS:
            if getattr(self, key) is not None and key not in own:
                mine = ", ".join(own) or "none"
                message = f"{self.fault} has no parameter {key!r} (its parameters: {mine})"
                yield MisplacedAt((key,), message, suggestion=suggestion(key, own))
        for key, one in own.items():
            if one.default is MISSING and getattr(self, key) is None:
                yield MisplacedAt(("fault",), f"{self.fault} needs {key!r}", length=len(self.fault))

    def _wrong_group(self) -> Iterator[MisplacedAt]:
        """A frame for a group can be struck for all of it, or for nobody."""
        if self.to is None or not isinstance(self.where, tuple):
            return
        for one in self.where:
            if one.operator == "=" and isinstance(one.operand, str) and _is_group_address(one.operand):
                message = (
                    f"a frame to {one.operand} goes to all of a group at once, and a fault on its sender's side"
                    " acts for all: leave out `to`"
                )
                yield MisplacedAt(("to",), message)

    def parameters(self) -> dict[str, Any]:
        """The parameters of its kind, as written."""
        given = {key: getattr(self, key) for key in PARAMETERS}
        return {key: value for key, value in given.items() if value is not None}

    def command(self) -> BeginFault:
        """To put it in force."""
        return BeginFault(
            self.as_ or "",
            FAULTS[self.fault](**self.parameters()),
            self.from_ or (),
            self.to or (),
            self.where or (),
            self.nth or (),
            self.probability,
            self.seed or 0,
            self.text(),
        )

    def text(self) -> str:
        """`fault drop from client to server where UDP nth 1 as loss`."""
        words = ["fault", str(self.fault)]
        for key, value in (("from", self.from_), ("to", self.to)):
            if value is not None:
                words += [key, ", ".join(value) if isinstance(value, tuple) else str(value)]
        if self.where is not None:
            told = " and ".join(map(str, self.where)) if isinstance(self.where, tuple) else self.where
            words += ["where", str(told)]
        if isinstance(self.nth, tuple):
            words += ["nth", ", ".join(map(_range_text, self.nth))]
        for key in ("probability", *PARAMETERS):
            value = getattr(self, key)
            if value is not None:
                words += [key, duration_of(value) if key == "by" else str(value).lower()]
        return " ".join([*words, "as", str(self.as_)] if self.as_ else words)


PARAMETERS = ("by", "past", "at", "mend", "length", "bits_per_second")
"""The keys that are parameters of some kind of fault."""


def _is_group_address(text: str) -> bool:
    if text.count(":") == 5:
        return is_group(text)
    try:
        address = ip_address(text)
    except ValueError:  # the name of a host
        return False
    return address.is_multicast or text == "255.255.255.255"


def _range_text(one: tuple[int, int | None]) -> str:
    low, high = one
    return str(low) if low == high else f"{low}..{'' if high is None else high}"


def duration_of(value: Any) -> str:
    """A duration for people; a name that is not filled in stays one."""
    return duration_text(value) if isinstance(value, int) else str(value)


class Heal(ChangeStep):
    """End a fault: what comes later is not struck, and what it held or delayed leaves at once, in order.

    What it held meets the faults that began later; what another fault puts off as well still waits for that one.

    heal  the name of the fault
    """

    verb: ClassVar[str] = "heal"
    needs: ClassVar[Mapping[str, ThingKind]] = {"heal": "fault"}
    heal: Name

    def command(self) -> EndFault:
        """To end it."""
        return EndFault(self.heal)
