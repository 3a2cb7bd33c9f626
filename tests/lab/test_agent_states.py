"""The TCP states that the program in every host reads from its kernel."""

from __future__ import annotations

from tests.agents import Host, constant, until

LOOPBACK = ["127.0.0.1", 0]


def state(host: Host, of: str) -> str:
    name: str = host.channel.ask(do="state", of=of)["state"]
    return name


def test_the_states_of_a_life(host: Host) -> None:
    host.value("socket", makes="l")
    assert state(host, "l") == "CLOSE"
    host.value("bind", LOOPBACK, on="l")
    assert state(host, "l") == "BOUND"
    host.value("listen", on="l")
    address = host.value("getsockname", on="l")
    assert (
        state(host, "l") == state(host, f"tcp :{address[1]}") == state(host, f"tcp {address[1]}") == "LISTEN"
    )
    host.value("create_connection", address, makes="c")
    host.value("accept", on="l", makes="s")
    assert state(host, "c") == state(host, "s") == "ESTABLISHED"
    both = host.channel.ask(do="state", of=f"tcp :{address[1]}")
    assert (both["state"], sorted(both["all"])) == ("ESTABLISHED", ["ESTABLISHED", "LISTEN"])
    host.value("shutdown", constant("SHUT_WR"), on="c")
    until(host, lambda: state(host, "c") == "FIN_WAIT2")
    assert state(host, "s") == "CLOSE_WAIT"
    host.value("close", on="s")
    until(host, lambda: state(host, "c") == "TIME_WAIT")
    assert state(host, "s") == "gone"
    host.value("close", on="c")
    assert state(host, "c") == "TIME_WAIT"
    host.value("close", on="l")
    assert state(host, "l") == "gone"
    assert state(host, "tcp :1") == "gone"


def test_a_connection_that_is_not_answered_is_in_syn_sent_and_refused_in_close(host: Host) -> None:
    host.value("socket", makes="l")
    host.value("bind", LOOPBACK, on="l")
    host.value("listen", 0, on="l")
    address = host.value("getsockname", on="l")
    host.value("create_connection", address, makes="queued")
    host.value("socket", makes="c")
    host.value("setblocking", False, on="c")
    assert host.error("connect", address, on="c") == ("BlockingIOError", "EINPROGRESS")
    assert state(host, "c") == "SYN_SENT"
    host.value("close", on="c")
    assert state(host, "c") == "gone"
    host.value("socket", makes="r")
    host.error("connect", ["127.0.0.1", 1], on="r")
    assert state(host, "r") == "CLOSE"


def test_ipv6_and_mapped_addresses_are_found_in_the_tables(host: Host) -> None:
    host.value(
        "create_server",
        ["::", 0],
        makes="l",
        keywords={"family": constant("AF_INET6"), "dualstack_ipv6": True},
    )
    port = host.value("getsockname", on="l")[1]
    host.value("create_connection", ["127.0.0.1", port], makes="c")
    host.value("accept", on="l", makes="s")
    host.value("close", on="s")
    until(host, lambda: state(host, "s") == "FIN_WAIT2")
    host.value("close", on="c")
    until(host, lambda: state(host, "s") == "TIME_WAIT")
    rows = host.channel.ask(do="states")
    assert ["::ffff:127.0.0.1", port] in [row["local"] for row in rows if row["state"] == "TIME_WAIT"]


def test_what_has_no_tcp_state_is_an_error(shared: Host) -> None:
    shared.value("socket", constant("AF_INET"), constant("SOCK_DGRAM"), makes="udp")
    assert shared.request(do="state", of="udp")["error"]["type"] == "TypeError"
    assert shared.request(do="state", of="nobody at all")["error"]["type"] == "NameError"
