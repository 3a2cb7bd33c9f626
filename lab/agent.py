"""The program in every host: makes the calls it is told to make, and decides nothing.

One file, standard library only, Python 3.9 syntax: its source is piped to a bare `python3` in the host, which
then speaks JSON lines over stdin and stdout (or over one socket, in a namespace). stderr is for people, and
it is kept. Importing it does nothing but define: an engine may execute it once and fork a host for each
`serve`.

Rules
  1. One request, at most one "asleep" notice, exactly one reply; also to a malformed request. No expectation,
     no retry, no default value: what is not asked is not done.
  2. Calls carry the names and the argument order of Python's `socket` module; constants travel by name.
  3. Every call is a real blocking call in a thread of its own; other requests go on meanwhile.
  4. Times are nanoseconds of CLOCK_REALTIME, the clock that packets are stamped with.

Requests: a JSON object a line, with "id" (chosen by the runner: a number or a text, not one that is pending)
and "do". Unknown keys are malformed, and so is a name in "makes" that was made before.
  {"id", "do": "call", "function": NAME, "arguments": [V..]?, "keywords": {K: V}?, "makes": NAME?,
   "watch": true?}
        a function of the module `socket`, or one of `extra_functions`: poll, epoll, select, sleep, bytearray,
        bytes, send_packet; an object it returns is kept under the name in "makes". "A,B" keeps both of a pair:
        socketpair.
  {"id", "do": "call", "on": NAME, "method": NAME, ...the rest as above}
        a method of a kept object: a socket, a file made by makefile, a program made by run, a poll object, a
        bytearray (the buffer of a recv_into; `bytes` of it reads it). A method of a poll object tells kept
        sockets as objects where Python tells descriptors.
  {"id", "do": "run", "argv": [S..], "environment": {}?, "folder": S?, "makes": NAME}
        starts a program on a terminal that does not echo and changes no byte; its stderr goes to ours (where
        Python's input() writes its prompt, on any terminal, without readline). Its object has methods
        read(length) and read_until(bytes) (both give less only at the end of what it prints), write(bytes) (a
        line has at most 4,095 bytes: a terminal cuts longer ones, so they raise), end_input() (what Ctrl-D
        types), wait() -> {"exit": N} or {"signal": NAME}, signal(name)
  {"id", "do": "state", "of": NAME}        TCP state of a socket by its name, also after it was closed, or of
        "tcp :PORT", whoever has that local port: {"state": S, "all": [S..]}, `all` of all rows that fit. S is
        a name of include/net/tcp_states.h, `gone` (no table has it) or `BOUND` (bound, and nothing more)
  {"id", "do": "states"}                   all rows of the kernel's TCP tables, [{"local", "peer", "state"}..]
  {"id", "do": "asleep", "of": ID}         whether the thread of that pending request sleeps in the kernel now
  {"id", "do": "interfaces"}               [{"index", "name", "mac", "mtu", "up", "ip4": ["A/LENGTH"..],
                                           "ip6": [..]}..]
  {"id", "do": "offload"}                  turn off checksum and segmentation offload on all but lo;
                                           {NAME: [what is off now..]}
  {"id", "do": "capture", "ring": BYTES, "without": [NAME..]?}
        begin to capture on all interfaces but lo and these; replies when it does
  {"id", "do": "deaf", "macs": [S..]}      from now on, leave out of the capture what these MACs send to groups;
        replaces those that were said before
  {"id", "do": "frames"}                   what was captured since the last such request: {"blocks": [S..],
        "interfaces": {INDEX: NAME}, "packets": N, "drops": N, "more": true or false}. A block is base64 of
        records as in the kernel's ring: each begins with a tpacket3_hdr (linux/if_packet.h), whose
        tp_next_offset leads to the next one, 0 after the last. `packets` and `drops` count from the beginning
        and in the kernel; "spool_error" tells that frames could not be kept. With `more`, ask again.
  {"id", "do": "privileges", "capabilities": [S..] or null, "user": S or null}
        what the threads that make calls, and programs, may do from now on (null: as the agent itself). A user
        other than root keeps exactly the capabilities that are named, and none where that is null.
  {"id", "do": "start", "source": S, "makes": NAME}
        a child process beside the agent, with its privileges: a Python that executes this source (standard
        library only). It then reads requests from descriptor 0 and writes answers to descriptor 1, JSON objects,
        a line each; its input ends with the agent
  {"id", "do": "tell", "to": NAME, "what": {..}}
        hand such a request to it and wait for the one line that it answers with, which is the reply's value; a
        ChildProcessError where it has ended, with how
  {"id", "do": "quit"}                     replies, kills all programs with their children, and ends

Replies
  {"id", "asleep": NS, "syscall": S}                        the notice: only where "watch" was true
  {"id", "began": NS, "ended": NS, "value": V, ...facts}
  {"id", "began": NS, "ended": NS, "error": {"type": S, "errno": S or null, "text": S}, ...facts}
        errno by name (ECONNREFUSED; for getaddrinfo EAI_NONAME); null where Python raised without one. A name
        that was never made is a NameError, a constant that this host's Python lacks an AttributeError.
  {"id": ID or null, "malformed": S}                        the request was not one; nothing was done
facts, after a call on a socket or one that made a socket:
  "object": {"name": S, "family": S, "type": S, "fd": N or -1, "local": V, "peer": V}
        of the socket it was made on (or that it made, for a function); local and peer null where there never
        was one, and the last that were known after it was closed
  "made": the same for a socket that a method made (accept), or for the second of a pair

The first line the agent writes:
  {"hello": 1, "pid", "python", "kernel", "boot": S, "realtime": NS, "monotonic": NS}

Values (`encode` and `decode` are the one definition; the runner imports them from here):
  null, true, numbers, text            themselves
  bytes                                {"bytes": S} where all are printable ASCII or newlines, or else
                                       {"base64": S}
  list, tuple                          a JSON list (addresses are lists on this side, tuples in the calls)
  a list that must not be a tuple      {"list": [V..]}
  a dictionary                         {"dict": {K: V}}
  a kept object                        {"object": NAME}
  a constant                           {"constant": NAME}; several or-ed: {"constant": "A|B"}
  the index of an interface            {"interface": NAME}
  a packed struct                      {"pack": [FORMAT, V..]}, Python's `struct` format
  anything else                        {"repr": S}
"""

from __future__ import annotations

import _thread  # `threading` would put itself in order in every host that is forked, which takes a tenth of all
import binascii
import errno
import json
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes milliseconds to import, and every host would wait for it
    from collections.abc import Callable
    from typing import Any, NoReturn, Optional

# --- values ---------------------------------------------------------------------------------------

PRINTABLE = bytes(range(0x20, 0x7F)) + b"\n"


class Malformed(Exception):
    """A request is not one: what is wrong with it."""


class Plain(dict):  # type: ignore[type-arg]
    """A map of plain JSON values that travels as it is: what `wait` gives, for one."""


