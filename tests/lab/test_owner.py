"""Owners are told apart by more than their process number."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from lab import owner


def test_this_process_is_there() -> None:
    assert not owner.is_gone(owner.this_process())


def test_a_process_that_ended_is_gone() -> None:
    program = "from lab import owner; print(owner.this_process())"
    text = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert owner.is_gone(text)


def test_a_number_used_again_is_another_process() -> None:
    boot, namespace, process, started = owner.this_process().split(":")
    assert owner.is_gone(f"{boot}:{namespace}:{process}:{int(started) + 1}")
    assert owner.is_gone(f"other-boot:{namespace}:{process}:{started}")
    assert not owner.is_gone(f"{boot}:1:99999999:{started}")  # another namespace: nobody here can tell


def test_a_zombie_is_gone() -> None:
    program = "import sys; from lab import owner; print(owner.this_process(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        text = child.stdout.readline().strip()
        assert not owner.is_gone(text)
        child.kill()
        child.stdout.read()
        deadline = time.monotonic() + 5
        while not owner.is_gone(text):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("text", ["", "a", "a:b:c:d", "1:2:3", "x:1:2:3:4"])
def test_other_texts_are_nobody_of_ours(text: str) -> None:
    assert not owner.is_gone(text)
