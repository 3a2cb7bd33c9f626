"""Steps that make sockets, join them and end them.

The reference is Python's `socket` module, https://docs.python.org/3/library/socket.html, and the manual pages
named with each step.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from runner.addresses import Address, read_address
from runner.commands import Call, Command, Constant, Outcome
from runner.constants import constants
from runner.errors import Unmet
from runner.expected import (
    EXPECTED_ADDRESS_SCHEMA,
    Exactly,
    Expected,
    ExpectedAddress,
    ExpectedWhole,
    parts_or,
    parts_schema,
    read_expected_address,
    shown,
)
from runner.model import Reads, Surroundings
from runner.names import Unfilled
from runner.scope import Scope
from runner.steps import addresses
from runner.steps.base import FunctionStep, MethodStep, ThingKind
from runner.values import NAME_SCHEMA, Name, Whole, is_whole, list_of, read_name, read_whole, refuse

Family: TypeAlias = Annotated[Constant | int, constants("AF_", "PF_")]
SocketType: TypeAlias = Annotated[Constant | int, constants("SOCK_")]
Protocol: TypeAlias = Annotated[Constant | int, constants()]


def read_socket_address(value: Any, around: Surroundings) -> Address | tuple[Any, ...]:
    """An address as a text, or for families that have others a list of its parts: `[eth0, 0x0800]`."""
    if isinstance(value, list):
        return tuple(_part(one, around) for one in value)
    return read_address(value, around)


def _part(value: Any, around: Surroundings) -> Any:
    """A part of another family's address: a number where it looks like one, else a text."""
    if isinstance(value, str):
        return read_whole(value, around) if is_whole(value) else value
    if not isinstance(value, int | bytes | Unfilled):
        refuse(value, "a text or a number")
    return value


SocketAddress: TypeAlias = Annotated[
    Address | tuple[Any, ...],
    Reads(read_socket_address, {"anyOf": [{"type": "string"}, {"type": "array"}]}),
]


class Socket(FunctionStep):
    """Make a socket (socket(2)).

    socket  the name of the new socket
    family  the address family, AF_INET where nothing is said
    type    the type, SOCK_STREAM where nothing is said
    proto   the protocol, by constant or number; 0 picks the family's for that type
    """

    verb: ClassVar[str] = "socket"
    makes: ClassVar[Mapping[str, ThingKind]] = {"socket": "socket"}
    socket: Name
    family: Family = Constant("AF_INET")
    type: SocketType = Constant("SOCK_STREAM")
    proto: Protocol = 0

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Family, type and protocol."""
        return (self.family, self.type, self.proto) if self.proto != 0 else (self.family, self.type)

    def command(self, scope: Scope) -> Command:
        """The call, which makes the socket."""
        return Call(self.here(), "socket", self.arguments(scope), makes=self.socket, blocks=self.blocks_)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The socket itself is what `socket` names."""
        return None


class Socketpair(FunctionStep):
    """Make two sockets that are connected with each other (socketpair(2)).

    socketpair  the names of the two new sockets, as a list
    family      the address family, AF_UNIX where nothing is said
    type        the type, SOCK_STREAM where nothing is said
    proto       the protocol, by constant or number
    """

    verb: ClassVar[str] = "socketpair"
    makes: ClassVar[Mapping[str, ThingKind]] = {"socketpair": "socket"}
    socketpair: Annotated[
        tuple[str, ...],
        Reads(list_of(read_name), {"type": "array", "items": NAME_SCHEMA, "minItems": 2, "maxItems": 2}),
    ]
    family: Family = Constant("AF_UNIX")
    type: SocketType = Constant("SOCK_STREAM")
    proto: Protocol = 0

    def command(self, scope: Scope) -> Command:
        """The call, which makes both."""
        names = ",".join(self.socketpair)
        return Call(self.here(), "socketpair", (self.family, self.type, self.proto), makes=names)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The sockets themselves have the names."""
        return None


class SocketStep(MethodStep):
    """A method of a socket that takes an address, or nothing."""

    def address(self, to: Address | tuple[Any, ...], scope: Scope) -> Any:
        """An address as this socket's family wants it."""
        if isinstance(to, tuple):
            return to
        thing = scope.things.get(self.object)
        return addresses.argument(to, self.family(scope), thing.type if thing else "", self.here(), scope)

    def same(self, scope: Scope) -> Callable[[Any, Any], bool]:
        """Addresses are compared as the socket's family has them."""
        return addresses.sameness(self.family(scope), self.here(), scope)


class Bind(SocketStep):
    """Give a socket its own address (bind(2)).

    bind  the socket
    to    the address: HOST:PORT, :PORT (every address of the host), a path or @name
    """

    verb: ClassVar[str] = "bind"
    needs: ClassVar[Mapping[str, ThingKind]] = {"bind": "socket"}
    bind: Name
    to: SocketAddress

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The address."""
        return (self.address(self.to, scope),)


class Listen(MethodStep):
    """Make a socket accept connections (listen(2)).

    listen   the socket
    backlog  how many completed connections may wait, less one; Python picks where nothing is said
    """

    verb: ClassVar[str] = "listen"
    needs: ClassVar[Mapping[str, ThingKind]] = {"listen": "socket"}
    listen: Name
    backlog: Whole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The backlog, where it is said."""
        return () if self.backlog is None else (self.backlog,)


_GIVES_FROM = parts_or(read_expected_address, {"from": read_expected_address}, "from")


