"""Calls a socket of this host by its path, says a few words and prints the answer.

By hand: python3 /programs/unix_client.py PATH WORDS
"""

import socket
import sys


def main():
    path, words = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(path)
        caller.sendall(words.encode())
        print(caller.recv(1024).decode(), flush=True)


main()
