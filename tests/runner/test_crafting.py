"""Packets as they are written: what the lab fills in, what is refused, what depends on a packet that was taken."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.all import IP, Ether, ICMPv6NDOptSrcLLAddr, IPerror, IPerror6, IPv6, conf

from runner import dissect, evidence
from runner.crafting import read_layers
from runner.dissect import BuiltLayer, LeftOutError, build_problem, built, machine_fields
from runner.errors import Misplaced, ScenarioError, Unmet
from runner.layers import is_open
from runner.model import Surroundings
from runner.names import unfilled
from runner.reading import read_text, value_of
from runner.scenario import load_text
from runner.values import read_bytes
from tests.play import scope_of, step_of, try_step
from tests.playing import play_text

SCOPE = scope_of()


def data_of(layers: str) -> bytes:
    """What `client` sends for these layers."""
    asked: Any = next(step_of(f"{{send_packet: {layers}}}").perform(SCOPE))
    assert isinstance(asked.data, bytes)
    return asked.data


def refused(layers: str) -> str:
    """What is wrong with layers when the scenario is read."""
    document = read_text(f"{{send_packet: {layers}}}", "step")
    assert try_step(document) is None
    return document.mistakes[0].message


# --- nothing of the machine ------------------------------------------------------------------------


def test_a_quoted_packet_was_sent_by_whom_the_error_goes_to() -> None:
    quoted = "{ICMP: {type: dest-unreach, code: 3}}, {IPerror: {}}, {UDPerror: {sport: 5, dport: 6}}"
    with_dst = quoted.replace("IPerror: {}", "IPerror: {dst: 203.0.113.1}")
    seen = IP(data_of(f"[{{IP: {{dst: server}}}}, {quoted}]"))[IPerror]
    assert (seen.src, seen.dst) == ("192.0.2.1", "192.0.2.2")
    seen = IP(data_of(f"[{{IP: {{dst: server, src: 198.51.100.9}}}}, {with_dst}]"))[IPerror]
    assert (seen.src, seen.dst) == ("192.0.2.1", "203.0.113.1")


def test_version_6_quotes_in_the_same_way() -> None:
    layers = "[{IPv6: {dst: server}}, {ICMPv6DestUnreach: {code: 4}}, {IPerror6: {}}, {UDPerror: {}}]"
    seen = IPv6(data_of(layers))[IPerror6]
    assert (seen.src, seen.dst) == ("2001:db8::1", "2001:db8::2")


def test_whose_packet_is_quoted_must_be_said_where_nothing_tells() -> None:
    with pytest.raises(Unmet, match="say IPerror.src"):
        data_of("[{IPv6: {dst: server}}, {ICMPv6DestUnreach: {}}, {IPerror: {dst: client}}]")


@pytest.mark.parametrize(
    ("layers", "layer", "field", "expected"),
    [
        ("[{IP: {dst: server}}, {UDP: {}}, {HSRP: {}}, {HSRPmd5: {}}]", "HSRPmd5", "sourceip", "192.0.2.2"),
        ("[{IP: {dst: server, src: 192.0.2.9}}, {UDP: {}}, {HSRP: {}}, {HSRPmd5: {}}]",
         "HSRPmd5", "sourceip", "192.0.2.9"),
        ("[{IPv6: {dst: server}}, {ICMPv6ND_RS: {}}, {ICMPv6NDOptSrcLLAddr: {}}]",
         "ICMPv6NDOptSrcLLAddr", "lladdr", "02:00:00:00:00:02"),
    ],
)  # fmt: skip
def test_other_addresses_of_the_sender_are_the_hosts(
    layers: str, layer: str, field: str, expected: str
) -> None:
    data = data_of(layers)
    if layer == "HSRPmd5":
        assert bytes(map(int, expected.split("."))) in data[28:]
    else:
        assert getattr(IPv6(data)[ICMPv6NDOptSrcLLAddr], field) == expected


def test_an_ipv46_layer_has_the_hosts_address() -> None:
    frame = Ether(data_of("[{Ether: {dst: server}}, {IPv46: {dst: server}}, {UDP: {}}]"))
    assert frame[IP].src == "192.0.2.2"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("hwtype: 6", "020000000002" + "c0000202"),
        ("ptype: 0x86dd, plen: 16", "020000000002" + "20010db8000000000000000000000002"),
    ],
)
def test_arp_for_others_has_the_hosts_addresses_in_their_form(fields: str, expected: str) -> None:
    assert data_of(f"[{{ARP: {{{fields}}}}}]")[22:].hex().startswith(expected)
    with pytest.raises(Unmet, match=r"say ARP\.psrc"):
        data_of("[{ARP: {ptype: 0x1234, plen: 2}}]")


def test_layers_in_fields_are_filled_too() -> None:
    layers = (
        "[{IPv6: {dst: server}}, {ICMPv6ND_Redirect: {tgt: server, dst: server}}, "
        "{ICMPv6NDOptRedirectedHdr: {pkt: {IPv6: {dst: server}}}}]"
    )
    assert data_of(layers).endswith(bytes(IPv6(src="2001:db8::2", dst="2001:db8::1")))


@pytest.fixture
def trapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Whoever asks scapy's routes or interfaces of the machine is noted."""
    asked: list[str] = []

    class Trap:
        def route(self, *of: Any, **more: Any) -> tuple[str, str, str]:
            asked.append("route")
            return "lo", "198.18.0.1", "0.0.0.0"

    monkeypatch.setattr(conf, "route", Trap())
    monkeypatch.setattr(conf, "route6", Trap())
    yield asked