def encode(value: Any, names: Any = None) -> Any:
    """A value as JSON. `names` maps id() of kept objects to their names; without it nothing is kept."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return encode_bytes(bytes(value))
    if names and id(value) in names:
        return {"object": names[id(value)]}
    if isinstance(value, int):
        return int(value)  # members of enumerations are numbers
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [encode(one, names) for one in value]
    if isinstance(value, Plain):
        return value
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(one, names) for key, one in value.items()}}
    return {"repr": repr(value)}


def encode_bytes(data: bytes) -> dict[str, str]:
    """Bytes as JSON: readable where they are all printable, so that a history can be read."""
    if data.translate(None, PRINTABLE):
        return {"base64": binascii.b2a_base64(data, newline=False).decode("ascii")}
    return {"bytes": data.decode("ascii")}


def decode(value: Any, host: Any = None) -> Any:
    """A JSON value as Python's, the inverse of `encode`. Raises Malformed for what cannot be one.

    Without `host` (the runner's side) lists stay lists, and names of objects, constants and the like stay
    maps. With it (an `Agent`) lists become tuples, and names what they stand for: raises NameError,
    AttributeError, OSError.
    """
    if isinstance(value, list):
        parts = [decode(one, host) for one in value]
        return parts if host is None else tuple(parts)
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        return decode_map(value, host)
    ((kind, inside),) = value.items()
    decoder = DECODERS.get(kind)
    if decoder is not None:
        return decoder(inside, host)
    named = NAMED.get(kind)
    if host is None or named is None:
        return decode_map(value, host)
    return named(inside, host)


def decode_map(value: dict[str, Any], host: Any) -> dict[str, Any]:
    """A map of an unknown kind: the runner keeps it, an agent does not guess."""
    if host is None:
        return value
    raise Malformed("a value is a map of an unknown kind: %s" % ", ".join(sorted(value))[:100])


def decode_text(inside: Any, host: Any) -> bytes:
    """{"bytes": S}."""
    try:
        return bytes(expect(inside, str, "bytes").encode("ascii"))
    except UnicodeEncodeError:
        raise Malformed('"bytes" must be ASCII') from None


def decode_base64(inside: Any, host: Any) -> bytes:
    """{"base64": S}."""
    try:
        return binascii.a2b_base64(expect(inside, str, "base64"))
    except ValueError as error:
        raise Malformed('"base64" is not base64: %s' % error) from None


def decode_list(inside: Any, host: Any) -> list[Any]:
    """{"list": [V..]}: a list where Python must get a list and no tuple."""
    return [decode(one, host) for one in expect(inside, list, "list")]


def decode_dict(inside: Any, host: Any) -> dict[str, Any]:
    """{"dict": {K: V..}}."""
    return {key: decode(one, host) for key, one in expect(inside, dict, "dict").items()}


def decode_pack(inside: Any, host: Any) -> bytes:
    """{"pack": [FORMAT, V..]}; raises struct.error as Python does."""
    if not isinstance(inside, list) or not inside:
        raise Malformed('"pack" must be a list that begins with a format')
    form, *parts = [decode(one, host) for one in inside]
    return struct.pack(expect(form, str, "pack"), *parts)


def decode_constant(inside: Any, host: Any) -> int:
    """{"constant": "A|B"}."""
    value = 0
    for name in expect(inside, str, "constant").split("|"):
        value |= constant(name.strip())
    return value


def decode_interface(inside: Any, host: Any) -> int:
    """{"interface": NAME}."""
    return socket.if_nametoindex(expect(inside, str, "interface"))


def decode_object(inside: Any, host: Any) -> Any:
    """{"object": NAME}."""
    return host.kept(expect(inside, str, "object")).thing


DECODERS: dict[str, Callable[[Any, Any], Any]] = {
    "bytes": decode_text,
    "base64": decode_base64,
    "list": decode_list,
    "dict": decode_dict,
}
NAMED: dict[str, Callable[[Any, Any], Any]] = {
    "pack": decode_pack,
    "constant": decode_constant,
    "interface": decode_interface,
    "object": decode_object,
}


def expect(value: Any, kind: Any, key: str) -> Any:
    """The value, which must be of that type; raises Malformed."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise Malformed('"%s" must be %s' % (key, KINDS[kind]))
    return value


KINDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    list: "a list",
    dict: "a map",
    bool: "true or false",
    (str, int): "a text or a whole number",
    (list, type(None)): "a list or null",
    (str, type(None)): "a text or null",
}

# --- constants ------------------------------------------------------------------------------------

CONSTANTS: dict[str, int] = {
    # linux/in.h
    "IP_RECVERR": 11, "IP_MTU_DISCOVER": 10, "IP_MTU": 14, "IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1,
    "IP_PMTUDISC_DO": 2, "IP_PMTUDISC_PROBE": 3, "IP_PMTUDISC_INTERFACE": 4, "IP_PMTUDISC_OMIT": 5,
    "IP_PKTINFO": 8,
    "IP_RECVTTL": 12, "IP_RECVTOS": 13, "IP_FREEBIND": 15, "IP_ROUTER_ALERT": 5, "IP_MINTTL": 21,
    "IP_NODEFRAG": 22,
    "IP_CHECKSUM": 23, "IP_RECVFRAGSIZE": 25, "IP_UNBLOCK_SOURCE": 37, "IP_BLOCK_SOURCE": 38,
    "IP_ADD_SOURCE_MEMBERSHIP": 39, "IP_DROP_SOURCE_MEMBERSHIP": 40, "IP_MSFILTER": 41,
    "IP_MULTICAST_ALL": 49,
    "IP_UNICAST_IF": 50, "IP_TRANSPARENT": 19, "IP_BIND_ADDRESS_NO_PORT": 24,
    "IPPROTO_MPTCP": 262, "IPPROTO_UDPLITE": 136,
    # linux/in6.h
    "IPV6_MTU_DISCOVER": 23, "IPV6_MTU": 24, "IPV6_RECVERR": 25, "IPV6_HDRINCL": 36, "IPV6_FREEBIND": 78,
    "IPV6_MULTICAST_ALL": 29, "IPV6_MINHOPCOUNT": 73, "IPV6_PMTUDISC_DO": 2,
    # linux/tcp.h
    "TCP_INFO": 11, "TCP_CONGESTION": 13, "TCP_REPAIR": 19, "TCP_USER_TIMEOUT": 18, "TCP_FASTOPEN": 23,
    "TCP_TIMESTAMP": 24, "TCP_NOTSENT_LOWAT": 25, "TCP_FASTOPEN_CONNECT": 30, "TCP_SYNCNT": 7,
    "TCP_LINGER2": 8,
    # linux/udp.h, linux/icmp.h
    "UDP_CORK": 1, "UDP_SEGMENT": 103, "UDP_GRO": 104, "ICMP_FILTER": 1,
    # asm-generic/socket.h, as on x86 and arm
    "SO_NO_CHECK": 11, "SO_PASSCRED": 16, "SO_PEERCRED": 17, "SO_ATTACH_FILTER": 26, "SO_DETACH_FILTER": 27,
    "SO_TIMESTAMP": 29, "SO_SNDBUFFORCE": 32, "SO_RCVBUFFORCE": 33, "SO_TIMESTAMPNS": 35, "SO_RXQ_OVFL": 40,
    "SO_BUSY_POLL": 46, "SO_INCOMING_CPU": 49, "SO_BINDTOIFINDEX": 62,
    # linux/socket.h
    "MSG_CONFIRM": 0x800, "MSG_ERRQUEUE": 0x2000, "MSG_MORE": 0x8000, "MSG_ZEROCOPY": 0x4000000,
    "MSG_FASTOPEN": 0x20000000,
    # linux/if_ether.h, linux/if_packet.h
    "ETH_P_ALL": 3, "ETH_P_IP": 0x800, "ETH_P_ARP": 0x806, "ETH_P_IPV6": 0x86DD, "PACKET_ADD_MEMBERSHIP": 1,
    "PACKET_DROP_MEMBERSHIP": 2, "PACKET_MR_PROMISC": 1,
}  # fmt: skip
"""What Python's `socket` lacks, or lacks in 3.9; the headers are the source."""


def constant(name: str) -> int:
    """A constant of the socket API by its name; raises AttributeError where this host has none."""
    value = getattr(socket, name, None) if name.isupper() and not name.startswith("_") else None
    if value is None and name.startswith(("POLL", "EPOLL")):
        value = getattr(select, name, None)
    if value is None:
        value = CONSTANTS.get(name)
    if not isinstance(value, int):
        raise AttributeError("this host's Python has no constant %s" % name)
    return int(value)


# --- kept objects ---------------------------------------------------------------------------------


def extra_functions() -> dict[str, Callable[..., Any]]:
    """Functions that scenarios call beside those of `socket`."""
    return {
        "poll": select.poll,
        "epoll": select.epoll,
        "select": select.select,
        "sleep": time.sleep,
        "bytearray": bytearray,
        "bytes": bytes,
        "send_packet": send_packet,
    }


def send_packet(level: str, data: bytes, to: str) -> None:
    """Send one packet as it is. "ip4" and "ip6": with its IP header, to an address (raw(7)).

    "frame": out of the interface that `to` names (packet(7)). Broadcast is allowed.
    """
    sender(level).sendto(data, (to, 0))


SENDERS: dict[str, socket.socket] = {}
"""The sockets of `send_packet`, which receive nothing. To close one of AF_PACKET takes the kernel milliseconds."""


def sender(level: str) -> socket.socket:
    """The socket for packets of that level."""
    made = SENDERS.get(level)
    if made is None:
        family, protocol = {
            "ip4": (socket.AF_INET, socket.IPPROTO_RAW),  # implies IP_HDRINCL
            "ip6": (socket.AF_INET6, socket.IPPROTO_RAW),
            "frame": (socket.AF_PACKET, 0),
        }[level]
        made = SENDERS.setdefault(level, socket.socket(family, socket.SOCK_RAW, protocol))
        if level == "ip4":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return made


class Kept:
    """An object that a call made, under its name; of a socket also what was last known of it."""

    def __init__(self, name: str, thing: Any) -> None:
        self.name = name
        self.thing = thing
        self.bound = False
        self.local: Any = None
        self.peer: Any = None
        self.is_socket = isinstance(thing, socket.socket)
        if self.is_socket:
            self.family = name_of(thing.family)
            self.type = name_of(thing.type)

    def facts(self) -> Optional[dict[str, Any]]:
        """The facts of a reply; None where it is no socket."""
        if not self.is_socket:
            return None
        descriptor = self.refresh()
        return {
            "name": self.name,
            "family": self.family,
            "type": self.type,
            "fd": descriptor,
            "local": self.local,
            "peer": self.peer,
        }

    def refresh(self) -> int:
        """Look again at both addresses, while it is open; returns its descriptor, or -1."""
        descriptor: int = self.thing.fileno()
        if descriptor >= 0:
            try:
                self.local = encode(self.thing.getsockname())
            except OSError:
                pass
            try:
                self.peer = encode(self.thing.getpeername())
            except OSError:
                pass
        return descriptor


