"""Nothing that a scenario shows can be otherwise without its failing: recorded runs with one fact broken.

On the wire: a packet that is missing, a flag, a byte of the payload, a field that a line names, two packets the other
way round, a state that the packets do not bear out. In the calls: another errno, success instead of an error, an error
instead of success, another result, another state. The unbroken record passes first.

What the language leaves free is not broken: how many pure ACKs there are (unless `acks: strict`), what `?` and `...`
stand for, how often `1..` is. Where a ladder leaves such room, another packet may stand for the one that is broken:
there all packets that fit a line are broken together, so that nothing is left for it, and their order is free.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from lab import capture
from lab.capture import Frame
from lab.errors import Unsupported
from runner import evidence, flows, judge, rundir, scenario
from runner.checks import CHECKS
from runner.checks.packets import Packets
from runner.errors import ScenarioError
from runner.evidence import Evidence
from runner.expected import Exactly
from runner.history import CallRecord, StateRecord
from runner.ladder import Gap, Line
from runner.matching import Matcher
from runner.packets import Packet, Transmission
from runner.patterns import Pattern
from runner.scenario import Scenario
from tests.breaking import (
    Break,
    breaks_of,
    broken_answers,
    broken_bytes,
    broken_fields,
    failed,
    finish,
    missing,
    reset,
)
from tests.needing import need_docker
from tests.playing import play_file
from tests.replaying import Replay, Unmet
from tests.test_scenarios import FILES, told

pytestmark = pytest.mark.slow  # plays on real hosts again and again

Item = TypeVar("Item")


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
    """Every case of every scenario."""
    found: list[object] = []
    for path in FILES:
        for case in scenario.cases(path, {}):
            found.append(pytest.param((path, dict(case)), id="-".join([path.stem, *case.values()])))
    return found


@pytest.fixture(scope="module", params=all_cases())
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Good:
    """Each case, played once: on namespaces, or in containers where only they have what it needs."""
    path, case = request.param
    folder = tmp_path_factory.mktemp("good") / "run"
    try:
        run = play_file(path, folder, case=case)
    except Unsupported as lacks:
        if "Docker" not in lacks.what:
            pytest.skip(lacks.what)
        need_docker()
        folder = folder.with_name("in-containers")
        run = play_file(path, folder, "docker", case)
    assert run.judgement.verdict == "pass", told(run.judgement)
    return Good(scenario.load(path, checks=CHECKS, case=case), folder, evidence.load(folder))


# --- packets ------------------------------------------------------------------------------------------


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
    """A packet of a ladder that leaves no room, and the line that speaks of it; None: it is a pure ACK besides."""

    packet: Packet
    line: Line | None
    strict: bool


def told_packets(good: Good) -> Iterator[list[Told]]:
    """The packets of each of the ladders that leave no room."""
    for model, seen in ladders_of(good, room=False):
        strict = model.acks == "strict"
        matcher = Matcher(model.packets, good.seen.owner, strict=strict)
        lines = model.packets.entries
        explained = [
            (lines[one.entry] if one.entry >= 0 else None, one) for one in matcher.match(seen).explained
        ]
        yield [
            Told(seen[one.packet].sent, line if isinstance(line, Line) else None, strict)
            for line, one in explained
        ]


def alike(model: Packets, seen: list[Transmission], good: Good) -> Iterator[tuple[Line, list[Packet]]]:
    """For each line that must have a packet: all packets that it might be about, whenever they were sent."""
    matcher = Matcher(model.packets, good.seen.owner, strict=model.acks == "strict")
    for place, line in enumerate(model.packets.entries):
        rides = not matcher.strict and isinstance(line, Line) and line.is_acknowledgement
        if isinstance(line, Gap) or line.optional or rides:
            continue
        pattern = Pattern(_timeless(line), good.seen.owner)
        fitting = [one.sent for one in seen if pattern.fits(one)]
        assert fitting, f"no packet is what line {place + 1} says"
        yield line, fitting


def _timeless(line: Line) -> Line:
    """The line without when its packet is sent."""
    return replace(line, conditions=tuple(one for one in line.conditions if one.field != "after"))


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
    for one in _some(list(chain(*told_packets(good))), 25):
        for broken in breaks_of(one.packet, one.line, strict=one.strict):
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
            of_flags = (reset, finish) if line.flags is not None else ()
            of_bytes = (broken_bytes(line),) if line.payload else ()
            for broken in (missing, *of_flags, *of_bytes, *broken_fields(fitting[0], line)):
                if _judged_broken(fitting, broken, good, tmp_path) != "fail":
                    survivors.append(f"{line.text}: {broken.__name__}")
    assert not survivors


def _judged_broken(packets: list[Packet], broken: Break, good: Good, folder: Path) -> str:
    """The verdict on the run with these packets broken, wherever they were seen."""
    return good.judged(_broken(packets, broken, good), folder / "broken").verdict


def _broken(packets: list[Packet], broken: Break, good: Good) -> list[Frame]:
    by_number = {number: one for one in packets for number in copies_of(one, good)}
    changed = (
        frame if number not in by_number else _with(frame, broken(frame.data, by_number[number]))
        for number, frame in enumerate(frames_of(good), 1)
    )
    return [frame for frame in changed if frame is not None]


def _with(frame: Frame, data: bytes | None) -> Frame | None:
    return None if data is None else replace(frame, data=data)


def _some(packets: list[Item], most: int) -> list[Item]:
    """All of them, or of many a sample that is always the same."""
    return packets if len(packets) <= most else random.Random(1).sample(packets, most)


def test_no_wrong_count_survives(good: Good, tmp_path: Path) -> None:
    """One packet less than were counted where a number is expected, none where it is a range that begins above 0."""
    survivors = []
    frames = frames_of(good)
    for placed in good.scenario.expect:
        counted = getattr(placed.model, "count", None)
        if counted is None or counted.expected.holds(0):
            continue
        (finding,) = placed.model.examine(good.seen)  # type: ignore[attr-defined]
        gone = finding.packets[:1] if isinstance(counted.expected, Exactly) else finding.packets
        numbers = {number for one in gone for number in copies_of(good.seen.packets[one - 1], good)}
        left = [frame for number, frame in enumerate(frames, 1) if number not in numbers]
        found = good.judged(left, tmp_path / "fewer")
        if found.verdict != "fail":
            survivors.append(f"line {placed.place.line}: {found.verdict}")
    assert not survivors


def test_no_swapped_packets_survive(good: Good, tmp_path: Path) -> None:
    """Two packets that stand one after the other in a ladder the other way round."""
    survivors = []
    for packets in told_packets(good):
        pairs = list(pairwise(one for one in packets if one.line is not None and not _rides(one)))
        for first, second in _some([one for one in pairs if not _alike(*one, good)], 10):
            swapped = _swapped(frames_of(good), copies_of(first.packet, good), copies_of(second.packet, good))
            if good.judged(swapped, tmp_path / "swapped").verdict != "fail":
                survivors.append(f"{first.line} <-> {second.line}")
    assert not survivors


def _rides(one: Told) -> bool:
    """Whether it is a pure ACK, which may be anywhere."""
    return one.line is not None and one.line.is_acknowledgement and not one.strict


def _alike(first: Told, second: Told, good: Good) -> bool:
    """Whether each line fits the other's packet too, or both packets are the same bytes: nobody could tell."""
    seen = {sent.sent.number: sent for sent in good.seen.transmissions}
    ends = seen.get(first.packet.number), seen.get(second.packet.number)
    if None in ends or copies_of(first.packet, good) & copies_of(second.packet, good):
        return True
    patterns = (Pattern(_timeless(one.line), good.seen.owner) for one in (second, first) if one.line)
    return all(pattern.fits(end) for pattern, end in zip(patterns, ends, strict=True) if end is not None)