def test_no_layer_of_scapys_takes_anything_from_the_machine(trapped: list[str]) -> None:
    bytes(IP(dst="192.0.2.1"))
    assert trapped, "the trap works"
    trapped.clear()
    refusing = []
    for name in dissect.layers():
        try:
            built([BuiltLayer(name, {})])
        except LeftOutError:
            refusing.append(name)
        except Exception:  # many layers cannot be built from nothing
            continue
        assert not trapped, f"{name} asks the machine"
    assert {"IP", "IPv6", "IPerror", "IPerror6", "HSRPmd5", "Ether", "ARP"} <= set(refusing)
    assert machine_fields("ARP") == {"hwsrc": "mac", "psrc": "ip4"}


def test_a_layer_in_a_field_is_looked_at_too(trapped: list[str]) -> None:
    inside = BuiltLayer("ICMPv6NDOptRedirectedHdr", {"pkt": BuiltLayer("IPv6", {"dst": "::1"})})
    assert build_problem([inside]) == "src of IPv6 must be said: the lab does not know it"
    assert not trapped


def test_bytes_without_a_lab_must_say_the_quoted_addresses() -> None:
    with pytest.raises(Misplaced, match="in steps only"):
        read_bytes({"packet": [{"IPerror": {"dst": "192.0.2.1"}}]}, Surroundings())


# --- what does not fit -----------------------------------------------------------------------------

