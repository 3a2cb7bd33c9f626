"""Programs that run beside an agent, in the host: several modules of ours as the one source that it is handed.

Only makes texts; the agent's request `start` executes them. What such a program does is its own modules' affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_LOADER = """
import sys, types
def load(name, text):
    module = sys.modules.get(name)
    if module is None:
        module = sys.modules[name] = types.ModuleType(name)
        module.__path__ = []
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
    exec(compile(text, name, "exec"), module.__dict__)
"""


@cache
def program(packages: Sequence[str], modules: Sequence[str]) -> str:
    """The source of a program for a bare Python: it loads the modules, each after those that it imports.

    `packages` are there, but empty, unless they are among the modules. The last module's `main()` is called.
    """
    parts = [_LOADER, *(f"load({name!r}, '')\n" for name in packages)]
    parts += [f"load({name!r}, {_text(name)!r})\n" for name in modules]
    return "".join(parts) + f"sys.modules[{modules[-1]!r}].main()\n"


def _text(name: str) -> str:
    path = _ROOT / (name.replace(".", "/") + ".py")
    path = path if path.is_file() else _ROOT / name.replace(".", "/") / "__init__.py"
    return path.read_text(encoding="utf-8")
