"""TFTP transfers are told by their request: both directions, and nothing else."""

from __future__ import annotations

from pathlib import Path

from runner import fields
from runner.evidence import Evidence
from tests.recorded import Recorded

REQUEST = b"\0\x01poem.txt\0octet\0"
BLOCK, ACKNOWLEDGED = b"\0\x03\0\x01hello", b"\0\x04\0\x01"


def operations(seen: Evidence) -> list[object]:
    """What each packet that was sent says it is, as TFTP."""
    return [fields.value(one.sent, "TFTP.op") for one in seen.transmissions]


def test_packets_between_the_ports_of_a_transfer_are_tftp(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 4000, 69, REQUEST)
    run.udp("server", "client", 33000, 4000, BLOCK)
    run.udp("client", "server", 4000, 33000, ACKNOWLEDGED)
    seen = run.evidence(tmp_path)
    assert operations(seen) == [1, 3, 4]
    assert fields.value(seen.transmissions[1].sent, "TFTP_DATA.block") == 1
    assert fields.has_layer(seen.transmissions[2].sent, "TFTP_ACK")


def test_the_same_bytes_between_other_ports_are_not(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("server", "client", 33000, 4000, BLOCK)  # nobody has asked yet
    run.udp("client", "server", 4000, 69, REQUEST)
    run.udp("server", "client", 33000, 4001, BLOCK)
    assert operations(run.evidence(tmp_path)) == [None, 1, None]


def test_values_of_asn1_are_plain(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    asked = bytes.fromhex(
        "3024020101 04046f70656e a019020107020100020100 300e300c06082b06010201010500 0500".replace(" ", "")
    )
    run.udp("client", "server", 4000, 161, asked)
    packet = run.evidence(tmp_path).transmissions[0].sent
    assert fields.value(packet, "SNMP.community") == b"open"
    assert fields.value(packet, "SNMPget.id") == 7
    assert fields.value(packet, "SNMPvarbind.oid") in ("1.3.6.1.2.1.1.5.0", ".1.3.6.1.2.1.1.5.0")
    assert fields.value(packet, "SNMPvarbind.value") is None
