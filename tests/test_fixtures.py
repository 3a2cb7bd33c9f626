"""Labs for tests in Python, as somebody uses them: tests in a folder of their own, played by a pytest of its own.

Each test plays real labs; those of the page of docs on both engines.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner import evidence, history, rundir
from runner.history import MomentRecord
from tests.needing import ROOT, need_docker
from tests.playing import play_text
from tests.pytesting import play, prepare

pytestmark = pytest.mark.slow
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/pytest.md").read_text(), re.M | re.S)

REFUSED = '''
import pytest
def test_refused(hosts, wire):
    c = hosts.client.socket(name="c")
    with pytest.raises(ConnectionRefusedError) as error:
        c.connect("server:9")
    assert error.value.errno == 111
    wire.expect("""
        client -> server  SYN
        client <- server  %s
    """, flow="tcp c")
'''
THE_SAME = """\
name: refused
hosts: [server, client]
steps:
  - client: {socket: c}
  - client: {connect: c, to: "server:9", raises: ECONNREFUSED}
expect:
  - flow: tcp c
    packets: |
      client -> server  SYN
      client <- server  SYN,ACK
"""


@pytest.fixture(autouse=True)
def ready(pytester: pytest.Pytester) -> None:
    prepare(pytester)


def runs(pytester: pytest.Pytester) -> list[Path]:
    """The run directories that were left, in their order."""
    return sorted(Path(pytester.path, "runs").iterdir())


def runner(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("engine", ["netns", pytest.param("docker", marks=pytest.mark.docker)])
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_examples_of_the_page_pass(pytester: pytest.Pytester, engine: str, number: int) -> None:
    if engine == "docker":
        need_docker()
    tests = BLOCKS[number].count("def test_")
    pytester.makepyfile(BLOCKS[number])
    play(pytester, engine=engine).assert_outcomes(passed=tests)
    for folder in runs(pytester):
        assert runner("judge", str(folder)).returncode == 0


def test_a_failed_ladder_says_what_the_runner_says(pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makepyfile(REFUSED % "SYN,ACK")
    done = play(pytester)
    done.assert_outcomes(failed=1)
    (finding,) = [one for one in play_text(THE_SAME, tmp_path).judgement.findings if one.verdict == "fail"]
    said = done.stdout.str()
    words = "".join(re.sub(r"^E +", " ", line) for line in said.splitlines() if line.startswith("E  "))
    assert re.sub(r"packet \d+", "", finding.summary) in re.sub(r"packet \d+", "", " ".join(words.split()))
    seen = [line.split("seen")[0] for line in finding.detail.splitlines() if "SYN,ACK" in line]
    assert all(line.split()[0] in said for line in seen)
    assert f"run      {runs(pytester)[0].relative_to(pytester.path)}" in said
    assert "runner/fixtures" not in said, "our own frames are of no use to who reads this"
    assert runner("judge", str(runs(pytester)[0])).returncode == 1


def test_a_good_ladder_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(REFUSED % "RST,ACK")
    play(pytester).assert_outcomes(passed=1)


def test_the_run_is_a_scenario_that_can_be_played_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(REFUSED % "RST,ACK")
    play(pytester)
    (folder,) = runs(pytester)
    shutil.copy(folder / rundir.SCENARIO, pytester.path / "again.yaml")
    again = runner(
        "run", str(pytester.path / "again.yaml"), "--engine", "netns", "--runs", str(pytester.path / "r")
    )
    assert again.returncode == 0, again.stdout
    assert "raises: ECONNREFUSED" in (folder / rundir.SCENARIO).read_text()


def test_an_expectation_is_judged_on_what_there_was(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_moments(hosts, wire):
            hosts.server.socket("SOCK_DGRAM", name="sink").bind(":9")
            c = hosts.client.socket("SOCK_DGRAM", name="c")
            wire.count(0, flow="udp c")
            c.sendto("one", "server:9")
            wire.expect('client -> server UDP "one"', flow="udp c")
            c.sendto("two", "server:9")
            wire.count(2, flow="udp c")
        """
    )
    play(pytester).assert_outcomes(passed=1)
    (folder,) = runs(pytester)
    assert runner("judge", str(folder)).returncode == 0
    text = (folder / rundir.HISTORY).read_text()
    moments = [one for one in history.read(folder / rundir.HISTORY) if isinstance(one, MomentRecord)]
    later = history.to_line(moments[-1]).replace('"number": 3', '"number": 1')
    (folder / rundir.HISTORY).write_text(text + later + "\n")  # the first, judged at the end: it was 0 then
    assert len(evidence.load(folder).packets) > 2
    assert runner("judge", str(folder)).returncode in (1, 3)


