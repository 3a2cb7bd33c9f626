"""A lab whose hosts are containers: its agents, what can be done to a host, how an agent is begun.

Who made the containers, and who takes them down, is elsewhere: `docker_compose` and `docker_hosts`.
"""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lab import beside, docker_socket
from lab.agent import BESIDE
from lab.channel import Channel, Message
from lab.container import IMAGE
from lab.engine import Interface
from lab.engines import guest
from lab.engines.attached import AttachedStream
from lab.engines.docker import saying
from lab.engines.docker_plan import real_interfaces
from lab.errors import EngineMissing, LabError, Unsupported
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.engines.docker import Client

HELLO_S = 30.0
"""The longest that an agent may take to begin, on a machine that is busy with many."""
SIDE_BY_SIDE = 8
"""Docker gains nothing from more requests at once."""
SWITCH = "switch"
"""What the program of the switch is called in its agent."""
NO_PYTHON = "Add it (Debian): RUN apt-get update && apt-get install -y python3-minimal libpython3-stdlib"

One = TypeVar("One")
Result = TypeVar("Result")


class DockerLab:
    """A topology on containers that run, with an agent that answers in each."""

    def __init__(self, client: Client, topology: Topology, told: Mapping[str, str]) -> None:
        self._client = client
        self._topology = topology
        self._told = dict(told)
        self._channels: dict[str, Channel] = {}
        self._interfaces: dict[str, tuple[Interface, ...]] = {}
        self.containers: dict[str, str] = {}
        self.start_again: Callable[[str], None] | None = None
        """Makes the container of a killed host run again, with an agent that has begun; who made it knows how."""
        self.switch: Channel | None = None
        """The agent of the switch that the hosts are plugged into, where they are not on a network of Docker's."""
        self.paused: set[str] = set()
        self.cut_off: set[str] = set()
        self.killed: set[str] = set()

    @property
    def topology(self) -> Topology:
        return self._topology

    def agent(self, host: str) -> Channel:
        """The runner's end of the host's agent; raises KeyError for no such host."""
        return self._channels[host]

    def interfaces(self, host: str) -> tuple[Interface, ...]:
        """The host's interfaces in the order of its networks."""
        return self._interfaces[host]

    def facts(self) -> Mapping[str, str]:
        """Engine, its version, kernel, Python, and which containers were used."""
        return self._told

    def begin(
        self, host: str, connected: AttachedStream, settings: Mapping[str, Any], planned: Sequence[Interface]
    ) -> None:
        """Begin the host's agent at the other end of a stream, and learn from it what its planned ends are.

        Raises Unsupported where the image has no Python, LabError where the agent does not come up.
        """
        image = self._topology.host(host).image or IMAGE
        channel, hello = begin(host, image, connected, settings)
        self._channels[host] = channel
        self._told.setdefault("kernel", str(hello.get("kernel", "")))
        self._told.setdefault("python", str(hello.get("python", "")))
        seen = [one.get("dict", one) for one in channel.ask(do="interfaces")]
        self._interfaces[host] = real_interfaces(planned, seen)

    def begin_switch(self, connected: AttachedStream, what: Mapping[str, Any]) -> None:
        """Begin the switch at the other end of a stream, and have it make its bridges; raises LabError."""
        self.switch, _ = begin("(switch)", IMAGE, connected, guest.settings(first=None))
        program = beside.program(("lab", "lab.engines"), ("lab.netlink", "lab.engines.switch"))
        self.switch.ask(do="start", source=program, makes=SWITCH)
        self._tell_switch(what)

    def _tell_switch(self, what: Mapping[str, Any]) -> None:
        assert self.switch is not None
        answer: Any = self.switch.ask(do="tell", to=SWITCH, what=what)
        if "error" in answer:
            raise LabError(f"the switch of the lab: {answer['error']}")

    def pause(self, host: str) -> None:
        """Stop all processes of the host, its agent too, which answers after `resume`; the kernel and the wire go on.

        By signals, not by Docker's own pause: that never ends where it meets a health check that is just beginning,
        as both hold the container's freezer (seen with Docker 20.10 and runc 1.1).
        """
        self._execute(host, guest.SIGNAL_ALL, "SIGSTOP", BESIDE)
        self.paused.add(host)

    def resume(self, host: str) -> None:
        """Let the processes of the host go on."""
        self._execute(host, guest.SIGNAL_ALL, "SIGCONT", BESIDE)
        self.paused.discard(host)

    def cut(self, host: str) -> None:
        """Take the host off its networks: nothing gets in or out any more."""
        if self.switch is None:
            self._execute(host, guest.LINKS_DOWN)
        else:
            self._tell_switch({"do": "unplug", "host": host})
        self.cut_off.add(host)

    def kill(self, host: str) -> None:
        """A power cut: links go down first, so that the wire sees nothing of the end, then the processes."""
        if host not in self.cut_off:
            self.cut(host)
        with saying(f"killing host {host}"):
            self._client.kill(self.containers[host], "SIGKILL")
        self.paused.discard(host)
        self.killed.add(host)

    def restart(self, host: str) -> None:
        """Begin a killed host anew, on no network where the lab has a switch of its own."""
        assert self.start_again is not None
        self._channels[host].close()
        self.start_again(host)
        self.killed.discard(host)
        self.cut_off.discard(host)

    def join(self, host: str) -> None:
        """Let the packets of a host that begins anew pass; elsewhere than on the lab's own switch they do already."""
        if self.switch is not None:
            self._tell_switch({"do": "plug", "host": host})

    def _reached_by(self, host: str) -> str:
        """The container in which programs reach into a host."""
        return self.containers[host]

    def _execute(self, host: str, program: str, *arguments: str) -> None:
        """Run a Python program in a host; raises LabError where it fails."""
        with saying(f"reaching into host {host}"):
            command = ["python3", "-I", "-S", "-c", program, *arguments]
            begun = self._client.exec_create(self._reached_by(host), command, user="0:0")
            said = self._client.exec_start(begun["Id"])
            status = self._client.exec_inspect(begun["Id"])["ExitCode"]
        if status != 0:
            raise LabError(
                f"reaching into host {host} failed: {said.decode('utf-8', 'replace').strip()[-300:]}"
            )


