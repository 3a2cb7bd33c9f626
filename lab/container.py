"""What every container of a lab is given, whoever makes it: one place for the numbers.

docker-compose.yml says the same in its own notation, and a test holds the two equal. Pure data, no I/O.
"""

from __future__ import annotations

IMAGE = "socket-lab/host"
BASE_IMAGE = "socket-lab/base"
SERVERS_IMAGE = "socket-lab/servers"
"""For hosts that run servers of Debian's packages, or C."""
OWN_IMAGES = (IMAGE, SERVERS_IMAGE)

CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "KILL",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETGID",
    "SETPCAP",
    "SETUID",
)
"""All that a host's processes may have, see capabilities(7).

The agent captures (NET_RAW), turns offloads off and takes links down (NET_ADMIN), drops to the user and the
capabilities that a scenario asks for (SETUID, SETGID, SETPCAP), looks at threads that did so (DAC_OVERRIDE)
and ends their programs (KILL). CHOWN and NET_BIND_SERVICE are what servers take for granted.
"""
MORE_CAPABILITIES = ("AUDIT_WRITE", "FOWNER", "FSETID", "IPC_LOCK", "NET_BROADCAST", "SYS_CHROOT", "SYS_NICE")
"""Those that a scenario may have beside them, when it asks: none of them leads out of a container."""

SYSCTLS = {
    "net.ipv4.icmp_ratelimit": "0",
    "net.ipv4.ip_forward": "0",
    "net.ipv4.ip_unprivileged_port_start": "1024",
    "net.ipv4.tcp_congestion_control": "reno",
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
}
"""So that a host is an ordinary machine: Docker would let anybody have port 80, turn IPv6 off and, where the
machine itself forwards, let every host forward. ICMP errors come without a limit, and losses have the effect
that RFC 5681 says.
"""
QUIET_SYSCTLS = {
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.icmp.ratelimit": "0",
}
"""For hosts whose links are made after them (`lab.engines.switch`): forged sources arrive, and IPv6 says nothing by
itself and is ready at once. Where the kernel lacks one, there is nothing to quieten.
"""
SWITCH_SYSCTLS = {
    "net.bridge.bridge-nf-call-arptables": "0",
    "net.bridge.bridge-nf-call-ip6tables": "0",
    "net.bridge.bridge-nf-call-iptables": "0",
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
}
"""For the switch: its bridges do not look into packets, where the kernel could, and say nothing themselves."""
SWITCH_FOLDER = "/switch"
"""Where a run's hosts find their switch's socket; read-only in them."""
ROUTER_SYSCTLS = {
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
}

MEMORY_BYTES = 1 << 30
"""The capture's ring counts (up to 256 MiB), and what a scenario's programs need."""
PROCESSES = 4096
"""Threads count as well: every call that blocks has one."""
CPU_PERIOD_US, CPU_QUOTA_US = 100_000, 200_000
"""Of each period a host has so much time on processors: two of them."""
LARGEST_FILE_BYTES = 1 << 30
LIMITS = {"core": 1, "fsize": LARGEST_FILE_BYTES}
"""Limits of each process, see setrlimit(2). The largest file bounds what a host can say on stderr. With a core of
one byte no kernel writes one, nor starts the machine's program for it (core(5)).
"""

PROGRAMS = "/programs"
"""Where a host sees the scenario's folder of programs."""
WORK_FOLDER = "/tmp"
"""Where calls and programs start: the one place that is writable in every host."""

RESOLVER = "127.0.0.1"
"""Docker's resolver asks it for names that it does not know. Nobody is there, so no question gets out."""
RESOLVER_OPTIONS = ("attempts:1", "timeout:1")

RUN_LABEL = "socket-lab.run"
"""On all that the engine makes: the run's random name."""
OWNER_LABEL = "socket-lab.owner"
"""On all that the engine makes: the process that made it, as `lab.owner` writes it."""
COMPOSE_LABEL = "socket-lab.lab"
"""On the containers and the volume of docker-compose.yml; the switch's says so."""
COMPOSE_SWITCH = "switch"
RECIPE_LABEL = "socket-lab.recipe"
"""On images: a digest of what they were built from."""
