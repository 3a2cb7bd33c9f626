"""What is no call of sockets, in C: files of its library, programs, names, several sockets at once, packets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

# --- files of the C library ---------------------------------------------------------------------------


def _makefile(record: CallRecord) -> CForm:
    mode = next(iter(arguments_of(record)), "r")
    return CForm(
        f"fdopen({calling('dup', on(record))}, {c.string(str(mode))})", record.made or made_by(record)
    )


def _readline(record: CallRecord) -> CForm:
    data = c.data_of(record.value)
    asked = calling("getline", "&line", "&size", on(record))
    if data is None:
        return CForm(asked)
    done = calling("getline", c.string(data) if data else "&line", "&size", on(record))
    return CForm(asked, str(len(data)) if data else "-1", done, c.string(data))


def _fread(record: CallRecord) -> CForm:
    size = c.value(arguments_of(record)[0]) if arguments_of(record) else "sizeof buffer"
    asked = calling("fread", "buffer", 1, size, on(record))
    data = c.data_of(record.value)
    if data is None:
        return CForm(asked)
    return CForm(asked, str(len(data)), calling("fread", c.string(data), 1, size, on(record)), c.string(data))


def _fwrite(record: CallRecord) -> CForm:
    data = c.data_of(arguments_of(record)[0]) or b""
    return CForm(calling("fwrite", c.string(data), 1, len(data), on(record)), str(len(data)))


def _on_file(name: str) -> Form:
    return lambda record: CForm(calling(name, on(record)), "0")


# --- programs -----------------------------------------------------------------------------------------


def _run(record: CallRecord) -> CForm:
    words = record.python.partition("Popen(")[2].removesuffix(")")
    argv = words.strip("[]").replace("'", '"')
    return CForm(f"execvp({{{argv}, NULL}}) after fork()", on(record))


def _program_read(record: CallRecord) -> CForm:
    asked = next(iter(arguments_of(record)), None)
    rest = (c.value(asked) if isinstance(asked, int) else "sizeof buffer",)
    return received(record, "read", rest, c.data_of(record.value))


def _program_write(record: CallRecord) -> CForm:
    data = c.data_of(arguments_of(record)[0]) or b""
    return CForm(calling("write", on(record), c.string(data), len(data)), str(len(data)))


def _end_input(record: CallRecord) -> CForm:
    return CForm(calling("write", on(record), c.string(b"\x04"), 1), "1", note="what the key Ctrl-D sends")


def _wait(record: CallRecord) -> CForm:
    asked = calling("waitpid", on(record), "&status", 0)
    match record.value:
        case {"exit": int() as status}:
            filled = f"{{WEXITSTATUS {status}}}"
        case {"signal": str() as name}:
            filled = f"{{WTERMSIG {name}}}"
        case _:
            return CForm(asked)
    return CForm(asked, on(record), calling("waitpid", on(record), filled, 0), filled)


def _signal(record: CallRecord) -> CForm:
    return CForm(calling("kill", on(record), next(iter(arguments_of(record)), "?")), "0")


# --- waiting for several sockets ------------------------------------------------------------------------


def _poll(record: CallRecord) -> CForm:
    if record.object is None or (isinstance(record.value, dict) and "object" in record.value):
        return CForm(f"struct pollfd {made_by(record)}[]", note="in C an array of sockets")
    milliseconds = int(arguments_of(record)[0]) if arguments_of(record) else -1
    asked = calling("poll", record.object, "count", milliseconds)
    if not isinstance(record.value, list):
        return CForm(asked)
    filled = ", ".join(f"{{{c.value(one)}, {_events(events)}}}" for one, events in record.value)
    done = calling("poll", f"{{{filled}}}" if filled else record.object, "count", milliseconds)
    return CForm(asked, str(len(record.value)), done, filled)


def _events(number: Any) -> str:
    names = {"POLLIN": 1, "POLLPRI": 2, "POLLOUT": 4, "POLLERR": 8, "POLLHUP": 0x10, "POLLNVAL": 0x20}
    return "|".join(name for name, bit in names.items() if isinstance(number, int) and number & bit) or str(
        number
    )


def _register(record: CallRecord) -> CForm:
    return CForm(f"{on(record)}[] = {{{', '.join(map(c.value, arguments_of(record)))}}}")


def _select(record: CallRecord) -> CForm:
    sets = [c.value(one) for one in arguments_of(record)[:3]]
    patience = c.seconds(arguments_of(record)[3] if len(arguments_of(record)) > 3 else None)
    asked = calling("select", "nfds", *sets, patience)
    if not isinstance(record.value, list):
        return CForm(asked)
    ready = [one for part in record.value for one in part]
    done = calling("select", "nfds", *(c.value({"list": part}) for part in record.value), patience)
    return CForm(asked, str(len(ready)), done, c.value({"list": ready}))


def _buffer(record: CallRecord) -> CForm:
    return CForm(f"char {made_by(record)}[{c.value(next(iter(arguments_of(record)), 0))}]")


# --- names and byte order -------------------------------------------------------------------------------


def _getaddrinfo(record: CallRecord) -> CForm:
    host, service, *hints = [*arguments_of(record), None, None][: max(2, len(arguments_of(record)))]
    wanted = ", ".join(map(c.value, hints))
    head = (
        c.value(host),
        "NULL" if service is None else c.string(str(service)),
        f"{{{wanted}}}" if wanted else "NULL",
    )
    asked = calling("getaddrinfo", *head, "&list")
    found = record.value if isinstance(record.value, list) else []
    filled = ", ".join(c.address(one[4], None)[0] for one in found if isinstance(one, list) and len(one) == 5)
    return CForm(asked, "0", calling("getaddrinfo", *head, f"{{{filled}}}"), filled)


def _getnameinfo(record: CallRecord) -> CForm:
    address, *flags = arguments_of(record)
    written, length = c.address(address, None)
    rest = c.flags(flags, 0)
    asked = calling("getnameinfo", written, length, "host", "size", "service", "size", rest)
    if not isinstance(record.value, list) or len(record.value) != 2:
        return CForm(asked)
    host, service = map(c.value, record.value)
    return CForm(
        asked,
        "0",
        calling("getnameinfo", written, length, host, "size", service, "size", rest),
        f"{host} {service}",
    )


def _gethostname(record: CallRecord) -> CForm:
    filled = c.value(record.value)
    return CForm(calling("gethostname", "name", "size"), "0", calling("gethostname", filled, "size"), filled)


def _getfqdn(record: CallRecord) -> CForm:
    name, filled = c.value(next(iter(arguments_of(record)), "")), f"{{ai_canonname {c.value(record.value)}}}"
    head = (name, "NULL", "{AI_CANONNAME}")
    return CForm(calling("getaddrinfo", *head, "&list"), "0", calling("getaddrinfo", *head, filled), filled)


def _gives(record: CallRecord) -> CForm:
    """A function that returns what it finds: htons, inet_ntoa, gethostbyname."""
    data = c.data_of(record.value) if isinstance(record.value, dict) else None
    result = c.value(record.value) if data is None else "{" + ", ".join(map(str, data)) + "}"
    return CForm(calling(record.name, *map(_bytes, arguments_of(record))), result)


def _bytes(one: Any) -> str:
    data = c.data_of(one) if isinstance(one, dict) else None
    return c.value(one) if data is None else "{" + ", ".join(map(str, data)) + "}"


def _to_binary(record: CallRecord) -> CForm:
    """inet_aton and inet_pton: 1 for an address, 0 for a text that is none."""
    given = [*map(c.value, arguments_of(record))]
    data = c.data_of(record.value)
    filled = "{" + ", ".join(map(str, data)) + "}" if data is not None else ""
    return CForm(calling(record.name, *given, "&address"), "1", calling(record.name, *given, filled), filled)


def _inet_ntop(record: CallRecord) -> CForm:
    family, given = arguments_of(record)
    return CForm(calling("inet_ntop", c.value(family), _bytes(given), "text", "size"), c.value(record.value))


# --- packets ----------------------------------------------------------------------------------------------


def _send_packet(record: CallRecord) -> CForm:
    packet = record.python.removeprefix("send_packet(").removesuffix(")")
    return CForm(f"sendto(raw, {{{packet}}}, length, 0, &address, size)", "length")


def _sniff_packet(record: CallRecord) -> CForm:
    wanted = record.python.removeprefix("sniff_packet(").removesuffix(")")
    note = "the runner takes it from the capture: no call of the host"
    return CForm(f"recv(packets, {{{wanted}}}, size, 0)", "length", note=note)


FUNCTIONS: Mapping[str, Form] = {
    "bytearray": _buffer,
    "bytes": of_python,
    "end_input": _end_input,
    "flush": _on_file("fflush"),
    "getaddrinfo": _getaddrinfo,
    "getfqdn": _getfqdn,
    "gethostbyname": _gives,
    "gethostname": _gethostname,
    "getnameinfo": _getnameinfo,
    "htonl": _gives,
    "htons": _gives,
    "inet_aton": _to_binary,
    "inet_ntoa": _gives,
    "inet_ntop": _inet_ntop,
    "inet_pton": _to_binary,
    "makefile": _makefile,
    "ntohl": _gives,
    "ntohs": _gives,
    "poll": _poll,
    "read": _fread,
    "read_until": _program_read,
    "readline": _readline,
    "register": _register,
    "run": _run,
    "select": _select,
    "send_packet": _send_packet,
    "signal": _signal,
    "sniff_packet": _sniff_packet,
    "wait": _wait,
    "write": _fwrite,
}
"""Name of a call -> how C writes it."""

OF_KIND: Mapping[str, Mapping[str, Form]] = {
    "program": {"read": _program_read, "write": _program_write},
    "file": {"close": _on_file("fclose")},
}
"""What is otherwise on a program or a file."""
