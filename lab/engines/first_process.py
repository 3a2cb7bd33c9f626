"""What the first process of a namespaces lab does once it is warm: brings hosts up, and ends or stops them.

Single-threaded, since it forks. The protocol is in `lab.engines.zygote`; wires are `lab.engines.wiring`,
files `lab.engines.rootfs`. Standard library only.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import select
import signal
import socket
import struct
import time

from lab import agent, confinement, syscalls
from lab.container import LIMITS, PROCESSES
from lab.engines import rootfs, sysctls
from lab.engines.sysctls import Refused
from lab.engines.wiring import Spare, Wire, Wiring, make_spare
from lab.engines.zygote import KEPT_CAPABILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

ALL_GROUPS, OWN_GROUP = "0 2147483647", "0 0"
"""ping_group_range: a range with groups that the user namespace does not know is EINVAL."""
REAP_S = 2.0
"""How long the end of a host may take after its agent's socket was seen to end."""
STOP_S = 2.0
"""How long threads may take to stop; one in an uninterruptible call of the kernel has stopped as far as tests see."""
MANY_DESCRIPTORS = 1 << 20
MOST_AT_ONCE = 16
"""For how many hosts wires are made before they are forked."""
FIRST = -20
"""The nice value of setpriority(2) that comes before all others."""
SPARES = 2
"""For so many hosts namespaces with rings are made ahead: most labs have two, and a ring has 64 MiB."""


