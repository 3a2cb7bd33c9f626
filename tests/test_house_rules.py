"""The rules of this code, held by a test over its source (see CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((*ROOT.glob("lab/**/*.py"), *ROOT.glob("runner/**/*.py")))
TESTS = sorted(ROOT.glob("tests/**/*.py"))
LOCKED, OLDEST = ROOT / "requirements/dev.txt", "3.11.0"

EXCEPTIONS: frozenset[tuple[str, str]] = frozenset(
    {
        ("module-length", "lab/agent.py"),  # one file, so that it can be piped into any host
    }
)
"""(rule, file or file:name). This list may only shrink: an entry that is no longer needed fails the test."""

PRINTING = (
    "runner/cli.py",
    "runner/guide/__main__.py",
    "runner/__main__.py",
    "runner/report/",
    "lab/compose.py",
    "lab/images.py",
)
SCAPY, DOCKER = ("runner/dissect.py",), ("lab/engines/docker.py",)
STANDARD_LIBRARY_ONLY = ("lab/agent.py", "lab/responder.py")
MODULE_LINES, FUNCTION_LINES, TEST_LINES = 400, 50, 600

Breach = tuple[str, str]


def name_of(path: Path) -> str:
    """The path as the rules write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a source file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions_of(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in the file, absolute names; also by `import_module`."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and "import_module" in (
            getattr(called, "attr", ""),
            getattr(called, "id", ""),
        ):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and one.value)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


# --- the rules: each yields its breaches as (rule, file or file:name) -------------------------------


def long_modules(path: Path) -> Iterator[Breach]:
    if len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES:
        yield "module-length", name_of(path)


def long_functions(path: Path) -> Iterator[Breach]:
    for name, node in functions_of(tree_of(path)):
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES:
            yield "function-length", f"{name_of(path)}:{name}"


def missing_docstrings(path: Path) -> Iterator[Breach]:
    tree = tree_of(path)
    if tree.body and not ast.get_docstring(tree):
        yield "module-docstring", name_of(path)
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield "docstring", f"{name_of(path)}:{node.name}"
        if isinstance(node, ast.ClassDef) and not _is_protocol(node):
            yield from _undocumented_methods(path, node)


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


@cache
def _documented_in_protocols() -> frozenset[str]:
    """The methods of all protocols: who implements one need not say again what it does."""
    classes = [node for path in SOURCES for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    return frozenset(method.name for node in classes if _is_protocol(node) for method in _methods(node))


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """The public methods of a class."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            yield method


def _documented_beside(path: Path) -> frozenset[str]:
    """Methods that some class of the module documents: its siblings do the same in their own way."""
    classes = [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    return frozenset(
        method.name for node in classes for method in _methods(node) if ast.get_docstring(method)
    )


def _undocumented_methods(path: Path, node: ast.ClassDef) -> Iterator[Breach]:
    known = _documented_in_protocols() | _documented_beside(path)
    for method in _methods(node):
        length = (method.end_lineno or method.lineno) - method.lineno
        if method.name not in known and not ast.get_docstring(method) and length > 3:  # short ones say it all
            yield "docstring", f"{name_of(path)}:{node.name}.{method.name}"


def shells(path: Path) -> Iterator[Breach]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            yield "shell", name_of(path)
        if isinstance(node, ast.Attribute) and node.attr in ("system", "popen", "getoutput"):
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id in ("os", "subprocess"):
                yield "shell", name_of(path)


def prints(path: Path) -> Iterator[Breach]:
    if name_of(path).startswith(PRINTING):
        return
    for node in ast.walk(tree_of(path)):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id == "print" and not _to_a_file(node):
            yield "print", name_of(path)


def _to_a_file(call: ast.AST) -> bool:
    return isinstance(call, ast.Call) and any(keyword.arg == "file" for keyword in call.keywords)


def foreign_imports(path: Path) -> Iterator[Breach]:
    name = name_of(path)
    for module in imports_of(tree_of(path)):
        top = module.partition(".")[0]
        if top == "scapy" and name not in SCAPY:
            yield "scapy-import", name
        if top == "docker" and name not in DOCKER:
            yield "docker-import", name
        if name in STANDARD_LIBRARY_ONLY and top not in sys.stdlib_module_names:
            yield "standard-library", name
        if name.startswith("lab/") and top in ("runner", "yaml", "pydantic", "click"):
            yield "lab-imports", name


def late_imports(path: Path) -> Iterator[Breach]:
    """scapy and docker are slow to import: inside functions only, so that only their users pay."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in imports_of(node):
                if module.partition(".")[0] in ("scapy", "docker") and name_of(path) not in DOCKER:
                    yield "late-import", name_of(path)


DEFINING = (
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
    ast.Assign, ast.AnnAssign,
)  # fmt: skip
OUTSIDE = frozenset(
    {"open", "system", "popen", "run", "connect", "Popen", "start", "socket", "eval", "input"}
)


def work_at_import(path: Path) -> Iterator[Breach]:
    """Modules define; nothing happens when they are imported."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.If) and _is_guard(node.test):
            continue
        if not isinstance(node, DEFINING) or _acts(node):
            yield "work-at-import", f"{name_of(path)}:{node.lineno}"


def _is_guard(test: ast.expr) -> bool:
    text = ast.unparse(test)
    return text in ("TYPE_CHECKING", "__name__ == '__main__'") or "sys.version_info" in text


def _acts(node: ast.stmt) -> bool:
    """Whether an assignment calls something that reaches out of the process."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    called = (one.func for one in ast.walk(node.value) if isinstance(one, ast.Call))
    names = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in called}
    return bool(names & OUTSIDE)


