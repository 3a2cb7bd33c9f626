"""What a host can see of the machine and do to it, on each engine: nothing that is not its lab's."""

from __future__ import annotations

import os
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import confinement, docker_server, docker_socket
from lab.container import CPU_PERIOD_US, CPU_QUOTA_US, MEMORY_BYTES, PROCESSES
from lab.engine import Engine, Lab
from lab.engines import rootfs
from lab.engines.docker_lab import DockerLab
from lab.errors import LabError
from lab.topology import Topology
from tests.engines.conftest import engine_or_skip
from tests.engines.remote import Remote

pytestmark = pytest.mark.slow  # plays on real hosts
PAIR = Topology.simple("server", "client")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lab(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with engine.up(PAIR, logs=tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.fixture(scope="module")
def server(lab: Lab) -> Remote:
    return Remote(lab, "server")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host of namespaces."""
    with engine_or_skip("netns").up(PAIR, logs=tmp_path_factory.mktemp("logs")) as made:
        yield Remote(made, "server")


TRIES = """
import ctypes, errno, os, socket
library = ctypes.CDLL(None, use_errno=True)
def told(name, result):
    print(name, "done" if result >= 0 else errno.errorcode[ctypes.get_errno()])
number = %r
told("keyctl", library.syscall(number["keyctl"], 0, -3, 1))
told("add_key", library.syscall(number["add_key"], b"user", b"a", b"b", 1, -3))
told("bpf", library.syscall(number["bpf"], 0, 0, 0))
told("perf_event_open", library.syscall(number["perf_event_open"], 0, 0, -1, -1, 0))
told("userfaultfd", library.syscall(number["userfaultfd"], 0))
told("syslog", library.syscall(number["syslog"], 10, 0, 0))
told("unshare", library.unshare(0x10000000))
told("clone", library.syscall(number["clone"], 0x10000000 | 17, 0, 0, 0, 0))
told("clone3", library.syscall(number["clone3"], 0, 0))
for family in (40, 2):
    try:
        socket.socket(family, 1).close()
        print("socket", family, "done")
    except OSError as error:
        print("socket", family, errno.errorcode[error.errno])
"""


def test_calls_that_reach_the_machine_are_refused(server: Remote) -> None:
    machine = os.uname().machine
    if machine not in confinement._NUMBERS:
        pytest.skip(f"no filter for {machine}")
    numbers = dict(zip(confinement._NAMES, confinement._NUMBERS[machine][1], strict=True))
    said, status = server.run("python3", "-c", TRIES % numbers)
    assert status == 0, said
    refused = [f"{name} EPERM" for name in ("keyctl", "add_key", "bpf", "perf_event_open", "userfaultfd")]
    more = ["syslog EPERM", "unshare EPERM", "clone EPERM", "clone3 ENOSYS", "socket 40 EAFNOSUPPORT"]
    assert said.splitlines() == [*refused, *more, "socket 2 done"]
    status_of = server.text_of("/proc/self/status")
    assert "NoNewPrivs:\t1" in status_of and "Seccomp:\t2" in status_of


def test_threads_and_processes_are_made_as_ever(server: Remote) -> None:
    program = "import os, threading; one = threading.Thread(target=print, args=('thread',)); one.start(); one.join()"
    assert server.run("python3", "-c", program + "; os.fork() or os._exit(0); os.wait(); print('ended')") == (
        "thread\nended\n",
        0,
    )


BOMB = """
import os, time
made = 0
try:
    while made < 20000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError as error:
    print(made, error.errno)
os.kill(0, 9)
"""


def _processes(server: Remote) -> list[str]:
    return [one for one in server.run("ls", "/proc")[0].split() if one.isdigit()]


def test_processes_of_a_host_are_bounded(server: Remote, lab: Lab) -> None:
    if lab.facts()["engine"] == "netns" and not _bounded():
        pytest.skip("root has no bound of processes before Linux 6.14")
    channel, name = server.channel, "a fork bomb"
    channel.ask(60, do="run", argv=["python3", "-c", BOMB], makes=name)
    reading = {"do": "call", "on": name, "method": "read_until", "arguments": [{"bytes": "\n"}]}
    made, code = channel.wait(channel.post(reading), 120)["value"]["bytes"].split()
    assert PROCESSES // 2 < int(made) < PROCESSES and code == "11"
    channel.wait(channel.post({"do": "call", "on": name, "method": "wait"}), 120)
    _until_it_can_start_programs(server)
    deadline = time.monotonic() + 20  # those that are just dying are collected when the next program starts
    while len(left := _processes(server)) >= 20:
        assert time.monotonic() < deadline, f"{len(left)} orphans were not collected"
        time.sleep(0.1)


def _until_it_can_start_programs(server: Remote) -> None:
    """Thousands of processes take the kernel a moment to end."""
    deadline = time.monotonic() + 60
    while True:
        try:
            assert server.run("echo", "alive") == ("alive\n", 0)
            return
        except LabError:
            assert time.monotonic() < deadline


def _bounded() -> bool:
    return os.geteuid() != 0 or tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 14)


def test_no_core_is_written_and_nobody_is_told_of_one(server: Remote) -> None:
    assert "Max core file size        1                    1" in server.text_of("/proc/self/limits")


def test_memory_is_bounded_where_files_are_memory(own: Remote) -> None:
    for folder in (*rootfs.PRIVATE, "/dev/shm"):
        said, _ = own.run("stat", "-f", "-c", "%b %S %c", folder)
        blocks, size, files = map(int, said.split())
        assert (blocks * size, files) == (rootfs.PRIVATE_BYTES, rootfs.PRIVATE_FILES), folder


def test_hosts_are_ended_first_where_memory_runs_out(own: Remote) -> None:
    assert own.text_of("/proc/self/oom_score_adj").strip() == "1000"


def test_homes_and_secrets_of_the_machine_are_out_of_sight(own: Remote) -> None:
    if os.geteuid() == 0 and not str(ROOT).startswith("/root/"):
        assert not {name for name in own.run("ls", "-A", "/root")[0].split()} & {".ssh", ".bash_history"}
    for path in rootfs.SECRETS:
        if Path(path).is_dir():
            assert own.run("ls", "-A", path) == ("", 0), path
        elif Path(path).exists():
            assert own.text_of(path) == "", path
    for path in ("/proc/keys", "/proc/kcore", "/proc/timer_list"):
        if Path(path).exists():
            assert own.text_of(path) == "", path


def test_a_home_is_empty_but_for_programs(own: Remote, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may write to /home")
    mine = Path("/home") / f"socket-lab-test-{os.getpid()}"
    mine.mkdir()
    try:
        (mine / "diary").write_text("secret", encoding="ascii")
        with engine_or_skip("netns").up(PAIR, logs=tmp_path) as made:
            assert Remote(made, "server").run("cat", str(mine / "diary"))[1] != 0
    finally:
        (mine / "diary").unlink()
        mine.rmdir()


def test_sockets_of_the_machine_are_out_of_reach(own: Remote, tmp_path: Path) -> None:
    """Also those without a path: their names belong to the network namespace (unix(7))."""
    import socket

    name = f"socket-lab-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as by_path:
        abstract.bind("\0" + name)
        abstract.listen()
        by_path.bind(str(tmp_path / "s"))
        by_path.listen()
        program = (
            "import errno, socket, sys\n"
            "for path in sys.argv[1:]:\n"
            "    one = socket.socket(socket.AF_UNIX)\n"
            "    print(errno.errorcode[one.connect_ex(path.replace('@', chr(0)))])\n"
        )
        said, _ = own.run("python3", "-c", program, "@" + name, str(tmp_path / "s"), "/run/docker.sock")
    assert said.split() == ["ECONNREFUSED", "ENOENT", "ENOENT"]


def test_setuid_programs_give_nothing(own: Remote) -> None:
    if os.geteuid() != 0:
        pytest.skip("without root nobody can make a program of root's")
    program = Path(sys.prefix) / f"id-{os.getpid()}"
    try:
        shutil.copy(shutil.which("id") or "", program)
        program.chmod(0o4755)
        code = "import os, sys; os.setuid(65534); os.execv(sys.argv[1], [sys.argv[1], '-u'])"
        assert own.run("python3", "-c", code, str(program)) == ("65534\n", 0)
    finally:
        program.unlink()


def test_programs_of_another_numbering_of_calls_are_ended() -> None:
    """x32 on x86_64: the same processor, other numbers, which the filter does not compare."""
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is x86_64's")
    pid = os.fork()
    if pid == 0:
        import ctypes

        confinement.confine()
        ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -31  # SIGSYS


def test_the_filter_is_whole() -> None:
    for machine in confinement._NUMBERS:
        program = confinement.filter_for(machine)
        lines = [struct.unpack_from("=HBBI", program, offset) for offset in range(0, len(program), 8)]
        assert lines[-1][0] == confinement._RETURN
        for place, (code, if_true, if_false, _) in enumerate(lines):
            if code in (0x15, 0x35, 0x45):
                assert place + 1 + max(if_true, if_false) < len(lines)
    assert confinement.filter_for("vax") == b""
    assert sys.byteorder == "little" or os.uname().machine not in confinement._NUMBERS


@pytest.mark.docker
def test_a_container_is_bounded(tmp_path: Path) -> None:
    """What Docker itself says of a host's container, and that its memory really ends."""
    engine = engine_or_skip("docker")
    with engine.up(PAIR, logs=tmp_path) as made:
        assert isinstance(made, DockerLab)
        for container in made.containers.values():
            told = docker_socket.get(f"/containers/{container}/json")
            config = told["HostConfig"]
            assert config["Privileged"] is False and config["CapDrop"] == ["ALL"]
            assert config["SecurityOpt"] == ["no-new-privileges"]
            assert config["Memory"] == config["MemorySwap"] == MEMORY_BYTES
            assert config["PidsLimit"] == PROCESSES
            assert (config["CpuPeriod"], config["CpuQuota"]) == (CPU_PERIOD_US, CPU_QUOTA_US)
            assert not config["PublishAllPorts"] and not config["PortBindings"]
            assert not [one for one in told["Mounts"] if one["Type"] == "bind" and one["RW"]]
        if docker_server.ask().unlimited:
            pytest.skip("this engine bounds no memory")
        host = Remote(made, "server")
        host.channel.ask(30, do="run", argv=["python3", "-c", "b'x' * (2 << 30)"], makes="greedy")
        waiting = host.channel.post({"do": "call", "on": "greedy", "method": "wait"})
        assert host.channel.wait(waiting, 60)["value"] == {"signal": "SIGKILL"}
        assert host.run("echo", "alive") == ("alive\n", 0)
