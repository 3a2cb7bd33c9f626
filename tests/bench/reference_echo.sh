#!/bin/sh
# What people do by hand: two namespaces with ip(8), tcpdump in both, a Python echo server and client.
# The reference that `make bench` sets a whole `runner run scenarios/tcp_echo.yaml` beside. Needs root.
set -eu
folder=$(mktemp -d)
one="bench-$$-a" two="bench-$$-b"
trap 'ip netns del "$one"; ip netns del "$two"; rm -rf "$folder"' EXIT
ip netns add "$one"
ip netns add "$two"
ip link add eth0 netns "$one" type veth peer name eth0 netns "$two"
ip -n "$one" addr add 10.99.0.1/24 dev eth0
ip -n "$two" addr add 10.99.0.2/24 dev eth0
for host in "$one" "$two"; do
    ip -n "$host" link set lo up
    ip -n "$host" link set eth0 up
done
for host in "$one" "$two"; do
    ip netns exec "$host" tcpdump -i eth0 -U --immediate-mode -w "$folder/$host.pcap" 2>"$folder/$host.log" &
    eval "tcpdump_$((number = ${number:-0} + 1))=\$!"
done
for host in "$one" "$two"; do
    until grep -q 'listening on' "$folder/$host.log"; do sleep 0.005; done
done
ip netns exec "$one" python3 -I -S -c '
import socket
listener = socket.create_server(("", 8888))
print("ready", flush=True)
connection, _ = listener.accept()
while True:
    data = connection.recv(1024)
    if not data:
        break
    connection.sendall(data)
' >"$folder/server.log" &
server=$!
until grep -q ready "$folder/server.log"; do sleep 0.005; done
ip netns exec "$two" python3 -I -S -c '
import socket
with socket.create_connection(("10.99.0.1", 8888)) as connection:
    for message in (b"one", b"two", b"three"):
        connection.sendall(message)
        assert connection.recv(1024) == message
'
wait "$server"
kill "$tcpdump_1" "$tcpdump_2"
wait "$tcpdump_1" "$tcpdump_2" || true
tcpdump -r "$folder/$one.pcap" -n 2>/dev/null | grep -q 'Flags \[S\]'