ADDRESS = re.compile(
    r"(?<![\d.])(?!0\.0\.0\.0|224\.|127\.0\.0\.\d|255\.255\.255\.255)\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
)
PLANS = ("lab/addressing.py", "lab/compose.py", "lab/container.py")
"""Where addresses are planned: everybody else asks the lab."""


def addresses(path: Path) -> Iterator[Breach]:
    """No address is written into code, docstrings and multicast aside: addresses come from the lab."""
    if name_of(path) in PLANS:
        return
    docstrings = {id(node.value) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree_of(path)):
        value = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else None
        if isinstance(value, str) and ADDRESS.search(value):
            yield "address", f"{name_of(path)}:{value}"


RULES = (
    long_modules, long_functions, missing_docstrings, shells, prints, foreign_imports, late_imports,
    work_at_import, addresses,
)  # fmt: skip


@cache
def breaches() -> frozenset[Breach]:
    """All breaches of all rules in the source."""
    return frozenset(breach for rule in RULES for path in SOURCES for breach in rule(path))


def test_the_source_keeps_the_rules() -> None:
    wrong = breaches() - EXCEPTIONS
    assert not wrong, "\n".join(f"{rule}: {where}" for rule, where in sorted(wrong))


def test_exceptions_are_still_needed() -> None:
    needless = EXCEPTIONS - breaches()
    assert not needless, f"these are mended; take them out of the list: {sorted(needless)}"


def test_test_files_are_not_long_either() -> None:
    long = [
        name_of(path) for path in TESTS if len(path.read_text(encoding="utf-8").splitlines()) > TEST_LINES
    ]
    assert not long


BAD = {
    "module-docstring": "x = 1\n",
    "docstring": '"""M."""\ndef public():\n    return 1\n',
    "shell": '"""M."""\nimport subprocess\ndef _f():\n    subprocess.run("ls", shell=True)\n',
    "print": '"""M."""\ndef _f():\n    print("x")\n',
    "scapy-import": '"""M."""\ndef _f():\n    import scapy.all\n',
    "scapy-import ": '"""M."""\ndef _f():\n    importlib.import_module("scapy.all")\n',
    "docker-import": '"""M."""\ndef _f():\n    from docker import client\n',
    "late-import": '"""M."""\nimport scapy\n',
    "work-at-import": '"""M."""\nfor x in ():\n    pass\n',
    "address": '"""M."""\nX = "10.1.2.3"\n',
    "module-length": '"""M."""\n' + "\n" * 400,
    "function-length": '"""M."""\ndef _f():\n' + "    pass\n" * 51,
    "lab-imports": '"""M."""\nimport runner.errors\n',
}


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_can_be_broken(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lab" / "bad.py"
    path.parent.mkdir()
    path.write_text(BAD[rule], encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert rule.strip() in {breach for check in RULES for breach, _ in check(path)}


def test_what_is_locked_can_be_installed_on_the_oldest_python() -> None:
    """Debian 12's own is 3.11.2; an index offers what the Python at hand can have, and the lock may ask for more."""
    locked = [line.split("==")[0] for line in LOCKED.read_text().splitlines() if "==" in line]
    wants = {name: metadata.metadata(name).get("Requires-Python") or "" for name in locked}
    assert [name for name, said in wants.items() if OLDEST not in SpecifierSet(said)] == []
