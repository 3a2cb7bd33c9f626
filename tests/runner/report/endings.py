"""Cases that ended, made by hand, with texts that want to break out of every form there is."""

from __future__ import annotations

from pathlib import Path

from runner import scenario
from runner.checks import CHECKS
from runner.judge import Judgement
from runner.running import Ended, Played, Result
from runner.scenario import Scenario
from runner.verdict import Finding
from tests.recorded import Recorded

HOSTILE = (
    "".join(map(chr, range(32)))
    + "\x7f\x85\u2028\u202e\ud800\ufffe\uffff <b>&amp;]]>\n::error::x\n%0A::add-mask::y\n```\n~~~\n</details>"
)
"""Controls, what is no character of XML, and the ends of CDATA, of code blocks and of commands."""


def loaded(folder: Path, name: str = "case", title: str = "a: title, of <b>") -> Scenario:
    """A scenario read from a file in a folder."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {title!r}\nhosts: [server, client]\nsteps:\n  - server: {{socket: s, type: SOCK_DGRAM}}\n",
        encoding="utf-8",
    )
    return scenario.load(path, checks=CHECKS)


def failed(one: Scenario, folder: Path) -> Played:
    """A case with a finding of each verdict and a packet; what went wrong is hostile."""
    run = Recorded(["server", "client"])
    run.udp("client", "server", 5000, 53, b"payload \x1b[2J ]]>")
    run.write(folder)
    found = (
        Finding("pass", "count", "all is well here", path=one.path, line=2),
        Finding("unknown", "states", "could not be seen", path=one.path, line=3),
        Finding("fail", "packets", HOSTILE, HOSTILE, one.path, 4),
    )
    return Played(Result(one, "fail", folder, seconds=1.5), run.evidence(folder), Judgement("fail", found))


def ended(one: Scenario, how: Ended, reason: str = "") -> Played:
    """A case without findings."""
    return Played(Result(one, how, Path("runs/x"), reason, 0.25))
