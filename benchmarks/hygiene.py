"""The compiled warning lists beside the upstream package: opening, looking up, memory, size. One table.

    python -m benchmarks.hygiene

Each side runs in processes of its own. Opening is what a process takes beyond bare ``python -c pass``, the median of
pairs run in turn; a lookup is the mean over values that are on lists and values that are not.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROUNDS = 25
AIMS = {"open": "under 10 ms", "lookup": "under 50 us", "memory": "under 60 MB"}
VALUES = {
    "IPv4": ("ip", ("8.8.8.8", "104.16.1.1", "3.5.140.7", "91.92.93.94", "185.199.1.1", "10.1.2.3")),
    "IPv6": ("ip", ("2001:4860:4860::8888", "2606:4700::1", "2a03:1b20::77", "2a00:1450:4001::8a", "2001:db8::1")),
    "domain": ("domain", ("google.com", "heise.de", "no-such-name-on-any-list.com", "duckdns.org", "qzxvw.top")),
    "fqdn": ("fqdn", ("www.google.com", "a.b.github.io", "x.duckdns.org", "cdn.no-such-name-on-any-list.com")),
    "URL": (
        "url",
        ("https://github.com/a/b", "http://cdn.no-such-name.top/gate.php?id=1", "https://x.pages.dev/login"),
    ),
    "hash": (
        "hash",
        ("d41d8cd98f00b204e9800998ecf8427e", "0" * 64, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4" + "0" * 24),
    ),
    "mail": ("mail", ("someone@mailinator.com", "abuse@example.com", "first.last@some-company.example")),
}

OURS = """
import json, sys, time
from cortex_grow.hygiene import Index
index = Index.open()
def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
result = {"memory at start": memory()}
for name, (type_, values) in json.load(sys.stdin).items():
    for value in values:
        index.lookup(type_, value)
    times = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(300):
            for value in values:
                index.lookup(type_, value)
        times.append((time.perf_counter() - began) / 300 / len(values))
    result[name] = min(times)
for number in range(30000):
    index.lookup("domain", f"name{number}.com")
result["memory"] = memory()
print(json.dumps(result))
"""
THEIRS = """
import json, sys, time
began = time.perf_counter()
from pymispwarninglists import WarningLists
lists = WarningLists(slow_search=True)
result = {"open": time.perf_counter() - began}
for name, (type_, values) in json.load(sys.stdin).items():
    began = time.perf_counter()
    for value in values:
        lists.search(value)
    result[name] = (time.perf_counter() - began) / len(values)
with open("/proc/self/status") as status:
    result["memory"] = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
print(json.dumps(result))
"""


def environment() -> dict[str, str]:
    """The environment, with compiled modules kept as in an installation."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


def run(code: str) -> Any:
    """What a process that is given the values prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, input=json.dumps(VALUES), env=environment(), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def seconds(code: str) -> float:
    """Seconds that a process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)
    return time.perf_counter() - began


def opening() -> float:
    """Seconds that opening the index takes beyond bare Python."""
    code = "from cortex_grow.hygiene import Index; Index.open()"
    seconds(code)
    return statistics.median(seconds(code) - seconds("pass") for _ in range(ROUNDS))


def main() -> None:
    """Print the table."""
    from cortex_grow.hygiene.compile import folder_of_package
    from cortex_grow.hygiene.index import PATH

    ours, opened, theirs = run(OURS), opening(), run(THEIRS)
    size = sum(path.stat().st_size for path in folder_of_package().glob("*/list.json"))
    rows = [("open, beyond bare Python", f"{opened * 1e3:.1f} ms", f"{theirs['open'] * 1e3:,.0f} ms", AIMS["open"])]
    for name in VALUES:
        rows.append((f"lookup, {name}", f"{ours[name] * 1e6:.1f} us", f"{theirs[name] * 1e6:,.0f} us", AIMS["lookup"]))
    memory = f"{theirs['memory']:,.0f} MB"
    rows.append(("resident memory, opened", f"{ours['memory at start']:.1f} MB", "", AIMS["memory"]))
    rows.append(("resident memory, 30,000 lookups on", f"{ours['memory']:.1f} MB", memory, AIMS["memory"]))
    rows.append(("size of the lists", f"{Path(PATH).stat().st_size / 1e6:.1f} MB", f"{size / 1e6:.1f} MB", ""))
    print(f"{'':36} {'cortex-grow':>12} {'pymispwarninglists ' + version('pymispwarninglists'):>26}   aim")
    for what, mine, other, aim in rows:
        print(f"{what:36} {mine:>12} {other:>26}   {aim}")


if __name__ == "__main__":
    main()
