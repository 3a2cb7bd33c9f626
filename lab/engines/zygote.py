"""The first process of a namespaces lab: makes the lab's namespaces and forks an agent into each host.

Run as a bare `python3 -I -S` by `lab.engines.netns`, which it never outlives: it is killed with its parent,
and ends at the end of file of the control socket. Standard library only, as all that it imports. It decides
nothing: addresses, routes and texts come with the request.

Control socket: SOCK_SEQPACKET, a JSON object a message.
  here:  {"entered": true, "rootless": B} or {"failed": {"doing": S, "errno": N, "text": S}}
  asked: {"do": "up"} with two descriptors: a file with the plan, and the folder for what hosts say on stderr
  here:  {"host": S} with a descriptor (its agent) and credentials (its process id) for each, then
         {"up": true}; or {"refused": S} or {"failed": ..}
  asked: {"do": "kill" | "cut" | "restart" | "join" | "pause" | "resume" | "how", "host": S}
  here:  {"done": S}, for `how` with what ended the host; for `restart` its agent before, as at first: its packets pass
         after `join`
"""

from __future__ import annotations

import os
import sys

from lab import syscalls

CONTROL = 3
"""The descriptor of the control socket."""
KEPT_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_NICE",
    "SETFCAP",
)
"""What a host may do: all of the network, nothing of the machine (no mounts, modules, devices, clock)."""
NEEDED_AS_ROOT = frozenset({"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SETUID", "SETGID"})
SIGKILL = 9


def main(parent: int, kept: list[str]) -> None:
    """Make the lab's namespaces and its first process, which serves until the runner is gone. No return."""
    syscalls.die_with_parent(SIGKILL)
    if os.getppid() != parent:  # it died before we could ask to be told
        os._exit(0)
    os.setsid()  # a Ctrl-C in the terminal is for the runner alone
    doing = "making namespaces"
    try:
        rootless = not syscalls.effective_capabilities() >= NEEDED_AS_ROOT
        if rootless:
            _become_root_of_a_user_namespace()
            syscalls.die_with_parent(SIGKILL)  # the new credentials took it away: prctl(2)
        syscalls.unshare(
            syscalls.CLONE_NEWNS
            | syscalls.CLONE_NEWNET
            | syscalls.CLONE_NEWPID
            | syscalls.CLONE_NEWIPC
            | syscalls.CLONE_NEWUTS
        )
        child = os.fork()
        if child:
            os.close(CONTROL)  # so that the runner sees the end when the first process ends
            os.waitpid(child, 0)
            os._exit(0)
        syscalls.die_with_parent(SIGKILL)
        doing = "making the hosts' file system"
        from lab.engines import rootfs

        rootfs.build(kept)
    except OSError as error:
        _tell_failure(doing, error)
        os._exit(1)
    os.write(CONTROL, b'{"entered": true, "rootless": %s}' % (b"true" if rootless else b"false"))
    _serve(kept)


def _become_root_of_a_user_namespace() -> None:
    """user_namespaces(7): without privilege one may map oneself, and only after giving up setgroups(2)."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _tell_failure(doing: str, error: OSError) -> None:
    import json

    told = {"doing": doing, "errno": error.errno, "text": str(error)}
    os.write(CONTROL, json.dumps({"failed": told}).encode())


def _serve(kept: list[str]) -> None:
    """Get warm while the runner does something else, then do as it asks."""
    for name in (
        "array",
        "binascii",
        "fcntl",
        "mmap",
        "termios",
        "signal",
    ):  # what agents import when in need
        __import__(name)
    import gc

    from lab import confinement
    from lab.engines import first_process

    syscalls.bound_capabilities(KEPT_CAPABILITIES)
    syscalls.make_ready()
    confinement.make_ready()
    sys.path.remove(sys.path[0])
    first = first_process.FirstProcess(CONTROL, kept)
    first.make_spares()
    gc.collect()
    gc.freeze()  # so that no collection in a host copies the pages that hosts share
    try:
        first.serve()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(0)