# Agents ---------------------------------------------------------------------------------------------


@cache
def sources() -> tuple[str, str, str]:
    """The source of the guest program, of what confines a host, and of the agent."""
    return _source("lab.engines.guest"), _source("lab.confinement"), _source("lab.agent")


def _source(module: str) -> str:
    found = importlib.util.find_spec(module)
    assert found is not None and found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")


def stream(container: str, raw: Any, stderr: Path, how: Callable[[], str] | None = None) -> AttachedStream:
    """The stream over the connection that the SDK gives for an attached container or exec.

    `how` says how the host ended, where that is another container's affair.
    """
    connected: socket.socket = getattr(raw, "_sock", raw)
    connected.setblocking(False)
    response = getattr(raw, "_response", None)
    buffered: Any = getattr(getattr(getattr(response, "raw", None), "_fp", None), "fp", None)
    early = (buffered.read1(1 << 16) or b"") if buffered is not None else b""
    return AttachedStream(
        connected, stderr, how or (lambda: how_it_ended(container)), early=early, holding=raw
    )


def begin(
    host: str, image: str, connected: AttachedStream, settings: Mapping[str, Any]
) -> tuple[Channel, Message]:
    """Begin the agent at the other end of a stream: its channel, and what it said first."""
    channel = Channel(host, connected)
    try:
        connected.send(guest.bootstrap(dict(settings), *sources()))
        return channel, channel.hello(HELLO_S)
    except (OSError, LabError) as error:
        said = connected.last_words()
        channel.close()
        if "python3" in said and ("o such file" in said or "not found" in said):
            raise Unsupported(f"the image {image} of host {host} has no python3. {NO_PYTHON}") from None
        if isinstance(error, LabError):
            raise
        raise LabError(f"the agent of host {host} does not begin: {error}: {said}") from None


def engine_facts(client: Client) -> dict[str, str]:
    """What is known before any host is: the engine and its version."""
    with saying("asking Docker for its version"):
        return {"engine": "docker", "docker": str(client.version()["Version"])}


def how_it_ended(container: str) -> str:
    """A few words on how a container's agent ended."""
    try:
        state = docker_socket.get(f"/containers/{container}/json")["State"]
    except EngineMissing:
        return "the Docker engine does not answer any more"
    except LabError:
        return "its container ended"
    if state["Running"]:
        return "its agent ended, its container still runs"
    killed = ", out of memory" if state.get("OOMKilled") else ""
    return f"its container ended with exit status {state['ExitCode']}{killed}"


def side_by_side(
    work: Callable[[One], Result], what: Sequence[One], *, give_up: Callable[[], None] | None = None
) -> list[Result]:
    """The results of `work` on each, in order; all are finished before the first error, if any, is raised.

    So they are before Ctrl-C goes on. `give_up` is called on either: with that those end that wait for something.
    """
    if not what:
        return []
    with ThreadPoolExecutor(min(SIDE_BY_SIDE, len(what))) as pool:
        try:
            futures = [pool.submit(work, one) for one in what]
            ended = wait(futures, return_when=FIRST_EXCEPTION).done
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            if give_up is not None:
                give_up()
            raise
        failed = [one for one in futures if one in ended and one.exception() is not None]
        if failed and give_up is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            give_up()
    return [one.result() for one in failed or futures]
