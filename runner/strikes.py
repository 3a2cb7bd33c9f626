"""The faults of one play: on which hosts a scenario needs them, begun and healed when steps say so, and recorded.

Between the stage and the fault processes (`lab.faults.striking`): makes of names and conditions what can be seen on a
frame. What a fault does is `lab.faults`; what it came to is judged from the records, elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.engine import Interface, Lab
from lab.faults import selecting
from lab.faults.partition import Partition
from lab.faults.readable import TEXTS
from lab.faults.striking import Kinds, Striking
from runner.commands import BeginFault, EndFault, Failure, Outcome
from runner.conditions import Condition
from runner.history import FaultRecord, Keep
from runner.names import Unfilled
from runner.operands import ADDRESSES, looks_like_address, whole
from runner.placing import PlacedStep
from runner.rundir import FaultInfo
from runner.wire import canonical, owners_of

MACS = frozenset({"Ether.src", "Ether.dst", "ARP.hwsrc", "ARP.hwdst"})
EVERYTHING = [[-1, -1]]


def plan(steps: Iterable[PlacedStep], hosts: Sequence[str]) -> dict[str, Kinds]:
    """What of each host's traffic must take the detour for the faults of these steps; other hosts are left out."""
    kinds: dict[str, list[list[int]]] = {}
    for placed in _all(steps):
        step: Any = placed.source.step
        if placed.verb != "fault" or step is None:
            continue
        senders, receivers = _known(step.from_, hosts), _known(step.to, hosts)
        concerned = set(senders or hosts)
        if isinstance(step.fault, Unfilled) or step.fault == Partition.name:
            concerned |= set(receivers or hosts)
        where = step.where
        mine = selecting.kinds_of(_fields(where)) if _is_read(where) else EVERYTHING
        for host in concerned:
            found = kinds.setdefault(host, [])
            found += [kind for kind in mine if kind not in found]
    return {host: kinds[host] for host in hosts if host in kinds}


def are_relative(steps: Iterable[PlacedStep]) -> bool:
    """Whether a fault of these steps means frames by numbers relative to the beginning of their connection."""
    found: list[Any] = [placed.source.step for placed in _all(steps) if placed.verb == "fault"]
    wheres = [step.where for step in found if step is not None and step.where]
    return any(not _is_read(where) or selecting.are_relative(_fields(where)) for where in wheres)


def _fields(where: Iterable[Condition]) -> list[list[Any]]:
    return [[one.field, "", None] for one in where]


def _all(steps: Iterable[PlacedStep]) -> Iterator[PlacedStep]:
    for placed in steps:
        yield placed
        yield from _all(placed.source.inner)


def _is_read(where: Any) -> bool:
    return isinstance(where, tuple) and bool(where)


def _known(named: Any, hosts: Sequence[str]) -> Sequence[str] | None:
    """Hosts that are named; all where a name is to be filled in later."""
    if named is None:
        return None
    if isinstance(named, Unfilled) or any("$" in str(one) for one in named):
        return hosts
    return tuple(named)


def raw(condition: Condition, addresses: Callable[[str, str], list[str]]) -> list[Any]:
    """A condition as the fault process knows it: [FIELD, OPERATOR, OPERAND].

    `addresses` gives the addresses that a field's operand means, which may be the name of a host.
    """
    operand: Any = condition.operand
    if isinstance(operand, frozenset):
        operand = {"flags": "".join(sorted(operand))}
    elif isinstance(operand, str) and condition.operator:
        if condition.field in ADDRESSES:
            operand = addresses(condition.field, operand)
        elif condition.field in TEXTS:
            operand = {"text": operand}
        else:
            operand = whole(operand)
    return [condition.field, condition.operator, operand]


@dataclass(frozen=True)
class _Aim:
    """One direction: who sends, to whom; no receivers mean anybody."""

    senders: tuple[str, ...]
    receivers: tuple[str, ...]