def name_of(member: Any) -> str:
    """The name of a member of an enumeration, or the number where Python has none."""
    return str(getattr(member, "name", None) or int(member))


class Job:
    """One request on its way through a worker."""

    def __init__(self, request: dict[str, Any], makes: list[str]) -> None:
        self.request = request
        self.id = request["id"]
        self.makes = makes
        self.thread = 0
        self.began = 0
        self.ended = 0
        self.done = False
        self.finished: Any = None
        if request["do"] in ("privileges", "quit"):
            self.finished = _thread.allocate_lock()
            self.finished.acquire()


TRIES_FOR_A_THREAD = 50
"""A millisecond apart."""


def no_thread() -> OSError:
    """What a call is told for which there is no thread."""
    return OSError(errno.EAGAIN, "the host has all the processes that it may have: no thread for this call")


class Crew:
    """Threads that take turns at reading requests; who read a call makes it while the next one reads.

    So a request costs no switch between threads, and a call that blocks keeps its thread. There is always one
    more than there are calls being made; a call that would leave nobody to read, in a host that has no thread to
    spare, goes to `refuse`. Privileges belong to threads (credentials(7)) and pass to those that a thread starts:
    `start` must be called by one that has them all, `prepare` takes from each thread what it may not have.
    """

    def __init__(
        self,
        reading: Any,
        next_job: Callable[[], Optional[Job]],
        carry_out: Callable[[Job], None],
        refuse: Callable[[Job], None],
        prepare: Optional[Callable[[], None]] = None,
    ) -> None:
        self._reading = reading
        self._next_job = next_job
        self._carry_out = carry_out
        self._refuse = refuse
        self._prepare = prepare
        self._counting = _thread.allocate_lock()
        self._free = 0
        self._raised: Optional[BaseException] = None
        self.retired = False

    def start(self) -> None:
        """Start the first thread; raises what `prepare` raises in it."""
        prepared = _thread.allocate_lock()
        prepared.acquire()
        if not self._grow(prepared):
            raise no_thread()
        prepared.acquire()
        if self._raised is not None:
            raise self._raised

    def _grow(self, prepared: Any = None) -> bool:
        """One thread more; False where the host has all that it may have (pthread_create(3): EAGAIN)."""
        with self._counting:
            self._free += 1
        try:
            _thread.start_new_thread(self._work, (prepared,))
        except RuntimeError:
            with self._counting:
                self._free -= 1
            return False
        return True

    def _work(self, prepared: Any) -> None:
        """`prepared` is released when the thread is; None where it inherited what it may do."""
        if prepared is not None:
            try:
                if self._prepare is not None:
                    self._prepare()
            except BaseException as error:
                self._raised = error
                return
            finally:
                prepared.release()
        thread = _thread.get_native_id()
        while not self.retired:
            with self._reading:
                job = None if self.retired else self._next_job()
                if job is None:
                    continue
                replaced = self._leave()
            if not replaced:
                self._refuse(job)
                continue
            job.thread = thread
            self._carry_out(job)
            del job
            with self._counting:
                self._free += 1

    def _leave(self) -> bool:
        """This thread makes a call from here on: another must be there to read. False if there can be none.

        Where the host has no thread to spare, one that has just replied may be about to come back.
        """
        with self._counting:
            self._free -= 1
        for _ in range(TRIES_FOR_A_THREAD):
            if self._free or self._grow():
                return True
            time.sleep(0.001)
        with self._counting:
            self._free += 1
        return False


class Bell:
    """What one thread waits for, and any may ring; it is heard once, however often it rang since."""

    def __init__(self) -> None:
        self._silence = _thread.allocate_lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Let it go on: now, or as soon as it waits."""
        try:
            self._silence.release()
        except RuntimeError:  # it rings already
            return

    def wait(self) -> None:
        """Wait until it rings."""
        self._silence.acquire()


class Chores:
    """What the main thread does, in order: all that needs privileges that calls may have lost."""

    def __init__(self) -> None:
        self._tasks: deque[Callable[[], None]] = deque()
        self._wanted = Bell()

    def add(self, task: Callable[[], None]) -> None:
        """Have the main thread do this, after what it has been given before."""
        self._tasks.append(task)
        self._wanted.ring()

    def do(self) -> NoReturn:
        """Do them as they come."""
        while True:
            self._wanted.wait()
            while self._tasks:
                self._tasks.popleft()()


# --- asleep in the kernel -------------------------------------------------------------------------

SYSCALLS: dict[str, dict[int, str]] = {
    "x86_64": {
        0: "read", 1: "write", 7: "poll", 20: "writev", 23: "select", 35: "nanosleep", 42: "connect",
        43: "accept",
        44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 61: "wait4", 72: "fcntl", 202: "futex",
        230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 270: "pselect6", 271: "ppoll",
        281: "epoll_pwait",
        288: "accept4", 299: "recvmmsg", 307: "sendmmsg", 449: "futex_waitv",
    },
    "aarch64": {
        22: "epoll_pwait", 25: "fcntl", 63: "read", 64: "write", 66: "writev", 72: "pselect6", 73: "ppoll",
        95: "waitid", 98: "futex", 101: "nanosleep", 115: "clock_nanosleep", 202: "accept", 203: "connect",
        206: "sendto", 207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 242: "accept4", 243: "recvmmsg",
        260: "wait4", 269: "sendmmsg", 449: "futex_waitv",
    },
}  # fmt: skip
"""arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h."""
WATCH_S = 0.001
ASLEEP_S = 0.003
"""A thread that waits in one place of the kernel for so long is asleep (proc_pid_syscall(5))."""


def open_syscall(thread: int) -> int:
    """A descriptor to read what a thread of ours does in the kernel; -1 where that is not shown."""
    try:
        return os.open("/proc/self/task/%d/syscall" % thread, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def read_syscall(descriptor: int) -> bytes:
    """The thread's line: number, arguments, stack and program counter, or nothing."""
    try:
        return os.pread(descriptor, 256, 0)
    except OSError:
        return b""


def sleeping_in(line: bytes) -> str:
    """The system call that a thread waits in; nothing where it runs, or waits for the interpreter's lock."""
    first = line.split(b" ", 1)[0]
    if not first.isdigit():
        return ""
    number = int(first)
    name = SYSCALLS.get(os.uname().machine, {}).get(number, str(number))
    return "" if name.startswith("futex") else name


class Watch:
    """One call that is watched until it sleeps or returns."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.descriptor = -2
        self.line = b""
        self.since = 0.0

    def asleep(self) -> str:
        """The system call where the thread has waited long enough, or nothing."""
        if self.descriptor == -2:
            self.descriptor = open_syscall(self.job.thread)
        if self.descriptor < 0:
            return ""
        line, now = read_syscall(self.descriptor), time.monotonic()
        if line != self.line:
            self.line, self.since = line, now
            return ""
        return sleeping_in(line) if now - self.since >= ASLEEP_S else ""

    def close(self) -> None:
        """Look no more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)


class Watcher:
    """A thread that tells once of each watched call that it has fallen asleep, and only before its reply."""

    def __init__(self, notify: Callable[[Job, int, str], None], chores: Chores) -> None:
        self._notify = notify
        self._chores = chores
        self._watched: list[Watch] = []
        self._wanted = Bell()
        self._started = False

    def add(self, job: Job) -> None:
        """Watch the call that this thread is about to make."""
        self._watched.append(Watch(job))
        self._wanted.ring()
        if not self._started:
            self._chores.add(self._start)

    def _start(self) -> None:
        if not self._started:
            try:
                _thread.start_new_thread(self._run, ())
                self._started = True
            except RuntimeError:  # the host has all the processes that it may have: later, then
                time.sleep(WATCH_S)
                self._chores.add(self._start)

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            while self._watched:
                time.sleep(WATCH_S)
                for watch in list(self._watched):
                    called = "" if watch.job.done else watch.asleep()
                    if called:
                        self._notify(watch.job, time.time_ns(), called)
                    if called or watch.job.done:
                        self._watched.remove(watch)
                        watch.close()


# --- programs -------------------------------------------------------------------------------------

LONGEST_LINE = 4095
END_OF_FILE, LITERAL_NEXT = b"\x04", b"\x16"


STARTING = _thread.allocate_lock()
STARTED: set[int] = set()
"""Process ids of programs and children: whoever started them collects how they ended. The lock guards the moment
at which a process is there and its number not yet here."""


