"""One Chromium for all tests of the report page, and pages that are watched while they are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.needing import need_chromium

Open = Callable[..., Any]
"""Opens a file: `open_page(path, width=1280, height=900, dark=False)`."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, which may run as root here: it opens nothing but files that the tests wrote."""
    path = need_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Open]:
    """Opens pages; fails the test when one of them complained, asked something, or wanted more than its own file."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def opened(path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> Any:
        scheme = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        own = path.absolute().as_uri()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda one: one.url == own or complaints.append(f"request: {one.url[:200]}"))
        page.goto(own)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