def test_what_is_wrong_says_so_at_its_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_wrong="""
        import pytest
        def test_mistake(hosts):
            hosts.client.socket("SOCK_DGRAM").sendto("x", "sever:9")
        def test_gives(hosts):
            hosts.client.socket("SOCK_DGRAM").sendto("x", "server:9", gives=2)
        def test_unknown_verb(hosts):
            hosts.client.snedto("x")
        def test_not_ready(lab):
            lab.fault("drop", from_="client")
        @pytest.mark.lab(hosts=["a"], netwroks={})
        def test_mark(lab): pass
        def test_own_assert(hosts):
            assert hosts.client.socket("SOCK_DGRAM").sendto("x", "server:9") == 5
        """
    )
    done = play(pytester)
    done.assert_outcomes(failed=5, errors=1)
    done.stdout.fnmatch_lines_random(
        [
            "E *test_wrong.py:3:*there is no host 'sever' - did you mean 'server'?",
            "E *expected 2, and it gave 1",
            "E *Host has no snedto: it can *sendto*",
            "E *mark it with @pytest.mark.lab(faults=True)",
            "E *a scenario has no key 'netwroks'*did you mean 'networks'?",
            "*the test raised AssertionError: assert 1 == 5",
        ]
    )
    judged = [runner("judge", str(folder)).returncode for folder in runs(pytester)]
    assert judged == [1] * 5


def test_pending_calls_must_end_as_they_should(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_pending="""
        def test_refused_and_never_asked(hosts):
            c = hosts.client.socket("SOCK_DGRAM")
            c.bind(":5555")
            c.connect("server:9")
            c.recv(10, name="answer", blocks=True)
            c.send("x")
        def test_asked(hosts):
            c = hosts.client.socket("SOCK_DGRAM")
            c.connect("server:9")
            answer = c.recv(10, blocks=True)
            c.send("x")
            answer.returns(raises="ECONNREFUSED")
        def test_did_not_block(hosts):
            hosts.client.socket("SOCK_DGRAM").connect("server:9", blocks=True)
        """
    )
    done = play(pytester)
    done.assert_outcomes(passed=2, errors=1, failed=1)
    done.stdout.fnmatch_lines_random(
        [
            "*answer: recv *",
            "*test never asked*",
            "E *it did not block: it returned*",
        ]
    )


def test_what_hosts_say_is_shown_and_not_run(pytester: pytest.Pytester) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e::error::injected"
    pytester.makefile(
        ".yaml",
        hostile=f"""\
name: hostile
hosts: [server, client]
steps:
  - client: {{socket: c, type: SOCK_DGRAM}}
  - client: {{sendto: c, data: {json.dumps(evil)}, to: "server:9", gives: 1}}
""",
    )
    pytester.makepyfile(
        f"""
        EVIL = {evil!r}
        def test_hostile(hosts, wire):
            p = hosts.client.run(["printf", "%s", EVIL])
            c = hosts.client.socket("SOCK_DGRAM", name="c")
            c.sendto(p.stdout({{"length": len(EVIL.encode())}}), "server:9")
            wire.expect('client -> server UDP "else"', flow="udp c")
        """
    )
    done = play(pytester)
    done.assert_outcomes(failed=2)
    said = done.stdout.str() + done.stderr.str()
    assert said.count("owned") >= 3, "it is shown as it is"
    assert not set(said) & set("\x1b\x07\u202e"), "and nothing of it is for the terminal"
    assert not re.search(r"^::error::injected", said, re.M)


def test_a_lab_that_cannot_be_had_skips_with_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.lab(requires=["program no-such-program"])
        def test_lacking(lab): pass
        """
    )
    done = play(pytester, "-rs")
    done.assert_outcomes(skipped=1)
    assert "no-such-program" in done.stdout.str()


def test_labs_side_by_side_with_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(BLOCKS[0] + "\n\ntest_another = test_an_echo\n")
    play(pytester, "-n", "2").assert_outcomes(passed=2)


def test_an_interrupted_test_leaves_its_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pathlib import Path
        def test_long(hosts, lab):
            hosts.client.socket("SOCK_DGRAM", name="c").sendto("x", "server:9")
            Path("there").touch()
            lab.sleep(30)
        """
    )
    command = [sys.executable, "-m", "pytest", "--lab-engine", "netns"]
    process = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not Path(pytester.path, "there").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert process.returncode == 2
    info = rundir.read_info(runs(pytester)[0])
    assert info.ending == "interrupted"
    assert info.captures["client"].frames > 0
