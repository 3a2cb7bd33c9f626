"""Why a kernel does not let us make namespaces and what to do about it: from an errno and /proc/sys.

A function of what it is told, so that every case can be tested anywhere.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from lab.errors import EngineMissing

_SETTINGS = (
    ("kernel.unprivileged_userns_clone", "0", "1", "user namespaces are for root only"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0", "AppArmor takes a user namespace its rights"),
    ("user.max_user_namespaces", "0", "15000", "user namespaces are switched off"),
    ("user.max_net_namespaces", "0", "15000", "network namespaces are switched off"),
)
"""Setting, the value that forbids, one that allows, its meaning. The first is Debian's, then Ubuntu's."""
OTHERWISE = "Run as root, or use the other engine: --engine docker."
CONTAINER_OPTIONS = (
    "Start the container with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined` and either "
    "`--security-opt systempaths=unconfined`, or `--cap-add SYS_ADMIN --cap-add NET_ADMIN` and be root in it."
)


def explain(
    doing: str,
    code: int,
    text: str,
    read: Callable[[str], str | None] | None = None,
    in_container: bool | None = None,
) -> EngineMissing:
    """The error for a refusal `code` with that text while `doing` something.

    `read` gives the value of a sysctl by its name, None where the kernel has no such one. Without `read` and
    `in_container` this machine is asked.
    """
    read = read or sysctl
    contained = is_container() if in_container is None else in_container
    what = f"this kernel does not let us make a lab of namespaces: {text} ({doing})"
    if code == errno.ENOSYS:
        return EngineMissing(what, "Namespaces labs need Linux 5.12 or newer. " + OTHERWISE)
    if code == errno.EINVAL and "unshare" in text:
        return EngineMissing(
            what, "The kernel was built without namespaces. Use the other engine: --engine docker."
        )
    for name, forbids, allows, meaning in _SETTINGS:
        if read(name) == forbids:
            return EngineMissing(f"{what}; {name} is {forbids}: {meaning}", _set(name, allows))
    if code == errno.ENOSPC:
        return EngineMissing(
            f"{what}; too many namespaces", "Raise the limits /proc/sys/user/max_*_namespaces."
        )
    if contained and code in (errno.EPERM, errno.EACCES):
        return EngineMissing(f"{what}; the container forbids it", CONTAINER_OPTIONS)
    return EngineMissing(what, OTHERWISE)


def _set(name: str, value: str) -> str:
    return f"Allow it with `sudo sysctl -w {name}={value}`, or run as root, or use --engine docker."


def sysctl(name: str) -> str | None:
    """The value of a sysctl of this machine; None where there is none."""
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return None


def is_container() -> bool:
    """Whether this process seems to run in a container: the files that Docker and Podman leave there."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
