"""The caller: rings and talks by turns, beginning. An empty line is not sent; the end of the input hangs up.

By hand: python3 /programs/chat_client.py server [PORT]
"""

import socket
import sys

PORT = 5000


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
    with socket.socket() as connection:
        connection.connect((sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else PORT))
        print("Connected.", flush=True)
        while talk(connection):
            data = connection.recv(1024)
            if not data:
                print("The other side hung up.", flush=True)
                return
            print(f"< {data.decode()}", flush=True)


main()
