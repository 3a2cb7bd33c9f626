"""Labs that are up and that another process may enter: who they are, and how to get in.

A note is a JSON file that a runner leaves while it keeps a lab; it names processes, so it is worth nothing
once the runner is gone. Knows nothing of how a lab was made: any process in namespaces can be entered.
"""

from __future__ import annotations

import contextlib
import ctypes  # noqa: F401 - before namespaces are entered, where its library may be out of sight
import json
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import owner, syscalls
from lab.engines.zygote import KEPT_CAPABILITIES
from lab.errors import LabError

_NAMESPACES = (
    ("user", syscalls.CLONE_NEWUSER),
    ("ipc", syscalls.CLONE_NEWIPC),
    ("uts", syscalls.CLONE_NEWUTS),
    ("net", syscalls.CLONE_NEWNET),
    ("pid", syscalls.CLONE_NEWPID),
    ("mnt", syscalls.CLONE_NEWNS),
)


@dataclass(frozen=True)
class Note:
    """A lab that is up: its name, the runner that holds it (see `lab.owner`), and each host's first process."""

    lab: str
    owner: str
    hosts: Mapping[str, int]


def note(lab_name: str, hosts: Mapping[str, int]) -> Path:
    """Say that this process keeps a lab; returns the file, for `forget`. Raises LabError."""
    one = Note(lab_name, owner.this_process(), dict(hosts))
    folder = _open_folder(create=True)
    assert folder is not None
    path, number = f"{os.getpid()}.json", 1
    try:
        while True:
            try:
                file = os.open(
                    path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder
                )
                break
            except FileExistsError:
                path, number = f"{os.getpid()}-{number}.json", number + 1
        with os.fdopen(file, "w", encoding="utf-8") as text:
            json.dump(asdict(one), text)
    finally:
        os.close(folder)
    return _folder() / path


def forget(path: Path) -> None:
    """Take a note of ours back."""
    path.unlink(missing_ok=True)


def running() -> list[Note]:
    """All labs that are up and were noted by this user."""
    return [one for _, one in _notes() if one is not None and not owner.is_gone(one.owner)]


def clean() -> list[str]:
    """Remove notes of runners that are gone; returns a line for each. Their labs went with them."""
    removed = []
    for path, one in _notes():
        if one is None or owner.is_gone(one.owner):
            path.unlink(missing_ok=True)
            about = f"lab {one.lab}, whose runner is gone" if one else "nothing that can be read"
            removed.append(f"note {path}: {about}")
    return removed


def enter(pid: int, argv: Sequence[str]) -> int:
    """Run a command inside the host of that process, on this terminal.

    Returns its exit status, 128 and the signal's number where one ended it.
    Raises LabError when the host is gone or cannot be entered.
    """
    try:
        process = os.pidfd_open(pid)
    except OSError as error:
        raise LabError(f"the host of process {pid} is gone: {error.strerror}") from None
    try:
        return _in_child(lambda: _become_part_of(pid, process), argv)
    finally:
        os.close(process)


def _in_child(prepare: Any, argv: Sequence[str]) -> int:
    """Fork, prepare, fork again (only children are in a PID namespace that was entered) and execute.

    Ctrl-C is for the command: it has the terminal, so both processes that wait for it ignore the signal.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outer = os.fork()
        if outer == 0:
            status = 126
            try:
                prepare()
                inner = os.fork()
                if inner == 0:
                    _execute(argv)
                status = _status(os.waitpid(inner, 0)[1])
            except OSError as error:
                os.write(2, f"cannot enter the host: {error}\n".encode())
            finally:
                os._exit(status)
        return _status(os.waitpid(outer, 0)[1])
    finally:
        signal.signal(signal.SIGINT, before)


def _become_part_of(pid: int, process: int) -> None:
    wanted = 0
    for name, kind in _NAMESPACES:
        if not Path(f"/proc/{pid}/ns/{name}").samefile(f"/proc/self/ns/{name}"):
            wanted |= kind
    syscalls.setns(process, wanted)  # all at once, by pidfd: Linux 5.8, setns(2)
    os.chdir("/")


def _execute(argv: Sequence[str]) -> None:
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        syscalls.bound_capabilities(KEPT_CAPABILITIES)
        syscalls.keep_capabilities(KEPT_CAPABILITIES)
        os.execvp(argv[0], list(argv))
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _status(waited: int) -> int:
    code = os.waitstatus_to_exitcode(waited)
    return code if code >= 0 else 128 - code


# Notes on disk


def _folder() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"socket-lab-{os.getuid()}"


def _open_folder(*, create: bool) -> int | None:
    """A descriptor of the folder of notes, which must be ours alone; None where there is none."""
    path = _folder()
    try:
        if create:
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{path} is not a folder of ours: {error.strerror}", "Remove it.") from None
    about = os.fstat(folder)
    if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
        os.close(folder)
        raise LabError(
            f"{path} is not ours alone", "Somebody else made it, or others may write there: remove it."
        )
    return folder


def _notes() -> list[tuple[Path, Note | None]]:
    """Every note with what it says; None for one that cannot be read."""
    folder = _open_folder(create=False)
    if folder is None:
        return []
    try:
        return [
            (_folder() / name, _read(folder, name))
            for name in sorted(os.listdir(folder))  # noqa: PTH208 - of the descriptor, whatever its name is now
            if ".json" in name
        ]
    finally:
        os.close(folder)


def _read(folder: int, name: str) -> Note | None:
    try:
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), encoding="utf-8") as text:
            return Note(**json.load(text))
    except (OSError, ValueError, TypeError):
        return None
