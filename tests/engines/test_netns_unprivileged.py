"""The namespaces engine without privilege: labs of anybody, and what is said where a kernel refuses them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.engines import child, netns
from lab.engines.child import kept_folders
from lab.engines.forbidden import CONTAINER_OPTIONS, explain
from lab.errors import Unsupported
from lab.topology import Host, Network, Topology

pytestmark = pytest.mark.slow  # plays on real hosts again and again

ROOT = Path(__file__).resolve().parents[2]
PAIR = Topology.simple("server", "client")


def test_a_lab_without_root_has_one_user_only() -> None:
    for user in (None, "root", "0"):
        netns.refuse_other_users(Topology((Host("a", user=user),), (Network("lab", ("a",)),)))
    with pytest.raises(Unsupported, match="host a: nothing can run as user nobody"):
        netns.refuse_other_users(Topology((Host("a", user="nobody"),), (Network("lab", ("a",)),)))


ANYWHERE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lab.engines.netns import ENGINE
from lab.topology import Topology
problem = ENGINE.ready()
if problem:
    raise problem
programs = Path(sys.argv[2], "programs")
with ENGINE.up(Topology.simple("a", "b", programs=programs), logs=Path(sys.argv[2], "logs")) as lab:
    agent = lab.agent("a")
    agent.ask(do="run", argv=["python3", sys.argv[1] + "/try.py"], makes="p")
    said = agent.ask(do="call", on="p", method="read_until", arguments=[{"bytes": "\\x00"}])
    print(json.dumps({"facts": dict(lab.facts()), "said": said, "capture": agent.ask(do="capture", ring=1 << 20)}))
"""
TRY = """
import os, socket
print(sorted(os.listdir("/programs")), socket.gethostbyname("b"))
"""


def test_anybody_can_have_a_lab_of_code_that_lies_under_tmp(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become nobody")
    python = next((one for one in (sys.executable, "/usr/bin/python3") if _nobody_can_run(one)), None)
    if python is None:
        pytest.skip("nobody can run no Python of this machine")
    folder = Path("/tmp") / f"checkout-{os.getpid()}"
    try:
        shutil.copytree(ROOT / "lab", folder / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "try.py").write_text(TRY, encoding="ascii")
        for name in ("programs", "logs"):
            (folder / name).mkdir()
        (folder / "programs" / "one").touch()
        (folder / "logs").chmod(0o777)
        argv = [*_AS_NOBODY, python, "-c", ANYWHERE, str(folder), str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, cwd="/", check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["facts"]["rootless"] == "yes"
        assert told["said"]["bytes"] == "['one'] 10.0.0.2\n"
    finally:
        shutil.rmtree(folder)


def test_root_of_a_user_namespace_can_have_a_lab(tmp_path: Path) -> None:
    """As in a container without root: all privileges, but few of the machine's users and groups."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    (tmp_path / "programs").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "try.py").write_text(TRY, encoding="ascii")
    argv = ["unshare", "-U", "-r", sys.executable, "-c", ANYWHERE, str(ROOT), str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"]["rootless"] == "no"


_AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def _nobody_can_run(python: str) -> bool:
    try:
        newer = (
            "import os, sys; sys.exit(sys.version_info < (3, 11) or not os.access(sys.executable, os.X_OK))"
        )
        return (
            subprocess.run([*_AS_NOBODY, python, "-c", newer], capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False


def test_kept_folders_are_those_below_what_hosts_have_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "ROOT", Path("/tmp/project"))
    monkeypatch.setattr(sys, "prefix", "/tmp/project/.venv")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setenv("PATH", "/usr/bin")
    assert kept_folders() == ["/tmp/project"]
    monkeypatch.setattr(sys, "base_prefix", "/var/python")
    assert kept_folders() == ["/tmp/project", "/var/python"]


def test_programs_that_lie_in_a_home_are_kept_and_nothing_beside_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child, "HIDDEN", (str(tmp_path),))
    for folder in ("me/.local/bin", "me/.tool/shims"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}/me/.local/bin:{tmp_path}/me/.tool/shims:{tmp_path}/none:/usr/bin")
    inside = [one for one in kept_folders() if str(tmp_path) in one]
    assert inside == [f"{tmp_path}/me/.local/bin", f"{tmp_path}/me/.tool"]


# Why a machine cannot


@pytest.mark.parametrize(
    ("code", "settings", "contained", "said", "remedy"),
    [
        (errno.EPERM, {"kernel.unprivileged_userns_clone": "0"}, False, "for root only", "userns_clone=1"),
        (
            errno.EACCES,
            {"kernel.apparmor_restrict_unprivileged_userns": "1"},
            False,
            "AppArmor",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (errno.ENOSPC, {"user.max_user_namespaces": "0"}, False, "switched off", "max_user_namespaces=15000"),
        (errno.ENOSPC, {"user.max_user_namespaces": "9"}, False, "too many", "max_*_namespaces"),
        (errno.EPERM, {}, True, "the container forbids it", CONTAINER_OPTIONS),
        (errno.EPERM, {}, False, "does not let us", "Run as root, or use the other engine: --engine docker."),
        (errno.ENOSYS, {}, False, "does not let us", "Linux 5.12"),
        (errno.EINVAL, {}, False, "does not let us", "without namespaces"),
    ],
)
def test_a_refusal_says_what_to_change(
    code: int, settings: dict[str, str], contained: bool, said: str, remedy: str
) -> None:
    error = explain("making namespaces", code, f"unshare: {os.strerror(code)}", settings.get, contained)
    assert said in error.what
    assert remedy in error.remedy


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to take the right to make namespaces away")
def test_a_machine_that_forbids_namespaces_is_told_as_such() -> None:
    script = "from lab.engines.netns import ENGINE\nprint(ENGINE.ready().what)"
    forbidding = (
        "import ctypes, os, sys; from lab import syscalls;"
        "syscalls.unshare(syscalls.CLONE_NEWUSER);"
        "open('/proc/self/setgroups', 'w').write('deny');"
        "open('/proc/self/uid_map', 'w').write('0 0 1');"
        "open('/proc/sys/user/max_user_namespaces', 'w').write('0');"
        "open('/proc/sys/user/max_net_namespaces', 'w').write('0');"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, '-c', {script!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", forbidding], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert "does not let us make a lab" in done.stdout, done.stderr
    assert "namespaces are switched off" in done.stdout
