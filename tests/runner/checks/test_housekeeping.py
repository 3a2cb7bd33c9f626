"""What hosts say by themselves for IPv6 is no packet of `icmp` and `any`, unless a step made it or a check names it."""

from __future__ import annotations

from pathlib import Path

from runner import evidence, flows
from runner.drafting import draft
from runner.report import timeline
from tests.playing import play_text

ASKED = """\
name: who asks for a neighbour
hosts: {server: {}, mallory: {scripted: true}}
steps:
  - mallory: {send_packet: [{IPv6: {dst: "ff02::1:ff00:1", hlim: 255}}, {ICMPv6ND_NS: {tgt: server}},
      {ICMPv6NDOptSrcLLAddr: {lladdr: mallory}}]}
  - mallory: {sniff_packet: ICMPv6ND_NA}
  - mallory: {send_packet: [{IPv6: {dst: "ff02::1", hlim: 255}}, {ICMPv6ND_RA: {}}]}
  - server: {sniff_packet: ICMPv6ND_RA}
expect:
  - count: {flow: icmp, is: 2}
  - count: {flow: any, where: ICMPv6ND_NS, is: 1}
  - count: {flow: icmp, where: ICMPv6ND_NA, is: 1}
  - count: {flow: any, where: ICMPv6ND_NA.tgt = server, is: 1}
  - count: {flow: any, where: Ether.src = server, is: 0}
  - count: {flow: icmp server, where: ICMPv6NDOptDstLLAddr, is: 1}
  - flow: icmp
    packets: |
      mallory -> ff02::1:ff00:1  neighbor-solicitation
      server  -> mallory           neighbor-advertisement
      mallory -> ff02::1         router-advertisement
  - flow: any
    packets: |
      mallory -> ff02::1:ff00:1  ICMPv6ND_NS.tgt=server
      mallory -> ff02::1         ICMPv6ND_RA.type=134
"""


def test_what_a_step_made_and_what_a_check_names_counts(tmp_path: Path) -> None:
    played = play_text(ASKED, tmp_path)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)
    seen = evidence.load(played.folder)
    shown = [
        one.transmission.sent.header.type
        for one in timeline.of(seen).moments
        if isinstance(one, timeline.Sent)
    ]
    assert 134 in shown
    assert 143 not in shown  # the kernel's own reports, of the server
    assert draft([seen]) == []  # nobody drafts what is housekeeping alone


DRAFTED = """\
name: a ping, and what is drafted of it
hosts: {server: {}, mallory: {scripted: true}}
steps:
  - mallory: {send_packet: [{IPv6: {dst: server}}, {ICMPv6EchoRequest: {id: 1}}]}
  - mallory: {sniff_packet: ICMPv6EchoReply}
  - mallory: {send_packet: [{IPv6: {dst: server, hlim: 255}}, {ICMPv6ND_RA: {}}]}
  - server: {sniff_packet: ICMPv6ND_RA}
"""


def test_a_draft_has_what_its_flow_has(tmp_path: Path) -> None:
    seen = evidence.load(play_text(DRAFTED, tmp_path).folder)
    (drafted,) = draft([seen])
    words = [line.split()[3] for line in drafted.lines]
    assert words == ["echo-request", "echo-reply", "router-advertisement"]


PINGED = """\
name: a ping beside it
hosts: {server: {}, mallory: {scripted: true}}
steps:
  - mallory: {send_packet: [{IPv6: {dst: server}}, {ICMPv6EchoRequest: {id: 1}}]}
  - mallory: {sniff_packet: ICMPv6EchoReply}
expect:
  - count: {flow: icmp, is: 2}
  - count: {flow: any, is: 2}
  - flow: any
    packets: |
      mallory -> server  ICMPv6
      mallory <- server  ICMPv6
"""


def test_what_only_kernels_said_does_not(tmp_path: Path) -> None:
    """Each host asks who the other is: `ICMPv6` in a line names no message, so that needs none."""
    played = play_text(PINGED, tmp_path)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)
    packets = evidence.load(played.folder)
    assert len(flows.select(packets, flows.parse("ip"))) > 2
