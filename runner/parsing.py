"""What libyaml says about a text that is not YAML, in words for the author of a scenario."""

from __future__ import annotations

_WORDS = (
    ("mapping values are not allowed", "a `: ` stands where no key can be: put the text in quotes"),
    (
        "did not find expected ',' or '}'",
        "the map that began with `{` goes on wrongly here: a `,` or `}` is missing, or a text needs quotes",
    ),
    (
        "did not find expected ',' or ']'",
        "the list that began with `[` goes on wrongly here: a `,` or `]` is missing, or a text needs quotes",
    ),
    ("did not find expected key", "a key is expected here: look at the indentation and at quotes before it"),
    (
        "did not find expected '-' indicator",
        "an entry of a list (`- `) is expected here: look at the indentation",
    ),
    ("could not find expected ':'", "this line is not finished: a `:` after a key is missing"),
    ("found unexpected end of stream", "a quote that was opened is never closed"),
    ("did not find expected node content", "a value is missing here"),
    ("block sequence entries are not allowed", "a `- ` cannot begin a list here"),
    ("found duplicate anchor", "this anchor (&) was used before"),
    (
        "found undefined tag handle",
        "a `!` begins a tag, which is no part of the language: put the text in quotes",
    ),
    (
        "found unknown escape character",
        "the double-quoted text has an escape that YAML does not know: a backslash is written \\\\",
    ),
)
"""What libyaml says, and what it means for the author of a scenario."""


def in_words(problem: str, character: str) -> str:
    """The parser's problem as a sentence; `character` is what stands where it was noticed."""
    if "cannot start any token" in problem or "tab" in problem:
        if character == "\t":
            return "a tab cannot indent YAML: use spaces"
        return f"a text cannot begin with {character!r}: put it in quotes"
    return next((words for known, words in _WORDS if known in problem), f"this is not YAML: {problem}")
