"""Read Python literals from the keyboard and send each as JSON and as repr, with its length in front.

By hand: python3 /programs/send_objects.py server
"""

import ast
import json
import socket
import struct
import sys

PORT = 9999


def send_message(connection, text):
    """Four bytes of length in network byte order, then the text as UTF-8."""
    data = text.encode()
    connection.sendall(struct.pack("!I", len(data)) + data)


def main():
    with socket.socket() as connection:
        connection.connect((sys.argv[1], PORT))
        while True:
            print("object> ", end="", flush=True)
            line = sys.stdin.readline()
            if not line:
                return
            thing = ast.literal_eval(line)
            send_message(connection, json.dumps(thing))
            send_message(connection, repr(thing))


main()
