"""Frames in and out of packet sockets, many for one system call: recvmmsg(2) and sendmmsg(2) through ctypes.

Runs in the host, beside the agent: standard library only, Python 3.9 syntax. Knows nothing of faults.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct

SLOTS = 64
"""How many frames one system call moves at most."""
_HEADER = struct.Struct("=QIxxxxQQQQi4xI4x")
"""struct mmsghdr of a 64-bit kernel: name, namelen, iov, iovlen, control, controllen, flags; msg_len."""
_CONTROL = 96
_SO_TIMESTAMPNS = 35
"""asm-generic/socket.h; the message that comes with a frame has the same number and holds a struct timespec."""
_TIME = struct.Struct("=qq")
_TIME_AT = 16
_TAGS = struct.Struct("=48xI12xHH28x")
"""Of a frame's messages, behind the one with the time: tp_status, tp_vlan_tci and tp_vlan_tpid of tpacket_auxdata."""
_HAS_TAG = 1 << 4
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_PACKET_QDISC_BYPASS = 20
_PACKET_IGNORE_OUTGOING = 23
"""linux/if_packet.h"""
_SOL_PACKET = 263
_SIOCGIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8913, 0x1, 0x40
"""netdevice(7)"""
_ETH_P_ALL = 3
_library = ctypes.CDLL(None, use_errno=True)


class Intake:
    """A packet socket that reads what was sent into an interface, with the kernel's time of each frame.

    After `read`, `frame(n)` is a view into a buffer that the next `read` overwrites.
    """

    def __init__(self, interface: str, slot: int, buffer: int) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        _enlarge(self.socket, buffer)
        self.socket.bind((interface, _ETH_P_ALL))
        self.slot = slot
        self.drops = 0
        self.data = (ctypes.c_char * (SLOTS * slot))()
        self.base = ctypes.addressof(self.data)
        self._view = memoryview(self.data).cast("B")
        self._control = (ctypes.c_char * (SLOTS * _CONTROL))()
        self._control_view = memoryview(self._control).cast("B")
        self._vectors = (ctypes.c_char * (SLOTS * 16))()
        self._headers = (ctypes.c_char * (SLOTS * _HEADER.size))()
        self._template = b""
        self._prepare()
        self.lengths: list[int] = []

    def _prepare(self) -> None:
        vectors, controls = ctypes.addressof(self._vectors), ctypes.addressof(self._control)
        for number in range(SLOTS):
            struct.pack_into("=QQ", self._vectors, number * 16, self.base + number * self.slot, self.slot)
        self._template = b"".join(
            _HEADER.pack(0, 0, vectors + number * 16, 1, controls + number * _CONTROL, _CONTROL, 0, 0)
            for number in range(SLOTS)
        )

    def read(self) -> int:
        """Read the frames that are there, SLOTS at most; returns how many."""
        ctypes.memmove(self._headers, self._template, len(self._template))
        count: int = _library.recvmmsg(self.socket.fileno(), self._headers, SLOTS, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return 0
        self.lengths = [
            header[7]
            for header in _HEADER.iter_unpack(memoryview(self._headers).cast("B")[: count * _HEADER.size])
        ]
        tags = _TAGS.iter_unpack(self._control_view[: count * _CONTROL])
        for number, (status, tag, kind) in enumerate(tags):
            if status & _HAS_TAG:
                self._put_back(number, struct.pack("!HH", kind, tag))
        return count

    def _put_back(self, number: int, tag: bytes) -> None:
        """The kernel takes the outermost VLAN tag (IEEE 802.1Q) out of a frame and tells it beside: put it in again."""
        start = number * self.slot
        end = start + self.lengths[number]
        self._view[start + 16 : end + 4] = bytes(self._view[start + 12 : end])
        self._view[start + 12 : start + 16] = tag
        self.lengths[number] += 4

    def frame(self, number: int) -> memoryview:
        """The bytes of the frame of that number of the last read."""
        start = number * self.slot
        return self._view[start : start + self.lengths[number]]

    def time_ns(self, number: int) -> int:
        """When the kernel had it, in nanoseconds of CLOCK_REALTIME."""
        seconds, nanoseconds = _TIME.unpack_from(self._control_view, number * _CONTROL + _TIME_AT)
        return int(seconds) * 1_000_000_000 + int(nanoseconds)

    def lost(self) -> int:
        """How many frames the kernel could not keep for us since the socket was made."""
        statistics = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.drops += struct.unpack("=II", statistics)[1]
        return self.drops


class Outlet:
    """A packet socket that sends frames out of an interface past its queueing, so that nothing diverts them again.

    `refused` counts those that the kernel did not take although the link was up.
    """

    def __init__(self, interface: str, buffer: int) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.socket.bind((interface, 0))
        self._interface = interface
        self.refused = 0
        self._vectors = (ctypes.c_char * (SLOTS * 16))()
        vectors = ctypes.addressof(self._vectors)
        self._headers = (ctypes.c_char * (SLOTS * _HEADER.size))()
        for number in range(SLOTS):
            _HEADER.pack_into(
                self._headers, number * _HEADER.size, 0, 0, vectors + number * 16, 1, 0, 0, 0, 0
            )

    def send_slots(self, intake: Intake, numbers: list[int]) -> None:
        """Send frames of the intake's last read as they are, without copying them."""
        parts: list[int] = []
        for number in numbers:
            parts += (intake.base + number * intake.slot, intake.lengths[number])
        struct.pack_into("=%dQ" % len(parts), self._vectors, 0, *parts)
        done = 0
        while done < len(numbers):
            headers = ctypes.byref(self._headers, done * _HEADER.size)
            sent = _library.sendmmsg(self.socket.fileno(), headers, len(numbers) - done, 0)
            if sent <= 0:  # ENOBUFS and the like: this one is lost, and counted
                if self._refused_again(ctypes.get_errno()):
                    continue
                sent = 1
            done += sent

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        try:
            self.socket.send(frame)
        except OSError as error:
            if self._refused_again(error.errno):
                self.send(frame)

    def _refused_again(self, reason: int | None) -> bool:
        """A frame was not taken: whether to send it again. Else it is counted, where the link is up.

        On a link that is down it is lost as on any cable that is out. Once the link is up again, the next frame is told
        that it was down (packet_notifier in net/packet/af_packet.c leaves an error on the socket), and only that one.
        """
        request = struct.pack("16sH14x", self._interface.encode(), 0)
        flags = struct.unpack_from("H", fcntl.ioctl(self.socket, _SIOCGIFFLAGS, request), 16)[0]
        if flags & _IFF_UP and reason == errno.ENETDOWN:
            return True
        self.refused += bool(flags & _IFF_UP and flags & _IFF_RUNNING)  # without a carrier it is ENOBUFS
        return False


def _enlarge(made: socket.socket, size: int) -> None:
    try:
        made.setsockopt(
            socket.SOL_SOCKET, 33, size
        )  # SO_RCVBUFFORCE: only in the machine's own user namespace
    except OSError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
