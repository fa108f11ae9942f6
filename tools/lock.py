"""Write ``requirements-test.lock``: the newest versions that ``setup.cfg`` allows, of everything a test run installs.

    python tools/lock.py

Names and versions alone: where packages come from is the business of each machine's own pip configuration.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-test.lock"
HEADER = """\
# Every version that `make` installs, for Python 3.11 to 3.13. Written by `make lock`; do not edit.
"""


def main() -> None:
    """Ask pip what it would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"]
        subprocess.run([*command, "--ignore-installed", "--report", str(report), ".[test]"], cwd=ROOT, check=True)
        found = [one["metadata"] for one in json.loads(report.read_text())["install"]]
    lines = sorted(f"{one['name'].lower()}=={one['version']}" for one in found if one["name"] != "cortex-grow")
    LOCK.write_text(HEADER + "\n".join(lines) + "\n")
    print(f"{LOCK.name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
