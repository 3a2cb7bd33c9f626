"""Drafts: what was recorded is written down so that it passes on all it came from, and fails on what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from lab import capture
from runner import cli, evidence, flows, ladder
from runner.errors import UsageError
from runner.evidence import Evidence
from runner.matching import Matcher
from runner.recording import recorded
from runner.rundir import CAPTURE
from tests.playing import play_file
from tests.recorded import Recorded

ROOT = Path(__file__).resolve().parents[2]


def echo(text: bytes = b"hello", extra: bool = False, port: int = 40000) -> Recorded:
    run = Recorded(["client", "server"])
    talk = run.connection("client", "server", port, 8888).open().send("client", text)
    if extra:
        talk.send("server", b"extra")
    talk.close("client")
    run.udp("client", "server", port + 1, 53, b"question")
    return run


def ladders(text: str) -> dict[str, str]:
    """Flow -> ladder of a draft."""
    return {one["flow"]: one["packets"] for one in yaml.safe_load(text)["expect"]}


def holds(run: Evidence, drafted: str) -> bool:
    return all(
        Matcher(ladder.parse(lines), run.owner, strict=False)
        .match(flows.select(run, flows.parse(flow)))
        .holds
        for flow, lines in ladders(drafted).items()
    )


def written(tmp_path: Path, runs: Sequence[Recorded]) -> list[Path]:
    return [run.write(tmp_path / str(number)) for number, run in enumerate(runs)]


def test_one_run_gives_its_own_packets(tmp_path: Path) -> None:
    [path] = written(tmp_path, [echo()])
    drafted = recorded([path])
    assert list(ladders(drafted)) == ["tcp client server:8888", "udp client server:53"]
    assert 'client -> server  PSH,ACK  "hello"' in drafted and 'UDP  "question"' in drafted
    assert "?" not in drafted and yaml.safe_load(drafted)["hosts"] == ["client", "server"]
    assert holds(evidence.load(path), drafted)


def test_several_runs_give_what_they_have_in_common(tmp_path: Path) -> None:
    paths = written(tmp_path, [echo(b"one"), echo(b"two", extra=True), echo(b"three", port=41000)])
    drafted = recorded(paths)
    assert 'client <- server  PSH,ACK  "extra"  ?' in drafted
    assert "client -> server  PSH,ACK\n" in drafted, "payloads that differ are not written"
    assert all(holds(evidence.load(path), drafted) for path in paths)


def test_what_differs_from_all_of_them_fails(tmp_path: Path) -> None:
    paths = written(tmp_path, [echo(b"one"), echo(b"two", extra=True)])
    drafted = recorded(paths)
    silent = Recorded(["client", "server"])
    silent.connection("client", "server", 40000, 8888).open().close("client")
    silent.udp("client", "server", 40001, 53, b"question")
    assert not holds(silent.evidence(tmp_path / "silent"), drafted)


def test_a_capture_from_anywhere_gets_names(tmp_path: Path) -> None:
    [path] = written(tmp_path, [echo()])
    whole = [one for one in capture.read(path / CAPTURE) if one.host == "client"]
    capture.write(tmp_path / "x.pcapng", [*whole], [("", "eth0")])
    drafted = recorded([tmp_path / "x.pcapng"])
    assert "# client is 10.0.0.1" in drafted and "# server is 10.0.0.2" in drafted
    assert ladders(drafted) == ladders(recorded([path]))


def test_the_capture_in_a_run_is_the_run(tmp_path: Path) -> None:
    [path] = written(tmp_path, [echo()])
    assert ladders(recorded([path / CAPTURE])) == ladders(recorded([path]))


def test_what_could_not_be_seen_is_not_drafted(tmp_path: Path) -> None:
    [path] = written(tmp_path, [echo()])
    raw = (path / CAPTURE).read_bytes()
    (path / CAPTURE).write_bytes(raw[:-30])
    (tmp_path / "cut.pcapng").write_bytes(raw[:-30])
    for one in (path, tmp_path / "cut.pcapng"):
        with pytest.raises(UsageError, match="damaged"):
            recorded([one])
    with pytest.raises(UsageError, match="not the directory of a run"):
        recorded([tmp_path])


def test_the_command_takes_the_latest_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    echo().write(tmp_path / "runs" / "one")
    assert cli.main(["record", "--runs", str(tmp_path / "runs")]) == 0
    assert "flow: tcp client server:8888" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["tcp_echo", "udp_no_promises", "udp_refused", "accept_makes_a_socket", "ipv6_echo"]
)
def test_the_draft_of_real_runs_passes_on_the_next_one(tmp_path: Path, name: str) -> None:
    path = ROOT / f"scenarios/{name}.yaml"
    runs = [play_file(path, tmp_path / str(number)).folder for number in range(3)]
    drafted = recorded(runs)
    text = path.read_text(encoding="utf-8")
    steps = text[: text.index("\nexpect:")]
    scenario = tmp_path / "again.yaml"
    scenario.write_text(steps + "\n" + drafted[drafted.index("expect:") :], encoding="utf-8")
    again = play_file(scenario, tmp_path / "again")
    assert again.judgement.verdict == "pass", again.judgement
    assert any(one.check == "packets" for one in again.judgement.findings)