MANY = ", ".join(["[Timestamp, 1, 2]"] * 5)
ROUTERS = ", ".join(["192.0.2.1"] * 11)
TOO_LONG = "{repeat: x, times: 200}"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("{TCP: {options: [[SACKOK]]}}", "TCP has no option 'SACKOK'"),
        ("{TCP: {options: [[MSX, 1]]}}", "TCP has no option 'MSX'"),
        ("{TCP: {options: [[MSS]]}}", "MSS holds a number, and here are 0"),
        ("{TCP: {options: [[MSS, abc]]}}", "a whole number for MSS"),
        ("{TCP: {options: [[MSS, 65536]]}}", "MSS has 16 bits"),
        ("{TCP: {options: [[Timestamp, 1]]}}", "Timestamp holds 2 numbers, and here are 1"),
        ("{TCP: {options: [[SAck]]}}", "SAck holds the two edges of each block, and here are 0"),
        ("{TCP: {options: [[NOP, 1]]}}", "NOP holds nothing"),
        ("{TCP: {options: [[MD5, short]]}}", "MD5 holds 16 bytes, and these are 5"),
        ("{TCP: {options: [[256, x]]}}", "an option has 8 bits"),
        ("{TCP: {options: [[253, 1]]}}", "option 253 holds bytes"),
        ("{TCP: {options: [[253, a, b]]}}", "option 253 holds bytes"),
        (f"{{TCP: {{options: [{MANY}]}}}}", "the options of TCP have at most 40 bytes, and these are 52"),
        ("{TCP: {flags: 0x202}}", "flags has 9 bits"),
        (f"{{IP: {{dst: server, options: [{{IPOption_RR: {{routers: [{ROUTERS}]}}}}]}}}}",
         "the options of IP have at most 40 bytes, and these are 48"),
        ("{IP: {dst: server, flags: 8}}", "flags has 3 bits"),
        ("{IP: {dst: server, flags: -1}}", "flags has 3 bits"),
        ("{VXLAN: {vni: 0x1000000}}", "vni has 24 bits"),
        (f"{{BOOTP: {{sname: {TOO_LONG}}}}}", "sname has 64 bytes, and these are 200"),
        (f"{{BOOTP: {{file: {TOO_LONG}}}}}", "file has 128 bytes, and these are 200"),
        (f"{{BOOTP: {{chaddr: {TOO_LONG}}}}}", "chaddr has 16 bytes, and these are 200"),
    ],
)  # fmt: skip
def test_what_scapy_would_cut_is_refused(layer: str, message: str) -> None:
    assert refused(f"[{{Ether: {{dst: server}}}}, {layer}]").startswith(message)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("{ICMP: {type: echo-request, gw: server}}", "ICMP has no gw here"),
        ("{GRE: {key: 5}}", "GRE has no key here"),
        ("{UDP: {}}, {DNS: {length: 5}}", "DNS has no length here"),
    ],
)
def test_a_field_that_would_not_be_sent_is_refused(layers: str, message: str) -> None:
    assert refused(f"[{{IP: {{dst: server}}}}, {layers}]").startswith(message)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("{ICMP: {type: redirect, gw: server}}", "c0000201"),
        ("{GRE: {key_present: 1, key: 5}}", "00000005"),
        ("{TCP: {}}, {DNS: {length: 5, qd: []}}", "0005" + "0000" + "0100" + "00" * 8),
    ],
)
def test_a_field_that_is_there_on_a_condition_is_sent(layers: str, expected: str) -> None:
    assert data_of(f"[{{IP: {{dst: server}}}}, {layers}]").hex().endswith(expected)


def test_a_label_of_the_dns_has_room_for_63_bytes() -> None:
    layers = "[{IP: {dst: server}}, {UDP: {}}, {DNS: {qd: [{DNSQR: {qname: NAME}}]}}]"
    assert refused(layers.replace("NAME", "y" * 64 + ".a")).startswith(
        "a label of qname has at most 63 bytes"
    )
    assert b"\x3f" + b"y" * 63 + b"\x01a\0" in data_of(layers.replace("NAME", "y" * 63 + ".a"))


def test_a_refused_option_is_told_at_its_place_with_what_was_meant() -> None:
    text = "{send_packet: [{IP: {dst: server}}, {TCP: {options: [[NOP], [SACKOK]]}}]}"
    document = read_text(text, "step")
    assert try_step(document) is None
    (mistake,) = document.mistakes
    assert (mistake.column - 1, mistake.suggestion) == (text.index("SACKOK"), "SAckOK")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("[[SAckOK], [NOP], [EOL]]", "04020100"),
        ('[[SAckOK, ""]]', "04020000"),
        ("[[SAck, 1, 0xffffffff]]", "050a00000001ffffffff0000"),
        ("[[MSS, {hex: 05}]]", "02030500"),
        ("[[253, {hex: aa}], [1]]", "fd03aa01"),
        ("[[TFO, 1, 2]]", "220a00000001000000020000"),
        ("[[UTO, {hex: ''}], [AO, {hex: '0102'}]]", "1c021d040102" + "0000"),
    ],
)
def test_options_may_be_odd_where_they_say_so(options: str, expected: str) -> None:
    data = data_of(f"[{{IP: {{dst: server}}}}, {{TCP: {{options: {options}}}}}]")
    assert data[40:].hex() == expected
    assert data[20 + 12] >> 4 == 5 + len(data[40:]) // 4


def test_a_length_that_is_said_may_be_wrong() -> None:
    data = data_of(f"[{{IP: {{dst: server}}}}, {{TCP: {{dataofs: 15, options: [{MANY}]}}}}]")
    assert data[20 + 12] >> 4 == 15 and len(data) == 40 + 52


