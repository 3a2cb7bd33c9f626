"""The docker engine on real containers: what the contract suite, which all engines share, does not ask."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.agent import decode
from lab.channel import Channel
from lab.engine import Kills, Lab, Pauses
from lab.engines.docker import ENGINE, clean_docker, connected
from lab.errors import EngineMissing, HostGone, LabError, Unsupported
from lab.topology import Host, Network, Topology
from tests.engines import traces
from tests.needing import need_docker

pytestmark = pytest.mark.docker
ROOT = Path(__file__).resolve().parent.parent.parent
PAIR = Topology((Host("a"), Host("b")), (Network("lab", ("a", "b")),))


@pytest.fixture(autouse=True)
def _docker() -> None:
    need_docker()


def ours() -> set[str]:
    return traces.made_by("docker", os.getpid())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    need_docker()
    with ENGINE.up(PAIR, logs=tmp_path_factory.mktemp("logs")) as lab:
        yield lab


def call(channel: Channel, function: str, *arguments: Any, **more: Any) -> Any:
    """A call's value, or its error's errno."""
    where = {"method": function} if "on" in more else {"function": function}
    reply = channel.wait(channel.post({"do": "call", **where, "arguments": list(arguments), **more}), 20)
    return (
        reply["error"]["errno"] or reply["error"]["text"] if "error" in reply else decode(reply.get("value"))
    )


def run(channel: Channel, *argv: str) -> str:
    """What a program says."""
    name = uuid.uuid4().hex
    channel.wait(channel.post({"do": "run", "argv": list(argv), "makes": name}), 10)
    said = call(channel, "read", 1_000_000, on=name)
    assert isinstance(said, bytes)
    return said.decode()


def stream_socket(channel: Channel, name: str, family: str = "AF_INET") -> None:
    call(channel, "socket", {"constant": family}, {"constant": "SOCK_STREAM"}, makes=name)


# What hosts are -------------------------------------------------------------------------------------


def test_a_host_is_no_way_out(pair: Lab) -> None:
    a = pair.agent("a")
    assert "default" not in run(a, "ip", "route") + run(a, "ip", "-6", "route")
    assert "224.0.0.0/4" in run(a, "ip", "route")
    stream_socket(a, "out")
    assert call(a, "connect", ["192.0.2.1", 80], on="out") == "ENETUNREACH"
    assert [end.name for end in pair.interfaces("a")] == ["eth0"]
    assert sorted(run(a, "ls", "/sys/class/net").split()) == ["eth0", "lo"]


def test_a_host_has_no_more_than_it_needs(pair: Lab) -> None:
    status = run(pair.agent("a"), "cat", "/proc/self/status")
    assert "CapBnd:\t00000000000035e3\n" in status  # the nine of lab.container
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert run(pair.agent("a"), "sh", "-c", "touch /programs/x 2>/dev/null || echo refused") == "refused\n"


def test_interfaces_are_what_the_host_has(pair: Lab) -> None:
    for host in ("a", "b"):
        (end,) = pair.interfaces(host)
        told = run(pair.agent(host), "ip", "address", "show", "dev", end.name)
        for text in (end.mac, f"mtu {end.mtu}", f"{end.ip4[0]}/{end.prefix4}", f"{end.ip6[0]}/{end.prefix6}"):
            assert text in told
        assert end.ip6[-1].startswith("fe80") and "tentative" not in told
    assert pair.facts()["engine"] == "docker" and pair.facts()["docker"] and pair.facts()["kernel"]


ROUTED = Topology(
    (
        Host("inner", sysctls={"net.ipv4.tcp_syn_retries": "2", "net.ipv4.no_such_thing?": "1"}),
        Host("gate", router=True, addresses={"inside": ("10.201.7.1", "10.201.7.77")}),
        Host("outer", files={"/etc/hello/text": b"hello"}, limits={"nofile": 333}),
    ),
    (Network("inside", ("inner", "gate"), mtu=1280), Network("outside", ("gate", "outer"))),
    ROOT / "tests",
)


def test_routers_files_limits_and_all_that_a_host_may_ask_for(tmp_path: Path) -> None:
    before = ours()
    with ENGINE.up(ROUTED, logs=tmp_path) as lab:
        inner, outer = lab.agent("inner"), lab.agent("outer")
        assert [end.network for end in lab.interfaces("gate")] == ["inside", "outside"]
        assert lab.interfaces("gate")[0].ip4 == ("10.201.7.1", "10.201.7.77")
        assert [end.mtu for end in lab.interfaces("gate")] == [1280, 1500]
        stream_socket(outer, "l", "AF_INET6")
        call(outer, "bind", ["::", 8888], on="l")
        call(outer, "listen", 5, on="l")
        for family, address in (("AF_INET", "ip4"), ("AF_INET6", "ip6")):
            stream_socket(inner, family, family)
            there = getattr(lab.interfaces("outer")[0], address)[0]
            began = time.monotonic()
            assert call(inner, "connect", [there, 8888], on=family) is None
            assert time.monotonic() - began < 0.9  # a router that still detects its address stalls it for 1 s
            here = call(outer, "accept", on="l", makes=f"from {family}")[1][0]
            assert here.removeprefix("::ffff:") == getattr(lab.interfaces("inner")[0], address)[0]
        assert run(inner, "cat", "/proc/sys/net/ipv4/tcp_syn_retries") == "2\n"
        assert run(inner, "cat", "/proc/sys/net/ipv4/ip_forward") == "0\n"
        assert run(outer, "sh", "-c", "cat /etc/hello/text; ulimit -n") == "hello333\n"
        assert "engines" in run(outer, "ls", "/programs")
        assert lab.interfaces("gate")[0].ip4[0] in run(outer, "getent", "ahosts", "gate")
    assert ours() == before


# What cannot be had ---------------------------------------------------------------------------------


@contextlib.contextmanager
def empty_image() -> Iterator[str]:
    """An image with nothing in it, made without any registry."""
    name = f"socket-lab-test/{uuid.uuid4().hex[:8]}"
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as made:
        made.addfile(tarfile.TarInfo("nothing"))
    subprocess.run(["docker", "import", "-", name], input=tar.getvalue(), capture_output=True, check=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=True)


@pytest.mark.parametrize(
    ("host", "kind", "said"),
    [
        (
            Host("b", sysctls={"net.ipv4.no_such_thing": "1"}),
            Unsupported,
            r"net\.ipv4\.no_such_thing.*kernel lacks it",
        ),
        (Host("b", sysctls={"net.core.rmem_max": "1"}), Unsupported, r"net\.core\.rmem_max.*the machine's"),
        (Host("b", sysctls={"net.ipv4.ip_forward": "abc"}), LabError, "refuses 'abc'"),
        (
            Host("b", image="socket-lab-test/none"),
            LabError,
            r"image socket-lab-test/none of host b is not on this machine",
        ),
        (Host("b", limits={"nonsense": 1}), LabError, r"host b.*nonsense|host b.*NONSENSE"),
    ],
)
def test_what_cannot_be_had_is_said_and_nothing_stays(
    host: Host, kind: type[LabError], said: str, tmp_path: Path
) -> None:
    topology = Topology((Host("a"), host), PAIR.networks)
    before = ours()
    with pytest.raises(LabError, match=said) as error, ENGINE.up(topology, logs=tmp_path):
        pass
    assert type(error.value) is kind
    assert ours() == before


def test_an_image_without_python_is_said(tmp_path: Path) -> None:
    with empty_image() as image:
        topology = Topology((Host("b", image=image),), (Network("lab", ("b",)),))
        with (
            pytest.raises(Unsupported, match=r"no python3.*apt-get install"),
            ENGINE.up(topology, logs=tmp_path),
        ):
            pass


def test_two_labs_at_once_do_not_meet(tmp_path: Path) -> None:
    topology = Topology(PAIR.hosts, (Network("lab", ("a", "b"), "10.202.9.0/24"),))
    with ENGINE.up(topology, logs=tmp_path) as one, ENGINE.up(topology, logs=tmp_path) as other:
        assert one.interfaces("a") == other.interfaces("a")
        for number, lab in enumerate((one, other)):
            call(lab.agent("b"), "socket", {"constant": "AF_INET"}, {"constant": "SOCK_DGRAM"}, makes="s")
            call(lab.agent("b"), "bind", ["", 9000], on="s")
            call(lab.agent("a"), "socket", {"constant": "AF_INET"}, {"constant": "SOCK_DGRAM"}, makes="s")
            call(
                lab.agent("a"),
                "sendto",
                {"bytes": str(number)},
                [lab.interfaces("b")[0].ip4[0], 9000],
                on="s",
            )
        assert [call(lab.agent("b"), "recv", 10, on="s") for lab in (one, other)] == [b"0", b"1"]


def test_no_engine_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert isinstance(ENGINE.ready(), EngineMissing)
    assert clean_docker() == []
    with pytest.raises(EngineMissing, match="no Docker engine here"), ENGINE.up(PAIR, logs=tmp_path):
        pass


# Hosts that stop ------------------------------------------------------------------------------------


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    before = ours()
    with pytest.raises(ZeroDivisionError), ENGINE.up(PAIR, logs=tmp_path):
        assert len(ours() - before) == 3
        raise ZeroDivisionError
    assert ours() == before


def test_a_kill_is_a_power_cut(tmp_path: Path) -> None:
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert isinstance(lab, Kills)
        a, b = lab.agent("a"), lab.agent("b")
        stream_socket(b, "l")
        call(b, "bind", ["", 8888], on="l")
        call(b, "listen", 5, on="l")
        stream_socket(a, "c")
        call(a, "connect", [lab.interfaces("b")[0].ip4[0], 8888], on="c")
        call(b, "accept", on="l", makes="conn")
        pending = a.post({"do": "call", "on": "c", "method": "recv", "arguments": [10]})
        lab.kill("b")
        with pytest.raises(HostGone, match="host b is gone: its container ended"):
            b.ask(do="interfaces")
        with pytest.raises(LabError, match="did not answer"):  # neither FIN nor RST came: it still waits
            a.wait(pending, 0.5)


def test_a_paused_host_answers_only_with_its_kernel(tmp_path: Path) -> None:
    before = ours()
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        assert isinstance(lab, Pauses)
        a, b = lab.agent("a"), lab.agent("b")
        stream_socket(b, "l")
        call(b, "bind", ["", 8888], on="l")
        call(b, "listen", 5, on="l")
        lab.pause("b")
        stream_socket(a, "c")
        assert call(a, "connect", [lab.interfaces("b")[0].ip4[0], 8888], on="c") is None
        asked = b.post({"do": "call", "on": "l", "method": "accept", "arguments": [], "makes": "conn"})
        with pytest.raises(LabError, match="did not answer"):
            b.wait(asked, 0.3)
        lab.resume("b")
        assert "error" not in b.wait(asked, 5)
        lab.pause("b")  # leaving takes paused hosts down too
    assert ours() == before


def test_a_container_that_is_killed_from_outside_is_named(tmp_path: Path) -> None:
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        with connected() as client:
            client.kill(lab.containers["a"])  # type: ignore[attr-defined]
        with pytest.raises(HostGone, match="host a is gone"):
            lab.agent("a").ask(timeout_s=10, do="interfaces")
        assert lab.agent("b").ask(do="interfaces")


def test_what_a_host_says_on_stderr_is_kept(tmp_path: Path) -> None:
    with ENGINE.up(PAIR, logs=tmp_path) as lab:
        run(lab.agent("a"), "sh", "-c", "echo alas >&2")
    assert (tmp_path / "a.stderr").read_text() == "alas\n"
