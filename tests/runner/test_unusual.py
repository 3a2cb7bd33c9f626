"""Which scenarios need a network without rules of its own."""

from __future__ import annotations

import pytest

from runner.checks import CHECKS
from runner.scenario import load_text

HEAD = "name: n\nhosts: [a, b]\n"


def unusual(steps: str, more: str = "") -> bool:
    text = f"{HEAD}{more}steps:\n  - a: {{socket: s, type: SOCK_DGRAM}}\n  - {steps}\n"
    return load_text(text, "f.yaml", checks=CHECKS).topology.unusual


@pytest.mark.parametrize(
    "step",
    [
        "a: {send_packet: [{IP: {src: 192.0.2.7, dst: b}}, {UDP: {}}]}",
        "a: {setsockopt: s, option: IP_ADD_MEMBERSHIP, value: {group: 239.1.2.3, interface: lab}}",
        'a: {sendto: s, data: x, to: "224.0.0.9:520"}',
        'a: {sendto: s, data: x, to: "255.255.255.255:520"}',
        'repeat: {for: {i: 1..2}, steps: [{a: {sendto: s, data: x, to: "239.1.2.3:9"}}]}',
        "{fault: drop, from: a, to: b, where: IP.frag = 185, as: f}",
        "{fault: truncate, from: a, to: b, length: 20, as: f}",
        "a: {socket: p, family: AF_PACKET, type: SOCK_RAW}",
    ],
)
def test_what_says_so_itself(step: str) -> None:
    assert unusual(step)


@pytest.mark.parametrize(
    "step",
    [
        'a: {sendto: s, data: "1.2.3.4", to: "b:9"}',
        'a: {sendto: s, data: x, to: "$b.broadcast:9"}',
        "{fault: drop, from: a, to: b, where: UDP, nth: 1, as: f}",
        "a: {socket: r, type: SOCK_RAW, proto: IPPROTO_ICMP}",
    ],
)
def test_what_any_network_passes(step: str) -> None:
    assert not unusual(step)


@pytest.mark.parametrize("one", ["forged-source", "multicast", "broadcast", "fragments"])
def test_what_programs_send_is_said_with_requires(one: str) -> None:
    plain = 'a: {sendto: s, data: x, to: "b:9"}'
    assert unusual(plain, f"requires: [{one}]\n") and not unusual(plain, "requires: [program sh]\n")
