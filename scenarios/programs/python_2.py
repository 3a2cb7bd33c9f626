"""Lines that Python 2 took, tried one by one: the line, and what Python says of it today. python_2.py LINE..."""

import socket
import sys

for line in sys.argv[1:]:
    here, there = socket.socketpair()
    there.sendall(b"bye")
    try:
        print(line, "->", eval(compile(line, "line", "eval"), {"here": here}))
    except Exception as error:
        print(line, "->", type(error).__name__)
