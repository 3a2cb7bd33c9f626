"""Playbooks of the steps that set and read socket options."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from runner.commands import Call, Constant, InterfaceIndex, Packed
from runner.errors import Unmet
from runner.reading import read_text
from runner.steps.structs import TCP_INFO_PARTS
from tests.play import gave, play, scope_of, socket, step_of, try_step

SCOPE = scope_of(socket("c"))


@pytest.mark.parametrize(
    ("option", "level", "written", "value"),
    [
        ("SO_REUSEADDR", "SOL_SOCKET", "1", 1),
        ("TCP_NODELAY", "IPPROTO_TCP", "0x1", 1),
        ("IP_MTU_DISCOVER", "IPPROTO_IP", "IP_PMTUDISC_DO", Constant("IP_PMTUDISC_DO")),
        ("SO_LINGER", "SOL_SOCKET", "{onoff: 1, linger: 0}", Packed("ii", (1, 0))),
        ("SO_LINGER", "SOL_SOCKET", "{hex: 0100000000000000}", b"\1\0\0\0\0\0\0\0"),
        ("SO_RCVTIMEO", "SOL_SOCKET", "1.5s", Packed("ll", (1, 500_000))),
        ("SO_BINDTODEVICE", "SOL_SOCKET", "eth0", b"eth0"),
        (
            "IP_ADD_MEMBERSHIP",
            "IPPROTO_IP",
            "{group: 239.1.2.3, interface: lab}",
            Packed("4s4si", (b"\xef\1\2\3", bytes(4), InterfaceIndex("eth0"))),
        ),
        (
            "IP_DROP_MEMBERSHIP",
            "IPPROTO_IP",
            "{group: 239.1.2.3, address: 192.0.2.2}",
            Packed("4s4si", (b"\xef\1\2\3", b"\xc0\0\2\2", 0)),
        ),
        (
            "IP_MULTICAST_IF",
            "IPPROTO_IP",
            "{interface: eth1}",
            Packed("4s4si", (bytes(4), bytes(4), InterfaceIndex("eth1"))),
        ),
        ("IPV6_MULTICAST_IF", "IPPROTO_IPV6", "{interface: lab}", InterfaceIndex("eth0")),
        (
            "IPV6_JOIN_GROUP",
            "IPPROTO_IPV6",
            '{group: "ff02::7", interface: lab}',
            Packed("16sI", (b"\xff\2" + bytes(13) + b"\7", InterfaceIndex("eth0"))),
        ),
    ],
)
def test_the_level_follows_from_the_option_and_structs_from_their_parts(
    option: str, level: str, written: str, value: Any
) -> None:
    step = step_of(f"{{setsockopt: c, option: {option}, value: {written}}}")
    play(
        step,
        SCOPE,
        (Call("client", "setsockopt", (Constant(level), Constant(option), value), on="c"), gave()),
    )


def mistake_of(text: str) -> str:
    """The mistake of a step that only its keys together show."""
    document = read_text(text, "f")
    step = try_step(document)
    assert step is not None, document.mistakes
    (wrong,) = step.wrong()
    return f"{'.'.join(map(str, wrong.path))}: {wrong.message}"


def test_values_that_their_option_does_not_take() -> None:
    assert "value: " in mistake_of("{setsockopt: c, option: SO_RCVTIMEO, value: 5}")
    assert "unit" in mistake_of("{setsockopt: c, option: SO_RCVTIMEO, value: 5}")
    assert "linger is missing" in mistake_of("{setsockopt: c, option: SO_LINGER, value: {onoff: 1}}")
    assert "value.group: " in mistake_of(
        "{setsockopt: c, option: IP_ADD_MEMBERSHIP, value: {group: 239.1.2}}"
    )
    assert "needs a key 'level'" in mistake_of("{setsockopt: c, option: 41, value: 1}")
    assert "gives: " in mistake_of("{getsockopt: c, option: SO_RCVTIMEO, gives: 5}")


def test_an_option_by_number_has_its_level_beside_it() -> None:
    step = step_of("{setsockopt: c, option: 41, level: SOL_SOCKET, value: 1}")
    play(step, SCOPE, (Call("client", "setsockopt", (Constant("SOL_SOCKET"), 41, 1), on="c"), gave()))


def asked(option: str, level: str, *length: int) -> Call:
    return Call("client", "getsockopt", (Constant(level), Constant(option), *length), on="c")


def test_numbers_constants_and_errnos_that_are_read() -> None:
    play(
        step_of("{getsockopt: c, option: SO_RCVBUF, gives: 4096..}"),
        SCOPE,
        (asked("SO_RCVBUF", "SOL_SOCKET"), gave(8192)),
    )
    play(
        step_of("{getsockopt: c, option: SO_TYPE, gives: SOCK_DGRAM}"),
        SCOPE,
        (asked("SO_TYPE", "SOL_SOCKET"), gave(2)),
    )
    play(
        step_of("{getsockopt: c, option: SO_ERROR, gives: ECONNREFUSED}"),
        SCOPE,
        (asked("SO_ERROR", "SOL_SOCKET"), gave(111)),
    )
    with pytest.raises(Unmet, match="expected 0, and it gave 111"):
        play(
            step_of("{getsockopt: c, option: SO_ERROR, gives: 0}"),
            SCOPE,
            (asked("SO_ERROR", "SOL_SOCKET"), gave(111)),
        )


def test_structs_texts_and_durations_that_are_read() -> None:
    step = step_of("{getsockopt: c, option: SO_LINGER, gives: {onoff: 1, linger: 5}}")
    call = asked("SO_LINGER", "SOL_SOCKET", 8)
    assert play(step, SCOPE, (call, gave(struct.pack("ii", 1, 5)))) == {"onoff": 1, "linger": 5}
    with pytest.raises(Unmet, match="expected linger to be 5, and it was 6"):
        play(step, SCOPE, (call, gave(struct.pack("ii", 1, 6))))
    step = step_of("{getsockopt: c, option: SO_SNDTIMEO, gives: 1.5s}")
    play(step, SCOPE, (asked("SO_SNDTIMEO", "SOL_SOCKET", 16), gave(struct.pack("ll", 1, 500_000))))
    step = step_of("{getsockopt: c, option: TCP_CONGESTION, gives: reno}")
    play(step, SCOPE, (asked("TCP_CONGESTION", "IPPROTO_TCP", 16), gave(b"reno".ljust(16, b"\0"))))
    step = step_of("{getsockopt: c, option: SO_PEERCRED, buflen: 2, gives: {hex: 0102}}")
    play(step, SCOPE, (asked("SO_PEERCRED", "SOL_SOCKET", 2), gave(b"\1\2")))


def test_tcp_info_is_told_by_its_parts() -> None:
    names = TCP_INFO_PARTS.split()
    numbers = list(range(len(names)))
    data = struct.pack("8B24I", *numbers)
    assert len(data) == 104  # what the kernel has had since 2.6
    step = step_of(
        f"{{getsockopt: c, option: TCP_INFO, as: info, gives: {{snd_cwnd: {names.index('snd_cwnd')}}}}}"
    )
    value = play(step, SCOPE, (asked("TCP_INFO", "IPPROTO_TCP", 104), gave(data)))
    assert value == dict(zip(names, numbers, strict=True))
