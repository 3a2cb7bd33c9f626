"""Which hosts capture in a large lab, and that what was not captured is never a pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import evidence, judge
from runner.capturing import MANY, capturing_hosts
from runner.checks import CHECKS
from runner.scenario import Scenario, load_text
from tests.playing import play_text

HOSTS = [f"h{number}" for number in range(1, MANY + 5)]
TALK = """
  - h1: {socket: a, type: SOCK_DGRAM}
  - h2: {socket: b, type: SOCK_DGRAM}
  - h3: {socket: c, type: SOCK_DGRAM}
  - h2: {bind: b, to: ":9000"}
  - h1: {sendto: a, data: one, to: "h2:9000"}
  - h2: {recv: b, size: 10, gives: one}
  - h3: {sendto: c, data: two, to: "h2:9000"}
  - h2: {recv: b, size: 10, gives: two}
"""


def text_of(expect: str, steps: str = TALK, hosts: str = "") -> str:
    expected = f"expect:\n{expect}" if expect else ""
    return f"name: n\nhosts: {hosts or '[' + ', '.join(HOSTS) + ']'}\nsteps:{steps}{expected}\n"


def loaded(text: str) -> Scenario:
    return load_text(text, "f.yaml", checks=CHECKS)


@pytest.mark.parametrize(
    ("expect", "captured"),
    [
        ("  - count: {flow: udp a b, is: 1}", "h1 h2"),
        ("  - count: {flow: udp h1 h3, is: 0}", "h1 h3"),
        ("  - count: {flow: udp, at: h7, is: 0}", "h7"),
        ("  - count: {flow: udp a b, is: 1}\n  - count: {flow: udp, at: h7, is: 0}", "h1 h2 h7"),
        ("  - flow: udp a b\n    packets: |\n      h1 -> h2  UDP", "h1 h2"),
        ("  - flow: udp a b\n    at: h2\n    packets: |\n      h1 -> h2  UDP", "h2"),
        ("  - flow: udp a b\n    at: h2\n    packets: |\n      h1 -x h2  UDP", "h1 h2"),
        ("  - count: {flow: udp a, is: 1}", "all"),  # with anybody
        ("  - count: {flow: udp, is: 2}", "all"),
        ("  - count: {flow: udp 239.1.2.3 a, is: 0}", "all"),  # whoever is in the group
        ("  - count: {flow: udp a b, is: 1}\n  - count: {flow: udp, is: 2}", "all"),
        ("", ""),
    ],
)
def test_those_capture_whom_expectations_name(expect: str, captured: str) -> None:
    wanted = HOSTS if captured == "all" else captured.split()
    assert list(capturing_hosts(loaded(text_of(expect)))) == wanted


def test_in_a_lab_that_is_not_large_all_do() -> None:
    hosts = HOSTS[:MANY]
    text = text_of("  - count: {flow: udp a b, is: 1}", hosts=f"[{', '.join(hosts)}]")
    assert list(capturing_hosts(loaded(text))) == hosts


@pytest.mark.parametrize(
    "step",
    [
        "  - h9: {socket: r, type: SOCK_RAW, proto: IPPROTO_ICMP}",
        "  - h9: {run: [true], as: p}",
        "  - h9: {send_packet: [{IP: {dst: h1}}, {UDP: {}}]}",
        "  - {fault: drop, from: h9, to: h1, where: UDP, as: f}",
        "  - {fault: drop, from: h1, to: h9, where: UDP, as: f}",
        "  - until: {within: 1s, steps: [{h9: {sniff_packet: UDP}}]}",
    ],
)
def test_whoever_may_speak_in_anothers_name_captures_too(step: str) -> None:
    found = capturing_hosts(loaded(text_of("  - count: {flow: udp a b, is: 1}", f"{TALK}{step}\n")))
    assert found == ("h1", "h2", "h9")


def test_routers_and_scripted_hosts_capture_too() -> None:
    hosts = (
        "{"
        + ", ".join(f"{host}: {{}}" for host in HOSTS)
        + ", gate: {router: true}, puppet: {scripted: true}}"
    )
    found = capturing_hosts(loaded(text_of("  - count: {flow: udp a b, is: 1}", hosts=hosts)))
    assert found == ("h1", "h2", "gate", "puppet")


@pytest.mark.slow
def test_what_was_not_captured_is_unknown(tmp_path: Path) -> None:
    run = play_text(text_of("  - count: {flow: udp a b, is: 1}"), tmp_path)
    seen = evidence.load(run.folder)
    assert {host for host in HOSTS if not seen.info.captures[host].missing} == {"h1", "h2"}
    assert {packet.host for packet in seen.packets} == {"h1", "h2"}

    def verdict(expect: str) -> str:
        judgement = judge.judge(seen, loaded(text_of(expect)))
        return judgement.verdict

    assert verdict("  - count: {flow: udp a b, is: 1}") == "pass"
    assert verdict('  - flow: udp a b\n    packets: |\n      h1 -> h2  UDP  "one"') == "pass"
    assert verdict("  - count: {flow: udp a b, is: 2}") == "fail"
    assert verdict("  - count: {flow: udp, at: h2, is: 2}") == "pass"  # at its own door it saw both
    for expect in (
        "{flow: udp c b, is: 1}",
        "{flow: udp, is: 2}",
        "{flow: udp b, is: 2}",
        "{flow: udp, at: h3, is: 1}",
    ):
        assert verdict(f"  - count: {expect}") == "unknown", expect
