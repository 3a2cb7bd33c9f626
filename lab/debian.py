"""Which Debian (or Ubuntu) this machine is, and where its apt has packages from.

So that an image can be made from the same mirror; no address is written here. Only reads apt's files.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

_OPTIONS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)
"""What of apt's configuration a mirror may need, see apt.conf(5)."""


@dataclass(frozen=True)
class Release:
    """A release by its codename, and the lines of sources.list(5) that it has packages from."""

    codename: str
    sources: tuple[str, ...]


def release(root: Path = Path("/")) -> Release:
    """This machine's release; raises LabError where it is none of Debian's, or apt has no mirror for it."""
    codename = _codename(root / "etc/os-release")
    lines = tuple(dict.fromkeys(_sources(root / "etc/apt", codename)))
    if not codename or not lines:
        raise LabError(
            "this machine has no apt with a Debian mirror, so no base image can be made without a registry",
            "Pull debian:bookworm-slim where a registry answers, or play without it: --engine netns.",
        )
    return Release(codename, lines)


def options() -> list[str]:
    """The options of this machine's apt that concern how mirrors are reached, as `apt-get -o` takes them."""
    try:
        done = subprocess.run(["apt-config", "dump", *_OPTIONS], capture_output=True, text=True)
    except OSError:
        return []
    lines = (line.strip().rstrip(";") for line in done.stdout.splitlines())
    pairs = (line.partition(" ") for line in lines if line)
    return [
        f'{key} "{value.strip(chr(34))}"' for key, _, value in pairs if key in _OPTIONS and value.strip('"')
    ]


def _codename(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return ""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return values.get("VERSION_CODENAME", "").strip('"')


def _sources(folder: Path, codename: str) -> Iterator[str]:
    wanted = {codename, f"{codename}-updates", f"{codename}-security"}
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        read = _stanzas(text) if path.suffix == ".sources" else _lines(text)
        for signed, address, suite, components in read:
            if suite in wanted and "main" in components:
                option = f"[signed-by={signed}] " if signed else ""
                yield f"deb {option}{address} {suite} {' '.join(components)}"


_Source = tuple[str, str, str, tuple[str, ...]]
"""The key file or nothing, the mirror's address, the suite and its components."""


def _lines(text: str) -> Iterator[_Source]:
    """The one-line style."""
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        given: list[str] = []
        if words[1:2] and words[1].startswith("["):
            end = next((place for place, word in enumerate(words) if word.endswith("]")), 1)
            given, words = " ".join(words[1 : end + 1]).strip("[] ").split(), [words[0], *words[end + 1 :]]
        if len(words) > 3:
            yield _signed(given), words[1], words[2], tuple(words[3:])


def _signed(given: Iterable[str]) -> str:
    return next((one.split("=", 1)[1] for one in given if one.lower().startswith("signed-by=")), "")


def _stanzas(text: str) -> Iterator[_Source]:
    """The deb822 style."""
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith(("#", " ", "\t")):
                fields[name.strip().lower()] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for address in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                signed = fields.get("signed-by", "")
                yield (
                    signed if signed.startswith("/") else "",
                    address,
                    suite,
                    tuple(fields.get("components", "").split()),
                )
