"""Steps that ask for names and addresses and turn numbers into byte orders: getaddrinfo to htonl.

https://docs.python.org/3/library/socket.html#other-functions; what they ask is the host's own resolver.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from runner.addresses import Address, AddressText, read_address
from runner.commands import Constant, Outcome
from runner.constants import constants
from runner.errors import Unmet
from runner.expected import (
    EXPECTED_ADDRESS_SCHEMA,
    EXPECTED_TEXT_SCHEMA,
    Expected,
    ExpectedAddress,
    ExpectedBytes,
    ExpectedText,
    ExpectedWhole,
    expecting,
    parts_or,
    parts_schema,
    read_expected_text,
    shown,
)
from runner.model import MisplacedAt, Reads, Surroundings
from runner.scope import Scope
from runner.steps import addresses
from runner.steps.base import FunctionStep
from runner.steps.sockets import Family, Protocol, SocketType
from runner.values import TEXT_SCHEMA, Bytes, Text, Truth, Whole, list_of, read_text, read_whole


def read_service(value: Any, around: Surroundings) -> str | int:
    """A port by number, or a service by name."""
    text = read_text(value, around)
    return read_whole(text, around) if text.lstrip("-").isdigit() else text


def read_address_list(value: Any, around: Surroundings) -> Any:
    """What getaddrinfo gives: a list of addresses in order, or words about it."""
    if isinstance(value, list):
        return list_of(read_address)(value, around)
    return expecting(read_address)(value, around)


class Getaddrinfo(FunctionStep):
    """Ask for all addresses of a name and a service (getaddrinfo(3)).

    getaddrinfo  the name of the host
    port         the port, or a service by name
    family       only addresses of this family
    type         only for sockets of this type
    proto        only for this protocol
    flags        AI_PASSIVE, AI_CANONNAME, ...; several joined with |
    gives        the list of addresses in their order; {has: ADDRESS}; {length: N}
    as           the name of the result; its parts are 0, 1, ... and theirs family, type, proto, canonname and address
    """

    verb: ClassVar[str] = "getaddrinfo"
    getaddrinfo: Text
    port: Annotated[str | int | None, Reads(read_service, TEXT_SCHEMA)] = None
    family: Family | None = None
    type: SocketType | None = None
    proto: Protocol | None = None
    flags: Annotated[Constant | int | None, constants("AI_")] = None
    gives: Annotated[
        Any, Reads(read_address_list, {"anyOf": [EXPECTED_ADDRESS_SCHEMA, {"type": "array"}]})
    ] = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Host, port, family, type, protocol and flags, up to the last that is said."""
        said = [self.family, self.type, self.proto, self.flags]
        while said and said[-1] is None:
            said.pop()
        return (self.getaddrinfo, self.port, *(0 if one is None else one for one in said))

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """A list of maps."""
        keys = ("family", "type", "proto", "canonname", "address")
        return [dict(zip(keys, entry, strict=True)) for entry in outcome.value]

    def check_value(self, value: Any, scope: Scope) -> None:
        """The addresses, in order."""
        if self.gives is None:
            return
        same = addresses.sameness("AF_INET", self.here(), scope)
        seen = [entry["address"] for entry in value]
        if isinstance(self.gives, Expected):
            holds = self.gives.holds(seen, same) or (len(seen) == 1 and self.gives.holds(seen[0], same))
        else:
            holds = len(seen) == len(self.gives) and all(map(same, self.gives, seen))
        if not holds:
            told = self.gives if isinstance(self.gives, Expected) else shown(list(self.gives))
            raise Unmet(f"expected {told}, and it gave {shown(seen)}")


class AddressFunction(FunctionStep):
    """A function that gives an address of a host, without a port."""

    gives: ExpectedAddress | None = None

    def same(self, scope: Scope) -> Callable[[Any, Any], bool]:
        """A host of the lab stands for its addresses."""
        return addresses.sameness("AF_INET", self.here(), scope)


class Gethostbyname(AddressFunction):
    """Ask for the IPv4 address of a name (gethostbyname(3)).

    gethostbyname  the name
    gives          the address; the name of a host of the lab stands for its address
    """

    verb: ClassVar[str] = "gethostbyname"
    gethostbyname: Text

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The name."""
        return (self.gethostbyname,)


class Gethostname(FunctionStep):
    """Ask for the host's own name (gethostname(2)).

    gethostname  true: it is asked for nothing
    gives        the name
    """

    verb: ClassVar[str] = "gethostname"
    gethostname: Truth
    gives: ExpectedText | None = None

    def wrong(self) -> Iterator[MisplacedAt]:
        """There is nothing that `false` could mean."""
        if self.gethostname is False:
            yield MisplacedAt(("gethostname",), "only true can stand here")

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """None."""
        return ()

    def text(self) -> str:
        """Its name says it all."""
        return "gethostname"


class Getfqdn(FunctionStep):
    """Ask for the full name of a host (Python: socket.getfqdn).

    getfqdn  the name, or "" for the host itself
    gives    the full name
    """

    verb: ClassVar[str] = "getfqdn"
    getfqdn: Text
    gives: ExpectedText | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The name, where it is said."""
        return (self.getfqdn,) if self.getfqdn else ()


