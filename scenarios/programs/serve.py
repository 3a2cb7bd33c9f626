"""Runs a server and says when its UDP port is open: serve.py PORT COMMAND..."""

import subprocess
import sys
import time
from pathlib import Path

port, command = int(sys.argv[1]), sys.argv[2:]


def is_open():
    """Whether the kernel's tables have a UDP socket on that port (proc_pid_net(5))."""
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        rows = Path(table).read_text().splitlines()[1:]
        if any(int(row.split()[1].rpartition(":")[2], 16) == port for row in rows):
            return True
    return False


server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
while not is_open():
    if server.poll() is not None:
        sys.exit("the server ended: " + str(server.returncode))
    time.sleep(0.01)
print("serving on UDP port", port, flush=True)
sys.exit(server.wait())
