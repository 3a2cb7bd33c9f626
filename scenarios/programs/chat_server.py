"""The phone that is rung: takes one call and talks by turns, the caller first. An empty line is not sent.

By hand: python3 /programs/chat_server.py
"""

import socket
import sys

PORT = 5000


def hear(connection):
    """The next words of the other side, or None when it has hung up."""
    data = connection.recv(1024)
    return data.decode() if data else None


def talk(connection):
    """Type until a line is not empty, and send it; False at the end of the input."""
    while True:
        print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return False
        if line.strip():
            connection.sendall(line.strip().encode())
            return True


def main():
    with socket.socket() as phone:
        phone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        phone.bind(("", PORT))
        phone.listen(1)
        print("Waiting for a call.", flush=True)
        connection, (caller, _) = phone.accept()
    with connection:
        print(f"A call from {caller}.", flush=True)
        try:
            while True:
                words = hear(connection)
                if words is None:
                    print("The other side hung up.", flush=True)
                    return
                print(f"< {words}", flush=True)
                if not talk(connection):
                    return
        except ConnectionResetError:
            print("The line broke.", flush=True)


main()
