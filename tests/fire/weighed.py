"""The command line with its memory weighed: `python -m tests.fire.weighed FD WORD...` writes the most it had to FD.

ru_maxrss of getrusage(2) would not do: it counts what the parent had when it began this program.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from pathlib import Path


def peak_bytes() -> int:
    """The most memory this program had so far (VmHWM of proc_pid_status(5))."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found
    return int(found[1]) << 10


if __name__ == "__main__":
    from runner import cli

    descriptor = int(sys.argv[1])
    atexit.register(lambda: os.write(descriptor, b"%d" % peak_bytes()))
    sys.exit(cli.main(sys.argv[2:]))