class Strikes:
    """Carries out the steps `fault` and `heal` on one lab, and keeps a record of all that faults do."""

    def __init__(self, lab: Lab, kinds: Mapping[str, Kinds], keep: Keep, *, relative: bool = False) -> None:
        self.processes = Striking(lab, kinds, relative=relative)
        self._hosts = tuple(host.name for host in lab.topology.hosts)
        self._ends = {host: lab.interfaces(host) for host in self._hosts}
        self._keep = keep
        self._in_force: dict[str, dict[str, dict[str, Any]]] = {}
        self._begun: set[str] = set()
        self._left: dict[str, FaultInfo] = {}
        self._deaf: dict[str, dict[str, set[str]]] = {}

    def begin(self) -> None:
        """Make ready what the faults need, before the captures begin; raises Unsupported where that cannot be."""
        self.processes.begin()

    def carry_out(self, command: BeginFault | EndFault, why_idle: Callable[[str], str]) -> Outcome:
        """Begin or end a fault, on all hosts that it concerns; raises LabError where a fault process is gone.

        `why_idle` says why a host can carry out nothing now, or nothing.
        """
        began_ns = time.time_ns()
        problem = next(filter(None, map(why_idle, self._concerned(command))), "")
        if not problem:
            problem = self._start(command) if isinstance(command, BeginFault) else self._stop(command)
        failure = Failure("ValueError", None, problem) if problem else None
        return Outcome(began_ns, time.time_ns(), failure=failure)

    def _concerned(self, command: BeginFault | EndFault) -> list[str]:
        """The hosts whose fault processes have something to do for it."""
        if isinstance(command, EndFault):
            named = {*self._in_force.get(command.name, ()), *self._deaf.get(command.name, ())}
        else:
            aims = list(self._aims(command))
            named = {host for aim in aims for host in aim.senders}
            if isinstance(command.fault, Partition):
                named |= {host for aim in aims for host in aim.receivers}
        return [host for host in self._hosts if host in named and host in self.processes.hosts]

    def _start(self, command: BeginFault) -> str:
        name = command.name or f"{command.fault.name} {len(self._begun) + 1}"
        if name in self._begun:
            return f"a fault {name} was begun before: each needs a name of its own"
        if isinstance(command.fault, Partition) and not all(aim.receivers for aim in self._aims(command)):
            return "a partition has two sides, and there is nobody left for the other one"
        self._begun.add(name)
        concerned: dict[str, dict[str, Any]] = {}
        at_ns = 0
        self._deafen(command, name)
        for aim in self._aims(command):
            for host in aim.senders:
                if host in self.processes.hosts:
                    request = self._request(name, command, host, aim.receivers)
                    at_ns = int(self.processes.tell(host, **request)["at"])
                    concerned[host] = request
        self._in_force[name] = concerned
        self._keep(FaultRecord(name, "begins", at_ns or time.time_ns(), text=command.text))
        return ""

    def _stop(self, command: EndFault) -> str:
        hosts = self._in_force.pop(command.name, None)
        if hosts is None:
            return f"the fault {command.name} is not in force"
        at_ns = time.time_ns()
        for host in (one for one in hosts if one in self.processes.hosts):
            at_ns = int(self.processes.tell(host, do="heal", name=command.name)["at"])
        self._tell_deaf(self._deaf.pop(command.name, {}))
        self._keep(FaultRecord(command.name, "healed", at_ns))
        return ""

    def _aims(self, command: BeginFault) -> Iterator[_Aim]:
        senders, receivers = command.senders, command.receivers
        if not isinstance(command.fault, Partition):
            for sender in senders or self._hosts:
                others = tuple(host for host in receivers if host != sender)
                if others or not receivers:
                    yield _Aim((sender,), others)
            return
        if not senders:
            senders = tuple(host for host in self._hosts if host not in receivers)
        receivers = receivers or tuple(host for host in self._hosts if host not in senders)
        yield _Aim(senders, receivers)
        yield _Aim(receivers, senders)

    def _request(
        self, name: str, command: BeginFault, sender: str, receivers: tuple[str, ...]
    ) -> dict[str, Any]:
        """The request that puts a fault in force on one host."""
        return {
            "do": "begin",
            "name": name,
            "kind": command.fault.name,
            "parameters": asdict(command.fault),
            "where": [raw(one, self._addresses) for one in command.where],
            "to": self._receivers(sender, receivers) if receivers else None,
            "nth": [list(one) for one in command.nth] or None,
            "probability": command.probability,
            "seed": command.seed,
        }

    def _receivers(self, sender: str, receivers: Sequence[str]) -> dict[str, Any]:
        ends = [end for host in receivers for end in self._ends[host]]
        return {
            "macs": [end.mac for end in ends],
            "addresses": [address for address in owners_of(ends) if address.count(":") != 5],
            "alone_on": [
                number
                for number, mine in enumerate(self._ends[sender])
                if self._neighbours(sender, mine) <= set(receivers)
            ],
            "among": [
                [number, mine.mac, ", ".join(sorted(near & set(receivers)))]
                for number, mine in enumerate(self._ends[sender])
                if (near := self._neighbours(sender, mine)) & set(receivers) and not near <= set(receivers)
            ],
        }

    def _deafen(self, command: BeginFault, name: str) -> None:
        """Cut hosts off from what is sent to groups, which only its receivers can do: others are to take it."""
        if isinstance(command.fault, Partition) and not (
            command.where or command.nth or command.probability is not None
        ):
            cut: dict[str, set[str]] = {}
            for aim in self._aims(command):
                macs = {end.mac for host in aim.senders for end in self._ends[host]}
                for host in aim.receivers:
                    cut.setdefault(host, set()).update(macs)
            self._deaf[name] = cut
            self._tell_deaf(cut)

    def _tell_deaf(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            if host in self.processes.hosts:
                unheard = (cut.get(host, set()) for cut in self._deaf.values())
                self.processes.deafen(host, sorted(set().union(*unheard)))

    def _neighbours(self, sender: str, mine: Interface) -> set[str]:
        """All other hosts on the network of an interface."""
        return {
            host
            for host, ends in self._ends.items()
            if host != sender and any(end.network == mine.network for end in ends)
        }

    def _addresses(self, field: str, operand: str) -> list[str]:
        if looks_like_address(operand):
            return [canonical(operand)]
        ends = self._ends[operand]
        if field in MACS:
            return [end.mac for end in ends]
        return [address for address in owners_of(ends) if address.count(":") != 5]

    # The end ----------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """No more frames will overtake those that faults hold: let them go."""
        self.processes.release()

    def take_down(self) -> None:
        """Keep a record of every change since the last time."""
        for host, change in self.processes.changes():
            self._keep(self._record(host, change))

    def end(self) -> dict[str, FaultInfo]:
        """Keep a record of every change, end the processes, and say what they counted."""
        self.take_down()
        counts = self.processes.end()
        told = {host: self._info(host, count) for host, count in counts.items()}
        return {host: _sum(self._left.get(host), info) for host, info in told.items()} | {
            host: info for host, info in self._left.items() if host not in told
        }

    def settle(self, host: str) -> None:
        """Have all that a host has sent before now pass its faults: its links are about to be cut."""
        self.processes.settle(host)

    def leave(self, host: str) -> None:
        """A host is about to end: keep a record of what its faults did, and have no more to do with it."""
        if host not in self.processes.hosts:
            return
        changes, counts = self.processes.leave(host)
        for change in changes:
            self._keep(self._record(host, change))
        counts = {**counts, "waiting": 0}  # a power cut loses them with the host
        self._left[host] = _sum(self._left.get(host), self._info(host, counts))

    def rejoin(self, host: str) -> None:
        """A host that was left has been started again: faults in force strike there too, counting anew."""
        if self.processes.begin_again(host):
            for concerned in self._in_force.values():
                if host in concerned:
                    self.processes.tell(host, **concerned[host])

    def _info(self, host: str, count: dict[str, Any]) -> FaultInfo:
        return FaultInfo(
            count.get("in", 0),
            count.get("out", 0),
            count.get("lost", 0),
            self.processes.broken.get(host, ""),
            count.get("waiting", 0),
        )

    def _record(self, host: str, change: dict[str, Any]) -> FaultRecord:
        return FaultRecord(
            fault=change["fault"],
            what=change["what"],
            at_ns=change["at"],
            host=host,
            interface=self.processes.interface(host, change["wire"]).name,
            nth=change["nth"],
            length=change["length"],
            crc=change["crc"],
            became=change.get("became"),
            later_ns=change.get("later", 0),
            text=change.get("of", ""),
        )


def _sum(one: FaultInfo | None, other: FaultInfo) -> FaultInfo:
    """What the fault processes of a host saw that was started again."""
    if one is None:
        return other
    missing = one.missing or other.missing
    waiting = one.waiting + other.waiting
    return FaultInfo(one.taken + other.taken, one.left + other.left, one.lost + other.lost, missing, waiting)
