"""An echo client with a prompt: what is typed is sent, what comes back is shown; an empty line hangs up.

By hand: python3 /programs/interactive_client.py server
"""

import socket
import sys

PORT = 8888


def echoed(connection, words):
    """Send the words and read until as many bytes are back: TCP may give them in pieces."""
    connection.sendall(words)
    data = b""
    while len(data) < len(words):
        part = connection.recv(1024)
        if not part:
            sys.exit("The server hung up.")
        data += part
    return data


def main():
    with socket.socket() as connection:
        connection.connect((sys.argv[1], PORT))
        while True:
            print("Say something: ", end="", flush=True)
            words = sys.stdin.readline().strip()
            if not words:
                return
            print(f"Back came: {echoed(connection, words.encode()).decode()}", flush=True)


main()
