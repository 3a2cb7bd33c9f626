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
from typing import Any, NoReturn

from lab import agent, confinement, syscalls
from lab.container import LIMITS, PROCESSES
from lab.engines import rootfs
from lab.engines.wiring import Refused, Spare, Wiring, make_spare
from lab.engines.zygote import KEPT_CAPABILITIES

ALL_GROUPS, OWN_GROUP = "0 2147483647", "0 0"
"""ping_group_range: a range with groups that the user namespace does not know is EINVAL."""
REAP_S = 2.0
"""How long the end of a host may take after its agent's socket was seen to end."""
STOP_S = 2.0
"""How long threads may take to stop; one in an uninterruptible call of the kernel has stopped as far as tests see."""
MANY_DESCRIPTORS = 1 << 20
SPARES = 2
"""For so many hosts namespaces with rings are made ahead: most labs have two, and a ring has 64 MiB."""


class FirstProcess:
    """Serves the runner over the control socket until its end; all hosts end with it."""

    def __init__(self, control: int, kept: list[str]) -> None:
        self._control = socket.socket(fileno=control)
        self._kept = kept
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
        woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes)
        polling = select.poll()
        polling.register(self._control.fileno(), select.POLLIN)
        polling.register(woken, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in polling.poll()}
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._serve_one():
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
        self._wiring = Wiring(self._spares)
        self._wiring.make(plan, _groups_that_may_ping())
        rootfs.finish(plan["programs"], plan["texts"])
        self._plan, self._logs = plan, logs
        for host in plan["hosts"]:
            self._start(host, logs)
        for host in plan["hosts"]:
            self._let_go(host["name"])

    def _let_go(self, host: str) -> None:
        """The host has its namespace now: it goes when the host does."""
        assert self._wiring is not None
        wire = self._wiring.wires[host]
        os.close(wire.namespace)
        if wire.ring is not None:
            wire.ring.close()

    def _start(self, host: dict[str, Any], logs: int) -> None:
        """Fork a host's first process, and hand the runner the other end of its agent's socket."""
        runners, agents = socket.socketpair()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            self._be_host(host, logs, agents.detach())
        syscalls.setns(self._own_pids, syscalls.CLONE_NEWPID)
        self._pids[host["name"]] = pid
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

    def _be_host(self, host: dict[str, Any], logs: int, agents: int) -> NoReturn:
        """In the forked process: become the host's first process and agent."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            name = host["name"]
            said = os.open(f"{name}.stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644, dir_fd=logs)
            os.dup2(said, 1)
            os.dup2(said, 2)
            assert self._wiring is not None
            syscalls.setns(self._wiring.wires[name].namespace, syscalls.CLONE_NEWNET)
            syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
            syscalls.set_host_name(name)
            files = {path: base64.b64decode(text) for path, text in host["files"].items()}
            _limit_processes()
            _end_first_where_memory_runs_out()
            rootfs.enter_host(self._kept, files)
            ring = self._wiring.wires[name].ring
            os.dup2(agents, 3)
            _close_all_but(3, ring.fileno() if ring else 3)
            self._set_limits(host["limits"])
            syscalls.keep_capabilities(KEPT_CAPABILITIES)
            confinement.confine()
        except (OSError, ValueError) as error:
            os.write(2, f"host {host['name']} could not be set up: {error}\n".encode())
            os._exit(1)
        os.set_inheritable(3, False)
        agent.serve(3, 3, ring)

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
        assert self._wiring is not None
        [plan] = [one for one in self._plan["hosts"] if one["name"] == host]
        self._how(host)
        self._stopped.pop(host, None)
        self._wiring.remake(plan, self._plan, _groups_that_may_ping())
        self._start(plan, self._logs)
        self._let_go(host)
        return ""

    def _pause(self, host: str) -> str:
        """Stop every process of the host, its agent first, so that nothing can start another meanwhile."""
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
        """Process ids (ours) of all processes of the host that are not stopped already, its first first."""
        own = os.readlink(f"/proc/{self._pids[host]}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == own and not _is_stopped(int(entry)):
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
        with open("/proc/sys/kernel/pid_max", "w", encoding="ascii") as file:
            file.write(str(PROCESSES))
    else:
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        most = PROCESSES if hard == resource.RLIM_INFINITY else min(PROCESSES, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _end_first_where_memory_runs_out() -> None:
    """The kernel ends what a host runs before anything else of the machine: proc_pid_oom_score_adj(5)."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


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
