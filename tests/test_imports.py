"""Imports point one way, and a job imports no more than it needs: read from the source, and seen in a fresh process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support import ROOT

# model <- net, hygiene, files <- source <- worker | growth <- cli; share rests on model and net; lab serves cli, tests.
# "pack" (where things lie) and the package's own version are below everything.
RESTS_ON: dict[str, set[str]] = {
    "pack": set(),
    "model": {"pack"},
    "net": {"pack", "model"},
    "hygiene": {"pack", "model"},
    "files": {"pack", "model"},
    "share": {"pack", "model", "net"},
    "lab": {"pack", "model"},
    "source": {"pack", "model", "net", "hygiene", "files"},
    "worker": {"pack", "model", "net", "hygiene", "files", "source"},
    "growth": {"pack", "model", "net", "hygiene", "files", "source"},
    "cli": {"pack", "model", "net", "hygiene", "files", "source", "worker", "growth", "share", "lab"},
}
# What every job imports; the rest of the package may import as it likes.
JOB_PATH = ("pack", "model", "net", "hygiene", "files", "source", "worker", "growth")
NOTHING_FOREIGN = ("pack", "model", "hygiene", "source")
LATE = {"requests", "vt", "dns", "whois", "typer", "rich"}
# Not foreign, but too heavy to import before it is needed.
HEAVY = {"asyncio", "concurrent.futures", "multiprocessing", "unittest", "http.server", "jsonschema", "pydantic"}
# What only one source's jobs import, and need at once: it asks in threads.
OF_ONE_SOURCE = {Path("cortex_grow/net/dns.py")}


@dataclass(frozen=True)
class Import:
    """One imported module (or names of it): where, and whether it happens as soon as the file is imported."""

    file: Path
    line: int
    module: str
    at_once: bool
    names: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file.as_posix()}:{self.line} imports {self.module}"


def imports(root: Path, file: Path) -> Iterator[Import]:
    """Every import of ``file``, relative ones made absolute. Those for type checkers alone do not happen."""
    where = file.relative_to(root)
    package = list(where.parent.parts)

    def visit(node: ast.AST, at_once: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(where, node.lineno, alias.name, at_once)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from cortex_grow import net" imports a part of it; only the package itself is cut that fine.
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "cortex_grow" else [module]
            for name in names:
                yield Import(where, node.lineno, name, at_once, tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            names = [str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant)]
            yield from (Import(where, node.lineno, name, at_once) for name in names)
        for field, value in ast.iter_fields(node):
            inside_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and field == "body"
            type_checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and field == "body"
            if not type_checking:
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from visit(child, at_once and not inside_function)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")), True)


def files(root: Path, folder: str) -> list[Path]:
    return sorted(p for p in (root / folder).rglob("*.py") if "__pycache__" not in p.parts)


def layer(module: str) -> str | None:
    """The part of the package that a module belongs to; ``None`` for what is not the package's (or its version)."""
    parts = module.split(".")
    return parts[1] if parts[0] == "cortex_grow" and len(parts) > 1 and not parts[1].startswith("__") else None


def wrong_way(root: Path) -> Iterator[str]:
    """Imports between parts of the package that their order does not allow, and parts that have no place in it."""
    for file in files(root, "cortex_grow"):
        parts = file.relative_to(root).parts
        own = parts[1] if len(parts) > 2 else None  # the package's own __init__ rests on nothing
        allowed = {own, *RESTS_ON.get(own, set())} if own else set()
        if own and own not in RESTS_ON:
            yield f"{file.relative_to(root)}: the part {own} has no place in the order of imports"
        for one in imports(root, file):
            target = layer(one.module)
            outside = one.top in ("tests", "analyzers", "responders", "tools", "benchmarks")
            if outside or (target is not None and target not in allowed):
                yield str(one)


def foreign(root: Path, folder: str) -> Iterator[Import]:
    """Imports of what is neither the package's nor the standard library's."""
    for file in files(root, folder):
        for one in imports(root, file):
            if one.top not in sys.stdlib_module_names and one.top != "cortex_grow":
                yield one


def late_modules(root: Path) -> set[Path]:
    """Files of the package that others import only when they need them: these may import what they wrap at once."""
    late: set[str] = set()
    at_once: set[str] = set()
    for file in files(root, "cortex_grow"):
        for one in imports(root, file):
            modules = {one.module, *(f"{one.module}.{name}" for name in one.names)}
            (at_once if one.at_once else late).update(modules)
    return {Path(*name.split(".")).with_suffix(".py") for name in late - at_once if name.startswith("cortex_grow.")}


def too_early(root: Path) -> Iterator[str]:
    """Foreign imports that a job would pay for before it needs them."""
    late = late_modules(root)
    for part in JOB_PATH:
        for one in foreign(root, f"cortex_grow/{part}"):
            if one.at_once and (part in NOTHING_FOREIGN or (one.top in LATE and one.file not in late)):
                yield str(one)
    for folder in ("analyzers", "responders"):
        yield from (str(one) for one in foreign(root, folder) if one.at_once and one.top in LATE)


def cortexutils_outside_of_worker(root: Path) -> Iterator[str]:
    for folder in ("cortex_grow", "analyzers", "responders"):
        for one in foreign(root, folder):
            if one.top == "cortexutils" and one.file.parts[:2] != ("cortex_grow", "worker"):
                yield str(one)


def undeclared(root: Path) -> Iterator[str]:
    """What a worker file imports beyond the package, the standard library and its folder's ``requirements.txt``."""
    names = packages_distributions()
    for folder in ("analyzers", "responders"):
        for one in foreign(root, folder):
            requirements = root.joinpath(*one.file.parts[:2], "requirements.txt")
            text = requirements.read_text() if requirements.is_file() else ""
            declared = {normal(line) for line in text.splitlines() if line.strip() and not line.startswith("#")}
            if not {normal(n) for n in names.get(one.top, [one.top])} & declared:
                yield f"{one}, which {requirements.relative_to(root)} does not name"


