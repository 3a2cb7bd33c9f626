"""The command line: words in, exit codes out.

Every command imports what it needs when it is called, so that `--help` and `validate` are quick. What went
wrong is turned into a message and an exit code here, once, by its cause (see `runner.errors`).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from lab.errors import LabError
from runner.errors import BROKEN, FAILED, INTERRUPTED, PASSED, ScenarioError, UsageError

RUNS = Path("runs")
"""Where run directories are made and looked for, unless `--runs` says otherwise."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Nothing that can go wrong in the world leaves a traceback."""
    _write_what_cannot_be_encoded_as_escapes()
    # Looking for plug-ins of pydantic reads the metadata of every package there is, on each start.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        result = cli.main(
            args=None if argv is None else list(argv), prog_name="runner", standalone_mode=False
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else PASSED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (ScenarioError, UsageError) as error:
        return _told(str(error), 2)
    except LabError as error:
        return _told(f"runner: {error}", BROKEN)
    except (KeyboardInterrupt, click.Abort):
        return _told("runner: interrupted", INTERRUPTED)
    except SystemExit:  # click's only answer of this kind: whoever read our output has gone (`| head`)
        return BROKEN
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _told(f"runner: {place}{error.strerror or error}", BROKEN)


def _told(message: str, code: int) -> int:
    from runner.report import text

    for line in text.lines(message):
        click.echo(line, err=True)
    return code


def _write_what_cannot_be_encoded_as_escapes() -> None:
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="socket-lab", message="Socket Lab %(version)s")
def cli() -> None:
    """Play socket scenarios on real hosts, capture every packet, and judge what was seen.

    Exit codes: 0 all passed; 1 a check or a step failed; 2 the scenario or the command line is wrong; 3 could
    not run or could not see; 130 interrupted.
    """


