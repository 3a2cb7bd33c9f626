"""A capture from anywhere: its flows, marks and numbers are tshark's; its filter says what conditions say."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lab import capture
from lab.capture import Frame
from runner import conditions, survey
from runner.errors import UsageError
from runner.rundir import CAPTURE
from tests import frames
from tests.playing import play_file
from tests.recorded import Recorded

END = ("", "eth0")
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
FIELDS = (
    "frame.number", "tcp.stream", "tcp.analysis.retransmission", "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission", "tcp.analysis.out_of_order", "tcp.analysis.keep_alive",
    "tcp.analysis.zero_window_probe", "tcp.seq", "tcp.ack", "tcp.flags",
)  # fmt: skip


def need_tshark() -> str:
    found = shutil.which("tshark")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("CI has to have tshark", pytrace=False)
    return found or pytest.skip("needs tshark")


def check_against_tshark(path: Path) -> int:
    """Compare all segments of a capture; returns how many marks there were to compare."""
    command = [need_tshark(), "-r", str(path), "-T", "fields", "-E", "separator=|"]
    command += [word for field in FIELDS for word in ("-e", field)]
    seen = survey.read(path)
    rows = {int(number): row for row, number in enumerate(seen.numbers)}
    streams: dict[str, int] = {}
    marked = 0
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        number, stream, again, fast, spurious, misplaced, alive, probe, seq, ack, flags = line.split("|")
        if not stream:
            continue
        row, marks = rows[int(number)], seen.marks
        assert streams.setdefault(stream, int(seen.conversations.flow[row])) == seen.conversations.flow[row]
        assert (int(seq), int(ack)) == (marks.relative_seq[row], marks.relative_ack[row]), number
        assert int(flags, 16) == seen.columns.flags[row], number
        theirs = [bool(again or fast or spurious), bool(misplaced), bool(alive or probe)]
        ours = [bool(marks.again[row]), bool(marks.misplaced[row]), bool(marks.probe[row])]
        assert ours == theirs, f"frame {number}"
        marked += sum(theirs)
    assert len(set(streams.values())) == len(streams)
    return marked


class Wild:
    """One connection after another on the same ports, whose ends lose, repeat and reorder what they send."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.chance, self.number = chance, number
        self.begin()

    def begin(self) -> None:
        self.steps = ["S", "SA", "A"]
        self.first = {side: self.chance.randrange(1 << 32) for side in (True, False)}
        self.top = {True: 0, False: 0}

    def segment(self) -> tuple[bool, str, int, int, int]:
        """Whose it is, flags, sequence and acknowledgement number, bytes of payload."""
        chance = self.chance
        if chance.random() < 0.01:
            self.begin()
        size = back = 0
        if self.steps:
            flags = self.steps.pop(0)
            side = flags != "SA"
        else:
            side = chance.random() < 0.5
            size = chance.choice((0, 0, 0, 1, 1, 2, 100, 1000))
            flags = chance.choice(("A", "A", "A", "A", "PA", "PA", "FA", "R", "RA"))
            back = chance.choice((0, 0, 0, 0, 0, -1, -1, -2, -100, 100, -1000, 1))
        begun = 0 if "S" in flags else 1
        place = max(self.top[side] + back, begun)
        stale = chance.choice((0, 0, 0, 0, -100, 100, -1)) if size or back else 0
        acked = max(self.top[not side] + stale, 1)
        end = place + size + ("S" in flags or "F" in flags)
        if end > self.top[side] and chance.random() < 0.8:
            self.top[side] = end
        seq = (self.first[side] + place) % (1 << 32)
        ack = (self.first[not side] + acked) % (1 << 32) if "A" in flags else 0
        return side, flags, seq, ack, size

    def frame(self, time_ns: int) -> Frame:
        ends = ("10.0.1.1", f"10.0.0.{self.number + 1}")
        if self.number % 5 == 0:
            ends = ("2001:db8::ffff", f"2001:db8::{self.number:x}")
        side, flags, seq, ack, size = self.segment()
        source, target = ends[side], ends[not side]
        ports = (4000 + self.number, 80) if side else (80, 4000 + self.number)
        window = self.chance.choice((0, 500, 500, 500))
        segment = frames.tcp(source, target, *ports, flags, seq, ack, b"x" * size, window=window)
        packet = (frames.ipv6 if ":" in source else frames.ipv4)(source, target, 6, segment)
        data = frames.ethernet(*MACS, 0x86DD if ":" in source else 0x800, packet)
        return Frame(time_ns, *END, "in", data, len(data))


