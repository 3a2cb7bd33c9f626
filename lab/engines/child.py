"""The child that holds a namespaces lab, as the runner sees it: starting it, telling it, and its end.

What it does is `lab.engines.zygote`, whose docstring has the protocol. Nothing here knows what a lab looks like.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.channel import tail_of
from lab.engines import forbidden
from lab.errors import LabError

START_S, ANSWER_S, END_S = 20.0, 30.0, 20.0
"""How long the child may take to start, to answer and to end."""
ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package `lab`."""
HIDDEN = ("/tmp", "/run", "/var", "/home", "/root")
"""Folders of which hosts see nothing of the machine's: `PRIVATE` and `HOMES` of `lab.engines.rootfs`."""
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from lab.engines import zygote;"
    "zygote.main(int(sys.argv[2]), sys.argv[3:])"
)


class ChildGone(LabError):
    """The child ended while it was needed."""


class Child:
    """The child and our end of its control socket. It dies with the thread that made it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.told_to_end = False
        self.rootless = False
        self._entered = False
        self._said = os.memfd_create("said")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", _BOOT, str(ROOT), str(os.getpid()), *kept_folders()],
                _environment(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self._said, 1),
                    (os.POSIX_SPAWN_DUP2, self._said, 2),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
                ],
            )
        _children.append(self)

    def enter(self) -> None:
        """Wait until it has its namespaces; raises EngineMissing where it cannot have them."""
        if self._entered:
            return
        message, _, _ = self.receive(START_S)
        if "failed" in message:
            failed = message["failed"]
            raise forbidden.explain(failed["doing"], failed["errno"], failed["text"])
        self.rootless, self._entered = message["rootless"], True

    def alive(self) -> bool:
        """Whether it still runs."""
        try:
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def ask(self, request: Mapping[str, str], timeout_s: float = ANSWER_S) -> Any:
        """Ask for one thing about a host that is up; returns what it says. Raises LabError."""
        self.send(request)
        message, _, _ = self.receive(timeout_s)
        if "failed" in message:
            raise LabError(f"cannot {request['do']} host {request['host']}: {message['failed']['text']}")
        return message["done"]

    def send(self, request: Mapping[str, str], descriptors: tuple[int, ...] = ()) -> None:
        """Send a request; raises LabError when the child is gone."""
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        except OSError:
            raise self._gone() from None

    def receive(self, timeout_s: float) -> tuple[dict[str, Any], list[int], int]:
        """The next message, its descriptors, and the process id that came with it. Raises LabError."""
        self._control.settimeout(timeout_s)
        space = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(12)
        try:
            data, ancillary, _, _ = self._control.recvmsg(65536, space, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            raise LabError(f"the lab's first process did not answer within {timeout_s:g} s") from None
        except OSError:
            data = b""
        if not data:
            raise self._gone()
        descriptors, pid = array.array("i"), 0
        for _, kind, value in ancillary:
            if kind == socket.SCM_RIGHTS:
                descriptors.frombytes(value)
            elif kind == socket.SCM_CREDENTIALS:
                pid = struct.unpack("=iII", value)[0]
        return json.loads(data), list(descriptors), pid

    def end(self) -> None:
        """End it and all that it made, without waiting for the kernel to take it apart; that is `collect`.

        The kernel kills all its processes at once (pid_namespaces(7)). Closing a capture takes it another 25 ms
        (synchronize_net in packet_release), during which a runner has better things to do.
        """
        self._control.close()
        self.told_to_end = True

    def _collect(self, timeout_s: float) -> bool:
        """Whether it has ended, waiting so long for that."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            descriptor = -1
        if descriptor >= 0:
            ended = _has_ended(descriptor, timeout_s)
            os.close(descriptor)
            if not ended:
                return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._said)
        return True

    def _gone(self) -> LabError:
        said = tail_of(Path(f"/proc/self/fd/{self._said}")).strip()
        return ChildGone("the lab's first process is gone" + (f"; its last words: {said}" if said else ""))


_children: list[Child] = []
"""Children of this process that were not yet seen to have ended."""


def collect(timeout_s: float = 0.0) -> None:
    """Forget children that were told to end and have, waiting so long for each."""
    for child in list(_children):
        if child.told_to_end and child._collect(timeout_s):
            _children.remove(child)


def _has_ended(descriptor: int, timeout_s: float) -> bool:
    polling = select.poll()
    polling.register(descriptor, select.POLLIN)
    return bool(polling.poll(timeout_s * 1000))


@atexit.register
def _end_all() -> None:
    """When the runner ends, nothing of its labs may be left."""
    for child in list(_children):
        if child.owner == os.getpid():  # and not a fork of the runner's, whose labs they are not
            child.end()
            if not child._collect(END_S):
                os.kill(child.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """What programs in hosts find in their environment: nothing of the user's."""
    passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/tmp", **passed}


def kept_folders() -> list[str]:
    """Folders of code and programs that hosts must see although they lie where the machine's are out of sight."""
    wanted = {
        str(folder)
        for one in (ROOT, Path(sys.prefix), Path(sys.base_prefix), *_program_folders())
        for folder in (one, one.resolve())
    }
    hidden = sorted(one for one in wanted if any(Path(top) in Path(one).parents for top in HIDDEN))
    return [one for one in hidden if not any(Path(other) in Path(one).parents for other in hidden)]


def _program_folders() -> list[Path]:
    """Where programs are looked for. Shims (of pyenv, asdf and others) are nothing without what lies beside them."""
    found = [Path(one) for one in os.get_exec_path() if one.startswith("/") and os.access(one, os.X_OK)]
    return [one.parent if one.name == "shims" else one for one in found]
