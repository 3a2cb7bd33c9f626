"""What scenarios require: read with its mistakes, and asked of engines and of real hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import engine as engines
from lab.errors import Unsupported
from lab.topology import Topology
from runner import requirements
from runner.errors import Misplaced
from runner.model import Surroundings
from tests.playing import play_text

PAIR = Topology.simple("a", "b")


@pytest.mark.parametrize("text", [*requirements.OF_NETWORKS, "program sh", "kernel sctp", "no kernel sctp"])
def test_what_can_be_required_is_read(text: str) -> None:
    assert requirements.read_requirement(text, Surroundings()) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("forged-sauce", "forged-source"),
        ("kernel tipp", "kernel tipc"),
        ("no kernel tipp", "no kernel tipc"),
        ("program", ""),
    ],
)
def test_anything_else_is_a_mistake(text: str, meant: str) -> None:
    with pytest.raises(Misplaced) as wrong:
        requirements.read_requirement(text, Surroundings())
    assert wrong.value.suggestion == meant


def test_hosts_are_asked_for_programs_and_kernels(tmp_path: Path) -> None:
    with engines.find("netns").up(PAIR, logs=tmp_path) as lab:
        requirements.check_hosts(["program sh"], lab)
        with pytest.raises(Unsupported, match="no host has the program no-such-program"):
            requirements.check_hosts(["program no-such-program"], lab)
    with engines.find("netns").up(PAIR, logs=tmp_path) as lab:
        there = Path("/proc/net/sctp").exists()
        if there:
            requirements.check_hosts(["kernel sctp"], lab)
        else:
            with pytest.raises(Unsupported, match="the kernel has no sctp"):
                requirements.check_hosts(["kernel sctp"], lab)
            requirements.check_hosts(["no kernel sctp"], lab)


def test_a_kernel_that_has_it_is_refused_where_it_must_not(tmp_path: Path) -> None:
    refused = pytest.raises(Unsupported, match="the kernel has udplite$")
    with engines.find("netns").up(PAIR, logs=tmp_path) as lab, refused:
        requirements.check_hosts(["kernel udplite", "no kernel udplite"], lab)


def test_a_missing_server_is_said_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(requirements.PACKAGES, "no-such-program", "a-package")  # type: ignore[arg-type]
    refused = pytest.raises(Unsupported, match="apt-get install a-package")
    with engines.find("netns").up(PAIR, logs=tmp_path) as lab, refused:
        requirements.check_hosts(["program no-such-program"], lab)


def test_programs_are_found_where_only_roots_path_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with engines.find("netns").up(PAIR, logs=tmp_path) as lab:
        requirements.check_hosts(["program ldconfig"], lab)


def test_a_scenario_is_skipped_with_the_reason(tmp_path: Path) -> None:
    text = "name: x\nhosts: [a, b]\nrequires: [program no-such-program]\nsteps:\n  - a: {socket: s}\n"
    with pytest.raises(Unsupported, match="no-such-program"):
        play_text(text, tmp_path)