def wild(seed: int, count: int) -> Iterator[Frame]:
    chance = random.Random(seed)
    flows = [Wild(number, chance) for number in range(80)]
    time_ns = 1_700_000_000_000_000_000
    for _ in range(count):
        time_ns += chance.choice((1000, 100_000, 1_000_000, 5_000_000, 30_000_000))
        yield chance.choice(flows).frame(time_ns)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_wild_connections_are_marked_as_tshark_marks_them(tmp_path: Path, seed: int) -> None:
    capture.write(tmp_path / "x.pcapng", wild(seed, 3000), [END])
    assert check_against_tshark(tmp_path / "x.pcapng") > 300


ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ("udp_no_promises", "half_open", "tcp_echo", "accept_makes_a_socket", "close_states", "ipv6_echo")


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_real_captures_are_marked_as_tshark_marks_them(tmp_path: Path, name: str) -> None:
    """What one interface saw: tshark would take the same frame at another one for a retransmission."""
    run = play_file(ROOT / f"scenarios/{name}.yaml", tmp_path / "run").folder
    whole = list(capture.read(run / CAPTURE))
    for end in dict.fromkeys((one.host, one.interface) for one in whole):
        path = tmp_path / f"{end[0]}-{end[1]}.pcapng"
        capture.write(path, [one for one in whole if (one.host, one.interface) == end], [end])
        check_against_tshark(path)


def recorded(tmp_path: Path) -> Path:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 8888).open().send("client", b"hello").close("client")
    run.udp("client", "server", 5000, 53, b"question")
    run.udp("client", "server", 5000, 99, b"other")
    return run.write(tmp_path / "run") / CAPTURE


@pytest.mark.parametrize(
    "text",
    [
        "TCP", "UDP", "IP", "TCP.flags = SA", "TCP.flags has A", "TCP.flags != A", "UDP.dport = 53", "UDP.dport != 53",
        "TCP.dport > 8887", "TCP.sport <= 8888", "TCP.sport < 8888", "TCP.dport >= 8888", "UDP.dport has 3", "len > 4",
        "seq = 1", "ack >= 1 and TCP", "IP.ttl = 64", "IP.src = 10.0.0.1 and TCP.flags has F", "TCP.window = 1",
    ],
)  # fmt: skip
def test_the_filter_picks_what_conditions_hold_of(tmp_path: Path, text: str) -> None:
    seen = survey.read(recorded(tmp_path))
    wanted = conditions.parse(text)
    expected = [
        row for row in range(len(seen))
        if all(conditions.holds(one, seen.transmission(row), str) for one in wanted)
    ]  # fmt: skip
    assert list(survey.choose(seen, wanted)) == expected


def test_each_frame_of_a_run_is_there_once(tmp_path: Path) -> None:
    """The capture of a run has what was sent and what arrived of it."""
    path = recorded(tmp_path)
    seen = survey.read(path)
    assert len(seen) == 10 and len(list(capture.read(path))) == 20
    assert not seen.marks.again.any()
    assert len(np.unique(seen.conversations.flow)) == 3


def test_frames_out_of_the_order_of_time_are_put_in_order(tmp_path: Path) -> None:
    whole = list(wild(9, 200))
    capture.write(tmp_path / "x.pcapng", whole, [END])
    raw = (tmp_path / "x.pcapng").read_bytes()
    first = survey.read(tmp_path / "x.pcapng")
    at = int(first.index.begin[0]) - 28
    size = int(first.index.begin[1]) - 28 - at
    (tmp_path / "y.pcapng").write_bytes(raw[:at] + raw[at + size :] + raw[at : at + size])
    seen = survey.read(tmp_path / "y.pcapng")
    assert list(seen.numbers) == [200, *range(1, 200)]
    assert (seen.marks.again == first.marks.again).all()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="capture"):
            survey.read(path)
    (tmp_path / "x").write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="neither a pcap nor a pcapng"):
        survey.read(tmp_path / "x")


def test_an_empty_capture_has_no_packets(tmp_path: Path) -> None:
    capture.write(tmp_path / "x.pcapng", [], [END])
    assert len(survey.read(tmp_path / "x.pcapng")) == 0
