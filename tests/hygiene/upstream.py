"""Asks the upstream package's slow search, in a process of its own: it takes 7 to 25 s to load and up to 900 MB.

Reads ``[[type, value], …]`` from standard input and writes the folder names of the lists that know each value. A list
is asked about the values it is meant for, as MISP does; the package itself leaves that to its caller.
"""

from __future__ import annotations

import json
import sys

from pymispwarninglists import WarningLists

from tests.hygiene.support import meant_for, raw


def main() -> None:
    lists = WarningLists(slow_search=True)
    slugs = {data["name"]: slug for slug, data in raw().items()}
    # Upstream does not search its regex lists; they have a test of their own.
    searched = [(slugs[name], one) for name, one in lists.items() if one.type != "regex"]
    answers = []
    for type_, value in json.load(sys.stdin):
        asked = [(slug, one) for slug, one in searched if meant_for(type_, getattr(one, "matching_attributes", ()))]
        answers.append(sorted(slug for slug, one in asked if value in one))
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
