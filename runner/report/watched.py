"""The picture of `runner watch`: the ladder of packets, a line for each as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner import conditions
from runner.conditions import Condition
from runner.headers import is_group
from runner.packets import Transmission
from runner.report import ladder, timeline
from runner.report.paper import Paper
from runner.report.text import printable
from runner.report.timeline import Sent, Timeline
from runner.watching import Watch


def show(watch: Watch, wanted: Sequence[Condition], paper: Paper) -> None:
    """Draw what the hosts send, where it meets the conditions, until all hosts are gone.

    What hosts do by themselves (router and listener discovery) is left out, unless conditions are given.
    """
    names = ", ".join(printable(name) for name in watch.names)
    paper.line(paper.styled(f"Watching {names}. Ctrl-C ends it.", "quiet"))
    picture = Picture(watch, paper)
    for one in watch.packets():
        if _is_wanted(one, wanted, watch):
            paper.lines(picture.lines(one))
    paper.line(paper.styled("The lab is gone.", "quiet"))


@dataclass
class Picture:
    """A ladder that grows: the first packet brings the head, and the beginning of time."""

    watch: Watch
    paper: Paper
    _began_ns: int = 0

    def lines(self, one: Transmission) -> list[str]:
        """What the next packet adds."""
        is_first = not self._began_ns
        self._began_ns = self._began_ns or one.sent.time_ns
        moment = Timeline(tuple(self.watch.names), (Sent(one.sent.time_ns, one),), self._began_ns)
        drawn = list(ladder.draw(moment, self.paper))
        return drawn if is_first else drawn[1:]


def concerns(one: Transmission, host: str) -> bool:
    """Whether a packet is sent by a host, or goes to it or to a group, and is not of what hosts do by themselves."""
    if timeline.is_housekeeping(one.sent.header):
        return False
    return host in (one.sent.host, one.source, one.target) or is_group(one.sent.header.target_mac)


def _is_wanted(one: Transmission, wanted: Sequence[Condition], watch: Watch) -> bool:
    if not wanted:
        return not timeline.is_housekeeping(one.sent.header)
    return all(conditions.holds(condition, one, watch.owner) for condition in wanted)