class Program:
    """A program on a terminal of its own, which does not echo and leaves all bytes as they are."""

    def __init__(self, argv: list[str], environment: dict[str, str], folder: Optional[str]) -> None:
        import subprocess

        self._terminal, slave = os.openpty()
        os.set_inheritable(self._terminal, False)
        self._unread = b""
        self._reading = _thread.allocate_lock()
        self._reaping = _thread.allocate_lock()
        try:
            quieten(slave)
            with STARTING:
                reap_orphans()
                self._process = subprocess.Popen(
                    argv,
                    stdin=slave,
                    stdout=slave,
                    cwd=folder,
                    env={**os.environ, **environment},
                    start_new_session=True,
                    preexec_fn=take_terminal,
                )
                STARTED.add(self._process.pid)
        except BaseException:
            os.close(self._terminal)
            raise
        finally:
            os.close(slave)

    def read(self, length: int) -> bytes:
        """Exactly so many bytes of what it prints, or what came before its end."""
        with self._reading:
            while len(self._unread) < length and self._more():
                pass
            data, self._unread = self._unread[:length], self._unread[length:]
            return data

    def read_until(self, end: bytes) -> bytes:
        """What it prints up to and with these bytes, or what came before its end."""
        with self._reading:
            searched = 0
            while True:
                found = self._unread.find(end, searched)
                if found >= 0:
                    break
                searched = max(0, len(self._unread) - len(end) + 1)
                if not self._more():
                    found = len(self._unread)
                    break
            data, self._unread = self._unread[: found + len(end)], self._unread[found + len(end) :]
            return data

    def _more(self) -> bool:
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:  # what a terminal says when nobody has it open any more
                raise
            data = b""
        self._unread += data
        return bool(data)

    def write(self, data: bytes) -> int:
        """Type these bytes; returns how many. Raises ValueError for a line that it would cut (termios(3))."""
        if max(map(len, data.split(b"\n"))) > LONGEST_LINE:
            raise ValueError("a terminal takes lines of at most %d bytes" % LONGEST_LINE)
        quoted = data.replace(LITERAL_NEXT, LITERAL_NEXT * 2).replace(END_OF_FILE, LITERAL_NEXT + END_OF_FILE)
        view = memoryview(quoted)
        while view:
            view = view[os.write(self._terminal, view) :]
        return len(data)

    def end_input(self) -> None:
        """Type the key that ends a file; after an unfinished line it only sends that, as by hand."""
        os.write(self._terminal, END_OF_FILE)

    def wait(self) -> Plain:
        """Wait for its end: {"exit": status} or {"signal": name}."""
        pid = self._process.pid
        if self._process.returncode is None:
            try:
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # asleep in the kernel, holding no lock
            except ChildProcessError:
                pass  # another thread reaped it
        with self._reaping:
            status = self._process.wait()
        return Plain(exit=status) if status >= 0 else Plain(signal=signal_name(-status))

    def signal(self, name: str) -> None:
        """Send a signal by name; raises AttributeError for no such name, ProcessLookupError after its end."""
        import signal

        number = getattr(signal, name)
        with self._reaping:
            if self._process.returncode is not None:
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
            os.kill(self._process.pid, number)


def quieten(terminal: int) -> None:
    """No echo, no changed bytes, two keys: end of file, and the one that makes the next byte ordinary."""
    import termios

    settings = termios.tcgetattr(terminal)
    settings[0] = 0
    settings[1] = 0
    settings[3] = termios.ICANON | termios.IEXTEN
    keys = [b"\0"] * len(settings[6])
    keys[termios.VEOF] = END_OF_FILE
    keys[termios.VLNEXT] = LITERAL_NEXT
    settings[6] = keys
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def take_terminal() -> None:
    """In the child: its standard input becomes the terminal that controls its session (tty_ioctl(4))."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Child:
    """A process beside the agent that was given a Python program: it answers each line with one."""

    def __init__(self, source: str) -> None:
        import subprocess

        program = source.encode()
        self._unread = b""
        with STARTING:
            self._process = subprocess.Popen(
                [sys.executable or "python3", "-I", "-S", "-c", CHILD_READER % len(program), BESIDE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            STARTED.add(self._process.pid)
        self._write(program)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._process.stdin.fileno(), view) :]  # type: ignore[union-attr]
        except BrokenPipeError:
            raise ChildProcessError(errno.ECHILD, self._ending()) from None

    def tell(self, what: dict[str, Any]) -> Plain:
        """Hand it a request; its answer. Raises ChildProcessError where it has ended, TimeoutError after 10 s."""
        self._write(json.dumps(what).encode() + b"\n")
        answers = self._process.stdout.fileno()  # type: ignore[union-attr]
        waiting = select.poll()
        waiting.register(answers, select.POLLIN)
        while b"\n" not in self._unread:
            if not waiting.poll(CHILD_PATIENCE_MS):
                raise TimeoutError(errno.ETIMEDOUT, "the child process does not answer")
            data = os.read(answers, 1 << 20)
            if not data:
                raise ChildProcessError(errno.ECHILD, self._ending())
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return Plain(json.loads(line))

    def end(self) -> None:
        """End its input and give it a second to leave."""
        self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(1)
        except Exception:
            self._process.kill()

    def _ending(self) -> str:
        code = self._process.wait()
        if code < 0:
            return "the child process was ended by %s" % signal_name(-code)
        return "the child process ended with exit code %d" % code


CHILD_PATIENCE_MS = 10_000
BESIDE = "beside the agent of a lab"
"""The last argument of such a process: it is part of the wire, and goes on while the host's programs are stopped."""
CHILD_READER = """
import os
size, parts = %d, []
while size:
    part = os.read(0, size)
    if not part:
        os._exit(0)
    parts.append(part)
    size -= len(part)
exec(compile(b"".join(parts), "child", "exec"), {"__name__": "__main__"})
"""


def signal_name(number: int) -> str:
    """SIGKILL for 9; the number as text where it has no name."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def kill_descendants() -> None:
    """Kill all that was ever started: orphans come to us (PR_SET_CHILD_SUBREAPER, prctl(2))."""
    for attempt in range(1000):
        for pid in descendants():
            try:
                os.kill(pid, 9)
            except OSError:
                pass
        if not reap():
            return
        time.sleep(0.001 if attempt < 100 else 0.01)


def reap_orphans() -> None:
    """Collect what programs left behind and has ended: as zombies they would use up the host's processes."""
    if not STARTED:
        return
    own = os.getpid()
    for pid, parent, state in processes():
        if parent == own and state == b"Z" and pid not in STARTED:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:  # a call of the scenario's took it
                pass


def processes() -> list[tuple[int, int, bytes]]:
    """Number, parent and state of every process here, from /proc/PID/stat."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            found.append((int(entry), int(parent), state))
    return found


def reap() -> bool:
    """Collect children that have ended; False when there are none at all any more."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    except OSError:
        return False


def descendants() -> list[int]:
    """Process ids of all living descendants, from /proc/PID/stat."""
    children: dict[int, list[int]] = {}
    dead = set()
    for pid, parent, state in processes():
        children.setdefault(parent, []).append(pid)
        if state in (b"Z", b"X"):
            dead.add(pid)
    found, look = [], [os.getpid()]
    while look:
        below = children.get(look.pop(), [])
        found += below
        look += below
    return [pid for pid in found if pid not in dead]


# --- privileges -----------------------------------------------------------------------------------

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
    "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
    "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
    "PERFMON BPF CHECKPOINT_RESTORE"
).split()
"""linux/capability.h, in the order of their numbers."""
SET_KEEPCAPS, CAPBSET_READ, CAPBSET_DROP, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVS, CAP_AMBIENT = (
    8,
    23,
    24,
    36,
    38,
    47,
)
"""linux/prctl.h."""
THREAD_SYSCALLS = {
    "x86_64": {"setgroups": 116, "setresuid": 117, "setresgid": 119, "capset": 126},
    "aarch64": {"capset": 91, "setresuid": 147, "setresgid": 149, "setgroups": 159},
}
"""Raw calls change one thread; the C library's functions of these names change all of them (nptl(7))."""


def capability_numbers(names: list[str]) -> list[int]:
    """Capabilities by name, with or without CAP_; raises LookupError for one that Linux does not have."""
    numbers = []
    for name in names:
        short = name.upper()[4:] if name.upper().startswith("CAP_") else name.upper()
        if short not in CAPABILITIES:
            raise LookupError("there is no capability %s" % name)
        numbers.append(CAPABILITIES.index(short))
    return numbers


def account(user: str) -> tuple[int, int, list[int]]:
    """User id, group id and all groups of a user by name or number; raises LookupError for no such user."""
    import pwd

    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        if user.isdigit():
            return int(user), int(user), [int(user)]
        raise LookupError("this host has no user %s" % user) from None
    return entry.pw_uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)


