"""Steps that read and write a socket as a file, line by line.

https://docs.python.org/3/library/socket.html#socket.socket.makefile and
https://docs.python.org/3/library/io.html
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.commands import Call, Command, Outcome
from runner.expected import ExpectedBytes, ExpectedWhole, same_bytes
from runner.scope import Scope
from runner.steps.base import MethodStep, ThingKind, check
from runner.values import Bytes, Name, Text, Whole


class Makefile(MethodStep):
    """Make a file of a socket (Python: socket.makefile).

    makefile   the socket
    as         the name of the file
    mode       r, w, rw, and b for bytes; r where nothing is said
    buffering  the size of the buffer, 0 for none (bytes only), 1 for line by line
    encoding   how text is encoded
    newline    what ends a line, as Python's open has it
    """

    verb: ClassVar[str] = "makefile"
    needs: ClassVar[Mapping[str, ThingKind]] = {"makefile": "socket"}
    makes: ClassVar[Mapping[str, ThingKind]] = {"as": "file"}
    makefile: Name
    mode: Text = "r"
    buffering: Whole | None = None
    encoding: Text | None = None
    newline: Text | None = None

    def command(self, scope: Scope) -> Command:
        """The call, which makes the file."""
        said = {"encoding": self.encoding, "newline": self.newline}
        keywords = {key: value for key, value in said.items() if value is not None}
        arguments: tuple[Any, ...] = (self.mode,) if self.buffering is None else (self.mode, self.buffering)
        return Call(self.here(), "makefile", arguments, keywords, self.makefile, self.as_, self.blocks_)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The file itself is what `as` names."""
        return None


class ReadStep(MethodStep):
    """A step that reads from a file; a file in text mode gives text, which is compared as UTF-8."""

    size: Whole | None = None
    gives: ExpectedBytes | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The size, where it is said."""
        return () if self.size is None else (self.size,)

    def check_value(self, value: Any, scope: Scope) -> None:
        """Text and bytes are compared alike."""
        if self.gives is not None:
            check(self.gives, value, same_bytes)


class Readline(ReadStep):
    """Read a line, with its end; nothing at all at the end of the file (Python: io.IOBase.readline).

    readline  the file
    size      how many bytes or characters at most
    gives     the line, with its end
    """

    verb: ClassVar[str] = "readline"
    needs: ClassVar[Mapping[str, ThingKind]] = {"readline": "file"}
    readline: Name


class Read(ReadStep):
    """Read from a file, to its end where no size is said (Python: io.RawIOBase.read).

    read   the file
    size   how many bytes or characters
    gives  what was read
    """

    verb: ClassVar[str] = "read"
    needs: ClassVar[Mapping[str, ThingKind]] = {"read": "file"}
    read: Name


class Write(MethodStep):
    """Write to a file; what is buffered leaves with flush or close (Python: io.RawIOBase.write).

    write  the file
    data   the bytes; a file in text mode gets them as text
    gives  how many bytes or characters were taken
    """

    verb: ClassVar[str] = "write"
    needs: ClassVar[Mapping[str, ThingKind]] = {"write": "file"}
    links_maker: ClassVar[bool] = True
    write: Name
    data: Bytes
    gives: ExpectedWhole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Text for a file in text mode, else bytes."""
        in_bytes = isinstance(self.maker, Makefile) and "b" in self.maker.mode
        return (self.data if in_bytes else self.data.decode("utf-8", "surrogateescape"),)


class Flush(MethodStep):
    """Send what a file has buffered (Python: io.IOBase.flush).

    flush  the file
    """

    verb: ClassVar[str] = "flush"
    needs: ClassVar[Mapping[str, ThingKind]] = {"flush": "file"}
    flush: Name
