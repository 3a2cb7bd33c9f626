"""What can be done on the report page, in Chromium: by pointer, by keys, with many packets, with hostile ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser import runs
from tests.browser.conftest import Open

pytestmark = pytest.mark.slow

NODES = "document.querySelectorAll('#ladder *').length"


def option(page: Any, words: str) -> Any:
    """The first thing on the ladder whose spoken name has these words."""
    return page.locator(f'[role="option"][aria-label*="{words}"]').first


def test_a_packet_shows_its_layers_and_bytes(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    page.locator("#ladder .label", has_text="hello lab").first.click()
    details = page.locator("#details")
    assert "client → server" in details.inner_text() and "seq 1" in details.inner_text()
    assert details.locator(".layer summary").all_inner_texts()[1].startswith("IP")
    assert "hello lab" in details.locator(".letters").all_inner_texts()[-1].replace("·", " ")
    row = details.locator("tr", has=page.locator("th", has_text="dport"))
    assert row.locator("td").inner_text() in ("80", "http", "www_http")
    row.hover()
    assert details.locator(".hex .lit").all_inner_texts() == ["00", "50"]
    assert details.locator(".hex .lit").first.get_attribute("data-at") == "36", (
        "14 of Ethernet, 20 of IP, and 2"
    )


def test_a_call_shows_python_and_c(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    page.locator("#ladder .call-label", has_text="x.connect").click()
    python, in_c = page.locator("#details .code").all_inner_texts()
    assert "connect" in python and "ECONNREFUSED" in in_c and "AF_INET" in in_c
    assert "Connection refused" in page.locator("#details").inner_text()
    page.locator("#ladder .call-label", has_text="accept").first.click()
    assert "asleep in the kernel" in page.locator("#details").inner_text()


def test_findings_lead_to_what_they_speak_of(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path), height=500)
    page.get_by_role("button", name="Show packet 7").click()
    chosen = page.locator('[aria-selected="true"]')
    assert "packet 7," in chosen.get_attribute("aria-label")
    assert chosen.evaluate(
        "(one) => { const box = one.getBoundingClientRect(); return box.top > 0 && box.bottom < innerHeight; }"
    )
    assert page.evaluate("document.activeElement.id") == "ladder"
    page.get_by_role("button", name="Show the packets of this finding").click()
    named = page.locator('[role="option"].named')
    assert [one.get_attribute("aria-label").split(",")[0] for one in named.all()] == ["packet 1", "packet 3"]
    page.get_by_role("button", name="Show what this step called").click()
    assert page.locator('[aria-selected="true"].call').count() == 1


def test_a_finding_leads_also_to_what_the_filter_hides(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    page.locator("#text").fill("question")
    page.get_by_role("button", name="Show packet 7").click()
    assert "packet 7," in page.locator('[aria-selected="true"]').get_attribute("aria-label")
    assert page.locator("#text").input_value() == ""


def test_keys_alone_will_do(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    focused = "document.activeElement.id || document.activeElement.tagName"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(3):
        if page.evaluate(focused) != "ladder":
            page.keyboard.press("Tab")
    assert page.evaluate(focused) == "ladder"
    page.keyboard.press("ArrowDown")
    first = page.locator("#ladder").get_attribute("aria-activedescendant")
    page.keyboard.press("ArrowDown")
    second = page.locator("#ladder").get_attribute("aria-activedescendant")
    assert first and second and first != second
    assert page.locator(f"#{second}").get_attribute("aria-selected") == "true"
    page.keyboard.press("End")
    assert "a question" in page.locator('[aria-selected="true"]').get_attribute("aria-label")
    page.keyboard.press("Enter")
    assert page.evaluate(focused) == "details"
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "ladder" and not page.locator("#details").is_visible()
    page.keyboard.press("/")
    assert page.evaluate(focused) == "text"
    style = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(style) != "none", "one sees where the focus is"


def test_filters_by_flow_host_and_text(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    packets = page.locator('[role="option"].packet')
    everything = packets.count()
    page.locator("#flow").select_option(label="udp client:5000 ↔ server:53 (1)")
    assert packets.count() == 1 and page.locator('[role="option"].call').count() == 0
    assert "1 of" in page.locator("#counted").inner_text()
    page.locator("#flow").select_option("0")
    assert packets.count() == everything - 1
    assert option(page, "c.send(").count() == 1 and option(page, "x.connect").count() == 0
    page.locator("#flow").select_option("")
    page.locator("#text").fill("hello LAB")
    assert packets.count() == 1
    page.locator("#text").fill("")
    page.locator("#host").select_option("server")
    assert option(page, "client calls").count() == 0 and option(page, "server calls").count() == 1


def test_of_ten_thousand_packets_only_what_is_in_view_is_drawn(open_page: Open, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = open_page(runs.large(tmp_path))
    assert page.evaluate(NODES) < 3000
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height > 100_000
    page.evaluate(f"scrollTo(0, {height // 2})")
    # Not wait_for_function: asked a second time, it is the page that evaluates text, which the page's policy forbids.
    expect(page.locator("#ladder .label").first).to_have_text(re.compile("packet [45][0-9]{3}"))
    assert page.evaluate(NODES) < 3000
    middle = page.evaluate(
        "document.elementFromPoint(innerWidth / 2, innerHeight / 2).closest('#ladder') !== null"
    )
    assert middle
    page.get_by_role("button", name="Show packet 19999").click()
    assert "packet 9999" in page.locator('[aria-selected="true"]').get_attribute("aria-label")
    assert page.evaluate(NODES) < 3000
    assert "dport" in page.locator("#details").inner_text(), "a finding names it: it has its layers"
    page.keyboard.press("ArrowUp")
    hint = page.locator("#details .hint").first.inner_text()
    assert "2001" in hint and "capture" in hint


def test_hostile_text_is_shown_and_never_run(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.hostile(tmp_path))
    page.locator("#ladder .label").first.click()
    said = page.locator("body").inner_text()
    assert "<script>alert(1)</script>" in said and "\\u202e" in said and "\\x1b[31m" in said
    assert "\u202e" not in said and "\x1b" not in said
    page.locator("#ladder .call-label").first.click()
    assert "<img src=x onerror=alert(2)>" in page.locator("#details").inner_text()
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2


def test_the_policy_of_the_page_is_in_force(chromium: Any, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.goto(runs.hostile(tmp_path).absolute().as_uri())
    blocked = page.evaluate(
        "new Promise((told) => {"
        " addEventListener('securitypolicyviolation', (event) => told(event.effectiveDirective));"
        " const image = new Image(); image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; })"
    )
    page.close()
    assert blocked == "img-src"