def libc() -> Any:
    """The C library of this process."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> None:
    """Raise OSError where a call of the C library failed."""
    import ctypes

    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def thread_call(name: str, *arguments: Any) -> None:
    """One raw system call, for this thread only."""
    numbers = THREAD_SYSCALLS.get(os.uname().machine)
    if numbers is None:
        raise OSError(errno.ENOSYS, "changing one thread's privileges is not known for " + os.uname().machine)
    checked(libc().syscall(numbers[name], *arguments))


def drop(capabilities: Optional[list[int]], user: Optional[tuple[int, int, list[int]]]) -> None:
    """Take from this thread and the programs it starts all but these privileges (capabilities(7))."""
    if capabilities is not None:
        limit_programs(capabilities)
        checked(libc().prctl(SET_KEEPCAPS, 1, 0, 0, 0))
    if user is not None:
        import array

        uid, gid, groups = user
        numbers = array.array("I", groups)
        thread_call("setgroups", len(groups), numbers.buffer_info()[0] and address_of(numbers))
        thread_call("setresgid", gid, gid, gid)
        thread_call("setresuid", uid, uid, uid)
    if capabilities is not None:
        set_capabilities(capabilities, inheritable=user is not None and user[0] != 0)


def address_of(numbers: Any) -> Any:
    """The address of an array's memory, as an argument of a C function."""
    import ctypes

    return ctypes.c_void_p(numbers.buffer_info()[0])


def limit_programs(capabilities: list[int]) -> None:
    """What root regains with exec: limited by the bounding set, or by no_new_privs where that is fixed."""
    prctl = libc().prctl
    for number in range(64):
        if number not in capabilities and prctl(CAPBSET_READ, number, 0, 0, 0) == 1:
            if prctl(CAPBSET_DROP, number, 0, 0, 0) < 0:
                checked(prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0))
                return


def set_capabilities(capabilities: list[int], inheritable: bool) -> None:
    """Set this thread's capabilities; a user other than root passes them on to programs as ambient ones."""
    import ctypes

    prctl = libc().prctl
    prctl(CAP_AMBIENT, 4, 0, 0, 0)  # PR_CAP_AMBIENT_CLEAR_ALL
    low = sum(1 << number for number in capabilities if number < 32)
    high = sum(1 << (number - 32) for number in capabilities if number >= 32)
    passed = (low, high) if inheritable else (0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    thread_call("capset", header, (ctypes.c_uint32 * 6)(low, low, passed[0], high, high, passed[1]))
    if inheritable:
        for number in capabilities:
            checked(prctl(CAP_AMBIENT, 2, number, 0, 0))  # PR_CAP_AMBIENT_RAISE


# --- interfaces -----------------------------------------------------------------------------------

OFFLOADS = (
    ("tx-checksum", 0x16, 0x17),
    ("scatter-gather", 0x18, 0x19),
    ("tso", 0x1E, 0x1F),
    ("ufo", 0x21, 0x22),
    ("gso", 0x23, 0x24),
    ("gro", 0x2B, 0x2C),
)
"""Name, ETHTOOL_G..., ETHTOOL_S... (linux/ethtool.h)."""
SIOCETHTOOL = 0x8946


def turn_off_offloads() -> dict[str, list[str]]:
    """Turn offloads off on all but lo; interface -> what is off now. Raises OSError where forbidden."""
    off: dict[str, list[str]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            if name != "lo":
                off[name] = [
                    feature
                    for feature, get, put in OFFLOADS
                    if ethtool(any_socket, name, put, 0) is not None
                    and ethtool(any_socket, name, get, 0) == 0
                ]
    return off


def ethtool(any_socket: socket.socket, interface: str, command: int, value: int) -> Optional[int]:
    """One command of ethtool with one number (struct ethtool_value); None where it is not known."""
    import array
    import fcntl

    data = array.array("I", [command, value])
    request = struct.pack("16sP16x", interface.encode(), data.buffer_info()[0])
    try:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):
            return None
        raise
    return int(data[1])


RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 18, 20, 22
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFA_ADDRESS, IFA_LOCAL = 1, 3, 4, 1, 2
"""linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h."""


def interfaces() -> list[dict[str, Any]]:
    """Every interface with its MAC, MTU and addresses with prefix lengths (rtnetlink(7))."""
    found: dict[int, dict[str, Any]] = {}
    for body in netlink_dump(RTM_GETLINK, RTM_NEWLINK):
        _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
        parts = attributes(body, 16)
        found[index] = {
            "index": index,
            "name": parts.get(IFLA_IFNAME, b"").rstrip(b"\0").decode(),
            "mac": ":".join("%02x" % one for one in parts.get(IFLA_ADDRESS, b"")),
            "mtu": struct.unpack("=I", parts[IFLA_MTU])[0] if IFLA_MTU in parts else 0,
            "up": bool(flags & 1),
            "ip4": [],
            "ip6": [],
        }
    for body in netlink_dump(RTM_GETADDR, RTM_NEWADDR):
        family, prefix, _, _, index = struct.unpack_from("=BBBBI", body)
        parts = attributes(body, 8)
        address = parts.get(IFA_LOCAL) or parts.get(IFA_ADDRESS)
        if address and index in found and family in (socket.AF_INET, socket.AF_INET6):
            kind = "ip4" if family == socket.AF_INET else "ip6"
            found[index][kind].append("%s/%d" % (socket.inet_ntop(family, address), prefix))
    return [found[index] for index in sorted(found)]


def netlink_dump(asked: int, answered: int) -> list[bytes]:
    """The bodies of all messages of a dump (netlink(7))."""
    bodies: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("=IHHIIB3x", 20, asked, 0x301, 1, 0, 0))  # NLM_F_REQUEST | NLM_F_DUMP
        while True:
            data = netlink.recv(1 << 17)
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3) or length < 16:  # NLMSG_ERROR, NLMSG_DONE
                    return bodies
                if kind == answered:
                    bodies.append(data[16:length])
                data = data[(length + 3) & ~3 :]


def attributes(body: bytes, offset: int) -> dict[int, bytes]:
    """The attributes of a netlink message by their numbers, from that offset on."""
    parts = {}
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        if length < 4:
            break
        parts[kind] = body[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return parts


# --- TCP states -----------------------------------------------------------------------------------

STATES = (
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
    "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV",
)  # fmt: skip
"""include/net/tcp_states.h; the last is TCP_NEW_SYN_RECV."""


def tcp_rows(families: Any = (socket.AF_INET, socket.AF_INET6)) -> list[dict[str, Any]]:
    """Every row of the kernel's TCP tables: local and peer as [address, port], and state.

    Reading a table takes milliseconds, however few rows it has: the kernel walks all its buckets.
    """
    rows = []
    for family in families:
        table = "tcp" if family == socket.AF_INET else "tcp6"
        try:
            with open("/proc/net/" + table) as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, peer, state = line.split(None, 4)[:4]
            rows.append(
                {
                    "local": table_address(local, family),
                    "peer": table_address(peer, family),
                    "state": STATES[int(state, 16)],
                }
            )
    return rows


def table_address(text: str, family: int) -> list[Any]:
    """[address, port] of one as the tables write it: words in the machine's own byte order."""
    digits, port = text.split(":")
    words = [int(digits[place : place + 8], 16) for place in range(0, len(digits), 8)]
    return [socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words)), int(port, 16)]


def state_of_port(port: int) -> dict[str, Any]:
    """The states of all rows with that local port: the first that is not LISTEN is the one."""
    states = [row["state"] for row in tcp_rows() if row["local"][1] == port]
    moving = [state for state in states if state != "LISTEN"]
    return {"state": (moving + states + ["gone"])[0], "all": states}


def state_of(kept: Kept) -> dict[str, Any]:
    """The TCP state of a socket. After the last FIN only the tables tell: TCP_INFO says CLOSE then."""
    if kept.is_socket and (kept.type != "SOCK_STREAM" or kept.family not in ("AF_INET", "AF_INET6")):
        raise TypeError("%s is not a TCP socket" % kept.name)
    if not kept.is_socket:
        raise TypeError("%s is not a socket" % kept.name)
    state = "gone"
    if kept.refresh() >= 0:
        state = STATES[kept.thing.getsockopt(socket.IPPROTO_TCP, 11, 1)[0]]  # tcpi_state of TCP_INFO
    if state not in ("gone", "CLOSE"):
        return {"state": state, "all": [state]}
    families = [socket.AF_INET] if kept.family == "AF_INET" else [socket.AF_INET6]
    states = [row["state"] for row in tcp_rows(families) if is_row_of(kept, row)]
    if states:
        return {"state": states[0], "all": states}
    if state == "CLOSE" and kept.bound and kept.peer is None:
        state = "BOUND"
    return {"state": state, "all": [] if state == "gone" else [state]}