class FirstProcess:
    """Serves the runner over the control socket until its end; all hosts end with it."""

    def __init__(self, control: int, kept: list[str]) -> None:
        self._control = socket.socket(fileno=control)
        self._kept = kept
        self._capabilities = syscalls.capability_sets(KEPT_CAPABILITIES)
        self._agent = agent.Agent()
        self._polling = select.poll()
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)
        self._descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._pids: dict[str, int] = {}
        self._ended: dict[int, str] = {}
        self._stopped: dict[str, list[int]] = {}
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._wiring: Wiring | None = None
        self._spares: list[Spare] = []
        self._plan: dict[str, Any] = {}
        self._logs = -1

    def make_spares(self) -> None:
        """Make ahead what takes the kernel long; what cannot be had ahead is made when it is asked for."""
        with contextlib.suppress(OSError):
            while len(self._spares) < SPARES:
                self._spares.append(make_spare())

    def serve(self) -> None:
        """Do what is asked, and collect what has ended, until the runner closes its end."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._descriptors[1], self._descriptors[1]))
        control = self._control.fileno()
        self._polling.register(control, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in self._polling.poll()]
            for ended in (one for one in ready if one != control):
                self._polling.unregister(ended)
                os.close(ended)
                self._reap()
            if control in ready and not self._serve_one():
                return

    def _serve_one(self) -> bool:
        """One request; False at the end of them."""
        data, descriptors, _, _ = socket.recv_fds(self._control, 65536, 2)
        if not data:
            return False
        request = json.loads(data)
        try:
            if request["do"] == "up":
                self._up(*descriptors)
                self._tell({"up": True})
            else:
                self._tell({"done": getattr(self, "_" + request["do"])(request["host"])})
        except Refused as error:
            self._tell({"refused": str(error)})
        except OSError as error:
            self._tell({"failed": {"doing": request["do"], "errno": error.errno, "text": str(error)}})
        return True

    def _tell(self, message: dict[str, Any]) -> None:
        self._control.send(json.dumps(message).encode())

    # up

    def _up(self, plan_file: int, logs: int) -> None:
        with open(plan_file, "rb") as file:
            file.seek(0)
            plan = json.load(file)
        self._plan, self._logs = plan, logs
        rootfs.finish(plan["programs"], plan["texts"])
        self._wiring = Wiring(plan, self._spares)
        self._make(self._wiring, plan["hosts"])

    def _make(self, wiring: Wiring, hosts: list[dict[str, Any]]) -> None:
        """Make hosts: some wake up on one processor while the wires of the next are made on another.

        Every fork costs this process a copy of each page that it then writes to, so many are forked at once.
        """
        groups = _groups_that_may_ping()
        first, size = 0, 1
        with self._ahead_of_hosts():
            while batch := hosts[first : first + size]:
                wiring.make(batch, groups)
                for host in batch:
                    self._start(host, wiring)
                first, size = first + size, min(2 * size, MOST_AT_ONCE)
            wiring.settle(hosts)
        for host in hosts:
            wiring.let_go(host["name"])

    @contextlib.contextmanager
    def _ahead_of_hosts(self) -> Iterator[None]:
        """While many hosts wake up, they wait for us and not we for them; without privilege they share with us."""
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, FIRST)
        try:
            yield
        finally:
            os.setpriority(os.PRIO_PROCESS, 0, self._nice)

    def _start(self, host: dict[str, Any], wiring: Wiring) -> None:
        """Fork a host's first process; the runner gets its agent's socket."""
        runners, agents = socket.socketpair()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            self._be_host(host, wiring.wires[host["name"]], agents.detach())
        syscalls.setns(self._own_pids, syscalls.CLONE_NEWPID)
        self._pids[host["name"]] = pid
        self._polling.register(os.pidfd_open(pid), select.POLLIN)  # readable once it has ended: pidfd_open(2)
        credentials = struct.pack("=iII", pid, 0, 0)  # the kernel translates the id for the runner: unix(7)
        self._control.sendmsg(
            [json.dumps({"host": host["name"]}).encode()],
            [
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", runners.fileno())),
                (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials),
            ],
        )
        runners.close()
        agents.close()

    def _be_host(self, host: dict[str, Any], wire: Wire, agents: int) -> NoReturn:
        """In the forked process: become the host's first process and agent."""
        try:
            os.setpriority(os.PRIO_PROCESS, 0, self._nice)
            name, ring = host["name"], wire.ring
            said = os.open(f"{name}.stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644, dir_fd=self._logs)
            os.dup2(said, 1)
            os.dup2(said, 2)
            syscalls.setns(wire.namespace, syscalls.CLONE_NEWNET)
            syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
            syscalls.set_host_name(name)
            files = {path: base64.b64decode(text) for path, text in host["files"].items()}
            _limit_processes()
            _end_first_where_memory_runs_out()
            rootfs.enter_host(self._kept, files)
            os.dup2(agents, 3)
            _close_all_but(3, ring.fileno() if ring else 3)
            self._set_limits(host["limits"])
            syscalls.set_capabilities(self._capabilities)
            confinement.confine()
        except (OSError, ValueError) as error:
            os.write(2, f"host {host['name']} could not be set up: {error}\n".encode())
            os._exit(1)
        os.set_inheritable(3, False)
        self._agent.serve(3, 3, ring)

    def _set_limits(self, limits: dict[str, int]) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, self._descriptors)
        for name, value in {**LIMITS, **limits}.items():
            resource.setrlimit(getattr(resource, "RLIMIT_" + name.upper()), (value, value))

    # hosts that are up; each method is a request

    def _cut(self, host: str) -> str:
        """Nothing that the host still sends may get out."""
        assert self._wiring is not None
        self._wiring.unplug(host)
        return ""

    def _kill(self, host: str) -> str:
        """A power cut: off the networks first, so that nobody hears of the end, then the processes."""
        self._cut(host)
        pid = self._pids[host]
        if pid not in self._ended:
            os.kill(pid, signal.SIGKILL)
        return self._how(host)

    def _restart(self, host: str) -> str:
        """A host that was killed begins anew: the runner is handed its agent as at first."""
        [plan] = [one for one in self._plan["hosts"] if one["name"] == host]
        self._how(host)
        self._stopped.pop(host, None)
        assert self._wiring is not None
        self._wiring.make([plan], _groups_that_may_ping(), plugged_in=False)
        with self._ahead_of_hosts():
            self._start(plan, self._wiring)
        self._wiring.let_go(host)
        return ""

    def _join(self, host: str) -> str:
        """A host that begins anew is put on its networks."""
        [plan] = [one for one in self._plan["hosts"] if one["name"] == host]
        assert self._wiring is not None
        self._wiring.plug_in([plan])
        self._wiring.settle([plan])
        return ""

    def _pause(self, host: str) -> str:
        """Stop every process of the host, its agent first, so that nothing can start another meanwhile.

        What is part of the wire goes on, as the kernel does.
        """
        stopped = self._stopped.setdefault(host, [])
        while fresh := [pid for pid in self._processes(host) if pid not in stopped]:
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        # The signal is only sent so far: each thread stops when it next comes by the kernel's signal handling.
        deadline = time.monotonic() + STOP_S
        while not all(map(_is_stopped, stopped)) and time.monotonic() < deadline:
            time.sleep(0.0005)
        return ""

    def _resume(self, host: str) -> str:
        for pid in reversed(self._stopped.pop(host, [])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return ""

    def _how(self, host: str) -> str:
        """How the host ended, once it has; empty while it lives."""
        pid = self._pids[host]
        deadline = time.monotonic() + REAP_S
        while pid not in self._ended and time.monotonic() < deadline:
            self._reap()
            if pid not in self._ended:
                time.sleep(0.001)
        return self._ended.get(pid, "")

    def _processes(self, host: str) -> list[int]:
        """Process ids (ours) of the host's processes that can be stopped and are not yet, its first first."""
        own = os.readlink(f"/proc/{self._pids[host]}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == own and not (
                        _is_stopped(int(entry)) or _is_beside(int(entry))
                    ):
                        found.append(int(entry))
        return sorted(found)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self._ended[pid] = _ending(os.waitstatus_to_exitcode(status))


def _groups_that_may_ping() -> str:
    """All groups, or the own one where this user namespace does not know all (user_namespaces(7))."""
    with open("/proc/self/gid_map", "rb") as file:
        whole = file.read().split() == [b"0", b"0", b"4294967295"]
    return ALL_GROUPS if whole else OWN_GROUP


def _limit_processes() -> None:
    """How many processes and threads a host may have; its own number since Linux 6.14 (pid_namespaces(7)).

    Before that there is one for the whole machine, which is not ours to change: there a user has the usual limit
    of processes (RLIMIT_NPROC of setrlimit(2)), and root has none.
    """
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    if release >= (6, 14):
        sysctls.write("kernel/pid_max", str(PROCESSES))
    else:
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        most = PROCESSES if hard == resource.RLIM_INFINITY else min(PROCESSES, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _end_first_where_memory_runs_out() -> None:
    """The kernel ends what a host runs before anything else of the machine: proc_pid_oom_score_adj(5)."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)  # a text file would look for its codec
    os.write(descriptor, b"1000")
    os.close(descriptor)


def _is_beside(pid: int) -> bool:
    """Whether it is one of the processes that an agent's request `start` makes."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().endswith(b"\0" + agent.BESIDE.encode() + b"\0")


def _is_stopped(pid: int) -> bool:
    """Whether all threads are stopped by a signal (`T` in proc_pid_stat(5)), or have ended."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
                if file.read().rpartition(b") ")[2][:1] not in (b"T", b"Z", b"X"):
                    return False
    except (FileNotFoundError, ProcessLookupError):
        return True
    return True


def _ending(code: int) -> str:
    if code < 0:
        return f"its first process was killed by {signal.Signals(-code).name}"
    return f"its first process ended with exit status {code}"


def _close_all_but(last: int, one: int) -> None:
    """Close every descriptor above `last`, but not `one`."""
    os.closerange(last + 1, max(last + 1, one))
    os.closerange(max(last, one) + 1, MANY_DESCRIPTORS)
