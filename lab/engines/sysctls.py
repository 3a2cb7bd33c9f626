"""Settings of the kernel, sysctl(8): those that make a lab's hosts quiet, and those that a scenario asks for.

They are the settings of the network namespace that the calling thread is in. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

QUIET = (
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv4/tcp_congestion_control", "reno"),
    ("net/ipv4/ip_unprivileged_port_start", "1024"),
)
"""A new namespace starts with the machine's own settings (net.core.devconf_inherit_init_net)."""
QUIET_IP6 = (
    ("net/ipv6/conf/default/disable_ipv6", "0"),
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv6/conf/default/router_solicitations", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
    ("net/ipv6/icmp/ratelimit", "0"),
)
ROUTER = (
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv6/conf/all/forwarding", "1"),
)
SWITCH = (
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/ip_forward", "0"),
    ("net/bridge/bridge-nf-call-iptables", "0"),
    ("net/bridge/bridge-nf-call-ip6tables", "0"),
    ("net/bridge/bridge-nf-call-arptables", "0"),
)
"""Bridges must not look into packets: the bridge filter would drop malformed ones and join fragments."""


class Refused(Exception):
    """A host asks for what the kernel does not have, or does not allow in a host; the text says what."""


def quieten_switch() -> None:
    """Settings of the namespace of a lab's bridges."""
    _write_all(SWITCH)


def quieten_host(*, router: bool, groups: str) -> None:
    """Settings of a host, or of a router; `groups` is what ping_group_range may be."""
    _write_all(QUIET)
    _write_all([("net/ipv4/ip_forward", "1" if router else "0"), ("net/ipv4/ping_group_range", groups)])
    if os.path.exists("/proc/sys/net/ipv6"):
        _write_all(QUIET_IP6)
    if router:
        _write_all(ROUTER)


def _write_all(settings: Iterable[tuple[str, str]]) -> None:
    """Write settings of ours; a kernel that lacks one has nothing to quieten."""
    for key, value in settings:
        with contextlib.suppress(FileNotFoundError):
            write(key, value)


def write(key: str, value: str) -> None:
    """Write a setting, like `net/ipv4/ip_forward`; raises OSError."""
    descriptor = os.open("/proc/sys/" + key, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def set_asked(key: str, value: str) -> None:
    """Write a setting of the host whose network namespace we are in; raises Refused.

    `key` is like `net.ipv4.tcp_syn_retries`, with `?` at its end to leave it out where the kernel lacks it.
    """
    name = key.removesuffix("?")
    if not name.startswith("net."):
        raise Refused(f"sysctl {name} is the machine's, not a host's")
    path = name.replace(".", "/")
    try:
        write(path, value)
    except FileNotFoundError:
        if os.path.exists(
            "/proc/sys/" + path
        ):  # the setting is there: it is the value that names what is not
            raise Refused(f"this kernel does not have {value!r} for sysctl {name}") from None
        if not key.endswith("?"):
            raise Refused(
                f"sysctl {name} is not in a host: this kernel lacks it or has it only machine-wide"
            ) from None
    except PermissionError:
        raise Refused(f"sysctl {name} is the machine's, not a host's") from None
    except OSError as error:
        raise Refused(f"sysctl {name} does not take {value!r}: {error.strerror}") from None
