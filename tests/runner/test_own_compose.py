"""A scenario on a compose file of somebody's own, held to what that file says; nothing is brought up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner import own_compose, scenario
from runner.checks import CHECKS
from runner.errors import ScenarioError

SERVICES = """\
services:
  web: {image: x, networks: [front, back]}
  db: {image: x, networks: {back: }}
  client: {image: x}
networks: {front: {}, back: {internal: true}}
"""


def refused(folder: Path, said: str, services: str = SERVICES) -> list[str]:
    """The mistakes of a scenario with these lines, each as place and message."""
    (folder / "compose.yml").write_text(services, encoding="utf-8")
    path = folder / "x.yaml"
    path.write_text(f"name: x\nlab: {{compose: compose.yml}}\nsteps: []\n{said}\n", encoding="utf-8")
    try:
        scenario.load(path, checks=CHECKS)
    except ScenarioError as error:
        return [f"{one.line}:{one.column} {one.message} ({one.suggestion})" for one in error.mistakes]
    return []


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("hosts: [web, dbb]", "4:14 the compose file has no service dbb; it has: client, db, web (db)"),
        ("hosts: {web: {env: {A: b}}, clint: {}}", "4:29 the compose file has no service clint; it has: client, "
         "db, web (client)"),
        ("hosts: [web, db]\nnetworks: {bak: [web, db]}", "5:12 the compose file has no network bak; it has: default, "
         "front, back (back)"),
        ("hosts: [web, db]\nnetworks: {back: [web, db], front: [web, db]}", "5:42 service db is not on network front; "
         "it is on: back ()"),
        ("hosts: [web, client]\nnetworks: {front: {hosts: [web, client]}}", "5:33 service client is not on network "
         "front; it is on: default ()"),
        ("hosts: [web, db]\nnetworks: {back: {hosts: [web, db], mtu: 600}}", "5:37 the mtu of network back is for "
         "compose.yml to say, not here ()"),
        ("hosts: [web, db]\nnetworks: {back: {hosts: [web, db], subnet4: 192.0.2.0/24}}", "5:37 the subnet4 of network "
         "back is for compose.yml to say, not here ()"),
        ("hosts: {web: {networks: [back]}, db: {networks: [back]}}", "2:6 what host web is says compose.yml; here are "
         "capabilities, user and env only ()"),
    ],
)  # fmt: skip
def test_what_the_file_says_otherwise_is_refused_at_its_place(tmp_path: Path, said: str, wanted: str) -> None:
    assert wanted in refused(tmp_path, said)


@pytest.mark.parametrize(
    "said",
    [
        "hosts: [web, db, client]",
        "hosts: [web, db]\nnetworks: {back: [web, db], front: [web]}",
        "hosts: [client]\nnetworks: {default: [client]}",
    ],
)
def test_what_fits_is_taken(tmp_path: Path, said: str) -> None:
    assert refused(tmp_path, said) == []


@pytest.mark.parametrize(
    "services",
    [
        "services: [",
        "include: [more.yml]\nservices: {}",
        "x: &x {dbb: {image: x}}\nservices: {<<: *x}",
        "dbb: {image: x}\n",
        "services: {web: {}, dbb: {extends: {file: a.yml, service: b}}, db: {network_mode: none}}\nnetworks: {bak: {}}",
        "services: {web: {}, dbb: {networks: ['${NET}']}}\nnetworks: {bak: {}}",
        "services: {web: {networks: [n]}, dbb: {networks: [n]}}\nnetworks: {n: {external: true, name: bak}}",
        "services: {web: {networks: [n]}, dbb: {networks: [n]}}\nnetworks: {n: {external: {name: '${NET}'}}}",
        "x: &n {networks: [bak]}\nservices: {dbb: {<<: *n}}\nnetworks: {bak: {}}",
        "\xef\xbb\xbfservices: {dbb: !reset {networks: [bak]}}\nnetworks: {bak: }",
    ],
)
def test_what_the_file_leaves_open_is_left_to_compose(tmp_path: Path, services: str) -> None:
    assert refused(tmp_path, "hosts: [dbb]\nnetworks: {bak: [dbb]}", services) == []


def test_hostile_files_are_read_quickly(tmp_path: Path) -> None:
    doubled = "".join(f"  a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], x{n}: y}}\n" for n in range(1, 60))
    texts = (
        "x:\n  a0: &a0 {k: v}\n" + doubled + "services: {web: {<<: *a59}}\n",
        "services: " + "[" * 500_000,
        "services: {web: &w {<<: *w}}",
        "services: " + "{a: " * 100_000 + "b" + "}" * 100_000,
    )
    began = time.monotonic()
    for text in texts:
        (tmp_path / "compose.yml").write_text(text)
        own_compose.read(tmp_path / "compose.yml")
    assert time.monotonic() - began < 5