def test_shorter_bytes_are_padded_and_a_mac_may_be_written_as_such() -> None:
    boot = "{BOOTP: {sname: host, chaddr: '02:00:00:00:00:09'}}"
    data = data_of(f"[{{IP: {{dst: server}}}}, {{UDP: {{}}}}, {boot}]")
    assert data[28 + 28 : 28 + 44].hex() == "020000000009" + "00" * 10
    assert data[28 + 44 : 28 + 108] == b"host".ljust(64, b"\0")


@pytest.mark.parametrize("written", ["1.5", "true", "null", "''", "abc"])
def test_a_number_is_wanted_in_our_words(written: str) -> None:
    assert refused(f"[{{IP: {{dst: server}}}}, {{TCP: {{seq: {written}}}}}]").startswith(
        "a whole number for seq is wanted here"
    )


def test_words_of_a_field_with_meanings_of_its_own_are_known() -> None:
    assert refused("[{IP: {dst: server}}, {ICMP: {code: nonsense}}]") == "'nonsense' is no value of code"
    data = data_of("[{IP: {dst: server}}, {ICMP: {type: dest-unreach, code: port-unreachable}}]")
    assert data[20:22] == b"\x03\x03"


def test_an_empty_list_is_said_to_be_empty() -> None:
    assert refused("[]").endswith("is wanted here, and this one is empty")


# --- lists, and fields whose form depends on others --------------------------------------------------

SERVER6 = "20010db8000000000000000000000001"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("type: A, rdata: server", "0004c0000201"),
        ("type: AAAA, rdata: server", "0010" + SERVER6),
        ("rdata: '2001:db8::1', type: 28", "0010" + SERVER6),
        ("type: CNAME, rdata: x.y", "00050178017900"),
        ("type: TXT, rdata: hello", "00060568656c6c6f"),
        ("type: TXT, rdata: [hello, {hex: ff}, 5]", "000a0568656c6c6f01ff0135"),
        ("type: 99, rdata: {hex: aabb}", "0002aabb"),
    ],
)
def test_a_resource_record_holds_what_its_type_says(record: str, expected: str) -> None:
    data = data_of(f"[{{IP: {{dst: server}}}}, {{UDP: {{}}}}, {{DNS: {{an: [{{DNSRR: {{{record}}}}}]}}}}]")
    assert data.hex().endswith("00000000" + expected)


def test_a_mistake_in_a_resource_record_is_of_its_type() -> None:
    record = "{DNS: {an: [{DNSRR: {type: AAAA, rdata: 192.0.2.1}}]}}"
    message = refused(f"[{{IP: {{dst: server}}}}, {{UDP: {{}}}}, {record}]")
    assert message == "an IPv6 address or the name of a host is wanted here"


