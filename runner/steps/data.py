"""Steps that send and receive bytes on sockets.

https://docs.python.org/3/library/socket.html; the manual pages are named with each step.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from runner.commands import Call, Constant, Kept, Outcome, Packed, Performance
from runner.constants import CONSTANT_SCHEMA, constant, constants
from runner.errors import Misplaced
from runner.expected import (
    EXPECTED_ADDRESS_SCHEMA,
    EXPECTED_BYTES_SCHEMA,
    EXPECTED_WHOLE_SCHEMA,
    Expected,
    ExpectedBytes,
    ExpectedWhole,
    expecting,
    parts_or,
    parts_schema,
    read_expected_address,
    read_expected_bytes,
    read_expected_whole,
)
from runner.model import MisplacedAt, Reads, Surroundings
from runner.names import holds_unfilled
from runner.numbers import read_number
from runner.scope import Scope
from runner.steps.base import ThingKind
from runner.steps.sockets import SocketAddress, SocketStep
from runner.values import BYTE_KEYS, Name, Whole, list_of, read_bytes, read_whole


def read_data(value: Any, around: Surroundings) -> Any:
    """Bytes; where `raises` is said also a list or a map, which Python refuses to send."""
    if around.lenient and (
        isinstance(value, list) or (isinstance(value, dict) and not set(value) & set(BYTE_KEYS))
    ):
        return value
    return read_bytes(value, around)


Data: TypeAlias = Annotated[
    Any, Reads(read_data, {"anyOf": [{"$ref": "#/definitions/bytes"}, {"type": ["array", "object"]}]})
]
Flags: TypeAlias = Annotated[Constant | int, constants("MSG_")]


class SendStep(SocketStep):
    """A step that sends bytes."""

    def sent(self, *before: Any, flags: Any, after: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """Arguments with the flags where Python wants them, left out where there are none."""
        return (*before, *after) if flags is None else (*before, flags, *after)


class Send(SendStep):
    """Send bytes, perhaps not all of them (send(2)).

    send   the socket
    data   the bytes
    flags  MSG_OOB, MSG_DONTWAIT, ...; several joined with |
    gives  how many bytes the kernel took
    """

    verb: ClassVar[str] = "send"
    needs: ClassVar[Mapping[str, ThingKind]] = {"send": "socket"}
    send: Name
    data: Data
    flags: Flags | None = None
    gives: ExpectedWhole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Bytes and flags."""
        return self.sent(self.data, flags=self.flags)


class Sendall(SendStep):
    """Send all bytes, however often the kernel has to be asked (Python: socket.sendall).

    sendall  the socket
    data     the bytes
    flags    MSG_OOB, MSG_DONTWAIT, ...; several joined with |
    """

    verb: ClassVar[str] = "sendall"
    needs: ClassVar[Mapping[str, ThingKind]] = {"sendall": "socket"}
    sendall: Name
    data: Data
    flags: Flags | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Bytes and flags."""
        return self.sent(self.data, flags=self.flags)


class Sendto(SendStep):
    """Send a datagram to an address (sendto(2)).

    sendto  the socket
    data    the bytes
    to      the address
    flags   MSG_DONTWAIT, ...; several joined with |
    gives   how many bytes the kernel took
    """

    verb: ClassVar[str] = "sendto"
    needs: ClassVar[Mapping[str, ThingKind]] = {"sendto": "socket"}
    sendto: Name
    data: Data
    to: SocketAddress
    flags: Flags | None = None
    gives: ExpectedWhole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Bytes, flags and address."""
        return self.sent(self.data, flags=self.flags, after=(self.address(self.to, scope),))


def read_buffers(value: Any, around: Surroundings) -> Any:
    """Bytes, or a list of them that is sent as one (`{hex: ..}` and its like are single bytes)."""
    if isinstance(value, list):
        return list_of(read_bytes)(value, around)
    return (read_bytes(value, around),)