def is_row_of(kept: Kept, row: dict[str, Any]) -> bool:
    """Whether a row of the tables is of this socket, by the addresses that were last known."""
    if not isinstance(kept.local, list) or kept.local[1] == 0 or row["local"] != kept.local[:2]:
        return False
    return bool(row["peer"] == kept.peer[:2] if isinstance(kept.peer, list) else row["peer"][1] == 0)


# --- capture --------------------------------------------------------------------------------------

SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, TPACKET_V3, ETH_P_ALL = 263, 5, 6, 10, 2, 3
BLOCK_BYTES, LARGE_BLOCK_BYTES, LARGE_RING_BYTES = 1 << 18, 1 << 20, 64 << 20
READY_RING_BYTES = 64 << 20
"""The ring that a host may find ready: at 1 Gbit/s it holds what comes in half a second."""
RETIRE_MS = 100
"""When the kernel hands over a block that is not full. Late: `frames` reads open blocks, and timers cost."""
REPLY_BYTES = 1 << 20
STATUS, PACKETS, FIRST, LENGTH, HEADER = 8, 12, 16, 20, 48
"""Offsets in struct tpacket_block_desc, and its size."""
INTERFACE_INDEX = 52
"""Where a record has its sll_ifindex: the last that the kernel writes of it (tpacket_rcv, af_packet.c)."""


class Capture:
    """A ring of TPACKET_V3 on all interfaces but lo (packet(7)), and the file that keeps full blocks.

    What `frames` reads of a block that the kernel still fills is complete: blocks are zeroed before they are
    given back, so a record without its interface's index is still being written.
    """

    def __init__(self, ring: int, without: list[str], ready: Optional[socket.socket] = None) -> None:
        import mmap

        self._block, self._blocks = ring_blocks(ring)
        self._socket = ready or ring_socket(ring)
        try:
            self._without = [socket.if_nametoindex(name) for name in ("lo", *without)]
            attach_filter(self._socket, self._without, [])
            self._memory = memoryview(mmap.mmap(self._socket.fileno(), self._block * self._blocks))
            self._zeros = memoryview(bytes(self._block))
            self._current, self._taken, self._offset = 0, 0, 0
            self._seen, self._drops, self._error = 0, 0, ""
            self._spool, self._spooled = open_spool(), 0
            self._segments: deque[tuple[int, int]] = deque()
            self._names: dict[int, str] = {}
            self._lock = _thread.allocate_lock()
            listen_everywhere(self._socket)
        except BaseException:
            self._socket.close()
            raise
        _thread.start_new_thread(self._run, ())

    def leave_out(self, macs: list[bytes]) -> None:
        """See nothing more of what these MACs send to groups: the host does not get it either."""
        attach_filter(self._socket, self._without, macs)

    def _run(self) -> None:
        """Keep full blocks as they come."""
        waiting = select.poll()
        waiting.register(self._socket.fileno(), select.POLLIN)
        while True:
            for _, events in waiting.poll():
                if events & select.POLLERR:  # an interface went down: told once, and nothing to us
                    self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            with self._lock:
                self._keep_full_blocks()

    def _word(self, offset: int) -> int:
        return int(struct.unpack_from("I", self._memory, offset)[0])

    def _keep_full_blocks(self) -> None:
        while True:
            base = self._current * self._block
            if not self._word(base + STATUS) & 1:  # TP_STATUS_USER
                return
            packets, end = self._word(base + PACKETS), self._word(base + LENGTH)
            if packets > self._taken:
                begin = self._offset or self._word(base + FIRST)
                self._keep(self._memory[base + begin : base + end], packets - self._taken)
            self._memory[base + PACKETS : base + end] = self._zeros[: end - PACKETS]
            struct.pack_into("I", self._memory, base + STATUS, 0)
            self._current = (self._current + 1) % self._blocks
            self._taken, self._offset = 0, 0

    def _keep(self, records: memoryview, packets: int) -> None:
        """Write records to the file; where that fails they are lost, and counted as such."""
        written = 0
        try:
            while written < len(records):
                written += os.pwrite(self._spool, records[written:], self._spooled + written)
        except OSError as error:
            self._error = "%s: %s" % (errno.errorcode.get(error.errno or 0, "?"), error.strerror)
            self._drops += packets
            return
        self._segments.append((self._spooled, len(records)))
        self._spooled += len(records)

    def _open_block(self) -> bytes:
        """What the kernel has put into the block it is filling since we last looked."""
        base = self._current * self._block
        packets = self._word(base + PACKETS)
        begin = offset = self._offset or self._word(base + FIRST)
        last = -1
        while self._taken < packets and self._is_complete(base + offset):
            following = self._word(base + offset)
            self._taken += 1
            last = offset
            if following == 0:  # the kernel has closed the block meanwhile, and this was its last
                offset = self._word(base + LENGTH)
                break
            offset += following
        if last < 0:
            return b""
        self._offset = offset
        records = bytearray(self._memory[base + begin : base + offset])
        struct.pack_into("I", records, last - begin, 0)
        return bytes(records)

    def _is_complete(self, record: int) -> bool:
        """Wait a little for a record that another processor is still writing."""
        for _ in range(100):
            if self._word(record + INTERFACE_INDEX):
                return True
            time.sleep(0.00005)
        return False

    def frames(self) -> dict[str, Any]:
        """The value of a reply to `frames`."""
        with self._lock:
            self._keep_full_blocks()
            blocks, size = [], 0
            while self._segments and size < REPLY_BYTES:
                begin, length = self._segments.popleft()
                blocks.append(os.pread(self._spool, length, begin))
                size += length
            more = bool(self._segments)
            if not more:
                if self._spooled:
                    os.ftruncate(self._spool, 0)
                    self._spooled = 0
                live = self._open_block()
                if live:
                    blocks.append(live)
            self._count()
            value = {
                "packets": self._seen,
                "drops": self._drops,
                "more": more,
                "interfaces": self._interfaces(),
            }
            if self._error:
                value["spool_error"] = self._error
        value["blocks"] = [binascii.b2a_base64(block, newline=False).decode("ascii") for block in blocks]
        return value

    def _count(self) -> None:
        """Add the kernel's counts, which reading sets to zero."""
        statistics = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12)
        seen, drops, _ = struct.unpack("3I", statistics)
        self._seen += seen
        self._drops += drops

    def _interfaces(self) -> dict[str, str]:
        """Names by index as text; also of interfaces that are no longer there."""
        self._names.update((index, name) for index, name in socket.if_nameindex() if name != "lo")
        return {str(index): name for index, name in self._names.items()}