_NAME_PARTS = {"host": read_expected_text, "service": read_expected_text}


class Getnameinfo(FunctionStep):
    """Ask for the names of an address and its port (getnameinfo(3)).

    getnameinfo  the address, HOST:PORT
    flags        NI_NUMERICHOST, NI_NUMERICSERV, ...; several joined with |
    gives        host and service, or one of them
    """

    verb: ClassVar[str] = "getnameinfo"
    getnameinfo: AddressText
    flags: Annotated[Constant | int, constants("NI_")] = 0
    gives: Annotated[
        Mapping[str, Expected] | None,
        Reads(
            parts_or(read_expected_text, _NAME_PARTS, "host"),
            parts_schema(EXPECTED_TEXT_SCHEMA, dict.fromkeys(_NAME_PARTS, EXPECTED_TEXT_SCHEMA)),
        ),
    ] = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The address with its host as a number, and the flags."""
        where: Address = self.getnameinfo
        family = "AF_INET6" if where.host and ":" in where.host else "AF_INET"
        return (addresses.argument(where, family, "SOCK_RAW", self.here(), scope), self.flags)

    def result(self, outcome: Outcome, scope: Scope) -> Any:
        """Both names."""
        return {"host": outcome.value[0], "service": outcome.value[1]}


class InetAton(FunctionStep):
    """An IPv4 address as its four bytes (inet_aton(3)).

    inet_aton  the address as text
    gives      the four bytes
    """

    verb: ClassVar[str] = "inet_aton"
    inet_aton: Text
    gives: ExpectedBytes | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The text."""
        return (self.inet_aton,)


class InetNtoa(FunctionStep):
    """Four bytes as an IPv4 address (inet_ntoa(3)).

    inet_ntoa  the four bytes
    gives      the address as text
    """

    verb: ClassVar[str] = "inet_ntoa"
    inet_ntoa: Bytes
    gives: ExpectedText | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The bytes."""
        return (self.inet_ntoa,)


class InetPton(FunctionStep):
    """An address of a family as its bytes (inet_pton(3)).

    inet_pton  the address as text
    family     AF_INET or AF_INET6
    gives      the bytes
    """

    verb: ClassVar[str] = "inet_pton"
    inet_pton: Text
    family: Family = Constant("AF_INET")
    gives: ExpectedBytes | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Family and text."""
        return (self.family, self.inet_pton)


class InetNtop(FunctionStep):
    """Bytes as an address of a family (inet_ntop(3)).

    inet_ntop  the bytes
    family     AF_INET or AF_INET6
    gives      the address as text
    """

    verb: ClassVar[str] = "inet_ntop"
    inet_ntop: Bytes
    family: Family = Constant("AF_INET")
    gives: ExpectedText | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """Family and bytes."""
        return (self.family, self.inet_ntop)


class ByteOrderStep(FunctionStep):
    """A function that turns a number's byte order round."""

    gives: ExpectedWhole | None = None

    def arguments(self, scope: Scope) -> tuple[Any, ...]:
        """The number."""
        return (getattr(self, self.verb),)


class Htons(ByteOrderStep):
    """A 16-bit number from the host's byte order to the network's (htons(3)).

    htons  the number
    gives  the number in network byte order
    """

    verb: ClassVar[str] = "htons"
    htons: Whole


class Ntohs(ByteOrderStep):
    """A 16-bit number from the network's byte order to the host's (ntohs(3)).

    ntohs  the number
    gives  the number in the host's byte order
    """

    verb: ClassVar[str] = "ntohs"
    ntohs: Whole


class Htonl(ByteOrderStep):
    """A 32-bit number from the host's byte order to the network's (htonl(3)).

    htonl  the number
    gives  the number in network byte order
    """

    verb: ClassVar[str] = "htonl"
    htonl: Whole


class Ntohl(ByteOrderStep):
    """A 32-bit number from the network's byte order to the host's (ntohl(3)).

    ntohl  the number
    gives  the number in the host's byte order
    """

    verb: ClassVar[str] = "ntohl"
    ntohl: Whole
