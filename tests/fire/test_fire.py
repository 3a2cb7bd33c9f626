"""Every experiment holds. Those that the machine cannot have are skipped with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fire.everything import ALL
from tests.fire.measured import Experiment
from tests.needing import need_docker

pytestmark = pytest.mark.slow


def _parameters() -> list[object]:
    marks = {"docker": [pytest.mark.docker], "root": [pytest.mark.root], "": []}
    return [pytest.param(one, id=one.name, marks=marks[one.needs]) for one in ALL]


@pytest.mark.parametrize("one", _parameters())
def test_it_holds(one: Experiment, tmp_path: Path) -> None:
    if one.needs == "docker":
        need_docker()
    if one.needs == "root" and os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    found = one.play(tmp_path)
    assert found.count > 0 and found.seen
    print(f"{found.count} {one.what}: {found.seen}")