def ring_blocks(ring: int) -> tuple[int, int]:
    """The size of a block, and how many of them make a ring of so many bytes."""
    block = LARGE_BLOCK_BYTES if ring > LARGE_RING_BYTES else BLOCK_BYTES
    return block, max(2, ring // block)


def ring_socket(ring: int) -> socket.socket:
    """A packet socket with a ring, which receives nothing yet.

    The kernel takes 8 to 30 ms for it, whatever its size: it waits until no processor can be using the ring before
    (synchronize_net in packet_set_ring, af_packet.c).
    """
    block, blocks = ring_blocks(ring)
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        made.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        request = struct.pack("7I", block, blocks, 2048, block // 2048 * blocks, RETIRE_MS, 0, 0)
        made.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
    except BaseException:
        made.close()
        raise
    return made


def attach_filter(made: socket.socket, rejected: list[int], macs: list[bytes]) -> None:
    """Reject interfaces by their index, and frames from these MACs for groups (linux/filter.h, SKF_AD_IFINDEX)."""
    import array

    instructions = [(0x20, 0, 0, 0xFFFFF008)]
    for index in rejected:
        instructions += [(0x15, 0, 1, index), (0x06, 0, 0, 0)]
    instructions += [
        (0x30, 0, 0, 0),
        (0x45, 1, 0, 1),
        (0x06, 0, 0, 0x40000),
    ]  # only the first bit of a group's MAC
    for mac in macs:
        high, low = struct.unpack("!IH", mac)
        instructions += [
            (0x20, 0, 0, 6),
            (0x15, 0, 3, high),
            (0x28, 0, 0, 10),
            (0x15, 0, 1, low),
            (0x06, 0, 0, 0),
        ]
    instructions.append((0x06, 0, 0, 0x40000))
    program = array.array("B")
    for instruction in instructions:
        program.frombytes(struct.pack("HBBI", *instruction))
    size = struct.pack("HP", len(instructions), program.buffer_info()[0])
    made.setsockopt(socket.SOL_SOCKET, 26, size)  # SO_ATTACH_FILTER


def listen_everywhere(made: socket.socket) -> None:
    """Bind to all protocols of all interfaces: Python's bind wants one's name (packet(7))."""
    address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")
    checked(libc().bind(made.fileno(), address, len(address)))


def open_spool() -> int:
    """A file without a name; in memory where no folder can be written."""
    for folder in (os.environ.get("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"):
        if folder:
            try:
                return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError:
                continue
    return os.memfd_create("capture")


# --- the agent ------------------------------------------------------------------------------------

REQUESTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "call": (
        {},
        {
            "function": str, "on": str, "method": str, "arguments": list, "keywords": dict, "makes": str,
            "watch": bool,
        },
    ),
    "run": ({"argv": list, "makes": str}, {"environment": dict, "folder": str}),
    "state": ({"of": str}, {}),
    "states": ({}, {}),
    "asleep": ({"of": (str, int)}, {}),
    "interfaces": ({}, {}),
    "offload": ({}, {}),
    "capture": ({"ring": int}, {"without": list}),
    "deaf": ({"macs": list}, {}),
    "frames": ({}, {}),
    "privileges": ({"capabilities": (list, type(None)), "user": (str, type(None))}, {}),
    "start": ({"source": str, "makes": str}, {}),
    "tell": ({"to": str, "what": dict}, {}),
    "quit": ({}, {}),
}  # fmt: skip
"""What each request must have and may have beside "id" and "do"."""


CHORES = ("asleep", "offload", "capture", "deaf", "frames", "privileges", "start", "tell", "quit")
"""Requests that the main thread carries out: they need its privileges, or change what others may do."""


def check_request(request: Any) -> None:
    """Raise Malformed unless this is a request."""
    if not isinstance(request, dict):
        raise Malformed("a request is a JSON object")
    if "id" not in request:
        raise Malformed('a request has an "id"')
    expect(request["id"], (str, int), "id")
    do = expect(request.get("do"), str, "do")
    if do not in REQUESTS:
        raise Malformed("there is no request %s" % do[:40])
    required, optional = REQUESTS[do]
    for key, value in request.items():
        if key not in ("id", "do"):
            kind = required.get(key) or optional.get(key)
            if kind is None:
                raise Malformed('%s has no "%s"' % (do, key[:40]))
            expect(value, kind, key)
    missing = [key for key in required if key not in request]
    if missing:
        raise Malformed('%s needs "%s"' % (do, missing[0]))
    if do == "call":
        check_call(request)
    elif do == "run":
        check_texts(request["argv"], "argv")
        check_texts(list(request.get("environment", {}).values()), "environment")
        if not request["argv"]:
            raise Malformed('"argv" is empty')
    elif do == "privileges":
        check_texts(request["capabilities"] or [], "capabilities")
    elif do == "deaf":
        check_texts(request["macs"], "macs")
        if not all(len(mac) == 17 and len(mac.replace(":", "")) == 12 for mac in request["macs"]):
            raise Malformed('"macs" are written as 02:00:00:00:00:01')
    elif do == "capture":
        check_texts(request.get("without", []), "without")
        if not 0 < request["ring"] <= 1 << 30:
            raise Malformed('"ring" must be from 1 to 2**30')


def check_call(request: dict[str, Any]) -> None:
    """A call has a function, or a method and the object it is on."""
    if ("function" in request) == ("method" in request) or ("method" in request) != ("on" in request):
        raise Malformed('call needs either "function" or "on" and "method"')


def check_texts(values: list[Any], key: str) -> None:
    """Raise Malformed unless all are texts without a null byte."""
    if not all(isinstance(one, str) and "\0" not in one for one in values):
        raise Malformed('"%s" must hold texts' % key)


def names_made(request: dict[str, Any]) -> list[str]:
    """The names that a request makes: a pair of sockets has two, joined by a comma."""
    makes = request.get("makes")
    if makes is None:
        return []
    names = [name.strip() for name in makes.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise Malformed('"makes" must be a name, or two different ones joined by a comma')
    return names


class Agent:
    """One host's agent: reads requests in one thread, and has them carried out while another one reads.

    It may be made before its host is: an engine makes one, and forks hosts that each let it `serve`.
    """

    def __init__(self) -> None:
        self._ready_ring: Optional[socket.socket] = None
        self._reader = self._writer = -1
        self._writing = _thread.allocate_lock()
        self._dump = json.JSONEncoder(separators=(",", ":")).encode
        self._objects: dict[str, Kept] = {}
        self._reserved: set[str] = set()
        self._names: dict[int, str] = {}
        self._pending: dict[Any, Job] = {}
        self._extra = extra_functions()
        self._chores = Chores()
        self._watcher = Watcher(self._notify, self._chores)
        self._reading = _thread.allocate_lock()
        self._pieces: list[bytes] = []
        self._lines: deque[bytes] = deque()
        self._crew = Crew(self._reading, self._next_job, self._carry_out, self._refuse)
        self._capture: Optional[Capture] = None
        self._programs = False
        self._handlers: dict[str, Callable[[Job], Any]] = {
            "call": self._call,
            "run": self._run,
            "state": self._state,
            "states": lambda job: tcp_rows(),
            "asleep": self._asleep,
            "interfaces": lambda job: interfaces(),
            "offload": lambda job: turn_off_offloads(),
            "capture": self._begin_capture,
            "deaf": self._leave_out,
            "frames": self._frames,
            "privileges": self._set_privileges,
            "start": self._start,
            "tell": self._tell,
            "quit": lambda job: None,
        }

    # reading

    def serve(self, reader: int, writer: int, ready_ring: Optional[socket.socket] = None) -> NoReturn:
        """Say hello, then carry out requests until `quit` or the end of input; the process ends with it.

        `reader` and `writer` are descriptors, or twice one of a socket. `ready_ring` is a `ring_socket` of
        READY_RING_BYTES that was made ahead: a capture of that size takes it.
        """
        self._reader, self._writer, self._ready_ring = reader, writer, ready_ring
        try:
            self._write(hello())
            self._crew.start()
            self._chores.do()
        except OSError as error:
            sys.stderr.write("%s\n" % error.strerror)
            sys.stderr.flush()
        finally:
            self._end()

    def _end(self) -> NoReturn:
        """Kill programs with their children and end, also with calls that still wait."""
        try:
            for kept in list(self._objects.values()):
                if isinstance(kept.thing, Child):
                    kept.thing.end()
            if self._programs:
                kill_descendants()
        finally:
            os._exit(0)

    def _next_job(self) -> Optional[Job]:
        """The next request for a thread of the crew, which holds `_reading`; None: look whose turn it is."""
        while True:
            job = self._take(self._next_line())
            if job is None:
                continue
            if job.request["do"] not in CHORES:
                return job
            self._chores.add(partial(self._carry_out, job))
            if job.request["do"] in ("privileges", "quit"):
                job.finished.acquire()  # what comes later must meet what they change
                return None

    def _next_line(self) -> bytes:
        """The next line of input; at its end the main thread ends the process."""
        while not self._lines:
            try:
                data = os.read(self._reader, 1 << 20 if self._pieces else 1 << 16)
            except OSError:  # a reset: the runner is gone and has left replies unread
                data = b""
            if not data:
                self._chores.add(self._end)
                while True:
                    time.sleep(3600)
            self._pieces.append(data)
            if b"\n" in data:
                *lines, rest = b"".join(self._pieces).split(b"\n")
                self._pieces = [rest] if rest else []
                self._lines.extend(lines)
        return self._lines.popleft()

    def _take(self, line: bytes) -> Optional[Job]:
        """A line as a job; None where it is none, and that was replied."""
        identifier = None
        try:
            request = json.loads(line)
            if isinstance(request, dict) and isinstance(request.get("id"), (str, int)):
                identifier = None if isinstance(request["id"], bool) else request["id"]
            check_request(request)
            job = Job(request, names_made(request))
            self._reserve(job)
            return job
        except (Malformed, ValueError, RecursionError) as error:
            self._write({"id": identifier, "malformed": str(error)[:300] or type(error).__name__})
            return None

    def _reserve(self, job: Job) -> None:
        if job.id in self._pending:
            raise Malformed("a request with this id is still pending")
        for name in job.makes:
            if name in self._objects or name in self._reserved:
                raise Malformed("the name %s was made before" % name[:100])
        self._reserved.update(job.makes)
        self._pending[job.id] = job

    # replying

    def _write(self, message: dict[str, Any]) -> None:
        data = memoryview(self._dump(message).encode("ascii") + b"\n")
        with self._writing:
            self._write_whole(data)

    def _write_whole(self, data: memoryview) -> None:
        try:
            while data:
                data = data[os.write(self._writer, data) :]
        except OSError:
            self._chores.add(self._end)  # nobody hears us any more

    def _notify(self, job: Job, at: int, called: str) -> None:
        data = self._dump({"id": job.id, "asleep": at, "syscall": called}).encode("ascii") + b"\n"
        with self._writing:
            if not job.done:
                self._write_whole(memoryview(data))

    def _reply(self, job: Job, reply: dict[str, Any]) -> None:
        job.done = True
        self._reserved.difference_update(job.makes)
        self._pending.pop(job.id, None)
        now = time.time_ns()
        if "malformed" in reply:
            self._write({"id": job.id, "malformed": reply["malformed"]})
        else:
            self._write({"id": job.id, "began": job.began or now, "ended": job.ended or now, **reply})
        if job.finished is not None:
            job.finished.release()

    def _carry_out(self, job: Job) -> None:
        """In a worker: carry out and reply, whatever happens."""
        reply: dict[str, Any] = {}
        try:
            if job.request["do"] != "call":
                job.began = time.time_ns()
            value = self._handlers[job.request["do"]](job)
            reply = value if job.request["do"] in ("call", "run") else {"value": value}
        except Malformed as error:
            reply = {"malformed": str(error)}
        except BaseException as error:
            reply = {"error": describe(error)}
        self._reply(job, reply)
        if job.request["do"] == "quit":
            self._end()

    def _refuse(self, job: Job) -> None:
        full = OSError(
            errno.EAGAIN, "the host has all the processes that it may have: no thread for this call"
        )
        self._reply(job, {"error": describe(full)})

    # calls

    def kept(self, name: str) -> Kept:
        """The object of that name; raises NameError."""
        kept = self._objects.get(name)
        if kept is None:
            raise NameError("this host has nothing named %s" % name)
        return kept

    def _keep(self, name: str, thing: Any) -> Kept:
        kept = Kept(name, thing)
        self._names[id(thing)] = name
        self._objects[name] = kept
        return kept

    def _call(self, job: Job) -> dict[str, Any]:
        request = job.request
        owner = self.kept(request["on"]) if "on" in request else None
        function = method_of(owner.thing, request["method"]) if owner else self._function(request["function"])
        arguments = decode(request.get("arguments", []), self)
        keywords = {key: decode(one, self) for key, one in request.get("keywords", {}).items()}
        if owner and owner.is_socket and request["method"] in ("close", "detach", "shutdown"):
            owner.refresh()  # afterwards the kernel tells its addresses no more
        if request.get("watch"):
            self._watcher.add(job)
        reply: dict[str, Any]
        job.began = time.time_ns()
        try:
            value = function(*arguments, **keywords)
        except BaseException as error:
            job.ended = time.time_ns()
            job.done = True
            reply = {"error": describe(error)}
            made: list[Kept] = []
        else:
            job.ended = time.time_ns()
            job.done = True
            made = self._keep_made(job.makes, value)
            if owner and request["method"] == "bind":
                owner.bound = True
            reply = {"value": self._encoded(value, owner)}
        reply.update(facts_of(owner, made))
        return reply

    def _function(self, name: str) -> Callable[..., Any]:
        function = self._extra.get(name) or getattr(socket, name, None)
        if name.startswith("_") or not callable(function):
            raise AttributeError("this host's Python has no function socket.%s" % name)
        return function

    def _keep_made(self, names: list[str], value: Any) -> list[Kept]:
        """Keep what a call made: the pair, the first of what accept returns, or the value itself."""
        if not names:
            return []
        if len(names) > 1:
            return [self._keep(name, thing) for name, thing in zip(names, value)]  # noqa: B905 (Python 3.9)
        thing = (
            value[0] if isinstance(value, tuple) and value and isinstance(value[0], socket.socket) else value
        )
        return [self._keep(names[0], thing)]

    def _encoded(self, value: Any, owner: Optional[Kept]) -> Any:
        """A call's value; poll objects speak of descriptors, which are told as the sockets that they are."""
        if owner is None or not isinstance(owner.thing, (select.epoll, type(select.poll()))):
            return encode(value, self._names)
        if not isinstance(value, list):
            return encode(value, self._names)
        sockets = {one.thing.fileno(): one.name for one in self._objects.values() if one.is_socket}
        return [[{"object": sockets[fd]} if fd in sockets else fd, events] for fd, events in value]

    def _run(self, job: Job) -> dict[str, Any]:
        if not self._programs:
            self._programs = True
            checked(libc().prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        request = job.request
        program = Program(request["argv"], request.get("environment", {}), request.get("folder"))
        self._keep(job.makes[0], program)
        return {"value": {"object": job.makes[0]}}

    def _start(self, job: Job) -> dict[str, Any]:
        self._keep(job.makes[0], Child(job.request["source"]))
        return {"object": job.makes[0]}

    def _tell(self, job: Job) -> Plain:
        child = self.kept(job.request["to"]).thing
        if not isinstance(child, Child):
            raise TypeError("%s is no child process" % job.request["to"])
        return child.tell(job.request["what"])

    # the rest

    def _state(self, job: Job) -> dict[str, Any]:
        of = job.request["of"]
        if of.startswith("tcp ") and of[4:].strip().lstrip(":").isdigit():
            return state_of_port(int(of[4:].strip().lstrip(":")))
        return state_of(self.kept(of))

    def _asleep(self, job: Job) -> bool:
        other = self._pending.get(job.request["of"])
        if other is None or not other.thread:
            return False
        watch = Watch(other)
        try:
            watch.asleep()
            time.sleep(ASLEEP_S * 1.1)
            return bool(watch.asleep() and not other.done)
        finally:
            watch.close()

    def _begin_capture(self, job: Job) -> None:
        if self._capture is not None:
            raise RuntimeError("this host captures already")
        ring, ready = job.request["ring"], None
        if ring == READY_RING_BYTES:
            ready, self._ready_ring = self._ready_ring, None
        self._capture = Capture(ring, job.request.get("without", []), ready)

    def _leave_out(self, job: Job) -> None:
        if self._capture is not None:
            self._capture.leave_out([binascii.unhexlify(mac.replace(":", "")) for mac in job.request["macs"]])

    def _frames(self, job: Job) -> dict[str, Any]:
        if self._capture is None:
            raise RuntimeError("this host does not capture")
        return self._capture.frames()

    def _set_privileges(self, job: Job) -> None:
        """New threads make the calls from now on; those of before end when their calls return."""
        names, user = job.request["capabilities"], job.request["user"]
        load_modules()
        capabilities = None if names is None else capability_numbers(names)
        who = None if user is None else account(user)
        crew = Crew(
            self._reading, self._next_job, self._carry_out, self._refuse, lambda: drop(capabilities, who)
        )
        crew.start()
        self._crew.retired = True
        self._crew = crew


def load_modules() -> None:
    """Import what threads may need later: another user may not be able to read the interpreter's library."""
    import array
    import ctypes
    import fcntl
    import signal
    import subprocess
    import termios

    del array, ctypes, fcntl, signal, subprocess, termios


def method_of(thing: Any, name: str) -> Callable[..., Any]:
    """A method of an object; raises AttributeError as Python does."""
    if name.startswith("_"):
        raise AttributeError("%s is no method to call" % name)
    return getattr(thing, name)  # type: ignore[no-any-return]


def facts_of(owner: Optional[Kept], made: list[Kept]) -> dict[str, Any]:
    """The facts of a reply: of the socket a call was made on or made, and of the one that it made beside."""
    facts = {}
    concerned = [owner, *made] if owner else list(made)
    for key, kept in zip(("object", "made"), concerned):  # noqa: B905 (Python 3.9)
        told = kept.facts()
        if told is not None:
            facts[key] = told
    return facts


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as the "error" of a reply."""
    number = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror):
        name = next(
            (key for key in dir(socket) if key.startswith("EAI_") and getattr(socket, key) == number), None
        )
    else:
        name = errno.errorcode.get(number) if isinstance(number, int) else None
    kind = "TimeoutError" if isinstance(error, socket.timeout) else type(error).__name__
    return {"type": kind, "errno": name, "text": str(error)}


def hello() -> dict[str, Any]:
    """The first line."""
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY)  # open() costs a host ten pages
        boot = os.read(descriptor, 100).decode("ascii").strip()
        os.close(descriptor)
    except OSError:
        boot = ""
    return {
        "hello": 1,
        "pid": os.getpid(),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "kernel": os.uname().release,
        "boot": boot,
        "realtime": time.time_ns(),
        "monotonic": time.monotonic_ns(),
    }


def main() -> NoReturn:
    """Be the agent on stdin and stdout, out of reach of whatever prints or reads there."""
    reader, writer = private(0), private(1)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    Agent().serve(reader, writer)


def private(descriptor: int) -> int:
    """A copy that no program inherits, out of the way of the descriptors that scenarios see."""
    import fcntl

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 200)
    except OSError:  # the host's limit of descriptors is below that
        return os.dup(descriptor)


if __name__ == "__main__":
    main()
