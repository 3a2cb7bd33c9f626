"""The calls of sockets in C, each as one function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.history import CallRecord
from runner.report.c_form import values as c
from runner.report.c_form.form import (
    CForm,
    Form,
    arguments_of,
    calling,
    made_by,
    of_python,
    on,
    received,
)


def _plain(record: CallRecord) -> CForm:
    """The same name, the same arguments, 0 for success: listen, shutdown, close."""
    return CForm(calling(record.name, on(record), *map(c.value, arguments_of(record))), "0")


def _socket(record: CallRecord) -> CForm:
    asked = [
        *map(c.value, arguments_of(record)),
        *("AF_INET", "SOCK_STREAM", "0")[len(arguments_of(record)) :],
    ]
    return CForm(calling("socket", *asked), made_by(record))


def _socketpair(record: CallRecord) -> CForm:
    pair = "{" + (record.object or "").replace(",", ", ") + "}"
    return CForm(calling("socketpair", *map(c.value, arguments_of(record)), pair), "0")


def _listen(record: CallRecord) -> CForm:
    backlog = c.value(arguments_of(record)[0]) if arguments_of(record) else "128"
    return CForm(calling("listen", on(record), backlog), "0")


def _addressed(record: CallRecord) -> CForm:
    """bind and connect: an address and its length."""
    written, length = c.address(next(iter(arguments_of(record)), None), record.family)
    size = "length" if length is None else length
    return CForm(calling(record.name, on(record), written, size), "0")


def _connect_ex(record: CallRecord) -> CForm:
    form = _addressed(replace(record, name="connect"))
    number = record.value if isinstance(record.value, int) else 0
    return replace(form, result=f"-1 {c.errno_name(number)}") if number else form


def _accept(record: CallRecord) -> CForm:
    asked = calling("accept", on(record), "&address", "&length")
    if not isinstance(record.value, list) or len(record.value) != 2:
        return CForm(asked)
    written, length = c.address(record.value[1], record.family)
    return CForm(
        asked,
        record.made or made_by(record),
        calling("accept", on(record), written, f"{{{length}}}"),
        written,
    )


def _named(record: CallRecord) -> CForm:
    """getsockname and getpeername."""
    asked = calling(record.name, on(record), "&address", "&length")
    written, length = c.address(record.value, record.family)
    return CForm(asked, "0", calling(record.name, on(record), written, f"{{{length}}}"), written)


def _send(record: CallRecord) -> CForm:
    arguments = arguments_of(record)
    data = c.data_of(arguments[0]) if arguments and not isinstance(arguments[0], str) else None
    written = (c.value(arguments[0]), "?") if data is None else (c.string(data), len(data))
    asked = calling("send", on(record), *written, c.flags(arguments, 1))
    if record.name == "sendall":
        note = "sendall calls send again for what is left, until all is taken"
        return CForm(asked, str(len(data or b"")), note=note)
    return CForm(asked, str(record.value))


def _sendto(record: CallRecord) -> CForm:
    data, *between, to = arguments_of(record)
    whole = c.data_of(data) or b""
    written, length = c.address(to, record.family)
    parts = (
        c.string(whole),
        len(whole),
        c.flags(between, 0),
        written,
        "length" if length is None else length,
    )
    return CForm(calling("sendto", on(record), *parts), str(record.value))


def _sendmsg(record: CallRecord) -> CForm:
    buffers, *more = arguments_of(record)
    parts = ", ".join(
        f"{{{c.string(one)}, {len(one)}}}" for one in map(c.data_of, buffers) if one is not None
    )
    to = c.address(more[2], record.family) if len(more) > 2 else ("NULL", 0)
    control = f"{{{len(more[0])} control messages}}" if more and more[0] else "NULL"
    message = f"{{{to[0]}, {to[1]}, {{{parts}}}, {len(buffers)}, {control}}}"
    return CForm(calling("sendmsg", on(record), message, c.flags(more, 1)), str(record.value))


def _recv(record: CallRecord) -> CForm:
    arguments = arguments_of(record)
    rest = (c.value(arguments[0]) if arguments else "?", c.flags(arguments, 1))
    return received(record, "recv", rest, c.data_of(record.value))


def _recvfrom(record: CallRecord) -> CForm:
    arguments = arguments_of(record)
    rest = (c.value(arguments[0]), c.flags(arguments, 1))
    asked = calling("recvfrom", on(record), "buffer", *rest, "&address", "&length")
    if not isinstance(record.value, list) or len(record.value) != 2:
        return CForm(asked)
    data = c.data_of(record.value[0]) or b""
    sender, length = c.address(record.value[1], record.family)
    done = calling("recvfrom", on(record), c.string(data), *rest, sender, f"{{{length}}}")
    return CForm(asked, str(len(data)), done, f"{c.string(data)} {sender}")


def _recv_into(record: CallRecord) -> CForm:
    buffer, *rest = arguments_of(record)
    size = c.value(rest[0]) if rest else "sizeof buffer"
    return CForm(calling("recv", on(record), c.value(buffer), size, c.flags(rest, 1)), str(record.value))


def _recvmsg(record: CallRecord) -> CForm:
    arguments = arguments_of(record)
    size, flags = c.value(arguments[0]), c.flags(arguments, 2)
    control = c.flags(arguments, 1)
    asked = calling(
        "recvmsg",
        on(record),
        f"{{&address, &length, {{{{buffer, {size}}}}}, 1, &control, {control}}}",
        flags,
    )
    if not isinstance(record.value, list) or len(record.value) != 4:
        return CForm(asked)
    data = c.data_of(record.value[0]) or b""
    sender, length = c.address(record.value[3], record.family)
    told = "|".join(
        name
        for name, bit in _MESSAGE_FLAGS.items()
        if isinstance(record.value[2], int) and record.value[2] & bit
    )
    parts = f"{{{sender}, {length}, {{{{{c.string(data)}, {size}}}}}, 1, {len(record.value[1])} messages, {told or 0}}}"
    return CForm(
        asked,
        str(len(data)),
        calling("recvmsg", on(record), parts, flags),
        f"{c.string(data)} {told}".rstrip(),
    )


_MESSAGE_FLAGS = {"MSG_OOB": 1, "MSG_CTRUNC": 8, "MSG_TRUNC": 0x20, "MSG_EOR": 0x80, "MSG_ERRQUEUE": 0x2000}
"""What recvmsg says about a message (linux/socket.h)."""


def _setsockopt(record: CallRecord) -> CForm:
    *place, given = arguments_of(record)
    written, size = c.option(given)
    return CForm(calling("setsockopt", on(record), *map(c.value, place), written, size), "0")


def _getsockopt(record: CallRecord) -> CForm:
    place = [c.value(one) for one in arguments_of(record)[:2]]
    asked = calling("getsockopt", on(record), *place, "&value", "&length")
    data = c.data_of(record.value) if isinstance(record.value, dict) else None
    filled, size = (f"{{{c.value(record.value)}}}", 4) if data is None else (c.contents(data), len(data))
    return CForm(asked, "0", calling("getsockopt", on(record), *place, filled, f"{{{size}}}"), filled)


def _waiting(record: CallRecord) -> CForm:
    """settimeout and setblocking: whether calls may wait at all; a timeout itself is Python's."""
    given = next(iter(arguments_of(record)), None)
    at_once = given is False or (given is not None and not isinstance(given, bool))
    note = f"and poll for at most {given:g} s before each call" if at_once and given else ""
    return CForm(calling("ioctl", on(record), "FIONBIO", f"{{{int(at_once)}}}"), "0", note=note)


