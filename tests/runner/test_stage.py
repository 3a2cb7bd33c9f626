"""The stage on real hosts: order, pending calls, names, and what fails, as a scenario's author meets them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.playing import play_text

PAIR = """\
name: a pair
hosts: [server, client]
steps:
  - server: {socket: listener}
  - server: {bind: listener, to: ":8888"}
  - server: {listen: listener, backlog: 5}
"""
CONNECTED = (
    PAIR
    + """\
  - client: {socket: c}
  - client: {connect: c, to: "server:8888"}
  - server: {accept: listener, as: conn}
"""
)


def test_a_blocked_accept_goes_on_when_its_client_comes(tmp_path: Path) -> None:
    played = play_text(
        PAIR
        + """\
  - server: {accept: listener, as: conn, blocks: true}
  - client: {socket: c}
  - client: {connect: c, to: "server:8888"}
  - client: {sendall: c, data: hello}
  - server: {recv: conn, size: 100, gives: hello}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "pass", played.judgement
    accept = played.calls("accept")[0]
    assert accept.asleep_ns is not None
    assert accept.began_ns < accept.asleep_ns < played.calls("connect")[0].began_ns
    assert [one.verb for one in played.steps("pending")] == ["accept"]


def test_a_call_that_should_block_and_returns_fails_the_step(tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - client: {sendall: c, data: x}
  - sleep: 20ms
  - server: {recv: conn, size: 1, blocks: true}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "fail"
    assert "did not block" in played.reason


def test_a_step_waits_five_seconds_at_most_and_then_says_so(tmp_path: Path) -> None:
    played = play_text(CONNECTED + "  - server: {recv: conn, size: 1, takes: 0s..200ms}\n", tmp_path)
    assert played.judgement.verdict == "fail"
    assert "0.2 s" in played.reason
    assert played.calls("recv")[0].ended_ns is None


def test_what_a_call_took_is_what_its_host_measured(tmp_path: Path) -> None:
    steps = "  - server: {settimeout: conn, value: 200ms}\n"
    steps += "  - server: {recv: conn, size: 1, raises: TimeoutError, takes: ..100ms}\n"
    played = play_text(CONNECTED + steps, tmp_path)
    (failed,) = played.steps("failed")
    took = re.search(r"expected it to take \.\.100ms, and it took ([0-9.]+) ms", failed.reason)
    assert took and 200 <= float(took[1]) < 2000


def test_later_steps_wait_for_names_never_for_sockets(tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - client: {recv: c, size: 9, as: answer, blocks: true}
  - client: {sendall: c, data: question}
  - server: {recv: conn, size: 100, gives: question}
  - server: {sendall: conn, data: an answer}
  - client: {returns: answer, gives: an answer}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "pass", played.judgement


def test_returns_carries_the_outcome_words_of_the_pending_call(tmp_path: Path) -> None:
    text = (
        CONNECTED
        + """\
  - client: {recv: c, size: 9, as: answer, blocks: true}
  - server: {sendall: conn, data: ANSWER}
  - client: {returns: answer, gives: an answer}
"""
    )
    played = play_text(text, tmp_path)
    assert played.judgement.verdict == "fail"
    assert "ANSWER" in played.reason
    assert played.steps("failed")[0].verb == "returns"


def test_blocks_forever_must_still_be_asleep_at_the_end(tmp_path: Path) -> None:
    forever = CONNECTED + "  - server: {recv: conn, size: 1, blocks: forever}\n"
    kept = tmp_path / "kept"
    kept.mkdir()
    assert play_text(forever, kept).judgement.verdict == "pass"
    ended = tmp_path / "ended"
    ended.mkdir()
    played = play_text(forever + "  - client: {sendall: c, data: x}\n  - sleep: 50ms\n", ended)
    assert played.judgement.verdict == "fail"
    assert "blocked to the end" in played.reason


def test_a_pending_call_that_fails_ends_the_steps(tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - server: {recv: conn, size: 9, gives: right, blocks: true}
  - client: {sendall: c, data: wrong}
  - sleep: 100ms
  - client: {close: c}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "fail"
    assert "wrong" in played.reason
    assert not played.calls("close")


def test_finally_runs_after_a_failure_and_skips_what_has_no_name(tmp_path: Path) -> None:
    played = play_text(
        PAIR
        + """\
  - client: {socket: c}
  - client: {connect: c, to: "server:9", raises: ETIMEDOUT}
  - client: {socket: never}
finally:
  - client: {close: never}
  - client: {close: c}
""",
        tmp_path,
    )
    assert "ECONNREFUSED" in played.reason
    assert [one.verb for one in played.steps("skipped")] == ["close"]
    assert [one.object for one in played.calls("close")] == ["c"]


def test_until_plays_again_until_all_hold(tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - client: {sendall: c, data: abc}
  - client: {shutdown: c, how: SHUT_WR}
  - until: {within: 2s, steps: [{server: {recv: conn, size: 1, gives: c}}]}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert len(played.calls("recv")) == 3
    assert len(played.steps("again")) == 2


def test_until_that_never_holds_fails_with_the_last_reason(tmp_path: Path) -> None:
    played = play_text(
        PAIR
        + """\
  - until: {within: 100ms, steps: [{client: {getsockname: listener, gives: "server:1"}}]}
""".replace("client:", "server:"),
        tmp_path,
    )
    assert played.judgement.verdict == "fail"
    assert played.steps("failed")[0].verb == "until"
    assert "8888" in played.reason


def test_a_value_that_one_host_found_is_used_by_another(tmp_path: Path) -> None:
    played = play_text(
        """\
name: a port the system picked
hosts: [server, client]
steps:
  - server: {socket: s, type: SOCK_DGRAM}
  - server: {bind: s, to: ":0"}
  - server: {getsockname: s, as: me}
  - client: {socket: u, type: SOCK_DGRAM}
  - client: {sendto: u, data: found you, to: "server:$me.port"}
  - server: {recvfrom: s, size: 100, as: got, gives: {data: found you}}
  - server: {sendto: s, data: and you, to: $got.from}
  - client: {recvfrom: u, size: 100, gives: {data: and you, from: "server:$me.port"}}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "pass", played.judgement


def test_of_a_step_with_several_calls_the_one_that_waits_blocks(tmp_path: Path) -> None:
    played = play_text(
        CONNECTED
        + """\
  - server: {poll: [conn], for: POLLIN, as: ready, blocks: true}
  - client: {sendall: c, data: x}
  - server: {returns: ready, gives: [conn]}
""",
        tmp_path,
    )
    assert played.judgement.verdict == "pass", played.judgement
    assert [one.verb for one in played.steps("pending")] == ["poll"]
