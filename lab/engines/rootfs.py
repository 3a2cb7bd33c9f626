"""What the hosts of a namespaces lab see as their file system.

The machine's own folders, read-only, on a small root of the lab's; and for each host alone what programs
write to: /tmp, /run, /var, /dev/shm, and /proc and /sys of its own. Runs inside the lab's first process and
its hosts, so standard library only; knows no network.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence

from lab import syscalls
from lab.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC

OLD_ROOT = "/.machine"
LAB_FILES = "/.lab"
PRIVATE = ("/tmp", "/run", "/var")
"""Folders that each host has for itself, empty at first."""
HOMES = ("/home", "/root")
"""Folders that are empty for all hosts: what is there is none of theirs."""
SECRETS = (
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/etc/sudoers.d",
)
"""Files and folders of which the machine's root alone knows the contents: empty, also for a lab that root made."""
_HIDDEN_OF_PROC = ("/proc/kcore", "/proc/keys", "/proc/timer_list")
"""What proc(5) tells of the whole machine and asks no capability for in every kernel."""
PRIVATE_BYTES, PRIVATE_FILES = 1 << 30, 65536
"""How much each private folder holds; all of it is memory."""
_PRIVATE_FOLDERS = ("/var/lib", "/var/cache", "/var/log", "/var/spool", "/run/lock")
_OWN_TOP = frozenset(("tmp", "run", "var", "home", "root", "dev", "proc", "sys", "programs", "lost+found"))
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_QUIET_MOUNT = MS_NOSUID | MS_NODEV | MS_NOEXEC


def build(kept: Sequence[str]) -> None:
    """Make a new root of the machine's folders, and keep the old one at `OLD_ROOT` for `finish`.

    `kept` are folders that stay in sight though they lie under `PRIVATE` ones. To be called in a new mount
    namespace, as first process of a PID namespace. Raises OSError.
    """
    syscalls.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    syscalls.mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID, "mode=755")
    os.chdir("/tmp")
    os.mkdir(OLD_ROOT[1:])
    syscalls.pivot_root(".", OLD_ROOT[1:])
    os.chdir("/")
    for name in (*PRIVATE, *HOMES, "/proc", "/sys", "/programs", LAB_FILES):
        os.mkdir(name)
    for entry in os.scandir(OLD_ROOT):
        if entry.name not in _OWN_TOP:
            _show(entry)
    for folder in kept:
        os.makedirs(folder, exist_ok=True)
        syscalls.bind(OLD_ROOT + folder, folder)
    # While the machine's own /proc and /sys are still in sight: the kernel gives new ones only to those who
    # see one in full already (mount_too_revealing in fs/namespace.c).
    syscalls.mount("proc", "/proc", "proc", _QUIET_MOUNT)
    _mount_sys()
    _devices()


def finish(programs: str | None, files: Mapping[str, str]) -> None:
    """Add what this lab needs, let go of the machine's own root, and make everything read-only.

    `programs` is a folder of the machine that becomes /programs; `files` are paths with the text that hosts
    see there instead of the machine's.
    """
    if programs is not None:
        syscalls.bind(OLD_ROOT + programs, "/programs")
    for path, text in files.items():
        own = LAB_FILES + path.replace("/", "_")
        with open(own, "w", encoding="utf-8") as file:
            file.write(text)
        if os.path.isfile(
            path
        ):  # where a machine has no such file, or a dangling link, the C library does without
            syscalls.bind(own, path)
    _cover_secrets()
    syscalls.unmount(OLD_ROOT)
    syscalls.set_read_only("/")
    syscalls.set_read_only("/proc", read_only=False)


def _cover_secrets() -> None:
    """Lay an empty file or folder over each of `SECRETS` that this machine has."""
    file, folder = f"{LAB_FILES}/none", f"{LAB_FILES}/empty"
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o444))
    os.mkdir(folder)
    for path in SECRETS:
        if os.path.lexists(path) and not os.path.islink(path):
            syscalls.bind(folder if os.path.isdir(path) else file, path)