class Accept(SocketStep):
    """Take the next connection of a listening socket; a new socket is its end (accept(2)).

    accept  the listening socket
    as      the name of the new socket
    gives   from: the address of the peer
    """

    verb: ClassVar[str] = "accept"
    needs: ClassVar[Mapping[str, ThingKind]] = {"accept": "socket"}
    makes: ClassVar[Mapping[str, ThingKind]] = {"as": "socket"}
    accept: Name
    gives: Annotated[
        Mapping[str, Expected] | None,
        Reads(_GIVES_FROM, parts_schema(EXPECTED_ADDRESS_SCHEMA, {"from": EXPECTED_ADDRESS_SCHEMA})),
    ] = None

    def made(self) -> str | None:
        """The connection."""
        return self.as_

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """Where the connection comes from."""
        return {"from": outcome.value[1]}


class Connect(SocketStep):
    """Connect a socket to an address: a stream socket shakes hands, a datagram socket only remembers
    (connect(2)).

    connect  the socket
    to       the address of the peer
    """

    verb: ClassVar[str] = "connect"
    needs: ClassVar[Mapping[str, ThingKind]] = {"connect": "socket"}
    connect: Name
    to: SocketAddress

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The address."""
        return (self.address(self.to, scope),)


class ConnectEx(SocketStep):
    """Connect, and give the errno instead of raising it (Python: socket.connect_ex).

    connect_ex  the socket
    to          the address of the peer
    gives       0 for success, or an errno by name; success is expected where nothing is said
    """

    verb: ClassVar[str] = "connect_ex"
    needs: ClassVar[Mapping[str, ThingKind]] = {"connect_ex": "socket"}
    connect_ex: Name
    to: SocketAddress
    gives: ExpectedWhole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The address."""
        return (self.address(self.to, scope),)

    def check_value(self, value: Any, scope: Scope) -> None:
        """An errno that nobody expects is a failure."""
        expected = self.gives or Exactly(0)
        if not expected.holds(value):
            raise Unmet(f"expected {_errno_text(expected)}, and it gave {_errno_text(value)}")


def _errno_text(value: Any) -> str:
    import errno

    number = value.value if isinstance(value, Exactly) else value
    name = errno.errorcode.get(number) if isinstance(number, int) else None
    return f"{number} ({name})" if name else str(value)


class Shutdown(MethodStep):
    """End one direction of a connection, or both (shutdown(2)).

    shutdown  the socket
    how       SHUT_RD, SHUT_WR or SHUT_RDWR
    """

    verb: ClassVar[str] = "shutdown"
    needs: ClassVar[Mapping[str, ThingKind]] = {"shutdown": "socket"}
    shutdown: Name
    how: Annotated[Constant | int, constants("SHUT_")]

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The direction."""
        return (self.how,)


class Close(MethodStep):
    """Close a socket or a file (close(2)).

    close  the socket or file
    """

    verb: ClassVar[str] = "close"
    needs: ClassVar[Mapping[str, ThingKind]] = {"close": "socket or file"}
    close: Name


class Detach(MethodStep):
    """Close a socket object without closing its descriptor (Python: socket.detach).

    detach  the socket
    gives   the number of the descriptor
    """

    verb: ClassVar[str] = "detach"
    needs: ClassVar[Mapping[str, ThingKind]] = {"detach": "socket"}
    detach: Name
    gives: ExpectedWhole | None = None


class Dup(MethodStep):
    """Make a second socket object of the same open socket (dup(2)).

    dup  the socket
    as   the name of the second one
    """

    verb: ClassVar[str] = "dup"
    needs: ClassVar[Mapping[str, ThingKind]] = {"dup": "socket"}
    makes: ClassVar[Mapping[str, ThingKind]] = {"as": "socket"}
    dup: Name

    def made(self) -> str | None:
        """The second one."""
        return self.as_

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """The socket itself is what `as` names."""
        return None


class AddressStep(SocketStep):
    """A step that asks for an address of a socket."""

    gives: ExpectedAddress | None = None

    def check_value(self, value: Any, scope: Scope) -> None:
        """The address, compared as one."""
        if self.gives is not None and not self.gives.holds(value, self.same(scope)):
            raise Unmet(f"expected {self.gives}, and it gave {_address_text(value)}")


def _address_text(value: Any) -> str:
    return shown(value) if isinstance(value, list) else shown(addresses.unix_text(value))


class Getsockname(AddressStep):
    """Ask for a socket's own address (getsockname(2)).

    getsockname  the socket
    gives        the address: HOST:PORT, or HOST for any port
    as           the name of the result; its parts are host and port
    """

    verb: ClassVar[str] = "getsockname"
    needs: ClassVar[Mapping[str, ThingKind]] = {"getsockname": "socket"}
    getsockname: Name


class Getpeername(AddressStep):
    """Ask for the address of a socket's peer (getpeername(2)).

    getpeername  the socket
    gives        the address: HOST:PORT, or HOST for any port
    as           the name of the result; its parts are host and port
    """

    verb: ClassVar[str] = "getpeername"
    needs: ClassVar[Mapping[str, ThingKind]] = {"getpeername": "socket"}
    getpeername: Name


class Fileno(MethodStep):
    """Ask for the number of a socket's descriptor; -1 when it is closed (Python: socket.fileno).

    fileno  the socket
    gives   the number
    """

    verb: ClassVar[str] = "fileno"
    needs: ClassVar[Mapping[str, ThingKind]] = {"fileno": "socket"}
    fileno: Name
    gives: ExpectedWhole | None = None
