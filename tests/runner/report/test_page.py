"""What a run's page is told and how it is written, without a browser (tests/browser has one)."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner import dissect, rundir
from runner.cli import main
from runner.judge import Judgement
from runner.report import page
from runner.report.browsable import Browsable
from runner.report.page.layers import BEGINNING, Layers
from runner.report.page.told import told
from runner.report.paper import Paper
from runner.running import Played
from runner.verdict import Finding
from tests import frames
from tests.browser import runs
from tests.recorded import Recorded
from tests.runner.report.endings import ended, failed, loaded


def test_nothing_in_the_data_can_end_the_script_it_stands_in(tmp_path: Path) -> None:
    path = runs.hostile(tmp_path)
    text = path.read_text(encoding="utf-8")
    data = text.split('type="application/json">')[1].split("</script>")[0]
    assert not set("<>&\u2028\u2029") & set(data) and data.isascii()
    assert text.count("<script") == 2 and "<!--" not in text
    assert "<script>alert(1)</script>" in json.loads(data)["findings"][0]["summary"]


def test_text_that_turns_round_or_controls_is_escaped_before_it_is_told(tmp_path: Path) -> None:
    data = runs.data_of(runs.hostile(tmp_path))
    shown = json.dumps({**data, "layers": {**data["layers"], "frames": {}}}, ensure_ascii=False)
    assert "\\\\u202e" in shown and "\u202e" not in shown and "\\u001b" not in shown


def test_the_policy_allows_this_style_and_this_script_only(tmp_path: Path) -> None:
    text = runs.connection(tmp_path).read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None and policy[1].startswith("default-src 'none';")
    style, script = (
        re.search(r"<style>(.*?)</style>", text, re.S),
        re.findall(r"<script>(.*?)</script>", text, re.S),
    )
    assert style is not None and len(script) == 1
    for kind, inside in (("style-src", style[1]), ("script-src", script[0])):
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy[1]
    outside = re.findall(r"(?:src|href)=\"?([^\" >]+)", text)
    assert outside == ["#ladder"], "no outside resources"


def test_it_is_told_calls_packets_states_and_flows(tmp_path: Path) -> None:
    data = runs.data_of(runs.connection(tmp_path))
    assert data["hosts"] == ["server", "client"] and data["verdict"] == "fail"
    assert data["flows"] == ["tcp client:40000 \u2194 server:80", "udp client:5000 \u2194 server:53"]
    syn = data["packets"][0]
    assert (syn["label"], syn["from"], syn["to"], syn["flow"]) == ("SYN", "client", ["server"], 0)
    assert syn["arrivals"][0]["at"] - syn["at"] == 20_000, "nanoseconds on the way"
    send = next(one for one in data["calls"] if one["label"].startswith("c.send"))
    assert send["flows"] == [0] and send["c"].startswith("send(c,") and not send["failed"]
    states = {one["socket"]: [change["state"] for change in one["entered"]] for one in data["states"]}
    assert states["c"] == ["SYN_SENT", "ESTABLISHED"]
    assert data["findings"][0]["calls"], "a failed step leads to its calls"
    assert data["findings"][1]["packets"] == [1, 3], "both copies of a packet are one"


def test_a_fault_is_told_with_the_time_it_was_in_force(tmp_path: Path) -> None:
    data = runs.data_of(runs.struck(tmp_path))
    (fault,) = data["faults"]
    assert fault["name"] == "loss" and fault["ended"] - fault["began"] > 10_000_000
    assert [one["lost"] for one in data["packets"]] == [True, False, False, False, False]


def test_fields_know_their_bytes() -> None:
    data = frames.tcp("192.0.2.1", "192.0.2.2", 4000, 80, "PA", 7, 9, b"hello")
    whole = frames.ethernet(
        "02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, frames.ipv4("192.0.2.1", "192.0.2.2", 6, data)
    )
    layers = {layer.name: layer for layer in dissect.anatomy(whole)}
    assert [(one.begin, one.length) for one in layers.values()][:3] == [(0, 14), (14, 20), (34, 20)]

    def place(layer: str, field: str) -> bytes:
        one = next(one for one in layers[layer].fields if one.name == field)
        return whole[one.begin : one.begin + one.length]

    assert place("TCP", "dport") == b"\x00\x50" and place("TCP", "ack") == b"\x00\x00\x00\x09"
    assert place("IP", "src") == bytes([192, 0, 2, 1]) and place("IP", "ihl") == whole[14:15]
    assert place("Raw", "load") == b"hello"


@pytest.mark.parametrize("data", [b"", b"\x00" * 13, b"\xff" * 60, bytes(range(256))])
def test_damaged_frames_have_an_anatomy_too(data: bytes) -> None:
    layers = dissect.anatomy(data)
    assert sum(layer.length for layer in layers) <= len(data)


def test_of_many_packets_the_first_and_those_that_are_named_have_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.report.page.layers.DISSECTED", 3)
    monkeypatch.setattr("runner.report.page.layers.BYTES", 500)
    run = Recorded(["server", "client"])
    for number in range(20):
        run.udp("client", "server", 5000, 53, b"x" * 200 + b"%d" % number)
    sent = run.evidence(tmp_path).transmissions
    made = Layers.of(sent, [one.sent.number for one in sent[10:15]]).told
    whole = [place for place, one in enumerate(sent) if "layers" in made["frames"][one.sent.number]]
    assert whole == [0, 1, 2, 10, 11, 12] and made["dissected"] == 6
    assert {len(base64.b64decode(frame["bytes"])) for frame in made["frames"].values()} == {BEGINNING}
    assert len(made["kinds"]) <= 5, "the names of fields are there once, however many packets"


def test_a_page_of_a_very_long_run_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[told.__module__], "MOST", 5)
    run = Recorded(["server", "client"])
    for _ in range(7):
        run.udp("client", "server", 5000, 53, b"x")
        run.call("client", "u", "send", {"bytes": "x"})
    seen = run.evidence(tmp_path)
    finding = Finding("fail", "count", "two", packets=(1, 13))
    data = told(seen, Judgement("fail", (finding,)), tmp_path, "", "")
    assert len(data["packets"]) == len(data["calls"]) == 5
    assert data["left_out"].startswith("2 packets and 2 calls more are not on this page")
    assert data["findings"][0]["packets"] == [1], "what is not there is not led to"


# --- which runs get one ---------------------------------------------------------------------------


def browsable(*, always: bool) -> tuple[Browsable, io.StringIO]:
    said = io.StringIO()
    return Browsable(Paper(said, 80), always=always), said


def test_a_run_that_failed_has_a_page_and_one_that_passed_has_none(tmp_path: Path) -> None:
    scenario = loaded(tmp_path)
    played = failed(scenario, tmp_path / "run")
    report = tmp_path / "run" / rundir.REPORT
    for how, always, there in (
        ("pass", False, False),
        ("skipped", True, False),
        ("pass", True, True),
        ("fail", False, True),
    ):
        report.unlink(missing_ok=True)
        audience, _ = browsable(always=always)
        audience.end(replace(played, result=replace(played.result, ended=how)))
        assert report.exists() is there, f"{how}, always={always}"


def test_a_run_that_left_nothing_has_no_page(tmp_path: Path) -> None:
    audience, said = browsable(always=True)
    one = ended(loaded(tmp_path), "unknown", "the lab broke")
    (tmp_path / "empty").mkdir()
    audience.end(Played(replace(one.result, folder=tmp_path / "empty")))
    assert said.getvalue() == "" and not any((tmp_path / "empty").iterdir())


def test_a_page_that_cannot_be_written_changes_nothing_else(tmp_path: Path) -> None:
    played = failed(loaded(tmp_path), tmp_path / "run")
    (tmp_path / "run" / rundir.REPORT).symlink_to(tmp_path / "elsewhere")
    audience, said = browsable(always=False)
    audience.end(played)
    assert "no report.html" in said.getvalue() and "link" in said.getvalue()
    assert not (tmp_path / "elsewhere").exists()


def test_show_makes_the_page_of_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded(tmp_path, "scenario", title="a finished run")
    Recorded(["server", "client"]).write(tmp_path)
    assert main(["show", str(tmp_path), "--html"]) == 0
    said = capsys.readouterr().out.strip()
    assert said == str(tmp_path / rundir.REPORT)
    assert runs.data_of(Path(said))["findings"], "judged again"


def test_a_plan_has_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.yaml"
    loaded(tmp_path)
    assert main(["show", str(path), "--html"]) == 2
    assert "--html show a run" in capsys.readouterr().err


def test_the_page_is_of_parts_that_are_there() -> None:
    assert all(
        (Path(page.__file__).parent / name).is_file() for name in (*page.SCRIPTS, "page.css", "page.html")
    )
