"""Compile the public suffix list into ``data/public_suffixes.txt``; run at build time, never in a job.

``python -m cortex_grow.model.compile_suffixes [--source FILE] [--out FILE]``; without ``--source`` the snapshot that
the package ``tldextract`` carries is read. The list's syntax: https://github.com/publicsuffix/list/wiki/Format.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from cortex_grow.model.suffixes import BUNDLED, to_ascii

HEADER = """\
# title: Public suffix list, compiled
# origin: https://publicsuffix.org/list/public_suffix_list.dat
# version: {version}
# commit: {commit}
# licence: the list is under the Mozilla Public License, v. 2.0 (https://mozilla.org/MPL/2.0/)
# made-by: python -m cortex_grow.model.compile_suffixes
# line: name, then marks where it is more than a plain rule of the ICANN section (order: bytes of the name)
# marks: i rule, w wildcard (any label below), x exception; P W X the same in the private section; t no rule of its own
# depth: {depth}
"""


def snapshot() -> Path:
    """The list inside the installed package ``tldextract``. Raises :class:`FileNotFoundError` where there is none."""
    spec = find_spec("tldextract")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / ".tld_set_snapshot"
        if path.is_file():
            return path
    raise FileNotFoundError("the package tldextract, which carries a snapshot of the list, is not installed")


def rules(text: str) -> Iterator[tuple[str, str]]:
    """Each rule of the list as its name in punycode and its mark (``i w x``, in capitals in the private section)."""
    private = False
    for line in text.splitlines():
        if line.startswith("// ===BEGIN "):
            private = "PRIVATE" in line
        rule = line.split(maxsplit=1)[0] if line.strip() else ""
        if not rule or rule.startswith("//"):
            continue
        mark = "w" if rule.startswith("*.") else "x" if rule.startswith("!") else "i"
        name = to_ascii(rule.removeprefix("*.").removeprefix("!"))
        if "*" in name:
            raise ValueError(f"{rule}: a wildcard inside a rule is not supported")
        yield name, {"i": "P", "w": "W", "x": "X"}[mark] if private else mark


def compiled(text: str) -> str:
    """The compiled file for the list ``text``."""
    marks: dict[str, set[str]] = {}
    depth = 1
    for name, mark in rules(text):
        marks.setdefault(name, set()).add(mark)
        depth = max(depth, name.count(".") + 1 + (mark in "wW"))
    for name in list(marks):
        # Rules without a rule for the top-level domain itself (co.za, *.ck): it exists all the same.
        marks.setdefault(name.rpartition(".")[2], {"t"})
    lines = [name if found == {"i"} else f"{name} {''.join(sorted(found))}" for name, found in sorted(marks.items())]

    def stated(what: str) -> str:
        found = re.search(rf"^// {what}: (\S+)$", text, re.MULTILINE)
        return found[1] if found else "not stated"

    return HEADER.format(version=stated("VERSION"), commit=stated("COMMIT"), depth=depth) + "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Compile, and say what was written."""
    parser = argparse.ArgumentParser(description="Compile the public suffix list.")
    parser.add_argument("--source", type=Path, help="a public_suffix_list.dat (default: the snapshot in tldextract)")
    parser.add_argument("--out", type=Path, default=Path(BUNDLED))
    options = parser.parse_args(arguments)
    text = compiled((options.source or snapshot()).read_text(encoding="utf-8"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8", newline="\n")
    print(f"{options.out}: {text.count(chr(10)) - HEADER.count(chr(10))} names, {len(text)} bytes")


if __name__ == "__main__":
    main()