def _swapped(frames: list[Frame], first: set[int], second: set[int]) -> list[Frame]:
    """The frames with those of one number set at the time of the other's."""
    later, earlier = (min(frames[one - 1].time_ns for one in numbers) for numbers in (second, first))
    return [
        replace(frame, time_ns=frame.time_ns + (later - earlier) * ((number in first) - (number in second)))
        for number, frame in enumerate(frames, 1)
    ]


def test_no_wrong_state_survives(good: Good, tmp_path: Path) -> None:
    """A reset in place of the packet that brought a socket into its second state, or its only one."""
    survivors = []
    for placed in good.scenario.expect:
        if placed.kind != "states":
            continue
        for finding in placed.model.examine(good.seen):
            if not finding.packets:
                continue  # a listener's: they follow from its calls
            packet = good.seen.packets[finding.packets[:2][-1] - 1]
            changed = _broken([packet], reset, good)
            found = good.judged(changed, tmp_path / "reset")
            if found.verdict == "pass":
                survivors.append(finding.summary)
    assert not survivors


# --- calls --------------------------------------------------------------------------------------------


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
            for broken in _breaks_of_call(replay, number, place, record):
                answers = {**replay.answers, number: [*records[:place], broken, *records[place + 1 :]]}
                try:
                    replay.play(answers)
                except (Unmet, ScenarioError):
                    continue
                survivors.append(f"step {number}: {broken}")
    assert not survivors, "\n".join(survivors)


def _breaks_of_call(
    replay: Replay, number: int, place: int, record: CallRecord | StateRecord
) -> Iterator[CallRecord | StateRecord]:
    """Another outcome where one is said; failure where success goes without saying."""
    if isinstance(record, StateRecord) or (
        number in replay.judged and place + 1 == len(replay.answers[number])
    ):
        yield from broken_answers(record)
    elif number in replay.asked:
        yield from failed(record)
