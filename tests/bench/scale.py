"""Many hosts: how long until all answer, beside the bare namespaces by hand, and what memory each has of its own.

Prints, and judges nothing: `tests/engines/test_scale.py` holds counts and memory.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from lab import engine as engines
from lab.engine import Lab
from lab.engines.netns import NetnsLab
from lab.topology import Topology
from tests.bench.measures import no_ip

SIZES = (100, 500)
ROUNDS = 3
ANSWER_S = 60.0


def topology(hosts: int) -> Topology:
    """So many hosts on one network."""
    return Topology.simple(*(f"h{number}" for number in range(hosts)))


def all_answer(lab: Lab) -> int:
    """Ask every host's agent for its interfaces, all at once; how many of them have their planned address."""
    names = [host.name for host in lab.topology.hosts]
    waiting = [(name, lab.agent(name).post({"do": "interfaces"})) for name in names]
    answered = 0
    for name, identifier in waiting:
        told = str(lab.agent(name).wait(identifier, ANSWER_S)["value"])
        answered += f"{lab.interfaces(name)[0].ip4[0]}/" in told
    return answered


def private_bytes(processes: Iterable[int]) -> int:
    """Memory that these processes share with nobody: proc_pid_smaps(5), smaps_rollup."""
    total = 0
    for process in processes:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
    return total


def ours(hosts: int, scratch: Path) -> tuple[float, float]:
    """Seconds until all answer, and private bytes of a host. The child is warm, as after a scenario was read."""
    engine = engines.find("netns")
    engine.ready()
    time.sleep(0.1)
    began = time.perf_counter()
    with engine.up(topology(hosts), logs=scratch) as lab:
        assert all_answer(lab) == hosts
        took = time.perf_counter() - began
        assert isinstance(lab, NetnsLab)
        return took, private_bytes(lab.pids.values()) / hosts


def by_hand(hosts: int) -> float:
    """So many namespaces with a link each to one bridge, with ip(8) in batches; no process in any of them."""
    name = f"bench-{os.getpid()}"
    spaces = "".join(f"netns add {name}-{number}\n" for number in range(hosts))
    links = f"link add {name[:15]} type bridge\nlink set {name[:15]} up\n" + "".join(
        f"link add bp{number} master {name[:15]} up type veth peer name eth0 netns {name}-{number}\n"
        for number in range(hosts)
    )
    began = time.perf_counter()
    try:
        subprocess.run(["ip", "-batch", "-"], input=(spaces + links).encode(), check=True)
        return time.perf_counter() - began
    finally:
        gone = f"link del {name[:15]}\n" + "".join(f"netns del {name}-{number}\n" for number in range(hosts))
        subprocess.run(["ip", "-batch", "-"], input=gone.encode(), check=False)


def main() -> None:
    """Print a line for each size."""
    reason = no_ip()
    for hosts in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            pairs = [
                (ours(hosts, Path(folder)), by_hand(hosts) if not reason else 0.0) for _ in range(ROUNDS)
            ]
        seconds, memory = sorted(mine for mine, _ in pairs)[ROUNDS // 2]
        told = f"{hosts} hosts up, all answering: {seconds:.2f} s, {memory / 2**20:.2f} MiB of its own a host"
        if reason:
            print(f"  {told} (no reference: {reason})")
            continue
        other = statistics.median(other for _, other in pairs)
        ratio = statistics.median(mine[0] / other for mine, other in pairs)
        print(f"  {told}, reference {other:.2f} s (bare namespaces with ip -batch), ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
