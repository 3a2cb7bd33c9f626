"""The scenarios with real servers play where there is one user only: as somebody without root has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.requirements import PACKAGES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("udp_tftp", "udp_dns", "udp_snmp", "udp_rip")
ONE_USER = ["unshare", "--user", "--map-root-user"]


def test_servers_play_in_a_user_namespace_of_one_user(tmp_path: Path) -> None:
    folders = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in PACKAGES if shutil.which(name, path=folders) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} are not installed: see `runner doctor`")
    if shutil.which("unshare") is None or subprocess.run([*ONE_USER, "true"], check=False).returncode != 0:
        pytest.skip("no user namespaces here")
    files = [str(ROOT / "scenarios" / f"{name}.yaml") for name in NAMES]
    command = [
        sys.executable,
        "-m",
        "runner",
        "run",
        *files,
        "--engine",
        "netns",
        "--no-skip",
        "--runs",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*ONE_USER, *command], capture_output=True, text=True, cwd=ROOT, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(NAMES)} passed" in done.stdout
