"""Files that are damaged on purpose: a seeded choice of what somebody, a bad disk or a bad link does to real ones."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

ODD_TEXTS = (
    "{", "}", "[", "]", ": ", "- ", "&a ", "*a", "!!python/object/apply:os.system ", "? ", "|\n", ">-\n", "%YAML 9.9\n",
    "---\n", "...\n", "\t", "\0", "\x1b[2J", "\u202e", "\ufeff", "<<: *a", "$", "$x+1", "${", "$$", "0x", "1e999", "-1",
    "99999999999999999999", "..", "1..", "${}", "{random: 99999999999, seed: 1}", "{repeat: x, times: 99999999999}",
    "{file: /dev/zero}", "{hex: zz}", "~", "'", '"', "#", "\r", "\u2028", "steps:", "hosts:", "matrix: {a: [1, 2]}",
    "{packet: [{IP: {dst: 300.1.1.1}}]}", "where: x has", "2s..", "5 parsecs", "ALL", "\U0001f9e8",
)  # fmt: skip


def mutated_text(text: str, chance: random.Random) -> bytes:
    """A scenario with one to four pieces of damage."""
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(_TEXT_DAMAGE)(text, chance)
    return text.encode("utf-8", "surrogatepass")


def _cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(ODD_TEXTS) + text[at:]


def _replace_word(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    words[chance.randrange(len(words))] = chance.choice(ODD_TEXTS)
    return " ".join(words)


def _swap_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def _indent(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = chance.randrange(len(lines))
    lines[at] = " " * chance.randint(1, 9) + lines[at]
    return "".join(lines)


def _repeat_part(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at : at + 200] * chance.choice((2, 50, 1000)) + text[at:]


def _drop(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at + chance.randint(1, 30) :]


_TEXT_DAMAGE: tuple[Callable[[str, random.Random], str], ...] = (
    _cut, _insert, _insert, _replace_word, _replace_word, _swap_lines, _indent, _repeat_part, _drop,
)  # fmt: skip


def bombs() -> Iterator[bytes]:
    """Texts that are small and mean much, or are deep, long or no text at all."""
    layers = ["a: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    layers += [f"a{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 30)]
    yield "\n".join(layers).encode()
    yield b"a: &a [*a]"
    for opening in (b"[", b"{a: ", b"- ", b"? ", b"&a ", b"!a ", b"'", b'"', b"|\n", b"*"):
        yield opening * 200_000
        yield b"name: x\nhosts: [a, b]\nsteps: " + opening * 20_000
    yield b"name: x\n" * 200_000
    yield b"#" * (2 << 20)
    yield b"x: " + b"y" * (1 << 20)
    yield b"\xff\xfe" * 1000
    yield b"\0" * 100_000
    yield b""
    yield b"hosts: [" + b",".join(b"h%d" % n for n in range(90_000)) + b"]\nname: x\nsteps: []\n"
    head = b"name: x\nhosts: [a, b]\nsteps:\n"
    yield head + b"  - sleep: 1ms\n" * 30_000
    yield head + b"  - repeat: {for: {i: 1..999999999}, steps: [{sleep: 1ms}]}\n"
    nested = "{sleep: 1ms}"
    for name in "ijklmnop":
        nested = f"{{repeat: {{for: {{{name}: 1..1000}}, steps: [{nested}]}}}}"
    yield head + f"  - {nested}\n".encode()
    yield head + b"  - a: {sendto: s, data: {random: 99999999999, seed: 1}, to: 'b:1'}\n"
    yield (
        head
        + b"  - a: {sendto: s, data: {repeat: {repeat: {repeat: x, times: 99999}, times: 99999}, times: 9}}\n"
    )
    yield (
        b"name: x\nhosts: [a]\nmatrix: {"
        + b", ".join(b"m%d: [1, 2, 3, 4]" % n for n in range(30))
        + b"}\nsteps: []\n"
    )
    yield head + b"expect:\n  - flow: tcp c\n    packets: |\n" + b"      a -> b  SYN ?\n      ...\n" * 10_000


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """A capture with damage: flipped bits, lengths that lie, pieces cut out, doubled or torn off."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(max(1, len(changed) - 8))
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at & ~3 : (at & ~3) + 4] = struct.pack(
                    "<I", chance.choice((0, 1, 0xFFFF, 1 << 31, (1 << 32) - 1))
                )
            case 2:
                del changed[at : at + chance.randint(1, 64)]
            case 3:
                changed[at:at] = changed[at : at + chance.randint(1, 256)]
            case 4:
                del changed[max(24, at) :]
            case _:
                changed[at : at + 16] = chance.randbytes(16)
    return bytes(changed)


def mutated_json(text: str, chance: random.Random) -> str:
    """A JSON text with a value of another kind, or torn."""
    if chance.random() < 0.3:
        return text[: chance.randrange(len(text) + 1)]
    lines = text.splitlines()
    number = chance.randrange(len(lines))
    try:
        value = json.loads(lines[number] if len(lines) > 1 and lines[number].startswith("{") else text)
    except ValueError:
        return text.replace(":", chance.choice((";", ": [", ": -1e400,")), 1)
    whole = value
    while isinstance(value, (dict, list)) and value:
        key = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        if chance.random() < 0.4 or not isinstance(value[key], (dict, list)) or not value[key]:
            value[key] = chance.choice(
                (None, -1, 1 << 70, "x\x1b[2J", [], {}, [[[]]], True, 0.5, {"bytes": 5})
            )
            break
        value = value[key]
    if len(lines) > 1 and lines[number].startswith("{"):
        return "\n".join([*lines[:number], json.dumps(whole), *lines[number + 1 :]]) + "\n"
    return json.dumps(whole)


def real_scenarios(root: Path) -> list[str]:
    """The texts of all scenarios of this checkout."""
    return [path.read_text(encoding="utf-8") for path in sorted((root / "scenarios").rglob("*.yaml"))]