_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
_RUN = click.argument("run_folder", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
_RUNS = click.option(
    "--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Where runs are."
)


# --- scenarios ------------------------------------------------------------------------------------


_FILE = click.Path(path_type=Path, dir_okay=False)


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--engine", default="auto", show_default=True, help="auto, docker or netns.")
@_RUNS
@click.option("--keep", is_flag=True, help="Leave the lab up after the steps, until Enter or Ctrl-C.")
@click.option("-k", "names", multiple=True, metavar="NAME", help="Only scenarios with this in their name.")
@click.option("-t", "tags", multiple=True, metavar="TAG", help="Only scenarios with this tag.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Only this value of a matrix.")
@click.option("-j", "jobs", type=click.IntRange(min=1), default=1, metavar="N", help="Play N side by side.")
@click.option("-x", "stop", is_flag=True, help="Stop after the first that does not pass.")
@click.option("--rerun-failed", is_flag=True, help="Only what did not pass in the last run.")
@click.option("--no-skip", is_flag=True, help="A skipped scenario is an error (exit code 3).")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML.")
@click.option("--json", "events", type=_FILE, metavar="FILE", help="Write a line of JSON for each event.")
@click.option("--tap", type=_FILE, metavar="FILE", help="Write TAP, a line for each scenario as it ends.")
@click.option("--shard", default="", metavar="K/N", help="Only part K of N, of about the same time each.")
@click.option(
    "--durations", type=_FILE, metavar="FILE", help="For --shard: how long cases took, last.json of a run."
)
@click.option("--html", is_flag=True, help="Write a page for each run, not only for those that failed.")
@click.option("--github", is_flag=True, help="Write annotations and the job summary of GitHub Actions.")
@click.option("-v", "--verbose", is_flag=True, help="Show every step and ladder, also of many scenarios.")
def run(paths: tuple[Path, ...], settings: tuple[str, ...], **options: Any) -> int:
    """Play scenarios and judge what was captured.

    PATHS are scenario files (FILE:LINE will do), or folders of them; with --rerun-failed they may be left out.
    """
    from runner.playing import Options, play

    chosen = Options(paths=paths, settings=_settings(settings), **options)
    with _ended_by_terminate():
        return play(chosen)


def _settings(words: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", param_hint="--set")
        found[name] = value
    return found


@contextmanager
def _ended_by_terminate() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does: the lab goes down, the run directory is complete."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@cli.command()
@_PATHS
def validate(paths: tuple[Path, ...]) -> int:
    """Say what is wrong with scenarios; plays nothing."""
    from runner import running
    from runner.report.text import counted

    found = running.collect(running.Wanted(paths, RUNS, slow_too=True))
    files = len({one.path for one in found})
    click.echo(f"{counted(files, 'scenario file')} read, {counted(len(found), 'case')}: nothing is wrong.")
    return PASSED


@cli.command()
@click.argument("path", metavar="[PATH|RUN]", required=False, type=click.Path(path_type=Path))
@_RUNS
@click.option("--all", "everything", is_flag=True, help="The whole ladder, however long.")
@click.option("--c", "in_c", is_flag=True, help="Calls of a run as C writes them.")
@click.option("--states", is_flag=True, help="The TCP states of a run's sockets, where they begin.")
@click.option("--hex", "payloads", is_flag=True, help="The payload of each packet of a run as bytes.")
@click.option("--html", is_flag=True, help="Make a run's page, report.html, and say where it is.")
def show(path: Path | None, runs: Path, html: bool, **options: bool) -> int:
    """Show a scenario's plan, or a run's timeline.

    Without an argument: the latest run.
    """
    from runner import rundir
    from runner.report import paper

    path = path or _latest(runs)
    if (path / rundir.INFO).exists() or path.is_dir():
        _show_run(path, html, **options)
        return PASSED
    if html or options["in_c"] or options["states"] or options["payloads"]:
        raise UsageError(
            f"--c, --states, --hex and --html show a run, and {path} is none; play it first: runner run {path}"
        )
    from runner import running
    from runner.report.plan import show_plan

    for one in running.collect(running.Wanted([path], runs)):
        show_plan(one, paper.terminal())
    return PASSED


def _show_run(folder: Path, html: bool, everything: bool, in_c: bool, states: bool, payloads: bool) -> None:
    from runner.report import finished, paper
    from runner.report.rows import Details

    if html:
        click.echo(finished.write_page(folder))
        return
    details = Details(in_c, states, payloads, None if everything else Details.payload_limit)
    finished.show_run(folder, paper.terminal(), None if everything else 400, details)


@cli.command()
@_RUN
@_RUNS
def judge(run_folder: Path | None, runs: Path) -> int:
    """Judge a finished run again from its directory.

    Without an argument: the latest run. Needs neither root nor Docker.
    """
    from runner.report import paper
    from runner.report.finished import show_judgement

    verdict = show_judgement(run_folder or _latest(runs), paper.terminal())
    return {"pass": PASSED, "fail": FAILED, "unknown": BROKEN}[verdict]


def _latest(runs: Path) -> Path:
    """The run that was made last; raises UsageError where there is none."""
    from runner import rundir

    found = [one.parent for one in runs.glob(f"*/{rundir.INFO}")] if runs.is_dir() else []
    if not found:
        raise UsageError(f"there are no runs in {runs}; name one, or make one with `runner run`")
    return max(found, key=lambda folder: (folder / rundir.INFO).stat().st_mtime_ns)


@cli.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option(
    "--filter", "condition", default="", metavar="CONDITIONS", help="E.g. 'UDP and UDP.dport = 53'."
)
@click.option("--all", "everything", is_flag=True, help="The whole ladder, however long.")
@click.option("--open", "opened", is_flag=True, help="Start Wireshark on it instead.")
def inspect(capture: Path, condition: str, everything: bool, opened: bool) -> int:
    """Show flows and ladder of any pcap or pcapng."""
    from runner.report import paper
    from runner.report.captured import open_capture, show_capture

    if opened:
        click.echo(open_capture(capture))
        return PASSED
    show_capture(capture, condition, paper.terminal(), limit=None if everything else 200)
    return PASSED


@cli.command()
@click.argument("sources", metavar="[CAPTURE|RUN]...", nargs=-1, type=click.Path(path_type=Path))
@_RUNS
def record(sources: tuple[Path, ...], runs: Path) -> int:
    """Draft a scenario's expectations from what was recorded.

    From a capture, a run, or several runs: then with `?` where they differ. Without an argument: the latest run.
    """
    from runner.recording import recorded

    click.echo(recorded(sources or (_latest(runs),)), nl=False)
    return PASSED


# --- reference ------------------------------------------------------------------------------------


@cli.command("list")
@click.argument("kind", metavar="[steps|checks|faults|engines|scenarios]", required=False)
@click.argument("name", required=False)
def list_(kind: str | None, name: str | None) -> int:
    """List steps, checks, faults, engines and scenarios.

    With a name, its whole text: runner list steps connect
    """
    from runner import reference

    for line in reference.listing(kind, name):
        click.echo(line)
    return PASSED


@cli.command("schema")
def print_schema() -> int:
    """Print the JSON Schema of scenario files."""
    from runner import schema
    from runner.checks import CHECKS

    click.echo(schema.text(CHECKS), nl=False)
    return PASSED


@cli.command()
@click.argument("name")
def init(name: str) -> int:
    """Write NAME.yaml, a small scenario that passes.

    Beside it goes the JSON Schema that editors read.
    """
    from runner import schema, starter
    from runner.checks import CHECKS

    path = starter.write_starter(name)
    beside = path.parent / schema.FILE
    click.echo(f"Wrote {path}. Play it: runner run {path}")
    if schema.write(beside, CHECKS):
        click.echo(
            f"Wrote {beside}: editors with a YAML language server complete and explain what you write."
        )
    else:
        click.echo(f"{beside} is something else and was left as it is; see runner schema.")
    return PASSED


# --- this machine ---------------------------------------------------------------------------------


@cli.command()
def doctor() -> int:
    """Say what this machine can do.

    For all it cannot: why, and what to do about it.
    """
    from runner import doctor as examination
    from runner.report import paper

    findings = examination.examine()
    examination.show(findings, paper.terminal())
    return PASSED if examination.can_play(findings) else BROKEN


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--watch", "watched", is_flag=True, help="Show the host's packets live, above the prompt.")
def shell(host: str, command: tuple[str, ...], watched: bool) -> int:
    """Enter a HOST of the lab that is up.

    A Python prompt, or a command: runner shell server -- ss -tan
    """
    from runner import keeping

    if not watched:
        return keeping.enter(host, command)
    from runner.report import paper, prompted
    from runner.watching import Watch

    with Watch(keeping.hosts_up()) as watching:
        return prompted.enter(host, command, watching, paper.terminal())


@cli.command()
@click.argument("hosts", nargs=-1)
@click.option(
    "--filter", "condition", default="", metavar="CONDITIONS", help="E.g. 'TCP and TCP.dport = 80'."
)
def watch(hosts: tuple[str, ...], condition: str) -> int:
    """Show live what the hosts of the lab that is up send.

    All HOSTS, or those that are named; until Ctrl-C.
    """
    from runner import keeping
    from runner.report import filtering, paper, watched
    from runner.watching import Watch

    wanted = filtering.read(condition)
    with suppress(KeyboardInterrupt), Watch(keeping.hosts_up(hosts)) as watching:
        watched.show(watching, wanted, paper.terminal())
    return PASSED


@cli.command()
def clean() -> int:
    """Remove what killed runs left behind."""
    from runner.keeping import clean as swept

    removed = swept()
    for what in removed:
        click.echo(f"removed {what}")
    if not removed:
        click.echo("Nothing was left behind.")
    return PASSED
