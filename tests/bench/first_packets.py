"""How often the first packet of a new lab stalls: a datagram sent as soon as the lab is up.

Run by `python -m tests.bench.first_packets [LABS]`, as root or as anybody. What is made by hand with ip(8) without
waiting for the links stalls about a second in some of a hundred labs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from lab import engine as engines
from lab.topology import Topology

STALLED_S = 0.1


def first_packet(scratch: Path) -> float:
    """Seconds from the datagram's sending in a new lab to its arrival."""
    with engines.find("netns").up(Topology.simple("server", "client"), logs=scratch) as lab:
        server, client = lab.agent("server"), lab.agent("client")
        datagram = [{"constant": "AF_INET"}, {"constant": "SOCK_DGRAM"}]
        server.ask(do="call", function="socket", arguments=datagram, makes="s")
        server.ask(do="call", on="s", method="bind", arguments=[["0.0.0.0", 9000]])
        client.ask(do="call", function="socket", arguments=datagram, makes="c")
        address = [lab.interfaces("server")[0].ip4[0], 9000]
        began = time.perf_counter()
        client.ask(do="call", on="c", method="sendto", arguments=[{"bytes": "first"}, address])
        server.ask(do="call", on="s", method="recv", arguments=[100])
        return time.perf_counter() - began


def main() -> int:
    """Print how many labs stalled, and the slowest."""
    labs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    problem = engines.find("netns").ready()
    if problem is not None:
        print(f"  first packets: left out: {problem.what}")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        took = [first_packet(Path(scratch)) for _ in range(labs)]
    stalled = sum(one > STALLED_S for one in took)
    who = "root" if os.geteuid() == 0 else "no root"
    print(
        f"  first packets ({who}): {stalled} of {labs} labs stalled, the slowest took {max(took) * 1000:.1f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
