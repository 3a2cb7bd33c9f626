"""System calls that Python's standard library lacks: namespaces, mounts, capabilities.

Thin wrappers through ctypes that raise OSError with the name of the call. No policy: who may do what is
decided by the callers. Standard library only, since the first process of a lab imports it.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
"""linux/mount.h; umount2(2)"""

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
"""linux/prctl.h"""

_CAPABILITY_NAMES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
    PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES = tuple(_CAPABILITY_NAMES.split())
"""Names by number, as linux/capability.h counts them."""

_SYS_MOUNT_SETATTR = 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_CAPABILITY_VERSION_3 = 0x20080522

_library = ctypes.CDLL(None, use_errno=True)


def make_ready() -> None:
    """Look up what every host calls: ctypes keeps what it finds, so that forks need not look again."""
    for name in ("capset", "mount", "prctl", "sethostname", "setns", "unshare"):
        getattr(_library, name)


def _checked(name: str, result: int, about: str = "") -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}", about or None)


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` names for new ones: unshare(2)."""
    _checked("unshare", _library.unshare(flags))


def setns(descriptor: int, kind: int = 0) -> None:
    """Enter the namespace that a descriptor holds: setns(2)."""
    _checked("setns", _library.setns(descriptor, kind))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount, bind or change a mount: mount(2)."""
    _mount("mount", os.fsencode(source), target, kind.encode() or None, flags, options.encode() or None)


def bind(source: str, target: str) -> None:
    """Make what is at `source`, with all that is mounted below it, appear at `target` as well."""
    _mount("mount --rbind", os.fsencode(source), target, None, MS_BIND | MS_REC, None)


def _mount(
    name: str, source: bytes, target: str, kind: bytes | None, flags: int, options: bytes | None
) -> None:
    result = _library.mount(source, os.fsencode(target), kind, ctypes.c_ulong(flags), options)
    _checked(name, result, target)


def unmount(target: str) -> None:
    """Take a mount and all below it out of sight at once; it goes when nobody uses it any more."""
    _checked("umount", _library.umount2(os.fsencode(target), MNT_DETACH), target)


def pivot_root(new: str, old: str) -> None:
    """Make the mount `new` the root and put the old one at `old`: pivot_root(2)."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine, 155)
    _checked("pivot_root", _library.syscall(ctypes.c_long(number), os.fsencode(new), os.fsencode(old)), new)


def set_read_only(target: str, *, recursive: bool = True, read_only: bool = True) -> None:
    """Make a mount (and all below it) read-only, or writable again: mount_setattr(2), Linux 5.12.

    Unlike a remount it changes this one flag and no other, so that it is allowed where flags are locked.
    """
    change = struct.pack(
        "=QQQQ", _MOUNT_ATTR_RDONLY if read_only else 0, 0 if read_only else _MOUNT_ATTR_RDONLY, 0, 0
    )
    result = _library.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(-100),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        change,
        ctypes.c_size_t(len(change)),
    )
    _checked("mount_setattr", result, target)


def die_with_parent(signal_number: int) -> None:
    """Be sent a signal when the thread that made this process ends: PR_SET_PDEATHSIG of prctl(2)."""
    _checked("prctl", _library.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0))


def set_host_name(name: str) -> None:
    """The name that gethostname(2) gives in this UTS namespace."""
    encoded = name.encode()
    _checked("sethostname", _library.sethostname(encoded, ctypes.c_size_t(len(encoded))))


def effective_capabilities() -> frozenset[str]:
    """The capabilities this process may use now, by the names of `CAPABILITIES`."""
    header = struct.pack("=II", _CAPABILITY_VERSION_3, 0)
    data = ctypes.create_string_buffer(24)
    _checked("capget", _library.capget(header, data))
    low, _, _, high, _, _ = struct.unpack("=6I", data.raw)
    bits = low | high << 32
    return frozenset(name for number, name in enumerate(CAPABILITIES) if bits >> number & 1)


def bound_capabilities(names: Iterable[str]) -> None:
    """Let nothing that this thread or its children execute gain others: the bounding set of capabilities(7)."""
    wanted = set(names)
    for number, name in enumerate(CAPABILITIES):
        if name not in wanted:  # EINVAL: a number this kernel does not know yet
            _library.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)


def keep_capabilities(names: Iterable[str]) -> None:
    """Give up all other capabilities, for this thread and for whatever it executes: capset(2)."""
    set_capabilities(capability_sets(names))


def capability_sets(names: Iterable[str]) -> bytes:
    """Those of these capabilities that this process has now, for `set_capabilities`."""
    held = sum(1 << CAPABILITIES.index(name) for name in effective_capabilities().intersection(names))
    low, high = held & 0xFFFFFFFF, held >> 32
    return struct.pack("=6I", low, low, 0, high, high, 0)


def set_capabilities(sets: bytes) -> None:
    """Have these capabilities and no others: capset(2)."""
    _checked("capset", _library.capset(struct.pack("=II", _CAPABILITY_VERSION_3, 0), sets))
