"""The directory a run leaves: its names, writing it and reading it.

    scenario.yaml     the scenario as it was played
    run.json          `RunInfo`: engine, hosts and their addresses, captures, how the play ended
    history.jsonl     `runner.history`
    capture.pcapng    every packet, an interface for each end of each host, named `HOST:INTERFACE`
    HOST.stderr       what the host's agent and programs said
    verdict.json      the findings of the first judgement
    report.html       the run as a page, where there is one: nothing reads it again

Everything a verdict depends on is here; `runner judge` reads nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Literal

from lab.engine import Interface
from runner import files, typed
from runner.errors import UsageError

FORMAT = 1
SCENARIO, INFO, HISTORY, CAPTURE, VERDICT, REPORT = (
    "scenario.yaml",
    "run.json",
    "history.jsonl",
    "capture.pcapng",
    "verdict.json",
    "report.html",
)

Ending = Literal["completed", "failed", "broken", "interrupted"]


@dataclass(frozen=True)
class CaptureInfo:
    """What a host's capture saw: frames kept, frames the kernel dropped, and why it is missing (empty if it is not).

    `left_out` where there was to be none (`runner.capturing`).
    """

    frames: int = 0
    drops: int = 0
    missing: str = ""
    left_out: bool = False


@dataclass(frozen=True)
class FaultInfo:
    """What a host's fault process saw: frames that took the detour and left it, those that it could not keep up with,
    why it ended before its time (empty if it did not), and frames that still waited for their time at the end.
    """

    taken: int = 0
    left: int = 0
    lost: int = 0
    missing: str = ""
    waiting: int = 0


@dataclass(frozen=True)
class RunInfo:
    """How a run was made and how its play ended; the contents of run.json.

    `case` holds the values of the matrix that were played. `includes` are the texts of included files by the path that
    the scenario gives them. `ending`: `failed` where a step failed, `broken` where the lab did; `problem` says what.
    `faults` has the hosts that faults could strike. `records` is how many records the history has (None: nobody said).
    """

    name: str
    scenario: str
    engine: str
    started_ns: int
    ended_ns: int
    ending: Ending
    problem: str = ""
    case: Mapping[str, str] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] = ()
    captures: Mapping[str, CaptureInfo] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    includes: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, FaultInfo] = field(default_factory=dict)
    records: int | None = None

    def interfaces_of(self, host: str) -> tuple[Interface, ...]:
        """The interfaces of one host, in order."""
        return tuple(interface for interface in self.interfaces if interface.host == host)


def write_info(folder: Path, info: RunInfo) -> None:
    """Write run.json."""
    text = json.dumps({"format": FORMAT, **asdict(info)}, indent=1)
    files.write_text(folder / INFO, text + "\n")


def read_info(folder: Path) -> RunInfo:
    """Read run.json; raises UsageError where the folder is no run, or one of another format."""
    try:
        data: Any = json.loads(files.read_text(folder / INFO))
        if data.pop("format") != FORMAT:
            raise UsageError(f"{folder / INFO} was written by another version of the runner")
        typed.require(RunInfo, data, INFO)
        interfaces = tuple(map(_interface, data.pop("interfaces", ())))
        captures = {host: CaptureInfo(**one) for host, one in data.pop("captures", {}).items()}
        faults = {host: FaultInfo(**one) for host, one in data.pop("faults", {}).items()}
        return RunInfo(**data, interfaces=interfaces, captures=captures, faults=faults)
    except FileNotFoundError:
        if not (folder / HISTORY).exists():
            raise UsageError(f"{folder} is not the directory of a run: {_what_it_is(folder)}") from None
        raise UsageError(
            f"the run in {folder} did not come to its end: it goes on, or it was killed before its captures were "
            f"written; {HISTORY} has the steps up to there"
        ) from None
    except OSError as error:
        raise UsageError(f"{folder / INFO} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{folder} is not the directory of a run: {error}") from None


def _what_it_is(folder: Path) -> str:
    """What a folder without a run in it is, and which of its contents was probably meant."""
    if not folder.is_dir():
        return "there is no such folder" if not folder.exists() else "it is a file"
    runs = sorted(folder.glob(f"*/{INFO}"), key=lambda path: path.parent.name)
    if runs:
        return f"it holds {len(runs):,} of them, and the last is {runs[-1].parent}"
    scenarios = sorted(folder.glob("*.yaml"))
    if scenarios:
        return f"it holds scenarios. Show one, {scenarios[0]}, or play all: runner run {folder}"
    return f"it has no {INFO}"


def _interface(data: Mapping[str, Any]) -> Interface:
    """An interface as it was written; raises ValueError for what is no address."""
    made = Interface(**{**data, "ip4": tuple(data["ip4"]), "ip6": tuple(data["ip6"])})
    for text in made.ip4:
        IPv4Address(text)
    for text in made.ip6:
        IPv6Address(text)
    if made.mac and len(bytes.fromhex(made.mac.replace(":", ""))) != 6:
        raise ValueError(f"{made.mac!r} is no MAC address")
    return made


def require_file(path: Path) -> None:
    """Raises UsageError where a run's file is a link, or no ordinary file at all; one that is missing is no error."""
    try:
        files.check(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
