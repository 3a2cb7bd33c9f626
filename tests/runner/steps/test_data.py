"""Playbooks of the steps that send and receive."""

from __future__ import annotations

import pytest

from runner.commands import Call, Constant, Kept, Packed
from runner.errors import Unmet
from tests.play import gave, play, raised, scope_of, socket, step_of

SCOPE = scope_of(socket("c"), socket("u", kind="SOCK_DGRAM"), socket("x", family="AF_UNIX"))


def test_send_gives_how_many() -> None:
    asked = Call("client", "send", (b"hello",), on="c")
    assert play(step_of("{send: c, data: hello, gives: 5}"), SCOPE, (asked, gave(5))) == 5
    assert play(step_of("{send: c, data: hello, gives: 1..5}"), SCOPE, (asked, gave(3))) == 3
    with pytest.raises(Unmet, match="expected 5, and it gave 3"):
        play(step_of("{send: c, data: hello, gives: 5}"), SCOPE, (asked, gave(3)))


def test_flags_stand_where_python_wants_them() -> None:
    flags = Constant("MSG_OOB|MSG_DONTWAIT")
    step = step_of("{send: c, data: x, flags: MSG_OOB|MSG_DONTWAIT}")
    play(step, SCOPE, (Call("client", "send", (b"x", flags), on="c"), gave(1)))
    step = step_of("{sendall: c, data: x, flags: MSG_OOB|MSG_DONTWAIT}")
    play(step, SCOPE, (Call("client", "sendall", (b"x", flags), on="c"), gave()))
    step = step_of('{sendto: u, data: x, to: "server:9", flags: MSG_OOB|MSG_DONTWAIT}')
    play(step, SCOPE, (Call("client", "sendto", (b"x", flags, ("192.0.2.1", 9)), on="u"), gave(1)))


@pytest.mark.parametrize(
    ("written", "data"),
    [("[a, b]", ["a", "b"]), ("{a: 1}", {"a": "1"}), ("no", b"no"), ("{hex: 00ff}", b"\x00\xff")],
)
def test_what_python_refuses_to_send_is_passed_on_where_raises_is_said(written: str, data: object) -> None:
    step = step_of(f"{{send: c, data: {written}, raises: TypeError}}")
    play(step, SCOPE, (Call("client", "send", (data,), on="c"), raised("TypeError")))


def test_recv_compares_bytes() -> None:
    asked = Call("client", "recv", (1024,), on="c")
    assert (
        play(step_of("{recv: c, size: 1024, gives: hello lab}"), SCOPE, (asked, gave(b"hello lab")))
        == b"hello lab"
    )
    play(step_of('{recv: c, size: 1024, gives: ""}'), SCOPE, (asked, gave(b"")))
    play(step_of("{recv: c, size: 1024, gives: {has: lab}}"), SCOPE, (asked, gave(b"hello lab")))
    play(step_of("{recv: c, size: 1024, gives: {length: 9}}"), SCOPE, (asked, gave(b"hello lab")))
    with pytest.raises(Unmet, match='expected "hello", and it gave "HELLO"'):
        play(step_of("{recv: c, size: 1024, gives: hello}"), SCOPE, (asked, gave(b"HELLO")))
    with pytest.raises(Unmet, match='expected "hello", and it raised ECONNRESET'):
        play(
            step_of("{recv: c, size: 1024, gives: hello}"),
            SCOPE,
            (asked, raised("ConnectionResetError", "ECONNRESET")),
        )


def test_recvfrom_has_parts() -> None:
    step = step_of("{recvfrom: u, size: 9, flags: MSG_PEEK, gives: {data: hi, from: server}}")
    asked = Call("client", "recvfrom", (9, Constant("MSG_PEEK")), on="u")
    value = play(step, SCOPE, (asked, gave([b"hi", ["192.0.2.1", 9]])))
    assert value == {"data": b"hi", "from": ["192.0.2.1", 9]}
    with pytest.raises(Unmet, match="expected from to be server, and it was 192.0.2.7:9"):
        play(step, SCOPE, (asked, gave([b"hi", ["192.0.2.7", 9]])))
    bare = step_of("{recvfrom: u, size: 9, gives: hi}")
    with pytest.raises(Unmet, match='expected data to be "hi", and it was "ho"'):
        play(bare, SCOPE, (Call("client", "recvfrom", (9,), on="u"), gave([b"ho", ["192.0.2.1", 9]])))


def test_recv_into_makes_a_buffer_in_the_host() -> None:
    value = play(
        step_of("{recv_into: c, size: 8, gives: abc}"),
        SCOPE,
        (Call("client", "bytearray", (8,), makes="c.buffer1"), gave({"object": "c.buffer1"})),
        (Call("client", "recv_into", (Kept("c.buffer1"), 8), on="c"), gave(3)),
        (Call("client", "bytes", (Kept("c.buffer1"),)), gave(b"abc\0\0\0\0\0")),
    )
    assert value == b"abc"


def test_recv_into_that_fails_does_not_look_at_the_buffer() -> None:
    play(
        step_of("{recv_into: c, size: 8, raises: ECONNRESET}"),
        SCOPE,
        (Call("client", "bytearray", (8,), makes="c.buffer1"), gave({"object": "c.buffer1"})),
        (
            Call("client", "recv_into", (Kept("c.buffer1"), 8), on="c"),
            raised("ConnectionResetError", "ECONNRESET"),
        ),
    )


def test_recv_into_cannot_be_left_pending() -> None:
    (wrong,) = step_of("{recv_into: c, size: 8, blocks: true}").wrong()
    assert wrong.path == ("blocks",)


def test_sendmsg_hands_over_descriptors() -> None:
    step = step_of("{sendmsg: x, data: [a, bc], ancdata: [{fds: [7, 8]}], gives: 3}")
    rights = (Constant("SOL_SOCKET"), Constant("SCM_RIGHTS"), Packed("2i", (7, 8)))
    play(step, SCOPE, (Call("client", "sendmsg", ((b"a", b"bc"), (rights,)), on="x"), gave(3)))


def test_recvmsg_tells_what_the_kernel_says() -> None:
    step = step_of("{recvmsg: u, size: 4, gives: {data: abcd, flags: MSG_TRUNC, ancdata: 0}}")
    asked = Call("client", "recvmsg", (4,), on="u")
    play(step, SCOPE, (asked, gave([b"abcd", [], 0x20, ["192.0.2.1", 9]])))
    with pytest.raises(Unmet, match="expected flags to be 32, and it was 0"):
        play(step, SCOPE, (asked, gave([b"abcd", [], 0, ["192.0.2.1", 9]])))


def test_the_step_for_people() -> None:
    assert step_of("{sendall: c, data: hello lab}").text() == 'sendall c data "hello lab"'
    assert step_of("{send: c, data: {repeat: ab, times: 4000}}").text().endswith("(8,000 bytes)")
    assert step_of("{recv: c, size: 9, as: answer, blocks: true}").text() == "recv c size 9 as answer"