def normal(requirement: str) -> str:
    """The distribution's name in a requirement, as PEP 503 writes it."""
    name = "".join(c if c.isalnum() or c in "-_." else " " for c in requirement).split()[0]
    return name.lower().replace("_", "-").replace(".", "-")


RULES = {rule.__name__: rule for rule in (wrong_way, too_early, cortexutils_outside_of_worker, undeclared)}


@pytest.mark.parametrize("rule", RULES)
def test_tree(rule: str) -> None:
    assert list(RULES[rule](ROOT)) == []


@pytest.mark.parametrize(
    ("rule", "file", "text"),
    [
        ("wrong_way", "cortex_grow/model/x.py", "from cortex_grow.net import errors"),
        ("wrong_way", "cortex_grow/model/x.py", "from ..net.errors import SourceError"),
        ("wrong_way", "cortex_grow/model/x.py", "from .. import net"),
        ("wrong_way", "cortex_grow/growth/x.py", "def f():\n    from cortex_grow import worker"),
        ("wrong_way", "cortex_grow/growth/x.py", "import importlib\nimportlib.import_module('cortex_grow.worker')"),
        ("wrong_way", "cortex_grow/worker/x.py", "import cortex_grow.growth.engine"),
        ("wrong_way", "cortex_grow/source/x.py", "from cortex_grow.lab import server"),
        ("wrong_way", "cortex_grow/share/x.py", "from cortex_grow.source import run"),
        ("wrong_way", "cortex_grow/net/x.py", "import tests.support"),
        ("wrong_way", "cortex_grow/novel/x.py", ""),
        ("wrong_way", "cortex_grow/__init__.py", "from cortex_grow.model import indicator"),
        ("too_early", "cortex_grow/model/x.py", "import attr"),
        ("too_early", "cortex_grow/source/x.py", "class X:\n    import yaml"),
        ("too_early", "cortex_grow/net/x.py", "try:\n    import requests\nexcept ImportError:\n    pass"),
        ("too_early", "cortex_grow/growth/x.py", "from rich.progress import Progress"),
        (
            "too_early",
            "cortex_grow/growth/x.py",
            "import cortex_grow.growth.x\nimport rich\ndef f():\n    from .x import y",
        ),
        ("too_early", "analyzers/X/x_lookup.py", "import dns.resolver"),
        ("cortexutils_outside_of_worker", "cortex_grow/source/x.py", "def f():\n    import cortexutils.analyzer"),
        ("cortexutils_outside_of_worker", "responders/X/x_push.py", "from cortexutils.responder import Responder"),
        ("undeclared", "analyzers/X/x_lookup.py", "def f():\n    import yaml"),
        ("undeclared", "analyzers/X/x_lookup.py", "import y_lookup"),
        ("undeclared", "analyzers/X/x_lookup.py", "from analyzers.Y import y_lookup"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, rule: str, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert len(list(RULES[rule](tmp_path))) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cortex_grow/source/x.py", "from cortex_grow import __version__, pack\nfrom cortex_grow.net import errors"),
        ("cortex_grow/net/x.py", "import json\ndef f():\n    import requests"),
        ("cortex_grow/net/x.py", "import requests\ndef late():\n    from cortex_grow.net.x import y"),
        (
            "cortex_grow/model/x.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cortex_grow.net import X",
        ),
        ("cortex_grow/worker/x.py", "from cortexutils.analyzer import Analyzer\nfrom . import y\nfrom .y import z"),
        ("cortex_grow/cli/x.py", "import typer\nfrom cortex_grow import growth, lab, share, worker"),
        ("analyzers/X/x_lookup.py", "def f():\n    import dns.resolver, yaml"),
    ],
)
def test_what_is_allowed_is_not_found(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (path.parent / "requirements.txt").write_text("# needed\ndnspython>=2.6\nyaml\n")
    assert [found for rule in RULES.values() for found in rule(tmp_path)] == []


SEEN = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded(*modules: str) -> list[str]:
    """The modules that a fresh process has loaded after importing ``modules``."""
    done = subprocess.run(
        [sys.executable, "-c", SEEN, "", *modules], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def package_modules(part: str) -> list[str]:
    """The modules of a part that a job imports at once; compilers run at build time and not in a job."""
    found = {p.relative_to(ROOT) for p in files(ROOT, f"cortex_grow/{part}")} - late_modules(ROOT) - OF_ONE_SOURCE
    names = sorted(".".join(p.with_suffix("").parts) for p in found)
    return [n.removesuffix(".__init__") for n in names if "compile" not in n and not n.endswith("__main__")]


def present(*parts: str) -> list[str]:
    return [part for part in parts if (ROOT / "cortex_grow" / part).is_dir()]


@pytest.mark.parametrize("part", present(*NOTHING_FOREIGN))
def test_seen_in_a_process_nothing_foreign_is_loaded(part: str) -> None:
    found = loaded(*package_modules(part))
    assert "cortex_grow" in found
    assert {m.partition(".")[0] for m in found} - sys.stdlib_module_names == {"cortex_grow"}


@pytest.mark.parametrize("part", present(*JOB_PATH))
def test_seen_in_a_process_the_job_path_loads_nothing_heavy(part: str) -> None:
    unwanted = LATE if part == "growth" else LATE | HEAVY  # growth runs its sources in threads
    assert [m for m in loaded(*package_modules(part)) if m in unwanted] == []
