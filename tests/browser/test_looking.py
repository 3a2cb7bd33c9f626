"""What the report page looks like, in Chromium: light and dark, wide and narrow, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import runs
from tests.browser.conftest import Open

pytestmark = pytest.mark.slow

OVERLAPPING = """() => {
  const seen = [...document.querySelectorAll("#ladder text")].filter((one) => !one.closest(".gap, .state"))
    .map((one) => ({ text: one.textContent, box: one.getBoundingClientRect() })).filter((one) => one.text);
  const found = [];
  for (const [place, one] of seen.entries()) for (const other of seen.slice(place + 1)) {
    const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
    const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
    if (wide > 2 && high > 4) found.push(`${one.text} | ${other.text}`);
  }
  return found;
}"""
SIZES = [(1280, 900), (390, 844), (800, 900)]


def test_head_and_findings_say_what_came_of_it(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    assert page.locator("h1").inner_text() == "recorded"
    assert "failed" in page.locator(".verdict").inner_text()
    assert page.locator(".about").inner_text() == "What it is about."
    assert "netns" in page.locator(".facts").first.inner_text()
    assert page.locator("#findings li").count() == 3
    assert page.locator("#findings pre").inner_text() == "expected\nand seen"
    link = page.locator("a", has_text="capture.pcapng")
    assert link.get_attribute("href") == "capture.pcapng" and (tmp_path / "capture.pcapng").exists()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}px")
@pytest.mark.parametrize(
    "run", [runs.connection, runs.struck, runs.three_hosts], ids=lambda run: run.__name__
)
def test_words_stand_beside_each_other(
    run: Any, size: tuple[int, int], open_page: Open, tmp_path: Path
) -> None:
    page = open_page(run(tmp_path), width=size[0], height=size[1])
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "the page itself does not scroll"
    assert page.evaluate(OVERLAPPING) == []


def test_calls_last_from_begin_to_return(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    accept = page.locator('[role="option"].call', has=page.locator(".asleep")).first
    assert "accept" in accept.get_attribute("aria-label")
    syn = page.locator('[role="option"][aria-label*=", SYN,"]').first.locator(".wire").bounding_box()
    bar, slept = accept.locator(".bar").bounding_box(), accept.locator(".asleep").bounding_box()
    assert bar["y"] < syn["y"] < bar["y"] + bar["height"], "it goes on while the SYN comes"
    assert bar["y"] <= slept["y"] and slept["height"] > bar["height"] / 2
    send = page.locator('[role="option"][aria-label*="c.send("]').locator(".bar").bounding_box()
    assert send["height"] < bar["height"]
    assert page.locator("#ladder .open-end").count() == 1, "the recv that never returned"
    assert "never returned" in page.locator("#ladder").inner_text()


def test_lost_late_and_doubled_packets_look_it(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.struck(tmp_path))
    packets = page.locator('[role="option"].packet')
    heights = [packets.nth(place).locator(".wire").first.bounding_box()["height"] for place in range(5)]
    lost, prompt, late = heights[:3]
    assert packets.nth(0).locator(".cross").count() == 1 and lost < 8
    assert late > 1.5 * prompt, "5 ms on the way"
    assert [packets.nth(place).locator(".tip").count() for place in range(5)] == [0, 1, 1, 2, 1]
    assert page.locator("#ladder .fault-line").count() == 1
    assert page.locator("#ladder .banner").count() == 2, "where it begins and where it is healed"


def test_states_are_bars_with_names_and_a_legend(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    names = page.locator("#ladder .state-name").all_text_contents()
    assert "SS" in names and any("ESTABLISHED" in name for name in names)
    legend = page.locator("#legend").inner_text()
    assert "SYN_SENT" in legend and "ESTABLISHED" in legend and "asleep in the kernel" in legend


def test_a_pause_of_seconds_is_a_break(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    assert "3.00 s" in page.locator("#ladder .pause").all_text_contents()
    assert page.locator("#ladder").bounding_box()["height"] < 1500
    assert "3" in "".join(page.locator("#ladder .time").all_text_contents()[-2:])
    assert "not even" in page.locator("#scale").inner_text()


GROUND = "getComputedStyle(document.body).backgroundColor"


def test_light_and_dark(open_page: Open, tmp_path: Path) -> None:
    path = runs.connection(tmp_path)
    light, dark = open_page(path), open_page(path, dark=True)
    day, night = light.evaluate(GROUND), dark.evaluate(GROUND)
    assert day != night
    light.get_by_role("button", name="Dark").click()
    dark.get_by_role("button", name="Light").click()
    assert (light.evaluate(GROUND), dark.evaluate(GROUND)) == (night, day)


def test_print_has_all_of_it_on_light_paper(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.large(tmp_path, 400), dark=True)
    words = "[...document.querySelectorAll('#ladder .label')].map((one) => one.textContent)"
    assert len(page.evaluate(words)) < 200
    page.emulate_media(media="print")
    page.wait_for_selector(".piece", state="attached")
    printed = page.evaluate(words)
    assert len(printed) == 400 and printed[-1] == 'UDP "packet 399"'
    assert page.evaluate(GROUND) == open_page(tmp_path / "report.html").evaluate(GROUND)
    assert not page.locator("#filter").is_visible() and page.locator("#findings").is_visible()
    page.emulate_media(media="screen")
    page.wait_for_selector(".piece", state="detached")
    assert len(page.evaluate(words)) < 200
    assert page.pdf(format="A4").count(b"/Type /Page\n") > 5


def test_details_are_open_on_paper(open_page: Open, tmp_path: Path) -> None:
    page = open_page(runs.connection(tmp_path))
    page.emulate_media(media="print")
    assert page.locator("#findings pre").is_visible()
