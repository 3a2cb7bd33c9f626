"""Files of a run directory, which may come from anybody: never links, devices or pipes, and never without end.

A run that was sent by somebody could hold a link where its verdict is written, or a pipe that nobody writes to.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST_TEXT = 256 << 20
"""Bytes of a file that is read as a whole."""


def check(path: Path) -> None:
    """Raises OSError, with `strerror` for people, where there is something at `path` that is no ordinary file."""
    _refuse(path, path.lstat().st_mode)


def read_text(path: Path) -> str:
    """The text of an ordinary file. Raises OSError, and ValueError where it is no UTF-8."""
    with os.fdopen(_opened(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        data = file.read(LARGEST_TEXT + 1)
    if len(data) > LARGEST_TEXT:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST_TEXT >> 20} MiB", str(path))
    return data.decode("utf-8")


def write_text(path: Path, text: str) -> None:
    """Make an ordinary file anew, or write over one; raises OSError where there is anything else."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
    with os.fdopen(_opened(path, flags), "w", encoding="utf-8") as file:
        file.write(text)


def _opened(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:  # what O_NOFOLLOW gives for a link: open(2)
            _refuse(path, stat.S_IFLNK)
        if error.errno == errno.ENXIO:  # a pipe that nobody reads: fifo(7)
            _refuse(path, stat.S_IFIFO)
        raise
    try:
        _refuse(path, os.fstat(descriptor).st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse(path: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "it is a link, and a run has none", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not an ordinary file", str(path))
