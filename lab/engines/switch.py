"""The program of a lab's switch: a bridge for each network, in a network namespace that has nothing else.

Runs in a container of its own, beside an agent: standard library and `lab.netlink` only, Python 3.9 syntax. Hosts are
containers without any network of Docker's. Each hands over its network namespace, as a descriptor (SCM_RIGHTS,
unix(7)), on a socket in a folder that they share with the switch, and gets its links. So no rule of the machine is in
the way of any frame, and none has a way to the machine: there is no link that leads there.

Requests, each a line of JSON with "do", and each answered with an object, with "error" in it where it could not be:
  "make"    {"socket": PATH, "networks": [{"mtu"}..], "hosts": {NAME: [{"network", "name", "mac", "mtu"}..]}}
  "unplug"  {"host": NAME}: take a host off all its networks
  "plug"    {"host": NAME}: put a host that joined again on all its networks
A host connects, says its name with the descriptor, reads a line, brings its links up, says `up`, and reads a line:
then packets pass. A line that is not empty says what is wrong. A host that was killed joins again in the same way, and
its packets pass once it is plugged in.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket

from lab import netlink
from lab.netlink import Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes milliseconds to import, and every lab would wait for it
    from typing import Any

FIRST_BRIDGE, FIRST_PORT, FIRST_LINK = 10, 1000, 10
"""Indexes of bridges and ports here, and of links in a host; the kernel's own tunnels may have lower ones."""
PATIENCE_S = 10.0
"""The longest that one host may take to join, and its links to come up."""


class Switch:
    """The bridges of one lab, and which hosts are plugged into them: name -> indexes of their ports.

    `asked`: somebody asks for hosts that join again to be plugged in, as in `serve`.
    """

    def __init__(self, *, asked: bool) -> None:
        self._asked = asked
        self._netlink = Netlink()
        self._listener: socket.socket | None = None
        self._wanted: dict[str, list[dict[str, Any]]] = {}
        self.ports: dict[str, list[int]] = {}
        self._joined: dict[str, int] = {}
        self._next = FIRST_PORT

    def serve_hosts(self) -> None:
        """Let hosts join for ever."""
        while True:
            self._let_join()

    def serve(self) -> None:
        """Carry out requests and let hosts join until the end of input."""
        rest = b""
        while True:
            watched = [0] if self._listener is None else [0, self._listener.fileno()]
            for descriptor in select.select(watched, [], [])[0]:
                if descriptor != 0:
                    self._let_join()
                    continue
                data = os.read(0, 1 << 16)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    os.write(1, json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            getattr(self, "do_" + request["do"])(request)
            return {}
        except Exception as error:  # whoever asked is told
            return {"error": "%s: %s" % (type(error).__name__, error)}

    def do_make(self, request: dict[str, Any]) -> None:
        """Make the bridges, and listen for hosts."""
        self._netlink.do(
            netlink.new_bridge("bridge%d" % number, FIRST_BRIDGE + number, network["mtu"])
            for number, network in enumerate(request["networks"])
        )
        self._wanted = request["hosts"]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(request["socket"]):  # of a switch that ended: nobody listens there any more
            os.unlink(request["socket"])
        listener.bind(request["socket"])
        listener.listen(1024)
        self._listener = listener

    def do_unplug(self, request: dict[str, Any]) -> None:
        """Nothing that the host still sends arrives anywhere; a port goes with the namespace of its other end."""
        known = {index for index, _ in socket.if_nameindex()}
        ports = [port for port in self.ports.get(request["host"], []) if port in known]
        self._netlink.do(netlink.set_link(port, up=False) for port in ports)

    def do_plug(self, request: dict[str, Any]) -> None:
        """Let packets pass between a host and its networks."""
        ports = self.ports[request["host"]]
        self._netlink.do(netlink.set_link(port, up=True) for port in ports)
        self._netlink.settle(ports)

    def _let_join(self) -> None:
        assert self._listener is not None
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            try:
                self._join(connection)
            except OSError as error:
                _say(connection, str(error))

    def _join(self, connection: socket.socket) -> None:
        """Plug one host in; raises OSError with what is wrong."""
        name, descriptors, _, _ = socket.recv_fds(connection, 1000, 1)
        host = name.decode("utf-8", "replace")
        if len(descriptors) != 1 or host not in self._wanted:
            for one in descriptors:
                os.close(one)
            raise OSError(errno.EPERM, "the switch expects no host %r" % host)
        try:
            self._plug(host, descriptors[0])
        finally:
            os.close(descriptors[0])
        _say(connection, "")
        if connection.recv(10) == b"up":
            if not self._is_later(host):
                self._netlink.settle(self.ports[host])
            _say(connection, "")

    def _is_later(self, host: str) -> bool:
        """Whether the host is plugged in when somebody asks for it."""
        return self._asked and self._joined[host] > 1

    def _plug(self, host: str, namespace: int) -> None:
        """Make the host's links in its namespace, each with a port of its network's bridge.

        It may have been killed and started again. Then its old links go first: the kernel keeps a dead host's namespace
        as long as its TCP connections wait for an answer, and it would go on speaking.
        """
        self._netlink.delete_links(self.ports.get(host, []))
        self._joined[host] = self._joined.get(host, 0) + 1
        up = not self._is_later(host)
        ports = self.ports[host] = []
        for number, end in enumerate(self._wanted[host]):
            port = self._next
            self._next += 1
            pair = netlink.new_veth(
                end["name"],
                FIRST_LINK + number,
                end["mac"],
                end["mtu"],
                namespace=namespace,
                peer_name="port%d" % port,
                peer_index=port,
            )
            self._netlink.do([pair, netlink.set_link(port, up=up, master=FIRST_BRIDGE + end["network"])])
            ports.append(port)


def _say(connection: socket.socket, text: str) -> None:
    try:
        connection.sendall(text.encode() + b"\n")
    except OSError:  # it is gone: the runner will hear of it
        return


def main() -> None:
    """Be the switch on stdin and stdout."""
    Switch(asked=True).serve()