def _show(entry: os.DirEntry[str]) -> None:
    """Make one name of the machine's root appear in ours."""
    target = "/" + entry.name
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
    elif entry.is_dir():
        os.mkdir(target)
        syscalls.bind(entry.path, target)


def _devices() -> None:
    """The devices that programs count on, and no other: a host must not reach the machine's disks."""
    os.mkdir("/dev")
    for folder in ("/dev/pts", "/dev/shm", "/dev/net"):
        os.mkdir(folder)
    for name in (*_DEVICES, "net/tun"):
        if os.path.exists(f"{OLD_ROOT}/dev/{name}"):
            os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            syscalls.bind(f"{OLD_ROOT}/dev/{name}", f"/dev/{name}")
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"/dev/{name}")


def _mount_sys() -> None:
    """A read-only /sys of the network namespace we are in; an empty folder where the kernel allows none."""
    try:
        syscalls.mount("sysfs", "/sys", "sysfs", _QUIET_MOUNT | MS_RDONLY)
    except PermissionError:  # in a container that hides parts of its own /sys
        return


def enter_host(kept: Sequence[str], files: Mapping[str, bytes]) -> None:
    """What one host has for itself. To be called as first process of its PID and mount namespaces."""
    opened = {folder: os.open(folder, os.O_PATH) for folder in kept if folder.startswith(PRIVATE)}
    # Read-only also keeps hosts from the machine's kernel: /proc/sys/kernel and /proc/sysrq-trigger ask for
    # no capability, only for being root.
    syscalls.mount("proc", "/proc", "proc", _QUIET_MOUNT | MS_RDONLY)
    for path in _HIDDEN_OF_PROC:
        if os.path.exists(path):
            syscalls.bind("/dev/null", path)
    _mount_sys()
    size = f"size={PRIVATE_BYTES},nr_inodes={PRIVATE_FILES}"
    for folder in (*PRIVATE, "/dev/shm"):
        mode = "755" if folder in ("/run", "/var") else "1777"
        syscalls.mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode},{size}")
    syscalls.mount(
        "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"
    )
    for folder in _PRIVATE_FOLDERS:
        os.mkdir(folder)
    os.symlink("/run", "/var/run")
    os.symlink("/tmp", "/var/tmp")
    for folder, descriptor in opened.items():
        os.makedirs(folder, exist_ok=True)
        syscalls.bind(f"/proc/self/fd/{descriptor}", folder)
        os.close(descriptor)
    for path, contents in files.items():
        _write(path, contents)


def _write(path: str, contents: bytes) -> None:
    """Put a file where the host sees it, also where the machine's own folders are read-only."""
    folder = os.path.dirname(path)
    if not _writable(path if os.path.lexists(path) else folder):
        _make_writable(path)
    os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as file:
        file.write(contents)


def _writable(path: str) -> bool:
    """Whether the nearest folder that exists lies on a file system that takes writes."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return not os.statvfs(path).f_flag & os.ST_RDONLY


def _make_writable(path: str) -> None:
    """Lay something of the host's own over a file that exists, or over the nearest folder that does.

    Raises OSError where the kernel cannot; overlays without privilege need Linux 5.11.
    """
    number = len(os.listdir("/run"))
    own = f"/run/.own-{number}"
    os.mkdir(own)
    if os.path.exists(path) and stat.S_ISREG(os.stat(path).st_mode):
        os.close(os.open(f"{own}/file", os.O_CREAT | os.O_WRONLY, 0o644))
        syscalls.bind(f"{own}/file", path)
        return
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    os.mkdir(f"{own}/upper")
    os.mkdir(f"{own}/work")
    syscalls.mount(
        "overlay",
        folder,
        "overlay",
        MS_NOSUID | MS_NODEV,
        f"lowerdir={folder},upperdir={own}/upper,workdir={own}/work",
    )
