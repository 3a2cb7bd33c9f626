"""Nothing that a scenario shows can be otherwise without its failing: recorded runs with one fact broken.

On the wire: a packet that is missing, a flag, a byte of the payload, two packets the other way round. In the calls:
another errno, success instead of an error, another result, another state. The unbroken record passes first. Where a
ladder leaves room (`...`, `?`), another packet may stand for the one that is broken: there all packets that fit a line
are broken together, so that nothing is left for it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lab import agent, capture
from lab.capture import Frame
from lab.errors import Unsupported
from runner import evidence, flows, judge, rundir, scenario
from runner.checks import CHECKS
from runner.checks.packets import Packets
from runner.errors import ScenarioError
from runner.evidence import Evidence
from runner.expected import Exactly
from runner.headers import ACK, FIN, RST, SYN, TCP, UDP
from runner.history import CallRecord, StateRecord
from runner.ladder import Gap, Line
from runner.matching import Matcher
from runner.packets import Packet, Transmission
from runner.patterns import Pattern
from runner.scenario import Scenario
from tests.playing import play_file
from tests.replaying import Replay, Unmet
from tests.test_scenarios import FILES, is_slow

pytestmark = pytest.mark.slow  # plays on real hosts again and again

QUICK = [path for path in FILES if not is_slow(path)]


@dataclass(frozen=True)
class Good:
    """A recorded run that passes."""

    scenario: Scenario
    folder: Path
    seen: Evidence

    def judged(self, frames: list[Frame], folder: Path) -> judge.Judgement:
        """The judgement of the same run with other frames."""
        folder.mkdir(exist_ok=True)
        (folder / rundir.HISTORY).write_bytes((self.folder / rundir.HISTORY).read_bytes())
        counts = Counter(frame.host for frame in frames)
        info = self.seen.info
        captures = {host: replace(one, frames=counts[host]) for host, one in info.captures.items()}
        rundir.write_info(folder, replace(info, captures=captures))
        ends = [(one.host, one.name) for one in self.seen.info.interfaces]
        capture.write(folder / rundir.CAPTURE, sorted(frames, key=lambda one: one.time_ns), ends)
        return judge.judge(evidence.load(folder), self.scenario)


def all_cases() -> list[object]:
    """Every case of every scenario that is not slow."""
    found: list[object] = []
    for path in QUICK:
        for case in scenario.cases(path, {}):
            found.append(pytest.param((path, dict(case)), id="-".join([path.stem, *case.values()])))
    return found


@pytest.fixture(scope="module", params=all_cases())
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Good:
    """Each case, played once on namespaces."""
    path, case = request.param
    folder = tmp_path_factory.mktemp("good") / "run"
    try:
        play_file(path, folder, case=case)
    except Unsupported as lacks:
        pytest.skip(lacks.what)
    return Good(scenario.load(path, checks=CHECKS, case=case), folder, evidence.load(folder))


# --- packets ------------------------------------------------------------------------------------------

Break = Callable[[bytes, Packet], bytes | None]
"""A frame as it should have been; None: it never was."""


def missing(data: bytes, packet: Packet) -> None:
    """The frame never was."""


def reset(data: bytes, packet: Packet) -> bytes:
    """TCP's RST flag the other way round (RFC 9293 section 3.1: byte 13)."""
    return _flipped(data, packet.header.transport + 13, 0x04)


def other_byte(data: bytes, packet: Packet) -> bytes:
    """The last byte of the payload is another one."""
    return _flipped(data, packet.header.payload + packet.header.length - 1, 0x01)


