"""What counts as the same output, and what does not: the rules of `snippets.is_shown`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.snippets import blocks, commands, is_shown

PICTURE = """\
    9.50   c.connect() │◀─────── SYN ────────┊ c.connect(server:8888)
    9.60               │────── SYN,ACK ─────▶┊
    9.61               │◀─────── ACK ────────┊
   12.00   recv = "a"  │◀── PSH,ACK "a" ─────│ c.send("a") = 1
"""


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("PASSED in 0.12 s", "PASSED in 3.4 s\n"),
        ("run  runs/20260101-000000-a-netns", "run      runs/20271231-235959-a-netns"),
        ("...\nb\n...", "a\nb\nc"),
        (
            "✓ count  0 packets of tcp c,\n                expected 0",
            "✓ count  0 packets of tcp c, expected 0",
        ),
        (
            "✓ packets  8 packets explained by 8 lines",
            "✓ packets  9 packets explained by\n               8 lines, and 1 pure ACK besides",
        ),
        ("a\n...", "a"),
        ("  11  client  returns taken     ✓", "  12  client  returns taken   ✓"),
        (PICTURE, PICTURE.replace("9.61               │◀─────── ACK ────────┊", "9.70 │ └ connect returns")),
        (PICTURE, PICTURE.replace("───", "─────").replace("9.60", "10.60")),
        ("   5  other  sniff ICMP.… ✓ echo, 4.82 ms", "   5  other  sniff ICMP.id=8 ✓ echo, 1 ms"),
        (r'✓ "E\x00\x00!\"\\xe…, 13 us', r'✓ "E\x00\x00!k\" 0…, 1 ms'),
        ("   5  other  sniff ICMP.id=8 ✓ echo, 1 ms", "   5  other  sniff ICMP.… ✓ echo, 4.82 ms"),
        ('✓ "hello" from 10.0…, 28 us', '✓ "hello" from 10.…, 247 us'),
        ("   5  other  sniff ICMP.id… ✓ echo, 1 ms", "   5  other  sniff ICM… ✓ echo, 4.82 ms"),
    ],
)
def test_the_same(shown: str, said: str) -> None:
    assert is_shown(shown.splitlines(), said)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("PASSED in 0.12 s", "FAILED in 0.12 s"),
        ("a\nb", "a\nc\nb"),
        ("a", "a\nb"),
        ("  11  client  returns taken     ✓", "  12  server  returns taken   ✓"),
        ("  11  client  returns taken     ✓", "  11  client  returns taken   ✗"),
        (
            "✓ count  0 packets,\n                expected 0",
            "✓ count  0 packets,\n                expected 1",
        ),
        ("...\nb", "b\nc"),
        ("   5  other  sniff ICMP.… ✓ echo, 4.82 ms", "   5  other  sniff UDP.sport=8 ✓ echo, 1 ms"),
        ("   5  other  sniff ICMP.… ✓ echo, 4.82 ms", "   5  other  sniff ICMP.id=8 ✗ echo, 1 ms"),
        ("   5  other  sniff ICMP.id=7… ✓ echo, 1 ms", "   5  other  sniff ICMP.id=8 ✓ echo, 4.82 ms"),
        ("   5  other  sniff ICMP.i… ✓ echo, 1 ms", "   5  other  sniff UDP.… ✓ echo, 4.82 ms"),
        (PICTURE, PICTURE.replace("SYN,ACK", "RST,ACK")),
        (PICTURE, PICTURE.replace('"a"', '"b"')),
        (PICTURE, "\n".join(reversed(PICTURE.splitlines()))),
    ],
)
def test_not_the_same(shown: str, said: str) -> None:
    assert not is_shown(shown.splitlines(), said)


def test_blocks_and_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n<!-- not run: there is no such thing -->\n```yaml\n# a.yaml\nhosts: [a]\nsteps: []\n```\n\n"
        "Words.\n\n```console\n$ one \\\n>   two\nsaid\n$ three\n```\n"
    )
    first, second = blocks(page)
    assert (first.line, first.mark, first.said) == (4, "not run", "there is no such thing")
    assert (first.file, first.is_scenario) == ("a.yaml", True)
    assert second.mark == "" and not second.is_scenario
    one, two = commands(second)
    assert (one.command, one.lines) == ("one \\\n  two", ("said",))
    assert (two.command, two.lines) == ("three", ())
