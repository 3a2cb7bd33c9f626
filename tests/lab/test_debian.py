"""Mirrors are read from apt's files in both styles, and only those of the machine's own release."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import debian
from lab.errors import LabError

DEB822 = """\
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/a.gpg

# a comment
Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example
Suites: bookworm
Components: main

Types: deb
URIs: http://foreign.example
Suites: nodistro
Components: main
"""
ONE_LINE = """\
# deb http://comment.example bookworm main
deb http://plain.example/debian bookworm main contrib # behind
deb [ arch=amd64 signed-by=/k.gpg ] http://signed.example bookworm main
deb [arch=amd64] https://tool.example bookworm stable
deb-src http://plain.example/debian bookworm main
"""


def machine(root: Path, codename: str = "bookworm", **files: str) -> Path:
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    (root / "etc/os-release").write_text(f'NAME="Debian"\nVERSION_CODENAME={codename}\n')
    for name, text in files.items():
        (root / "etc/apt" / name.replace("__", "/sources.list.d/").lstrip("/").replace("_", ".")).write_text(
            text
        )
    return root


def test_both_styles(tmp_path: Path) -> None:
    found = debian.release(machine(tmp_path, sources_list=ONE_LINE, __debian_sources=DEB822))
    assert found.codename == "bookworm"
    assert found.sources == (
        "deb http://plain.example/debian bookworm main contrib",
        "deb [signed-by=/k.gpg] http://signed.example bookworm main",
        "deb [signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm main contrib",
        "deb [signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm-updates main contrib",
        "deb http://mirror.example/security bookworm-security main",
    )


@pytest.mark.parametrize(("codename", "text"), [("trixie", ONE_LINE), ("", ONE_LINE), ("bookworm", "")])
def test_no_mirror_is_said(tmp_path: Path, codename: str, text: str) -> None:
    with pytest.raises(LabError, match="no apt with a Debian mirror"):
        debian.release(machine(tmp_path, codename, sources_list=text))


def test_a_machine_without_apt(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="--engine netns"):
        debian.release(tmp_path)


def test_options_are_ones_that_apt_takes() -> None:
    for option in debian.options():
        key, value = option.split(" ", 1)
        assert key.startswith("Acquire::") and value.startswith('"') and value.endswith('"')
