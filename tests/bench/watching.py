"""How far `runner watch` is behind: from the sending of a datagram to its line on the terminal.

Run by `python -m tests.bench.watching [ENGINE [DATAGRAMS]]`. The reference is tcpdump in the receiving host, told to
wait for nothing, which sees the same datagrams in the same run. All times are of the machine's one monotonic clock.
"""

from __future__ import annotations

import fcntl
import os
import pty
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from contextlib import ExitStack
from pathlib import Path

RUNNER = [sys.executable, "-m", "runner"]
TCPDUMP = ["tcpdump", "-l", "-n", "-A", "--immediate-mode", "-i", "eth0", "udp"]
SENDER = """
import socket, sys, time
s = socket.socket(type=socket.SOCK_DGRAM)
to = (socket.gethostbyname("server"), 9999)  # not connected: that nobody listens is no error then
for line in sys.stdin:
    began = time.monotonic_ns()
    s.sendto(f"datagram {line.strip()}".encode(), to)
    print(began, flush=True)
"""
SCENARIO = "name: kept\nhosts: [server, client]\nsteps:\n  - server: {socket: s, type: SOCK_DGRAM}\n"
LAST_S = 3.0


class Terminal:
    """A program on a terminal of 160 columns; `seen` is when each datagram was first on it."""

    def __init__(self, words: list[str], folder: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, 160, 0, 0))
        self.process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder)
        os.close(theirs)
        self.seen: dict[int, int] = {}
        self.text = ""
        self._ours = ours
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 1 << 16)
            except OSError:  # EIO: the program has ended (pty(7))
                return
            now = time.monotonic_ns()
            self.text += data.decode(errors="replace")
            for found in re.finditer(r"datagram (\d+)\b", self.text):
                self.seen.setdefault(int(found[1]), now)

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Until a text is on it; raises TimeoutError."""
        end = time.monotonic() + seconds
        while text not in self.text:
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError(f"{text!r} did not appear: {self.text[-500:]}")
            time.sleep(0.01)

    def end(self) -> None:
        """Take the program away."""
        self.process.terminate()
        self.process.wait()


def measure(engine: str, datagrams: int) -> dict[str, list[float]]:
    """Milliseconds behind, for each datagram that appeared: of `runner watch`, and of tcpdump."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "kept.yaml"
        path.write_text(SCENARIO, encoding="utf-8")
        held = Terminal([*RUNNER, "run", str(path), "--engine", engine, "--keep"], folder)
        stack.callback(held.end)
        held.wait_for("stays up")
        watch = Terminal([*RUNNER, "watch", "--filter", "UDP"], folder)
        stack.callback(watch.end)
        dump = Terminal([*RUNNER, "shell", "server", "--", *TCPDUMP], folder)
        stack.callback(dump.end)
        watch.wait_for("Watching")
        dump.wait_for("listening on")
        sent = _send(folder, datagrams)
        _wait_for_all((watch, dump), datagrams)
        return {
            name: [(one.seen[number] - at) / 1e6 for number, at in sent.items() if number in one.seen]
            for name, one in (("watch", watch), ("tcpdump", dump))
        }


def _send(folder: str, datagrams: int) -> dict[int, int]:
    """Send numbered datagrams at uneven times; number -> when it was sent."""
    chance = random.Random(1)
    words = [*RUNNER, "shell", "client", "--", "python3", "-u", "-c", SENDER]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    ) as sender:
        assert sender.stdin and sender.stdout
        sent = {}
        for number in range(datagrams):
            sender.stdin.write(f"{number}\n")
            sender.stdin.flush()
            sent[number] = int(sender.stdout.readline())
            time.sleep(chance.uniform(0.02, 0.12))
        sender.stdin.close()
    return sent


def _wait_for_all(terminals: tuple[Terminal, ...], datagrams: int) -> None:
    end = time.monotonic() + LAST_S
    while any(len(one.seen) < datagrams for one in terminals) and time.monotonic() < end:
        time.sleep(0.05)


def told(name: str, late: list[float], datagrams: int) -> str:
    """One line: how many, median, 99 of a hundred, the latest."""
    if not late:
        return f"{name}: saw none of {datagrams} datagrams"
    ordered = sorted(late)
    most = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return (
        f"{name}: {len(late)} of {datagrams} datagrams, median {statistics.median(late):.1f} ms behind,"
        f" 99 % within {most:.1f} ms, the latest {ordered[-1]:.1f} ms"
    )


def main() -> int:
    """Print both, and the ratio of the medians."""
    engine = sys.argv[1] if len(sys.argv) > 1 else "netns"
    datagrams = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    try:
        found = measure(engine, datagrams)
    except TimeoutError as missing:
        print(f"  watching ({engine}): left out: {missing}")
        return 0
    print(f"  {told(f'runner watch ({engine})', found['watch'], datagrams)}")
    print(f"  {told('tcpdump -l --immediate-mode in the host', found['tcpdump'], datagrams)}")
    if found["watch"] and found["tcpdump"]:
        ratio = statistics.median(found["watch"]) / statistics.median(found["tcpdump"])
        print(f"  ratio of the medians {ratio:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
