"""`runner record`: from the paths of runs and captures to the text of a draft.

Says by which names hosts go; what is drafted is `runner.drafting`'s affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runner import drafting, evidence, foreign, rundir
from runner.errors import Blind, UsageError
from runner.evidence import Evidence
from runner.report.text import counted


def recorded(paths: Sequence[Path]) -> str:
    """The draft that all these runs, or captures, meet; raises UsageError where one cannot be read or could
    not see its packets.
    """
    runs: list[Evidence] = []
    names: dict[str, str] = {}
    for path in paths:
        try:
            run, named = _read(path)
            runs.append(run)
            names.update(named)
        except Blind as reason:
            raise UsageError(f"{path}: {reason}") from None
    try:
        drafts = drafting.draft(runs)
    except Blind as reason:
        raise UsageError(f"no draft can be made: {reason}") from None
    known = {host: None for run in runs for host in run.hosts}
    spoken_of = drafting.hosts_in(drafts, known)
    hosts = [host for host in known if host in spoken_of] or list(known)
    head = [f"{name} is {address}" for address, name in names.items() if name in hosts]
    several = f"of {counted(len(runs), 'recording')}" if len(runs) > 1 else f"of {paths[0]}"
    return drafting.text(drafts, hosts, [f"What was seen on the wire, {several}.", *head])


def _read(path: Path) -> tuple[Evidence, Mapping[str, str]]:
    """The evidence of a run's directory, of the capture in one, or of a capture from elsewhere with its names."""
    folder = path.parent if path.name == rundir.CAPTURE else path
    if (folder / rundir.INFO).exists() or path.is_dir():
        return evidence.load(folder), {}
    named = foreign.evidence_of(path)
    return named.evidence, named.names
