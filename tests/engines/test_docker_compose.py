"""The docker engine on the compose lab: it uses what is there, and leaves it as the next run wants it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import compose, compose_commands
from lab.engine import Kills, Pauses
from lab.engines.docker import ENGINE
from lab.topology import Topology
from tests.engines.remote import Remote
from tests.needing import compose_checkout

pytestmark = pytest.mark.docker
PAIR = Topology.simple("server", "client")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[compose.ComposeLab]:
    with compose_checkout(tmp_path_factory.mktemp("compose")):
        compose_commands.up(lambda line: None)
        lab = compose.running()
        assert lab is not None
        yield lab


def test_its_hosts_are_used_and_only_one_run_has_them(found: compose.ComposeLab, tmp_path: Path) -> None:
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert lab.facts()["lab"] == f"the compose lab {found.project}"
        for host in ("server", "client"):
            end = lab.interfaces(host)[0]
            assert (end.ip4[0], end.ip6[0]) == (found.host(host).ip4, found.host(host).ip6)
        with ENGINE.up(PAIR, logs=tmp_path) as other:
            assert other.facts()["lab"] == "containers of its own"
        with ENGINE.up(Topology.simple("server", "third"), logs=tmp_path) as other:
            assert other.facts()["lab"] == "containers of its own"
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert lab.facts()["lab"] == f"the compose lab {found.project}"


def test_nothing_of_a_run_meets_the_next_one(found: compose.ComposeLab, tmp_path: Path) -> None:
    """Not its sockets in TIME_WAIT, nor its files, programs and what its kernel learned of neighbours."""
    for _ in range(2):
        with ENGINE.up(PAIR, logs=tmp_path) as lab:
            server, client = Remote(lab, "server"), Remote(lab, "client")
            assert "lladdr" not in server.run("ip", "-4", "neigh")[0]
            assert "default" not in server.run("ip", "route")[0]
            listening, peer = server.socket("tcp"), client.socket("tcp")
            server.call("bind", ["0.0.0.0", 8888], on=listening)  # EADDRINUSE while 8888 is in TIME_WAIT
            server.call("listen", on=listening)
            client.call("connect", [server.address(4), 8888], on=peer)
            server.call("accept", on=listening, makes="conn")
            server.call("close", on="conn")
            client.call("close", on=peer)
            assert server.run("mkdir", "/tmp/folder")[1] == 0  # nor with a folder of that name
            server.channel.ask(do="run", argv=["sleep", "600.5"], makes="sleeper")
    top = ["docker", "top", found.host("server").container]
    assert "600.5" not in subprocess.run(top, capture_output=True, text=True, check=True).stdout


def test_what_a_connection_leaves_with_its_kernel_is_gone(found: compose.ComposeLab, tmp_path: Path) -> None:
    """A FIN that nobody acknowledges is sent for minutes (tcp_orphan_retries): it asks for its peer's address."""
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert isinstance(lab, Kills)
        client = Remote(lab, "client")
        ours, _ = client.connect_to(Remote(lab, "server"))
        lab.kill("server")
        client.call("send", b"anybody there", on=ours)
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        client = Remote(lab, "client")
        assert client.run("ss", "-Htan") == ("", 0)
        client.begin_capture()
        client.connect_to(Remote(lab, "server"))
        assert not [frame for frame in client.frames() if b"anybody there" in frame.data]


def test_hosts_that_were_killed_or_paused_are_back(found: compose.ComposeLab, tmp_path: Path) -> None:
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert isinstance(lab, Kills) and isinstance(lab, Pauses)
        # A connection whose end it does not live to see: the kernel goes on with it, and so with its network.
        Remote(lab, "client").connect_to(Remote(lab, "server"))
        lab.pause("client")
        lab.kill("server")
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert lab.facts()["lab"] == f"the compose lab {found.project}"
        Remote(lab, "client").connect_to(Remote(lab, "server"))
        Remote(lab, "client").connect_to(Remote(lab, "server"), 6)
