"""Take one connection and print the objects that come over it: JSON and repr by turns, each with its length in front.

By hand: python3 /programs/receive_objects.py
"""

import ast
import json
import socket
import struct

PORT = 9999


def receive_exactly(connection, size):
    """So many bytes, however the segments were cut; fewer only at the end of the stream."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def receive_message(connection):
    """The next text, or None at the end."""
    head = receive_exactly(connection, 4)
    if len(head) < 4:
        return None
    (size,) = struct.unpack("!I", head)
    return receive_exactly(connection, size).decode()


def main():
    with socket.create_server(("", PORT)) as listener:
        print(f"Waiting for objects on port {PORT}", flush=True)
        connection, _ = listener.accept()
    with connection:
        while True:
            text = receive_message(connection)
            if text is None:
                break
            thing = json.loads(text)
            print(f"JSON: {type(thing).__name__} {thing!r}", flush=True)
            thing = ast.literal_eval(receive_message(connection))
            print(f"repr: {type(thing).__name__} {thing!r}", flush=True)
    print("That was all.", flush=True)


main()
