"""What a call in C consists of, and the small words all calls are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.history import CallRecord
from runner.report.c_form import values as c
from runner.report.text import ELLIPSIS

NO_CALL = "no call"
"""What a call came to that Python answers itself, without the system."""


@dataclass(frozen=True)
class CForm:
    """One call. `asked` is the call with names where the system fills something in, `done` with what it filled in
    (the same for a call that failed or has not returned); `result` is what stands behind the equals sign, empty where
    it has not returned or gives nothing; `filled` is what was filled in, alone; `note` says what C does otherwise.
    """

    asked: str
    result: str = ""
    done: str = ""
    filled: str = ""
    note: str = ""

    @property
    def whole(self) -> str:
        """The call and its result on one line."""
        return f"{self.done} = {self.result}" if self.result else self.done


Form = Callable[[CallRecord], CForm]
"""How a call is written in C."""


def arguments_of(record: CallRecord) -> Sequence[Any]:
    """The arguments as the record holds them."""
    return record.arguments or ()


def made_by(record: CallRecord) -> str:
    """The name of what a call made."""
    match record.value:
        case {"object": str() as name} | [{"object": str() as name}, *_]:
            return name
    return record.object or ""


def calling(name: str, *parts: object) -> str:
    """A call with its arguments."""
    return f"{name}({', '.join(map(str, parts))})"


def on(record: CallRecord) -> str:
    """The name of the socket, file or program that a call is made on."""
    return record.object or "?"


def received(record: CallRecord, name: str, rest: Sequence[object], data: bytes | None) -> CForm:
    """A call that fills a buffer, its second argument."""
    asked = calling(name, on(record), "buffer", *rest)
    if data is None:
        return CForm(asked)
    return CForm(asked, str(len(data)), calling(name, on(record), c.string(data), *rest), c.string(data))


def of_python(record: CallRecord) -> CForm:
    """What Python does without the system."""
    written = calling(
        f"{on(record)}.{record.name}" if record.object else record.name, *map(c.value, arguments_of(record))
    )
    return CForm(written, f"{NO_CALL}: kept by Python")


def shorter(text: str) -> Iterator[str]:
    """A call with all its arguments, then with fewer and fewer of the last ones: `recv(c, "hello", …)`."""
    yield text
    name, bracket, rest = text.partition("(")
    if not bracket or not rest.endswith(")"):
        return
    parts = _parts(rest.removesuffix(")"))
    for kept in range(len(parts) - 1, 0, -1):
        yield f"{name}({', '.join([*parts[:kept], ELLIPSIS])})"


def _parts(text: str) -> list[str]:
    """Arguments apart: commas inside of strings, braces and brackets divide nothing."""
    parts, begin, depth, quoted, escaped = [], 0, 0, False, False
    for place, one in enumerate(text):
        if quoted:
            quoted, escaped = escaped or one != '"', one == "\\" and not escaped
        elif one == '"':
            quoted = True
        elif one in "{([":
            depth += 1
        elif one in "})]":
            depth -= 1
        elif one == "," and not depth:
            parts.append(text[begin:place].strip())
            begin = place + 1
    return [*parts, text[begin:].strip()]
