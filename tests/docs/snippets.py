"""The fenced blocks of a Markdown page, and whether a command's real output is what a page shows of it.

The rules that authors follow are in CONTRIBUTING.md, "Writing documentation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNNABLE = ("yaml", "console", "python", "sh", "c")
"""What these languages show is run (C is compiled); `text` is what it is, and others say why they are not run."""
ANYTHING = "..."
CUT = "…"
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}) *(?P<language>[\w-]*)(?P<rest>[^`]*)$")
_MARK = re.compile(r"<!-- *(?P<word>not run|fragment): *(?P<rest>.*?) *-->")
_NAMED = re.compile(r"^# (?P<name>[\w./-]+\.(?:ya?ml|py|sh|c))$")

_VARYING = (
    (re.compile(r"runs/\d{8}-\d{6}-[\w.-]+"), "RUN"),
    (re.compile(r"\d{8}-\d{6}-[\w.-]+"), "RUN"),
    (re.compile(r"\d+\.[\d.]*…"), "…"),
    (re.compile(r"\b\d+\.\d+(?: (?:ms|s|us|ns))?\b"), "TIME"),
    (re.compile(r"\b\d+ (?:ms|us|ns)\b"), "TIME"),
    (re.compile(r'"E\\(?:\\.|[^"\\…])*\\?…'), '"E\\…'),
    (re.compile(r"(?<=\.yaml:)\d+"), "LINE"),
    (re.compile(r"^ *\d+  (?=[\w-]+ +\w.*[✓…✗])"), "STEP "),
    (re.compile(r"\d+ (?=segments? on|more calls and packets)"), ""),
    (re.compile(r"\d+ packets? explained by"), "PACKETS explained by"),
    (re.compile(r", and \d+ pure ACKs? besides$"), ""),
    (re.compile(r"(?<=:)(?:3[2-9]|[45]\d|60)\d{3}\b"), "PORT"),
    (re.compile(r"[─│┊]+"), "|"),
    (re.compile(r"[ \t]+"), " "),
)
"""What is another in each run: times, an IPv4 header's identification and checksum (`"E` begins it), ports that the
kernel chose, pure ACKs, how long an arrow is; and what is another
when a scenario has grown: lines and the numbers of steps."""
_WHENEVER = re.compile(r"was blocked|of IPv6's own housekeeping left out")
"""Lines that come where they come: a pending call that returned, packets that hosts send by themselves."""
_FINDING = re.compile(r"^[✓✗?-] ")
_REST = re.compile(r"^ {12,}(?=[^ ])")
"""The rest of a finding that takes more than a line: where it is cut is a matter of how long its numbers are."""
_PICTURE = re.compile(r"^ *\d+\.\d\d .*[│┊]")
_PACKET = re.compile(r"(?:[◀x]?[─]+ (?P<left>[^─]+?) [─]+[▶x]?)|(?:[◀]─+ (?P<right>[^─]+?) ─+)")


@dataclass(frozen=True)
class Block:
    """One fenced block: `line` is that of its fence, from 1; `mark` and `said` are those of the comment before it."""

    page: Path
    line: int
    language: str
    text: str
    mark: str = ""
    said: str = ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str:
        """The name that its first line gives it, or nothing."""
        found = _NAMED.match(self.text.split("\n", 1)[0])
        return found["name"] if found else ""

    @property
    def is_scenario(self) -> bool:
        return self.language == "yaml" and bool(
            re.search(r"^hosts:", self.text, re.M) and re.search(r"^steps:", self.text, re.M)
        )


@dataclass(frozen=True)
class Shown:
    """A command of a console block, with the lines of its output that the page shows."""

    command: str
    lines: tuple[str, ...]


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    open_: re.Match[str] | None = None
    begin, text, marked = 0, list[str](), ("", "")
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if open_ is not None:
            if fence and fence["ticks"] == open_["ticks"] and not fence["language"] + fence["rest"]:
                if not open_["rest"].startswith("{"):  # a directive of the site
                    yield Block(page, begin, open_["language"], "\n".join(text) + "\n", *marked)
                open_, marked = None, ("", "")
            else:
                text.append(line.removeprefix(open_["indent"]))
        elif fence:
            open_, begin, text = fence, number, []
        elif found := _MARK.search(line):
            marked = (found["word"], found["rest"])
        elif line.strip():
            marked = ("", "")
    assert open_ is None, f"{page}:{begin}: a block without an end"


def commands(block: Block) -> list[Shown]:
    """The commands of a console block (`$ runner ...`; after a `\\` they go on), each with what is shown of it."""
    found: list[Shown] = []
    lines = iter(block.text.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            assert found, f"{block.place}: a console block begins with `$ `"
            found[-1] = Shown(found[-1].command, (*found[-1].lines, line))
            continue
        command = line[2:]
        while command.endswith("\\"):
            command += "\n" + next(lines).removeprefix("> ")
        found.append(Shown(command, ()))
    return found


def is_shown(shown: Sequence[str], said: str) -> bool:
    """Whether a page's lines are what a command said: `...` stands for any lines, what varies for itself.

    Of a picture the packets count, in their order, pure ACKs apart: calls stand in the scenario, and whether a call's
    return has a line of its own is a matter of a millisecond.
    """
    expected = tuple(one for line in _joined(shown) for one in _reduced(line))
    seen = tuple(one for line in _joined(said.splitlines()) for one in _reduced(line))
    if not expected:
        return True

    @cache
    def fits(here: int, there: int) -> bool:
        if here == len(expected):
            return there == len(seen)
        if expected[here] == ANYTHING:
            return fits(here + 1, there) or (there < len(seen) and fits(here, there + 1))
        return there < len(seen) and _is_same(expected[here], seen[there]) and fits(here + 1, there + 1)

    return fits(0, 0)


def _is_same(one: str, other: str) -> bool:
    """Whether two reduced lines are the same as far as both are shown: where a cut (`…`) falls depends on the run."""
    if CUT not in one and CUT not in other:
        return one == other
    (head, tail), (other_head, other_tail) = _ends(one), _ends(other)
    heads = head.startswith(other_head) or other_head.startswith(head)
    return heads and (tail.endswith(other_tail) or other_tail.endswith(tail))


def _ends(line: str) -> tuple[str, str]:
    """What is before the first cut of a line and what is after its last; of one without a cut all, twice."""
    return line.split(CUT, 1)[0], line.rsplit(CUT, 1)[-1]


def _joined(lines: Sequence[str]) -> list[str]:
    """The lines, a finding on one."""
    whole: list[str] = []
    for line in lines:
        if whole and _FINDING.match(whole[-1]) and _REST.match(line):
            whole[-1] += f" {line.strip()}"
        else:
            whole.append(line)
    return whole


def _reduced(line: str) -> Iterator[str]:
    """A line without what varies; nothing where the whole line does."""
    if line.strip() == ANYTHING:
        yield ANYTHING
    elif _PICTURE.match(line):
        found = _PACKET.search(line)
        label = (found["left"] or found["right"]).strip() if found else ""
        if label not in ("", "ACK"):
            yield f"packet {label}"
    elif line.strip() and not _WHENEVER.search(line):
        for pattern, word in _VARYING:
            line = pattern.sub(word, line)
        if line.strip():
            yield line.strip()


def pages() -> list[Path]:
    """Every page that people read."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    return found + sorted((ROOT / "docs").rglob("*.md"))
