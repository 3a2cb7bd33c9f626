"""Pictures of the report page for README and docs: `make pictures` plays scenarios, and Chromium draws their pages.

Playwright, which is a package for development, and Debian's chromium are needed for this alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import engine as engines
from runner import player, scenario, starter
from runner.checks import CHECKS
from runner.errors import UsageError
from runner.guide.ladders import Unseen
from runner.report.finished import write_page

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Picture:
    """What of a scenario's page is shown: pixels from `top` on, after a click on each of `clicks` (CSS selectors)."""

    name: str
    scenario: str
    width: int
    height: int
    top: str = ""
    clicks: tuple[str, ...] = ()


FAILING = "hello"
"""The scenario that `runner init` writes, with another answer expected."""
PICTURES = (
    Picture("report", "tcp_echo", 1180, 800, top="#paper"),
    Picture("failing", FAILING, 1180, 660, top="#judged"),
    Picture("packet", "tcp_echo", 1180, 600, top="#paper", clicks=("text.label.kind-data",)),
    Picture("faults", "faults_on_tcp", 1180, 800, top="#paper"),
    Picture("phone", "tcp_echo", 390, 800, top="#paper"),
)


def make() -> Iterator[str]:
    """Make all pictures, light and dark; yields a line for each. Raises UsageError where there is no browser."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise UsageError("there is no Chromium; on Debian: apt-get install chromium fonts-dejavu-core")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pages = {one.scenario: Path() for one in PICTURES}
        for name in pages:
            pages[name] = _played(name, Path(folder) / name)
        for picture in PICTURES:
            for scheme in ("light", "dark"):
                file = FOLDER / f"{picture.name}-{scheme}.png"
                _draw(browser, picture, pages[picture.scenario], scheme, file)
                yield f"{file.relative_to(ROOT)}  {file.stat().st_size // 1024} KiB"
        browser.close()


def _played(name: str, folder: Path) -> Path:
    """The page of a run of a scenario's first case."""
    folder.mkdir()
    path = Path("scenarios", f"{name}.yaml")
    at = ROOT
    if name == FAILING:
        path, at = Path(f"{name}.yaml"), folder.parent
        told = starter.STARTER.format(title=name, file=path.name, modeline="")
        told = told.replace('gives: "what time is it?"', 'gives: "what day is it?"')
        (at / path).write_text(told, encoding="utf-8")
    with chdir(at):
        loaded = scenario.load(path, checks=CHECKS, case=dict(scenario.cases(path, {})[0]))
        player.play(loaded, engines.find("netns"), folder, watcher=Unseen())
    return write_page(folder)


def _draw(browser: Any, picture: Picture, page: Path, scheme: str, file: Path) -> None:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=scheme,
        device_scale_factor=2,
    )
    shown = context.new_page()
    shown.goto(page.as_uri())
    for selector in picture.clicks:
        shown.locator(selector).first.click()
    if picture.top:
        shown.locator(picture.top).evaluate(
            "(one) => scrollTo(0, one.getBoundingClientRect().top + scrollY - 12)"
        )
    shown.mouse.move(0, 0)
    shown.wait_for_timeout(200)
    shown.screenshot(path=str(file))
    context.close()
