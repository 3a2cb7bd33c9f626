"""`pytest scenarios/` as somebody uses it who has installed the package: a pytest of its own in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pytesting import play, prepare

pytestmark = pytest.mark.slow
GOOD = """\
name: it passes
tags: [quick, needs-care]
hosts: [server, client]
steps:
  - client: {socket: c, type: SOCK_DGRAM}
  - client: {sendto: c, data: $word, to: "server:9"}
matrix: {word: [one, two]}
expect:
  - count: {flow: udp client server:9, where: UDP, is: 1}
"""


@pytest.fixture(autouse=True)
def ready(pytester: pytest.Pytester) -> None:
    prepare(pytester)


def test_each_case_is_a_test_and_other_files_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", good=GOOD, other="key: value\n", notes="steps:\n  - one\n")
    done = play(pytester, "-v")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*good.yaml::one PASSED*", "*good.yaml::two PASSED*"])
    assert len(list(Path(pytester.path, "runs").glob("*/capture.pcapng"))) == 2


def test_tags_are_marks_and_names_choose(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", good=GOOD)
    play(pytester, "-m", "needs_care", "-k", "two").assert_outcomes(passed=1, deselected=1)
    play(pytester, "-m", "not quick").assert_outcomes(deselected=2)


def test_a_failure_shows_what_the_runner_shows(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", bad=GOOD.replace("is: 1", "is: 5"))
    done = play(pytester, "-k", "one")
    done.assert_outcomes(failed=1, deselected=1)
    done.stdout.fnmatch_lines(
        ['*UDP "one"*', "*1 packet of udp client server:9 with UDP, expected 5*", "*capture*runs/*"]
    )
    assert "Traceback" not in done.stdout.str()


def test_what_is_skipped_says_why(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", lacking=GOOD.replace("hosts:", "requires: [program no-such-program]\nhosts:"))
    done = play(pytester, "-rs")
    done.assert_outcomes(skipped=2)
    assert "no-such-program" in done.stdout.str()


def test_mistakes_are_errors_of_the_collection_with_their_place(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", wrong=GOOD.replace("sendto", "snedto"))
    done = play(pytester)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*wrong.yaml:6:*snedto*"])
    assert "Traceback" not in done.stdout.str()


def test_scenarios_are_played_side_by_side_with_xdist(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", good=GOOD)
    play(pytester, "-n", "2").assert_outcomes(passed=2)


def test_a_project_without_scenarios_imports_nothing_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\ndef test_nothing(): assert 'runner.scenario' not in sys.modules and 'pydantic' not in sys.modules"
    )
    play(pytester).assert_outcomes(passed=1)
