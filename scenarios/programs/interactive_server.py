"""An echo server that says what it does: one client after the other, each until it hangs up.

By hand: python3 /programs/interactive_server.py
"""

import socket

PORT = 8888


def main():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", PORT))
        listener.listen(5)
        print(f"Listening on port {PORT}.", flush=True)
        while True:
            connection, (host, port) = listener.accept()
            with connection:
                print(f"Connected: {host} from its port {port}.", flush=True)
                while data := connection.recv(1024):
                    print(f"Received {len(data)} bytes: {data.decode()}", flush=True)
                    connection.sendall(data)
                print("The client hung up.", flush=True)


main()