def _getblocking(record: CallRecord) -> CForm:
    flag = "O_RDWR" if record.value else "O_RDWR|O_NONBLOCK"
    return CForm(calling("fcntl", on(record), "F_GETFL"), flag)


def _descriptor(record: CallRecord) -> CForm:
    """fileno and detach: in C the number is all there is."""
    return CForm(on(record), str(record.value), note="in C a socket is this number and nothing else")


def _dup(record: CallRecord) -> CForm:
    return CForm(calling("dup", on(record)), record.made or made_by(record))


SOCKETS: Mapping[str, Form] = {
    "accept": _accept,
    "bind": _addressed,
    "close": _plain,
    "connect": _addressed,
    "connect_ex": _connect_ex,
    "detach": _descriptor,
    "dup": _dup,
    "fileno": _descriptor,
    "getblocking": _getblocking,
    "getpeername": _named,
    "getsockname": _named,
    "getsockopt": _getsockopt,
    "gettimeout": of_python,
    "listen": _listen,
    "recv": _recv,
    "recv_into": _recv_into,
    "recvfrom": _recvfrom,
    "recvmsg": _recvmsg,
    "send": _send,
    "sendall": _send,
    "sendmsg": _sendmsg,
    "sendto": _sendto,
    "setblocking": _waiting,
    "setsockopt": _setsockopt,
    "settimeout": _waiting,
    "shutdown": _plain,
    "socket": _socket,
    "socketpair": _socketpair,
}
"""Name of a call -> how C writes it."""