def test_a_type_that_is_not_known_yet_leaves_the_record_open() -> None:
    record = {"DNSRR": {"type": "$x.DNSQR.qtype", "rdata": "server"}}
    (found,) = read_layers(unfilled([record]), Surroundings(hosts=("server",)))
    assert is_open(found.fields["rdata"])


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("{IPv6ExtHdrRouting: {addresses: [server]}}", "3b02000100000000" + SERVER6),
        ("{IPv6ExtHdrSegmentRouting: {addresses: [server]}}", "3b02040000000000" + SERVER6),
        ("{ICMPv6ND_RA: {}}, {ICMPv6NDOptRDNSS: {lifetime: 1, dns: [server]}}", "1903000000000001" + SERVER6),
        ("{ICMPv6ND_RA: {}}, {ICMPv6NDOptDNSSL: {lifetime: 1, searchlist: [a.b, c]}}",
         "1f02000000000001" + "0161016200016300"),
        ("{ICMPv6MLReport2: {records: [{ICMPv6MLDMultAddrRec: {dst: 'ff0e::1', sources: [server]}}]}}",
         "04000001ff0e0000000000000000000000000001" + SERVER6),
        ("{UDP: {dport: 547}}, {DHCP6_Solicit: {}}, {DHCP6OptClientId: {duid: {DUID_LL: {lladdr: client}}}}",
         "0001000a00030001020000000002"),
        ("{UDP: {dport: 547}}, {DHCP6_Solicit: {}}, {DHCP6OptOptReq: {reqopts: [23, 24]}}", "0006000400170018"),
    ],
)  # fmt: skip
def test_lists_of_addresses_and_of_names(layers: str, expected: str) -> None:
    assert data_of(f"[{{IPv6: {{dst: server}}}}, {layers}]").hex().endswith(expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("[[message-type, discover], end]", "350101ff"),
        ("[[message-type, 5], [router, server, 192.0.2.9], pad]", "350105" + "0308c0000201c0000209" + "00"),
        ("[[param_req_list, [1, 3]], [param_req_list, 6]]", "37020103" + "370106"),
        ("[[hostname, me], [lease_time, 60], [200, {hex: aa}]]", "0c026d65" + "33040000003c" + "c801aa"),
        ("[[classless_static_routes, [192.0.2.0/24:192.0.2.1]]]", "790818c00002c0000201"),
        ("{hex: 350101ff}", "350101ff"),
    ],
)
def test_options_of_dhcp(options: str, expected: str) -> None:
    layers = f"[{{IP: {{dst: server}}}}, {{UDP: {{}}}}, {{BOOTP: {{}}}}, {{DHCP: {{options: {options}}}}}]"
    assert data_of(layers)[28 + 240 :].hex() == expected


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("[mesage-type, 1]", "DHCP has no option 'mesage-type'"),
        ("[message-type, disover]", "'disover' is no value of message-type"),
        ("[router, sever]", "there is no host 'sever'"),
        ("[router, {hex: aa}]", "bytes stand for the whole option"),
        ("[router]", "router holds something"),
        ("[256, x]", "an option has 8 bits"),
        ("[]", "an option such as [message-type, discover]"),
        ("en", "DHCP has no option 'en'"),
    ],
)
def test_options_of_dhcp_that_are_wrong(option: str, message: str) -> None:
    assert refused(f"[{{IP: {{dst: server}}}}, {{DHCP: {{options: [{option}]}}}}]").startswith(message)


# --- what is known of the lab when it is read --------------------------------------------------------


def mistakes_of(host: str, step: str) -> list[tuple[int, str, str]]:
    """Column, message and what was meant, of each mistake of a scenario with that step."""
    head = "name: t\nhosts: {server: {}, client: {}, far: {}, mallory: {scripted: true}}\n"
    networks = "networks: {lab: {hosts: [server, client, mallory]}, away: {hosts: [far, server]}}\n"
    try:
        load_text(f"{head}{networks}steps:\n  - {host}: {{{step}}}\n", "t.yaml", checks={})
    except ScenarioError as error:
        return [(one.column, one.message, one.suggestion) for one in error.mistakes]
    return []


@pytest.mark.parametrize("field", ["len: 99", "chksum: 1", "src: 0.0.0.0", "id: 0"])
def test_what_the_kernel_writes_itself_is_told_when_it_is_read(field: str) -> None:
    step = f"send_packet: [{{IP: {{dst: server, {field}}}}}]"
    ((_, message, _),) = mistakes_of("client", step)
    assert message.startswith("the kernel") and "begin with Ether" in message
    assert not mistakes_of("mallory", step)
    assert not mistakes_of("client", step.replace("[{IP", "[{Ether: {}}, {IP"))


def test_what_the_kernel_replaces_is_refused_when_it_is_sent_too() -> None:
    for field in ("src: 0.0.0.0", "id: 0"):
        with pytest.raises(Unmet, match="begin with Ether"):
            data_of(f"[{{IP: {{dst: server, {field}}}}}]")
        frame = Ether(data_of(f"[{{Ether: {{}}}}, {{IP: {{dst: server, {field}}}}}]"))
        assert (frame[IP].src == "0.0.0.0") == ("src" in field) and (frame[IP].id == 0) == ("id" in field)


def test_a_network_that_the_host_is_not_on_is_told() -> None:
    def net(name: str) -> list[tuple[int, str, str]]:
        return mistakes_of("client", f"send_packet: [{{IP: {{dst: server}}}}], net: {name}")

    assert [one[1:] for one in net("lob")] == [("there is no network 'lob'", "lab")]
    assert [one[1] for one in net("away")] == ["host client is on no network away (but lab)"]
    assert not net("lab")


