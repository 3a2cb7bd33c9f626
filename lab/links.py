"""The runner's end of the processes that take links of hosts down and up: `lab.linking`, one beside an agent.

They are begun when a host's link is first asked for. Any lab has links: no engine does anything for it.
"""

from __future__ import annotations

from typing import Any

from lab import beside
from lab.engine import Lab
from lab.errors import LabError

NAME = "link process"
"""The name of the child process at every agent; no scenario can make it, since it has a blank."""
ANSWER_S = 15.0


class Links:
    """The links of one lab's hosts."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._begun: set[str] = set()

    def set(self, host: str, interface: str, *, up: bool) -> int:
        """Take a link down, or bring it up with the routes and addresses that it had.

        Returns when it was done: nanoseconds of CLOCK_REALTIME. Raises LabError where the kernel refuses.
        """
        agent = self._lab.agent(host)
        if host not in self._begun:
            source = beside.program(("lab",), ("lab.netlink", "lab.linking"))
            agent.ask(ANSWER_S, do="start", source=source, makes=NAME)
            self._begun.add(host)
        what = {"interface": interface, "up": up}
        answer: dict[str, Any] = agent.ask(ANSWER_S, do="tell", to=NAME, what=what)
        if "error" in answer:
            raise LabError(f"link {interface} of host {host}: {answer['error']}", "It needs NET_ADMIN.")
        return int(answer["at"])

    def forget(self, host: str) -> None:
        """The host has ended, and its process with it."""
        self._begun.discard(host)
