"""What the containers of docker-compose.yml run: the switch of the lab, or a host that joins it and then only waits.

`python3 -m lab.engines.joined HOST..` with the names of all hosts; which of them this is its host name says, and the
switch is none of them. Addresses are those of the plan for these hosts, as the runner's.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from lab.engines import docker_plan, guest
from lab.engines.switch import Switch
from lab.topology import Topology

_FOR_EVER_S = "2147483647"
"""Not `infinity`: the sleep of small images wants a number."""


def main(hosts: list[str]) -> None:
    """Be the switch, or join it; no return. Raises OSError where the switch does not answer."""
    name = socket.gethostname()
    ip6 = Path("/proc/net/if_inet6").exists()
    made = docker_plan.layout(Topology.simple(*sorted(hosts)), "compose", {}, ip6=ip6)
    if name not in hosts:
        switch = Switch(asked=False)
        switch.do_make(docker_plan.switch_request(made))
        switch.serve_hosts()
    guest.settle(docker_plan.guest_settings(made, name))
    os.execvp("sleep", ["sleep", _FOR_EVER_S])


if __name__ == "__main__":
    main(sys.argv[1:])
