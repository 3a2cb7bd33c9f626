"""Steps that something is done to a host by, and not by the host: pause, resume, kill, restart, link.

How a lab does it is the engines' affair; what becomes of calls that wait meanwhile is the stage's.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from runner.commands import (
    HostCommand,
    KillHost,
    PauseHost,
    RestartHost,
    ResumeHost,
    SetLink,
)
from runner.errors import Misplaced
from runner.model import MisplacedAt, Reads, Surroundings
from runner.reading import suggestion
from runner.steps.base import ChangeStep
from runner.steps.naming_hosts import read_host
from runner.values import Text, read_text

WAYS = ("down", "up")


def read_way(value: Any, around: Surroundings) -> str:
    """`down` or `up`."""
    way = read_text(value, around)
    if way not in WAYS:
        message = f"a link goes down or up, not {way!r}"
        raise Misplaced(message, length=max(1, len(way)), suggestion=suggestion(way, WAYS))
    return way


HostName: TypeAlias = Annotated[str, Reads(read_host, {"type": "string"})]


class Pause(ChangeStep):
    """Stop all programs of a host (SIGSTOP, signal(7)): its kernel still answers, and what arrives waits in its queues.

    No step is played by a paused host. At the end of a run it is resumed, so that its capture can be fetched.

    pause  the host
    """

    verb: ClassVar[str] = "pause"
    pause: HostName

    def command(self) -> HostCommand:
        """To pause it."""
        return PauseHost(self.pause)


class Resume(ChangeStep):
    """Let the programs of a paused host go on where they stopped (SIGCONT, signal(7)).

    resume  the host
    """

    verb: ClassVar[str] = "resume"
    resume: HostName

    def command(self) -> HostCommand:
        """To resume it."""
        return ResumeHost(self.resume)


class Kill(ChangeStep):
    """Cut a host's power: its links go down, then its programs and its kernel's memory are gone.

    No FIN and no RST gets out, so its peers know nothing of it (a half-open connection, RFC 9293 section 3.5.1).
    Calls that it has pending end as gone, which is no failure; a later step on it fails. What it captured is kept.

    kill  the host
    """

    verb: ClassVar[str] = "kill"
    kill: HostName

    def command(self) -> HostCommand:
        """To kill it."""
        return KillHost(self.kill)


class Restart(ChangeStep):
    """Begin a host anew, killed before or not: it has the addresses it had, and no socket or program of before.

    Where it was not killed yet it is first, as `kill` says: no FIN and no RST gets out. Faults in force strike it
    again, and count anew. Names of what it had stand for things that are gone: what it makes now needs others.

    restart  the host
    """

    verb: ClassVar[str] = "restart"
    restart: HostName

    def command(self) -> HostCommand:
        """To restart it."""
        return RestartHost(self.restart)


class Link(ChangeStep):
    """Take a host's link down, or bring it up again (ip-link(8)).

    While it is down the host has no route by it: what it wants to send anew fails (ENETUNREACH), what TCP has in
    flight is sent again later. Brought up, it has the addresses, routes and permanent neighbours that it had.

    link  the host
    to    down or up
    net   the network that the link leads to; without it all links of the host
    """

    verb: ClassVar[str] = "link"
    link_: Annotated[HostName, Field(alias="link")]
    to: Annotated[str, Reads(read_way, {"enum": list(WAYS)})]
    net: Text | None = None

    def misplaced_in(self, lab: Surroundings) -> Iterator[MisplacedAt]:
        """A network that is not there, or that the host is not on."""
        on = [name for name, hosts in lab.networks.items() if self.link_ in hosts]
        known = (
            isinstance(self.net, str) and self.link_ in lab.hosts and lab.networks
        )  # else told when it is played
        if self.net is None or not known or self.net in on:
            return
        message, near = f"there is no network {self.net!r}", suggestion(self.net, lab.networks)
        if self.net in lab.networks:
            message, near = f"host {self.link_} is not on network {self.net} (but on {', '.join(on)})", ""
        yield MisplacedAt(("net",), message, length=max(1, len(self.net)), suggestion=near)

    def command(self) -> HostCommand:
        """To set it."""
        return SetLink(self.link_, self.to == "up", self.net)

    def text(self) -> str:
        """`link client down`, and of which network."""
        return f"link {self.link_} {self.to}" + (f" net {self.net}" if self.net else "")