def read_ancillary(value: Any, around: Surroundings) -> tuple[Any, ...]:
    """Control messages: `{level: SOL_SOCKET, type: SCM_RIGHTS, data: ..}`, or `fds: [$n]` for descriptors."""
    return () if holds_unfilled(value) else list_of(_message)(value, around)


def _message(value: Any, around: Surroundings) -> tuple[Any, Any, Any]:
    match value:
        case {"level": level, "type": kind, "data": data} if len(value) == 3:
            return constant()(level, around), constant()(kind, around), read_bytes(data, around)
        case {"fds": numbers} if len(value) == 1:
            fds = list_of(read_whole)(numbers, around)
            return Constant("SOL_SOCKET"), Constant("SCM_RIGHTS"), Packed(f"{len(fds)}i", fds)
    raise Misplaced("a control message is {level, type, data}, or {fds: [numbers]}")


class Sendmsg(SendStep):
    """Send bytes from several buffers, with control messages (sendmsg(2)).

    sendmsg  the socket
    data     the bytes, or a list of bytes that are sent as one
    ancdata  control messages: {level, type, data}, or {fds: [numbers]} to hand over descriptors
    flags    MSG_DONTWAIT, ...; several joined with |
    to       the address, where it is not connected
    gives    how many bytes the kernel took
    """

    verb: ClassVar[str] = "sendmsg"
    needs: ClassVar[Mapping[str, ThingKind]] = {"sendmsg": "socket"}
    said: ClassVar[Mapping[str, Callable[[Any], str]]] = {"ancdata": lambda messages: str(len(messages))}
    sendmsg: Name
    data: Annotated[
        tuple[bytes, ...],
        Reads(
            read_buffers,
            {
                "anyOf": [
                    {"$ref": "#/definitions/bytes"},
                    {"type": "array", "items": {"$ref": "#/definitions/bytes"}},
                ]
            },
        ),
    ]
    ancdata: Annotated[
        tuple[Any, ...], Reads(read_ancillary, {"type": "array", "items": {"type": "object"}})
    ] = ()
    flags: Flags | None = None
    to: SocketAddress | None = None
    gives: ExpectedWhole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Buffers, control messages, flags and address, as far as they are said."""
        arguments: list[Any] = [self.data]
        if self.ancdata or self.flags is not None or self.to is not None:
            arguments.append(self.ancdata)
        if self.flags is not None or self.to is not None:
            arguments.append(0 if self.flags is None else self.flags)
        if self.to is not None:
            arguments.append(self.address(self.to, scope))
        return tuple(arguments)


class ReceiveStep(SocketStep):
    """A step that receives bytes."""

    size: Whole
    flags: Flags | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Size and flags."""
        return (self.size,) if self.flags is None else (self.size, self.flags)


class Recv(ReceiveStep):
    """Receive bytes; none at all means the peer has ended its direction (recv(2)).

    recv   the socket
    size   how many bytes at most
    flags  MSG_PEEK, MSG_WAITALL, ...; several joined with |
    gives  the bytes
    """

    verb: ClassVar[str] = "recv"
    needs: ClassVar[Mapping[str, ThingKind]] = {"recv": "socket"}
    recv: Name
    gives: ExpectedBytes | None = None


_DATA_AND_FROM = {"data": read_expected_bytes, "from": read_expected_address}
_DATA_AND_FROM_SCHEMA = {"data": EXPECTED_BYTES_SCHEMA, "from": EXPECTED_ADDRESS_SCHEMA}


class Recvfrom(ReceiveStep):
    """Receive a datagram and where it came from (recvfrom(2)).

    recvfrom  the socket
    size      how many bytes at most; what is longer is cut
    flags     MSG_PEEK, MSG_TRUNC, ...; several joined with |
    gives     data: the bytes, from: the address of the sender; or just the bytes
    as        the name of the result; its parts are data and from
    """

    verb: ClassVar[str] = "recvfrom"
    needs: ClassVar[Mapping[str, ThingKind]] = {"recvfrom": "socket"}
    recvfrom: Name
    gives: Annotated[
        Mapping[str, Expected] | None,
        Reads(
            parts_or(read_expected_bytes, _DATA_AND_FROM, "data"),
            parts_schema(EXPECTED_BYTES_SCHEMA, _DATA_AND_FROM_SCHEMA),
        ),
    ] = None

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """Data and sender."""
        data, sender = outcome.value
        return {"data": data, "from": sender}


