"""An echo server for many clients in one process and one thread: select, poll or epoll says who has something to say.

By hand: python3 /programs/many_clients.py epoll
"""

import select
import socket
import sys

PORT = 9999


class Select:
    """Readiness by select(2): a list of all sockets, handed over each time."""

    def __init__(self):
        self._sockets = {}

    def add(self, sock):
        self._sockets[sock.fileno()] = sock

    def remove(self, sock):
        del self._sockets[sock.fileno()]

    def ready(self):
        readable, _, _ = select.select(list(self._sockets), [], [])
        return readable


class Poll:
    """Readiness by poll(2) or epoll(7): the kernel, or the poll object, keeps the list."""

    def __init__(self, poll, wanted):
        self._poll = poll
        self._wanted = wanted

    def add(self, sock):
        self._poll.register(sock, self._wanted)

    def remove(self, sock):
        self._poll.unregister(sock)

    def ready(self):
        return [descriptor for descriptor, _ in self._poll.poll()]


def watcher(how):
    """What tells which sockets are ready."""
    if how == "select":
        return Select()
    if how == "poll":
        return Poll(select.poll(), select.POLLIN)
    return Poll(select.epoll(), select.EPOLLIN)


def main():
    watched = watcher(sys.argv[1])
    listener = socket.create_server(("", PORT), backlog=100)
    listener.setblocking(False)
    clients = {}
    watched.add(listener)
    print(f"{sys.argv[1]} on port {PORT}", flush=True)
    while True:
        for descriptor in watched.ready():
            if descriptor == listener.fileno():
                client, _ = listener.accept()
                client.setblocking(False)
                clients[client.fileno()] = client
                watched.add(client)
                print(f"{len(clients)} here", flush=True)
                continue
            client = clients[descriptor]
            data = client.recv(1024)
            if data:
                client.send(data.upper())
            else:
                watched.remove(client)
                del clients[descriptor]
                client.close()
                print(f"{len(clients)} left", flush=True)


main()
