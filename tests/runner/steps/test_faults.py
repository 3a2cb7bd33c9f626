"""Playbooks of `fault` and `heal`, and what is said about those that are wrong."""

from __future__ import annotations

import pytest

from lab.faults.corrupt import Corrupt
from lab.faults.delay import Delay
from lab.faults.drop import Drop
from lab.faults.reorder import Reorder
from runner import conditions
from runner.commands import BeginFault, EndFault, Failure, Outcome
from runner.errors import ScenarioError, Unmet
from runner.scenario import load_text
from runner.strikes import are_relative, plan
from tests.play import gave, play, scope_of, step_of

SCOPE = scope_of()
HEAD = "name: n\nhosts: [server, client, other]\nsteps:\n"


def begin(text: str) -> BeginFault:
    """The command that a step asks for."""
    command = next(step_of(text, None).perform(SCOPE))
    assert isinstance(command, BeginFault)
    return command


def mistakes(text: str) -> list[str]:
    """`line:column: message` of all mistakes of a scenario with these steps."""
    with pytest.raises(ScenarioError) as caught:
        load_text(HEAD + text, "f", checks={})
    return [f"{one.line}:{one.column}: {one.message}" for one in caught.value.mistakes]


def test_a_fault_is_asked_for_as_written() -> None:
    text = "{fault: delay, by: 10ms, from: client, to: server, where: UDP and len > 0, nth: [2, 4..5, 9..], as: late}"
    asked = begin(text)
    assert asked == BeginFault(
        "late", Delay(10_000_000), ("client",), ("server",), conditions.parse("UDP and len > 0"),
        ((2, 2), (4, 5), (9, None)), None, 0,
        "fault delay from client to server where UDP and len>0 nth 2, 4..5, 9.. by 10ms as late",
    )  # fmt: skip
    play(step_of(text, None), SCOPE, (asked, gave()))


def test_parameters_have_the_defaults_of_the_fault() -> None:
    assert begin("{fault: reorder}").fault == Reorder(past=1)
    assert begin("{fault: corrupt, mend: true, at: 7}").fault == Corrupt(at=7, mend=True)
    asked = begin("{fault: drop, probability: 25%, seed: 4}")
    assert (asked.fault, asked.probability, asked.seed) == (Drop(), 0.25, 4)


def test_what_cannot_be_begun_or_healed_fails_the_step() -> None:
    refused = Outcome(0, 1, failure=Failure("ValueError", None, "a fault loss was begun before"))
    step = step_of("{fault: drop, as: loss}", None)
    with pytest.raises(Unmet, match="begun before"):
        play(step, SCOPE, (next(step.perform(SCOPE)), refused))
    play(step_of("{heal: loss}", None), SCOPE, (EndFault("loss"), gave()))
    with pytest.raises(Unmet, match="begun before"):
        play(step_of("{heal: loss}", None), SCOPE, (EndFault("loss"), refused))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{fault: dorp}", "4:13: there is no fault 'dorp'"),
        ("{fault: drop, from: sever}", "4:25: there is no host 'sever'"),
        ("{fault: drop, to: [client, sever]}", "4:32: there is no host 'sever'"),
        ("{fault: drop, from: client, to: client}", "4:37: what a host sends to itself is on no network"),
        ("{fault: delay}", "4:13: delay needs 'by'"),
        ("{fault: drop, by: 1ms}", "4:23: drop has no parameter 'by'"),
        ("{fault: truncate, length: 13}", "4:31: length is 14 at least"),
        ("{fault: drop, nth: 0}", "4:24: frames are counted from 1"),
        ("{fault: drop, nth: 5..2}", "4:24: frames are counted from 1"),
        ("{fault: drop, nth: []}", "4:24: say which frames"),
        ("{fault: drop, nth: ''}", "4:24: frames are counted from 1"),
        ("{fault: drop, from: []}", "4:25: name one host at least"),
        ("{fault: drop, to: [client, client]}", "4:32: client is named twice"),
        ("{fault: corrupt, at: -1}", "4:26: at is 0 at least"),
        ("{fault: delay, by: 25h}", "4:24: by is 24h at most"),
        ("{fault: drop, probability: 2}", "4:32: a probability is a number from 0 to 1"),
        ("{fault: drop, probability: 0.5}", "4:32: `probability` and `seed` go together"),
        ("{fault: drop, where: UDP and after > 1ms}", "4:34: `after` is for ladders"),
        ("{fault: drop, where: DNS}", "4:26: a fault cannot see DNS: it reads frames on their way, without scapy"),
        ("{fault: drop, where: ICMP.gw = 192.0.2.1}", "4:26: a fault cannot see ICMP.gw on a frame on its way"),
        ("{fault: drop, where: ICMPv6ND_NS.type = no}", "4:26: ICMPv6ND_NS.type is a number; 'no' is none"),
        ("{fault: drop, where: ICMPv6ND_NS.tgt > fe80::1}", "4:44: ICMPv6ND_NS.tgt is no number"),
        ("{fault: drop, where: IP.src has 1}", "4:26: a fault can compare IP.src with = and != only"),
        ("{fault: drop, where: IP.dst = sever}", "4:35: there is no host 'sever'"),
        ("{fault: drop, where: IP.dst = 224.0.0.5, to: server}", "4:50: a frame to 224.0.0.5 goes to all of a group"),
        ("{heal: loss}", "4:12: there is no fault 'loss'"),
        ("{fault: drop, as: x}\n  - {fault: drop, as: x}", "5:23: 'x' is made twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(step: str, said: str) -> None:
    (found,) = mistakes(f"  - {step}\n")
    assert found.startswith(said), found


@pytest.mark.parametrize(
    ("where", "relative"),
    [("TCP", False), ("TCP.seq = 4", False), ("TCP and seq = 1", True), ("ack > 1", True)],
)
def test_relative_numbers_need_the_beginning_of_connections(where: str, relative: bool) -> None:
    loaded = load_text(f"{HEAD}  - {{fault: drop, where: {where}}}\n", "f", checks={})
    assert are_relative(loaded.steps) is relative


def test_only_hosts_that_a_fault_may_strike_are_made_ready() -> None:
    text = """  - {fault: drop, from: client, where: UDP}
  - until: {within: 1s, steps: [{fault: drop, from: server, where: TCP.flags = S}]}
finally:
  - {fault: delay, by: 1ms, from: client, where: ARP}
"""
    loaded = load_text(
        HEAD + text.replace("until: {within", "{until: {within").replace("]}\n", "]}}\n"), "f", checks={}
    )
    assert plan([*loaded.steps, *loaded.finally_], ("server", "client", "other")) == {
        "server": [[0x0800, 6], [0x86DD, 6]],
        "client": [[0x0800, 17], [0x86DD, 17], [0x0806, -1]],
    }
    cut = load_text(HEAD + "  - {fault: partition, from: client, to: other}\n", "f", checks={})
    assert set(plan(cut.steps, ("server", "client", "other"))) == {"client", "other"}


def test_a_host_may_be_called_like_an_address_begins() -> None:
    text = HEAD.replace("server", "ffserver") + "  - {fault: drop, to: ffserver, where: IP.dst = ffserver}\n"
    assert load_text(text, "f", checks={}).steps
