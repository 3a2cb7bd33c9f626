"""Every step of the language on real hosts: what playbooks assume is what calls really give."""

from __future__ import annotations

from pathlib import Path

from runner import scenario
from runner.checks import CHECKS
from runner.placing import PlacedStep
from runner.steps import STEPS
from runner.steps.base import CallStep
from tests.playing import play_file

EVERY = Path(__file__).parent / "played" / "every_step.yaml"


def test_every_step_does_what_it_says(tmp_path: Path) -> None:
    played = play_file(EVERY, tmp_path / "run")
    assert played.judgement.verdict == "pass", played.steps("failed") or played.judgement


def test_every_step_is_played() -> None:
    loaded = scenario.load(EVERY, checks=CHECKS)

    def verbs(steps: tuple[PlacedStep, ...]) -> set[str]:
        return {one.verb for one in steps} | {verb for one in steps for verb in verbs(one.source.inner)}

    calls = {verb for verb in STEPS if issubclass(STEPS[verb], CallStep)}
    played = verbs((*loaded.steps, *loaded.finally_))
    assert calls - {"send_packet", "sniff_packet"} <= played
    assert {"run", "state", "returns", "until"} <= played