class RecvInto(ReceiveStep):
    """Receive bytes into a buffer of that size (Python: socket.recv_into).

    recv_into  the socket
    size       the size of the buffer
    flags      MSG_PEEK, MSG_WAITALL, ...; several joined with |
    gives      the bytes
    """

    verb: ClassVar[str] = "recv_into"
    needs: ClassVar[Mapping[str, ThingKind]] = {"recv_into": "socket"}
    recv_into: Name
    gives: ExpectedBytes | None = None

    def wrong(self) -> Iterator[MisplacedAt]:
        """Three calls in a row cannot be left pending as one."""
        if self.blocks != "no":
            yield MisplacedAt(
                ("blocks",), "recv_into is several calls, so it cannot be left pending: use recv"
            )

    def perform(self, scope: Scope) -> Performance:
        """Make a buffer in the host, receive into it, look at it."""
        known = sum(name.startswith(f"{self.recv_into}.buffer") for name in scope.things)
        buffer = f"{self.recv_into}.buffer{known + 1}"
        yield Call(self.here(), "bytearray", (max(0, self.size),), makes=buffer)
        flags = () if self.flags is None else (self.flags,)
        arguments = (Kept(buffer), self.size, *flags)
        outcome = yield Call(self.here(), "recv_into", arguments, on=self.recv_into, blocks=self.blocks_)
        if outcome.failure is not None:
            return self.conclude(outcome, scope)
        contents = yield Call(self.here(), "bytes", (Kept(buffer),))
        if contents.failure is not None:
            return self.conclude(contents, scope)
        length = int(outcome.value)
        data = bytes(contents.value)[:length]
        return self.conclude(Outcome(outcome.began_ns, outcome.ended_ns, data), scope)


_MESSAGE = {
    "data": read_expected_bytes,
    "from": read_expected_address,
    "flags": expecting(read_number, ranges=""),
    "ancdata": read_expected_whole,
}
_MESSAGE_SCHEMA = {
    "data": EXPECTED_BYTES_SCHEMA,
    "from": EXPECTED_ADDRESS_SCHEMA,
    "flags": CONSTANT_SCHEMA,
    "ancdata": EXPECTED_WHOLE_SCHEMA,
}


class Recvmsg(SocketStep):
    """Receive bytes with control messages and flags (recvmsg(2)).

    recvmsg  the socket
    size     how many bytes at most
    ancsize  how many bytes of control messages at most
    flags    MSG_PEEK, MSG_ERRQUEUE, ...; several joined with |
    gives    data: the bytes, from: the sender, flags: what the kernel says, ancdata: how many control messages
    as       the name of the result; its parts are data, from, flags and ancdata
    """

    verb: ClassVar[str] = "recvmsg"
    needs: ClassVar[Mapping[str, ThingKind]] = {"recvmsg": "socket"}
    recvmsg: Name
    size: Whole
    ancsize: Whole | None = None
    flags: Flags | None = None
    gives: Annotated[
        Mapping[str, Expected] | None,
        Reads(
            parts_or(read_expected_bytes, _MESSAGE, "data"),
            parts_schema(EXPECTED_BYTES_SCHEMA, _MESSAGE_SCHEMA),
        ),
    ] = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Both sizes and the flags, as far as they are said."""
        if self.flags is not None:
            return (self.size, self.ancsize or 0, self.flags)
        return (self.size,) if self.ancsize is None else (self.size, self.ancsize)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The parts of what came."""
        data, messages, flags, sender = outcome.value
        return {"data": data, "from": sender, "flags": flags, "ancdata": len(messages)}
