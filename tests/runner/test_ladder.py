"""The notation of ladders: what each line means, and where a wrong one is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import ladder
from runner.errors import Misplaced
from runner.ladder import Gap, Line
from runner.words import FLAGS, WORDS, flags_of, flags_text

S, A, P, F, R = (FLAGS[name] for name in ("SYN", "ACK", "PSH", "FIN", "RST"))


def one(text: str) -> Line:
    (entry,) = ladder.parse(text).entries
    assert isinstance(entry, Line)
    return entry


@pytest.mark.parametrize(
    ("arrow", "source", "target", "lost"),
    [
        ("->", "a", "b", False),
        ("<-", "b", "a", False),
        ("-x", "a", "b", True),
        ("x-", "b", "a", True),
    ],
)
def test_arrows(arrow: str, source: str, target: str, lost: bool) -> None:
    line = one(f"a {arrow} b SYN")
    assert (line.source.text, line.target.text, line.lost) == (source, target, lost)


@pytest.mark.parametrize(
    ("word", "bits"),
    [
        ("SYN", S), ("SYN,ACK", S | A), ("[S.]", S | A), ("[SYN, ACK]", S | A), ("[P.]", P | A), ("[.]", A),
        ("[R.]", R | A), ("FIN", F), ("ACK,FIN", F | A), ("[none]", 0),
    ],
)  # fmt: skip
def test_flags(word: str, bits: int) -> None:
    assert one(f"a -> b  {word}").flags == bits


def test_a_line_with_everything() -> None:
    line = one(
        r' client <- server PSH,ACK  "a\x00 # \"b\""...  len>=4 IP.ttl=64 and TCP.flags has A  ?  # why'
    )
    assert line.source.text == "server"
    assert line.flags == P | A
    assert (line.payload, line.prefix, line.optional) == (b'a\0 # "b"', True, True)
    assert [str(condition) for condition in line.conditions] == ["len>=4", "IP.ttl=64", "TCP.flags has A"]
    assert line.text.endswith("?")


@pytest.mark.parametrize("text", ['a -> b UDP "x"?', "a -> b len=9?", "a -> b ACK?", "a -> b IP.src=b ?"])
def test_a_question_mark_may_touch_what_it_follows(text: str) -> None:
    assert one(text).optional


def test_blank_lines_comments_and_gaps() -> None:
    found = ladder.parse("# all of it\n\na -> b SYN # first\n  ...\n\nb -> a UDP  \n")
    assert [(type(entry), entry.number) for entry in found.entries] == [(Line, 2), (Gap, 3), (Line, 5)]


def test_addresses_stand_for_themselves() -> None:
    lines = ["10.0.0.9 -> server UDP", "client -> ff:FF:ff:ff:ff:ff ARP", "client -> 2001:DB8::0:1 UDP"]
    found = ladder.parse("\n".join(lines))
    assert [line.target.text for line in found.lines] == ["server", "ff:ff:ff:ff:ff:ff", "2001:db8::1"]
    assert list(found.hosts()) == [("server", 0, 12), ("client", 1, 0), ("client", 2, 0)]


def test_hosts_in_conditions_are_names_too() -> None:
    found = ladder.parse("a -> b SYN\na -> b UDP IP.src=mallory")
    assert ("mallory", 1, 18) in list(found.hosts())


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_is_a_word(word: str) -> None:
    assert [found.name for found in one(f"a -> b {word}").words] == [word]
    assert WORDS[word].meaning


def test_a_layer_is_a_condition() -> None:
    assert [str(condition) for condition in one("a -> b UDP DNS").conditions] == ["DNS"]


@pytest.mark.parametrize(
    ("text", "place", "length", "suggestion", "message"),
    [
        ("a -> b SYN,AKC", (0, 7), 7, "SYN,ACK", "unknown word"),
        ("a -> b syn", (0, 7), 3, "SYN", "unknown word"),
        ("a -> b\na -> b ehco-request", (1, 7), 12, "echo-request", "unknown word"),
        ("a -> b udp", (0, 7), 3, "UDP", "unknown word"),
        ("a b SYN", (0, 0), 1, "", "HOST ARROW HOST"),
        ("a->b SYN", (0, 0), 4, "a -> b", "HOST ARROW HOST"),
        ("a", (0, 0), 1, "", "HOST ARROW HOST"),
        ("a --> b SYN", (0, 2), 3, "->", "no arrow"),
        ("a <-- b SYN", (0, 2), 3, "<-", "no arrow"),
        ("a -> b:80 SYN", (0, 5), 4, "b", "said by the flow"),
        ("a -> b! SYN", (0, 5), 2, "", "neither a host nor an address"),
        ("a -> b SYN ACK", (0, 11), 3, "", "one word"),
        ("a -> b UDP SYN", (0, 11), 3, "", "no packet is both UDP and SYN"),
        ("a -> b SYN UDP", (0, 11), 3, "", "no packet is both"),
        ("a -> b ARP echo-reply", (0, 11), 10, "", "no packet is both"),
        ('a -> b UDP "x', (0, 11), 2, "", 'no closing "'),
        ('a -> b UDP "x" "y"', (0, 15), 3, "", "one payload"),
        (r'a -> b UDP "x\y"', (0, 13), 2, "", "escapes"),
        ("a -> b ? SYN", (0, 9), 3, "", "stands at the end"),
        ("a -> b IP.ttl=x", (0, 14), 1, "", "is a number"),
        ("a -> b ttl=3", (0, 7), 3, "IP.ttl", "no field"),
        ("# c\na -> b after>1s", (1, 7), 5, "", "the line before"),
        ("...\na -> b after>1s", (1, 7), 5, "", "the line before"),
    ],
)
def test_mistakes_have_places(
    text: str, place: tuple[int, int], length: int, suggestion: str, message: str
) -> None:
    with pytest.raises(Misplaced) as caught:
        ladder.parse(text)
    wrong = caught.value
    assert ((wrong.line, wrong.column), wrong.length, wrong.suggestion) == (place, length, suggestion)
    assert message in wrong.message


@given(st.text(alphabet='ab->x<?". \n#SYNACK,=5[]\\', max_size=60))
def test_any_text_is_a_ladder_or_a_mistake_inside_it(text: str) -> None:
    try:
        ladder.parse(text)
    except Misplaced as wrong:
        lines = text.split("\n")
        assert wrong.line < len(lines)
        assert 0 <= wrong.column <= len(lines[wrong.line])


@given(st.integers(0, 511))
def test_flags_read_back_as_they_are_written(bits: int) -> None:
    assert flags_of(flags_text(bits)) == bits
