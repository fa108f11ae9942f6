"""Compile the data that ships in the wheel: what is missing, or older than what it is made from.

The build runs this (``setup.py``); a job never compiles anything. Each list is made by a module of the package from an
upstream package that the build system pins (``pyproject.toml``). ``build/lists.json`` remembers from what.

    python tools/compile_lists.py            compile what is stale
    python tools/compile_lists.py --check    only tell by the exit code whether something is stale
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMPS = ROOT / "build" / "lists.json"


@dataclass(frozen=True)
class List:
    """A compiled file: the module that writes it, the distribution it comes from, and the code that shapes it."""

    output: str
    module: str
    distribution: str
    inputs: tuple[str, ...]

    def pinned(self) -> str:
        """The version of the distribution that the build system asks for."""
        required = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
        return next(line.partition("==")[2] for line in required if line.startswith(f"{self.distribution}=="))

    def digest(self) -> str:
        """Changes whenever the compiled file would."""
        found = hashlib.sha256(f"{self.distribution} {self.pinned()}".encode())
        for pattern in self.inputs:
            for path in sorted(ROOT.glob(pattern)):
                found.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
        return found.hexdigest()

    def compile(self) -> None:
        """Run the module. Raises :class:`SystemExit` where the distribution is not the pinned one."""
        try:
            version = importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            version = "none"
        if version != self.pinned():
            raise SystemExit(f"{self.output} is made from {self.distribution} {self.pinned()}; installed is {version}")
        subprocess.run([sys.executable, "-m", self.module], cwd=ROOT, check=True)


_SHAPING = ("compile", "kinds", "layout", "policy", "ranges")
LISTS = (
    List(
        "cortex_grow/model/data/public_suffixes.txt",
        "cortex_grow.model.compile_suffixes",
        "tldextract",
        ("cortex_grow/model/compile_suffixes.py", "cortex_grow/model/suffixes.py"),
    ),
    List(
        "cortex_grow/hygiene/data/warninglists.bin",
        "cortex_grow.hygiene.compile",
        "pymispwarninglists",
        (*(f"cortex_grow/hygiene/{name}.py" for name in _SHAPING), "cortex_grow/hygiene/policy.toml"),
    ),
)


def stale() -> list[List]:
    """The lists that are absent or were made from something else."""
    stamps = json.loads(STAMPS.read_text()) if STAMPS.is_file() else {}
    return [one for one in LISTS if stamps.get(one.output) != one.digest() or not (ROOT / one.output).is_file()]


def main() -> None:
    """Compile what is stale; one process at a time."""
    STAMPS.parent.mkdir(exist_ok=True)
    with open(STAMPS.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for one in stale():
            one.compile()
            stamps = json.loads(STAMPS.read_text()) if STAMPS.is_file() else {}
            partial = STAMPS.with_suffix(".part")
            partial.write_text(json.dumps({**stamps, one.output: one.digest()}, indent=1))
            os.replace(partial, STAMPS)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(bool(stale()))
    main()