def _flipped(data: bytes, place: int, bits: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= bits
    return bytes(changed)


def breaks_of(packet: Packet) -> Iterator[Break]:
    """What can be broken about a packet so that it matters: nobody promises how many pure ACKs there are."""
    header = packet.header
    if header.protocol == TCP:
        yield reset
    if header.protocol == TCP and header.flags & (SYN | FIN | RST | ACK) == ACK and not header.length:
        return
    yield missing
    if header.protocol in (TCP, UDP) and header.length > 0:
        yield other_byte


def ladders_of(good: Good, *, room: bool) -> Iterator[tuple[Packets, list[Transmission]]]:
    """The ladders that leave room for other packets, or those that do not, with the packets that each is about."""
    for placed in good.scenario.expect:
        if not isinstance(placed.model, Packets):
            continue
        entries = placed.model.packets.entries
        if room == any(isinstance(one, Gap) or one.optional for one in entries):
            model = placed.model
            yield model, list(flows.select(good.seen, model.flow, model.net, model.at))


@dataclass(frozen=True)
class Told:
    """A packet that a ladder's line speaks of, and whether the line says its bytes (`len` alone does not)."""

    packet: Packet
    says_bytes: bool


def told_packets(good: Good) -> Iterator[Told]:
    """Each packet of the ladders that leave no room."""
    for model, seen in ladders_of(good, room=False):
        matcher = Matcher(model.packets, good.seen.owner, strict=model.acks == "strict")
        for one in matcher.match(seen).explained:
            line = None if one.entry < 0 else model.packets.entries[one.entry]
            says = isinstance(line, Line) and line.payload is not None and not line.prefix
            yield Told(seen[one.packet].sent, says)


def alike(model: Packets, seen: list[Transmission], good: Good) -> Iterator[tuple[Line, list[Packet]]]:
    """For each line that must have a packet: all packets that it might be about, whenever they were sent."""
    matcher = Matcher(model.packets, good.seen.owner, strict=model.acks == "strict")
    for place, line in enumerate(model.packets.entries):
        rides = not matcher.strict and isinstance(line, Line) and line.is_acknowledgement
        if isinstance(line, Gap) or line.optional or rides:
            continue
        timeless = replace(line, conditions=tuple(one for one in line.conditions if one.field != "after"))
        pattern = Pattern(timeless, good.seen.owner)
        fitting = [one.sent for one in seen if pattern.fits(one)]
        assert fitting, f"no packet is what line {place + 1} says"
        yield line, fitting


def frames_of(good: Good) -> list[Frame]:
    return list(capture.read(good.folder / rundir.CAPTURE))


def copies_of(one: Packet, good: Good) -> set[int]:
    """The numbers of all frames that are this packet, at its sender and at its receivers."""
    found = {
        packet.number
        for packet in good.seen.packets
        if packet.data == one.data and abs(packet.time_ns - one.time_ns) < 5_000_000
    }
    for sent in good.seen.transmissions:  # a fault may have kept it for longer
        numbers = {sent.sent.number, *(copy.number for copy in sent.arrivals)}
        if one.number in numbers:
            found |= numbers
    return found


def test_the_record_as_it_is_passes(good: Good, tmp_path: Path) -> None:
    found = good.judged(frames_of(good), tmp_path / "same")
    assert found.verdict == "pass", found


def test_the_calls_as_they_are_pass(good: Good) -> None:
    replayed(good)


def test_no_broken_packet_survives(good: Good, tmp_path: Path) -> None:
    survivors = []
    for one in _some(list(told_packets(good)), 25):
        for broken in breaks_of(one.packet):
            if broken is other_byte and not one.says_bytes:
                continue
            if _judged_broken([one.packet], broken, good, tmp_path) != "fail":
                survivors.append(f"packet {one.packet.number} {broken.__name__}")
    assert not survivors


def test_no_line_can_do_without_its_packets(good: Good, tmp_path: Path) -> None:
    """Where there is room for other packets: all that fit a line are broken, in what the line says of them."""
    survivors, done = [], set()
    for model, seen in ladders_of(good, room=True):
        for line, fitting in alike(model, seen, good):
            if (model.flow.text, line.text) in done:
                continue
            done.add((model.flow.text, line.text))
            for broken in (missing, reset, other_byte):
                says = {missing: True, reset: line.flags is not None, other_byte: line.payload}[broken]
                if says and _judged_broken(fitting, broken, good, tmp_path) != "fail":
                    survivors.append(f"{line.text}: {broken.__name__}")
    assert not survivors


def _judged_broken(packets: list[Packet], broken: Break, good: Good, folder: Path) -> str:
    """The verdict on the run with these packets broken, wherever they were seen."""
    by_number = {number: one for one in packets for number in copies_of(one, good)}
    changed = [
        frame if number not in by_number else _with(frame, broken(frame.data, by_number[number]))
        for number, frame in enumerate(frames_of(good), 1)
    ]
    return good.judged([frame for frame in changed if frame is not None], folder / "broken").verdict


def _with(frame: Frame, data: bytes | None) -> Frame | None:
    return None if data is None else replace(frame, data=data)


def _some(packets: list[Told], most: int) -> list[Told]:
    """All of them, or of many a sample that is always the same."""
    return packets if len(packets) <= most else random.Random(1).sample(packets, most)


def test_no_wrong_count_survives(good: Good, tmp_path: Path) -> None:
    """One packet less than were counted, where a number is expected and no range."""
    survivors = []
    frames = frames_of(good)
    for placed in good.scenario.expect:
        counted = getattr(placed.model, "count", None)
        if counted is None or not isinstance(counted.expected, Exactly) or not counted.expected.value:
            continue
        (finding,) = placed.model.examine(good.seen)  # type: ignore[attr-defined]
        numbers = copies_of(good.seen.packets[finding.packets[0] - 1], good)
        left = [frame for number, frame in enumerate(frames, 1) if number not in numbers]
        found = good.judged(left, tmp_path / "fewer")
        if found.verdict != "fail":
            survivors.append(f"line {placed.place.line}: {found.verdict}")
    assert not survivors


def test_no_swapped_packets_survive(good: Good, tmp_path: Path) -> None:
    """The two hosts' first packets of each ladder the other way round: the answer before the question."""
    survivors = []
    frames = frames_of(good)
    for model, seen in ladders_of(good, room=False):
        pair = _question_and_answer(seen) if model.at is None else None
        if pair is None:
            continue
        first, second = (copies_of(one.sent, good) for one in pair)
        times = {number: frames[number - 1].time_ns for number in first | second}
        later, earlier = min(times[one] for one in second), min(times[one] for one in first)
        changed = [
            replace(
                frame, time_ns=frame.time_ns + (later - earlier) * ((number in first) - (number in second))
            )
            for number, frame in enumerate(frames, 1)
        ]
        found = good.judged(changed, tmp_path / "swapped")
        if found.verdict != "fail":
            survivors.append(f"{model.flow.text}: {found.verdict}")
    assert not survivors


def _question_and_answer(seen: list[Transmission]) -> tuple[Transmission, Transmission] | None:
    answer = next((one for one in seen if one.sent.host != seen[0].sent.host), None)
    return None if answer is None else (seen[0], answer)


# --- calls --------------------------------------------------------------------------------------------


INPUT_OUTPUT = {"type": "OSError", "errno": "EIO", "text": "broken"}
OF_NO_KIND = {"type": "RuntimeError", "errno": None, "text": "broken"}
NO_PACKET = {"type": "TimeoutError", "errno": None, "text": "no such packet came"}
SOMEBODY = ["198.51.100.99", 7]
SUCCESS: dict[str, Any] = {
    "accept": [None, SOMEBODY],
    "recvfrom": [b"success", SOMEBODY],
    "recvmsg": [b"success", [], 0, SOMEBODY],
}
"""What a call gives that should have failed, where that is more than a value."""


def broken_answers(record: CallRecord | StateRecord) -> Iterator[CallRecord | StateRecord]:
    """The same call with another outcome; nothing where it gives nothing."""
    if isinstance(record, StateRecord):
        yield replace(record, state="CLOSING" if record.state != "CLOSING" else "LISTEN")
    elif record.name == "sniff_packet":
        yield replace(record, failure=NO_PACKET)
    elif record.failure is not None:
        yield replace(record, failure=INPUT_OUTPUT if record.failure["errno"] else OF_NO_KIND)
        yield replace(record, failure=None, value=agent.encode(SUCCESS.get(record.name, b"success")))
    elif record.value is not None:
        yield replace(record, failure=INPUT_OUTPUT)
        yield replace(record, value=agent.encode(other_value(agent.decode(record.value))))


def other_value(value: Any) -> Any:
    """Another value of that type, as far from it as can be."""
    match value:
        case bool():
            return not value
        case int():
            return -7
        case float():
            return 99.5
        case str():
            return "another"
        case bytes():
            return b"\0 other bytes" + value[:1]
        case dict():
            return {key: other_value(part) for key, part in value.items()}
        case [str(), int(), *_]:
            return SOMEBODY
        case list() | tuple() if value:
            return [other_value(one) for one in value]
        case list() | tuple():
            return [b"something"]
    return "another"


def replayed(good: Good) -> Replay:
    """The run's calls, judged once as they were."""
    replay = Replay(good.scenario, good.seen)
    replay.play()
    return replay


def test_no_broken_call_survives(good: Good) -> None:
    replay = replayed(good)
    survivors = []
    for number, records in replay.answers.items():
        for place, record in enumerate(records):
            if not isinstance(record, StateRecord) and (
                number not in replay.judged or place + 1 < len(records)
            ):
                continue
            for broken in broken_answers(record):
                answers = {**replay.answers, number: [*records[:place], broken, *records[place + 1 :]]}
                try:
                    replay.play(answers)
                except (Unmet, ScenarioError):
                    continue
                survivors.append(f"step {number}: {broken}")
    assert not survivors, "\n".join(survivors)
