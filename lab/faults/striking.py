"""The runner's end of the fault processes: one beside the agent of each host that a fault may strike.

Knows agents and the fault process's requests (`lab.faults.feed`); which faults there are and when is the
caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab import beside, stackless
from lab.engine import Interface, Lab
from lab.errors import LabError, Unsupported
from lab.faults.wires import wire_name

NAME = "fault process"
"""The name of the child process at every agent; no scenario can make it, since it has a blank."""
MODULES = (
    "lab.netlink",
    *(
        f"lab.faults.{name}"
        for name in (
            "frame", "headers", "drop", "partition", "delay", "duplicate", "reorder", "rate", "truncate", "corrupt",
            "options", "numbers", "readable", "selecting", "wires", "batches",
        )
    ),
    "lab.faults",
    "lab.faults.line",
    "lab.faults.feed",
)  # fmt: skip
"""What the fault process is made of, each after those that it imports."""
ANSWER_S = 15.0

Kinds = Sequence[Sequence[int]]
"""Pairs of EtherType and IP protocol, -1 being any: see `lab.faults.wires.selector`."""


def source() -> str:
    """The whole program of the fault process, for a bare Python in the host."""
    return beside.program(("lab", "lab.faults"), MODULES)


class Striking:
    """The fault processes of one lab; `kinds` says for each host what of its traffic takes the detour.

    `relative`: some fault will mean frames by `seq` or `ack`, for which all frames are looked at from the beginning.
    A host whose process has ended is in `broken` with the reason; nothing that was meant to pass it has passed.
    """

    def __init__(self, lab: Lab, kinds: Mapping[str, Kinds], *, relative: bool = False) -> None:
        self._lab = lab
        self._relative = relative
        self._kinds = dict(kinds)
        self._asked = dict(kinds)
        self.broken: dict[str, str] = {}

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that have one."""
        return tuple(self._kinds)

    def begin(self) -> None:
        """Start them all, side by side, and divert; raises Unsupported where a kernel or a host cannot."""
        self._begin(self._kinds)

    def begin_again(self, host: str) -> bool:
        """The same for a host that was left and has been started again; False where it never had one."""
        if host not in self._asked:
            return False
        self._kinds[host] = self._asked[host]
        self.broken.pop(host, None)
        self._begin({host: self._asked[host]})
        return True

    def _begin(self, wanted: Mapping[str, Kinds]) -> None:
        waiting = []
        for host, kinds in wanted.items():
            agent = self._lab.agent(host)
            waiting.append((host, agent, agent.post({"do": "start", "source": source(), "makes": NAME})))
            wires = [[end.name, kinds] for end in self._lab.interfaces(host)]
            what = {"do": "lay", "wires": wires, "relative": self._relative}
            waiting.append((host, agent, agent.post({"do": "tell", "to": NAME, "what": what})))
        for host, agent, identifier in waiting:
            reply = agent.wait(identifier, ANSWER_S)
            value = reply.get("value") or {}
            problem = (reply.get("error") or {}).get("text") or value.get("error") or reply.get("malformed")
            if problem:
                raise Unsupported(
                    f"host {host} cannot have faults: {problem}",
                    "They need NET_ADMIN and NET_RAW, and a kernel with veth, clsact, cls_bpf and mirred.",
                )

    def readers(self, host: str) -> list[str]:
        """The interfaces that a capture must leave out: where diverted frames are read, they were seen before."""
        return [f"{wire_name(number)}p" for number in self._numbers(host)]

    def renamed(self, host: str) -> dict[str, str]:
        """A detour's interface -> the one that the host's stack meant to send from."""
        ends = self._lab.interfaces(host)
        return {wire_name(number): ends[number].name for number in self._numbers(host)}

    def _numbers(self, host: str) -> range:
        return range(len(self._lab.interfaces(host)) if host in self._kinds else 0)

    def interface(self, host: str, number: int) -> Interface:
        """The interface of a detour's number."""
        return self._lab.interfaces(host)[number]

    def tell(self, host: str, **what: Any) -> dict[str, Any]:
        """Ask one of them; raises LabError where it refuses, has ended or does not answer."""
        answer: dict[str, Any] = self._lab.agent(host).ask(ANSWER_S, do="tell", to=NAME, what=what)
        if "error" in answer:
            raise LabError(f"the fault process of host {host}: {answer['error']}")
        return answer

    def deafen(self, host: str, macs: Sequence[str]) -> None:
        """Let a host take nothing from these MACs that is for a group, nor capture it; replaces those of before."""
        self.tell(host, do="deaf", macs=list(macs))
        self._lab.agent(host).ask(do="deaf", macs=list(macs))
        stackless.deafen(self._lab, host, macs)

    def _try(self, host: str, do: str) -> dict[str, Any]:
        """An answer, or an empty one from a process that is broken."""
        if host in self.broken:
            return {}
        try:
            return self.tell(host, do=do)
        except LabError as error:
            self.broken[host] = error.what
            return {}

    def release(self) -> None:
        """Let go of what waits for other frames to pass."""
        for host in self._kinds:
            self._try(host, "release")

    def until_ns(self) -> int:
        """When the last frame that waits for its time is due, in nanoseconds of CLOCK_REALTIME; 0 where none waits."""
        return max((self._waits(host) for host in self._kinds), default=0)

    def _waits(self, host: str) -> int:
        return int(self._try(host, "waits").get("until", 0))

    def changes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All changes since the last time, each with its host."""
        for host in self._kinds:
            yield from ((host, one) for one in self._changes_of(host))

    def _changes_of(self, host: str) -> Iterator[dict[str, Any]]:
        more = True
        while more:
            answer = self._try(host, "changes")
            yield from answer.get("changes", ())
            more = answer.get("more", False)

    def settle(self, host: str) -> None:
        """Have all that the host's stack sent before now pass its detour: it drains before it answers anything."""
        if host in self._kinds:
            self._try(host, "waits")

    def leave(self, host: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Have no more to do with a host that is about to end: its changes since the last time, and its counts."""
        changes, counts = list(self._changes_of(host)), self._try(host, "counts")
        del self._kinds[host]
        return changes, counts

    def end(self) -> dict[str, dict[str, Any]]:
        """Take the detours away and end the processes: for each host what it counted, empty where it is broken."""
        counts = {}
        for host in self._kinds:
            counts[host] = self._try(host, "counts")
            self._try(host, "end")
        return counts