@pytest.mark.parametrize(
    ("layers", "layer"),
    [
        (
            "{IP: {dst: server}}, {UDP: {}}, {data: {repeat: x, times: 65508}}",
            "IP cannot carry the 65,516 bytes",
        ),
        (
            "{IPv6: {dst: server}}, {UDP: {}}, {data: {repeat: x, times: 65528}}",
            "UDP cannot carry the 65,528",
        ),
    ],
)
def test_more_than_a_packet_can_carry_is_told_when_it_is_read(layers: str, layer: str) -> None:
    ((_, message, _),) = mistakes_of("client", f"send_packet: [{layers}]")
    assert message.startswith(layer) and message.endswith("its length has no room for them")
    assert not mistakes_of(
        "client", f"send_packet: [{layers}]".replace("65508", "65507").replace("65528", "65487")
    )


# --- references ------------------------------------------------------------------------------------


def test_no_field_of_scapys_breaks_the_reading() -> None:
    """Whatever is written: it is read, or refused in words with a place."""
    around = Surroundings(hosts=("server", "client"))
    for layer, described in dissect.layers().items():
        for field in described.fields_desc:
            for value in ("abc", ["1"]):
                with contextlib.suppress(Misplaced):
                    read_layers([{layer: {field.name: value}}], around)


@pytest.mark.parametrize(
    "layers",
    [
        "[{IP: {dst: server}}, {TCP: {options: [[MSS, $x.TCP.window]]}}]",
        "[{IP: {dst: server, options: [{IPOption_RR: {routers: [$x.IP.src]}}]}}]",
        "[{IP: {dst: server}}, {UDP: {}}, {DNS: {an: [{DNSRR: {rdata: $x.IP.src}}]}}]",
        "[{IP: {dst: server}}, {DHCP: {options: [[router, $x.IP.src], [$x.data], end]}}]",
        "[{IPv6: {dst: server}}, {IPv6ExtHdrDestOpt: {options: [{HBHOptUnknown: {optdata: $x.data}}]}}]",
    ],
)
def test_a_reference_may_stand_deep_inside(layers: str) -> None:
    around = Surroundings(hosts=("server", "client"))
    found = read_layers(unfilled(read_raw(layers)), around)
    assert found[0].name in ("IP", "IPv6")


def read_raw(layers: str) -> Any:
    """A list of layers as the file has it."""
    root = read_text(layers, "layers").root
    assert root is not None
    return value_of(root)


@pytest.mark.parametrize("written", ["$x.TCP.seq-1", "$x.TCP.seq + 1", "$x.TCP.seq*2"])
def test_what_cannot_be_reckoned_is_told_when_it_is_read(written: str) -> None:
    with pytest.raises(Misplaced, match="a number can be added to a name") as wrong:
        read_layers(unfilled([{"TCP": {"seq": written}}]), Surroundings())
    assert wrong.value.column == len("$x.TCP.seq")


GOING_ROUND = """\
name: sequence numbers go round
hosts: {server: {}, client: {}, mallory: {scripted: true}}
steps:
  - client: {send_packet: [{IP: {dst: mallory}}, {TCP: {sport: 7, dport: 8, seq: 0xffffffff}}, {data: abcdef}]}
  - mallory: {sniff_packet: TCP, as: x}
  - mallory:
      send_packet:
        - IP: {dst: client}
        - TCP: {sport: 8, dport: 7, ack: $x.TCP.seq+7, flags: A, options: [[SAck, $x.TCP.seq+1, $x.TCP.seq+7]]}
  - client: {sniff_packet: TCP.ack = $x.TCP.seq+7 and TCP.sport = 8, as: y, takes: 0s..2s}
  - client: {send_packet: [{IP: {dst: mallory}}, {TCP: {options: [[MSS, $y.TCP.sport]]}}, {data: $y.TCP.ack}]}"""


def test_sequence_numbers_go_round_wherever_they_stand(tmp_path: Path) -> None:
    played = play_text(GOING_ROUND, tmp_path)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)
    packets = evidence.load(played.folder).packets
    assert any(one.data.endswith(bytes.fromhex("050a" + "00000000" + "00000006" + "0000")) for one in packets)
