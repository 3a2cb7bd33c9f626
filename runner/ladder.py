"""The ladder: expected packets as lines of `HOST ARROW HOST words "payload" conditions ?`, read into data
with places.

The notation only. Whether packets are as it says is `runner.matching`'s affair, and writing lines
`runner.notation`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, inet_pton

from runner import conditions, fields
from runner.conditions import Condition
from runner.errors import Misplaced
from runner.headers import ACK, FIN, PSH
from runner.quoting import QUOTED, unquoted
from runner.wire import canonical
from runner.words import WORDS, Word, flags_of, nearest

ARROWS = {"->": (False, False), "<-": (True, False), "-x": (False, True), "x-": (True, True)}
"""Arrow -> whether the right host is the sender, whether the packet is lost on its way."""

_ENDS = re.compile(r"(\S+)\s+(\S+)\s+(\S+)")
_ANY_ARROW = re.compile(r"<?-+[x>]?|x-+|=+>|<=+|-+x|→|←")
_PAYLOAD = re.compile(QUOTED + r"(\.\.\.)?")
_WORD = re.compile(r'\[[^\]]*\]|[^\s"?]+')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


@dataclass(frozen=True)
class End:
    """A host's name, or an address that nobody owns, with the column where it stands."""

    text: str
    column: int

    @property
    def is_name(self) -> bool:
        """Whether it must be a host of the lab."""
        return _is_address(self.text) is None


@dataclass(frozen=True)
class Line:
    """One expected packet. `number` is its line in the text, from 0; `text` the line as written, without
    comment.

    `flags` are TCP flag bits or None where none are named. `payload` is None where it is free; with `prefix`
    it is only how the payload begins. `lost` is the arrow with a cross: sent, and not received.
    """

    number: int
    text: str
    source: End
    target: End
    lost: bool = False
    flags: int | None = None
    words: tuple[Word, ...] = ()
    payload: bytes | None = None
    prefix: bool = False
    conditions: tuple[Condition, ...] = ()
    optional: bool = False

    def names(self, field: str) -> bool:
        """Whether one of its conditions is about that field."""
        return any(condition.field == field for condition in self.conditions)

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it stands for a pure ACK: no other flag, no data."""
        return self.flags == ACK and not self.payload and not self.names("len")

    @property
    def has_fin(self) -> bool:
        """Whether it stands for a segment that ends its sender's stream."""
        return self.flags is not None and bool(self.flags & FIN)

    @property
    def wants_data(self) -> bool | None:
        """What flags say of the payload where nothing else does: PSH that there is some, others that there is
        none.

        None where the line leaves it free: it names no flags, or says itself what it carries.
        """
        if self.flags is None or self.payload is not None or self.names("len"):
            return None
        return bool(self.flags & PSH)


@dataclass(frozen=True)
class Gap:
    """`...`: any packets, or none."""

    number: int
    text: str = "..."


Entry = Line | Gap


@dataclass(frozen=True)
class Ladder:
    """The lines of a ladder in order, their text, and what is wrong with the other lines of it."""

    entries: tuple[Entry, ...]
    text: str = field(repr=False)
    mistakes: tuple[Misplaced, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """The entries that stand for a packet."""
        return tuple(entry for entry in self.entries if isinstance(entry, Line))

    def hosts(self) -> Iterator[tuple[str, int, int]]:
        """Every name that must be a host, with its line and column in the text, from 0."""
        for line in self.lines:
            for end in (line.source, line.target):
                if end.is_name:
                    yield end.text, line.number, end.column
            for name, column in conditions.hosts_in(line.conditions):
                yield name, line.number, column


def parse(text: str) -> Ladder:
    """Read a ladder; raises Misplaced with the place of the first mistake."""
    found = read(text)
    if found.mistakes:
        raise found.mistakes[0]
    return found


def read(text: str) -> Ladder:
    """Read a ladder and keep the mistakes of all its lines, each with its place.

    Blank lines, and what follows a `#` at the beginning of a line or behind a blank, mean nothing. A ladder
    without a line says that there is no packet at all.
    """
    entries: list[Entry] = []
    mistakes: list[Misplaced] = []
    for number, written in enumerate(text.split("\n")):
        end = _without_comment(written)
        line = written[:end].rstrip()
        if not line.strip():
            continue
        try:
            entry: Entry = Gap(number) if line.strip() == "..." else _Reader(line, number).line()
            if not mistakes:
                _check_after(entry, entries)
            entries.append(entry)
        except Misplaced as error:
            error.line = number
            mistakes.append(error)
    return Ladder(tuple(entries), text, tuple(mistakes))


def _without_comment(line: str) -> int:
    """Where the comment of a line begins, or its end."""
    for piece in re.finditer(QUOTED + r"|(^|(?<=\s))#", line):
        if piece.group() == "#":
            return piece.start()
    return len(line)


def _check_after(entry: Entry, earlier: list[Entry]) -> None:
    """`after` is the time since the line before: the first line has none."""
    if isinstance(entry, Gap) or any(isinstance(one, Line) for one in earlier):
        return
    for condition in entry.conditions:
        if condition.field == "after":
            message = "`after` is the time since the line before, and there is none"
            raise Misplaced(message, column=condition.column, length=len("after"))


class _Reader:
    """Reads one line from left to right."""

    def __init__(self, text: str, number: int) -> None:
        self._text = text
        self._number = number
        self._flags: int | None = None
        self._words: list[Word] = []
        self._payload: bytes | None = None
        self._prefix = False
        self._conditions: list[Condition] = []
        self._optional = False

    def line(self) -> Line:
        """The line's meaning."""
        source, target, lost, position = self._ends()
        while True:
            position = self._blanks(position)
            if position == len(self._text):
                break
            if self._optional:
                raise self._wrong(position, "`?` stands at the end of its line")
            position = self._piece(position)
        return Line(
            self._number, self._text.strip(), source, target, lost, self._flags, tuple(self._words),
            self._payload, self._prefix, tuple(self._conditions), self._optional,
        )  # fmt: skip

    def _blanks(self, position: int) -> int:
        while position < len(self._text) and self._text[position].isspace():
            position += 1
        return position

    def _wrong(self, position: int, message: str, suggestion: str = "", length: int = 0) -> Misplaced:
        rest = self._text[position:].split()
        length = length or (len(rest[0]) if rest else 1)
        return Misplaced(message, column=position, length=length, suggestion=suggestion)

    def _ends(self) -> tuple[End, End, bool, int]:
        begin = self._blanks(0)
        found = _ENDS.match(self._text, begin)
        if found is None or found[2] not in ARROWS:
            raise self._no_arrow(begin, found)
        ends = [self._end(found[place], found.start(place)) for place in (1, 3)]
        backwards, lost = ARROWS[found[2]]
        source, target = reversed(ends) if backwards else ends
        return source, target, lost, found.end()

    def _no_arrow(self, begin: int, found: re.Match[str] | None) -> Misplaced:
        """What is wrong with a line that has no arrow between its first words."""
        arrows = "the arrows are " + ", ".join(ARROWS)
        if found is not None and _ANY_ARROW.fullmatch(found[2]):
            near = "<-" if found[2][0] in "<←" else "->"
            return self._wrong(found.start(2), f"{found[2]!r} is no arrow: {arrows}", near)
        message = f"a line begins with HOST ARROW HOST, with blanks between ({arrows}), or it is `...`"
        tight = re.match(r"([A-Za-z0-9_.]+)(->|<-|-x|x-)([A-Za-z0-9_.]+)", self._text[begin:])
        return self._wrong(begin, message, " ".join(tight.groups()) if tight else "")

    def _end(self, text: str, column: int) -> End:
        address = _is_address(text)
        if address is None and not _NAME.fullmatch(text):
            port = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_.-]*):[0-9]*", text)
            if port:
                message = "ports are said by the flow, lines have hosts only"
                raise self._wrong(column, message, port[1], len(text))
            raise self._wrong(column, f"{text!r} is neither a host nor an address", length=len(text))
        return End(address or text, column)

    def _piece(self, position: int) -> int:
        """Read what begins here; returns where it ends."""
        text = self._text
        if text[position] == "?":
            self._optional = True
            return position + 1
        if text[position] == '"':
            return self._read_payload(position)
        if self._conditions and re.compile(r"and\s").match(text, position):
            return position + 3
        if conditions.begins(text, position):
            condition, end = conditions.read(text, position)
            self._conditions.append(condition)
            return end
        word = _WORD.match(text, position)
        if word is None:
            raise self._wrong(position, "this is no word of a ladder")
        self._read_word(word.group(), position)
        return word.end()

    def _read_payload(self, position: int) -> int:
        found = _PAYLOAD.match(self._text, position)
        if found is None:
            raise self._wrong(position, 'the payload has no closing "', length=len(self._text) - position)
        if self._payload is not None:
            raise self._wrong(position, "a line has one payload", length=len(found.group()))
        try:
            self._payload = unquoted(found.group().removesuffix("...") if found[1] else found.group())
        except Misplaced as error:
            raise self._wrong(position + error.column, error.message, length=error.length) from None
        self._prefix = found[1] is not None
        return found.end()

    def _read_word(self, word: str, position: int) -> None:
        bits = flags_of(word)
        if bits is not None:
            if self._flags is not None:
                message = "the flags of a line are one word, as in SYN,ACK"
                raise self._wrong(position, message, length=len(word))
            self._check_kind("TCP", word, position)
            self._flags = bits
        elif word in WORDS:
            self._check_kind(WORDS[word].kind, word, position)
            self._words.append(WORDS[word])
        else:
            self._read_layer(word, position)

    def _check_kind(self, kind: str, word: str, position: int) -> None:
        """Refuse words that no packet can have at once."""
        said = [(one.kind, one.name) for one in self._words if one.kind]
        if self._flags is not None:
            said.append(("TCP", "a segment with TCP flags"))
        for other, name in said:
            if kind and other != kind:
                raise self._wrong(position, f"no packet is both {name} and {word}", length=len(word))

    def _read_layer(self, word: str, position: int) -> None:
        """A word that is in no table may be a layer: `DNS`."""
        near = nearest(word)
        if not _NAME.fullmatch(word) or near.casefold() == word.casefold() or fields.known(word) is not None:
            raise self._wrong(position, f"unknown word {word!r}", near, len(word))
        condition, _ = conditions.read(self._text, position)
        self._conditions.append(condition)


def _is_address(text: str) -> str | None:
    """The address in its usual form where the text is one: IPv4, IPv6 or a MAC; else None."""
    if _MAC.fullmatch(text):
        return text.lower()
    if ":" not in text and not re.fullmatch(r"[0-9.]+", text):
        return None
    try:
        inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except OSError:
        return None
    return canonical(text)
