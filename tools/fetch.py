"""Fetch what some tests need beyond Python: a Chromium, and the node modules that render report templates.

    python tools/fetch.py

What cannot be had is said and left out: the tests that need it are skipped with the same reason.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / ".cache" / "render-template"
_STAMP = HARNESS / "node_modules" / ".made-from"
_FONTS = ("fonts-liberation", "fonts-noto-color-emoji")


class NotHereError(RuntimeError):
    """Something cannot be had on this machine; the text is the reason for a skip."""


def browser() -> str:
    """The path of a Chromium: ``$CHROMIUM``, or the one on the search path. Raises :class:`NotHereError`."""
    named = os.environ.get("CHROMIUM")
    if named:
        if os.access(named, os.X_OK):
            return named
        raise NotHereError(f"CHROMIUM names {named}, which cannot be run")
    for name in ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise NotHereError("needs Chromium (apt-get install chromium, or CHROMIUM=/path)")


def harness(source: Path | None) -> Path:
    """The folder of the template harness, ready to run. Raises :class:`NotHereError`."""
    if source is None or not source.is_dir():
        raise NotHereError("needs the template harness in ../shared/tools/render-template")
    if not shutil.which("node"):
        raise NotHereError("needs Node.js 20 or newer for the template harness")
    if not _STAMP.is_file() or _STAMP.read_text() != _digest(source):
        raise NotHereError("needs the template harness with its node modules (make fetch)")
    return HARNESS


def fetch_browser() -> None:
    """Install Debian's Chromium where there is none and this is root on Debian. Raises :class:`NotHereError`."""
    try:
        browser()
    except NotHereError:
        if os.geteuid() != 0 or platform.freedesktop_os_release().get("ID") != "debian":
            raise
        print("installing chromium", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", *_FONTS]):
            _run(["apt-get", "-q", *command], environment=environment)
        browser()


def fetch_harness(source: Path | None) -> None:
    """Copy the harness, which may be read-only, and fetch its modules. Raises :class:`NotHereError`."""
    if source is None or not source.is_dir():
        raise NotHereError("needs the template harness in ../shared/tools/render-template")
    try:
        harness(source)
        return
    except NotHereError:
        if not shutil.which("npm"):
            raise NotHereError("needs Node.js 20 or newer with npm for the template harness") from None
    print("fetching the node modules of the template harness", flush=True)
    shutil.rmtree(HARNESS, ignore_errors=True)
    for path in _files(source):
        target = HARNESS / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder=HARNESS)
    _STAMP.write_text(_digest(source))


def _files(source: Path) -> list[Path]:
    return sorted(p for p in source.rglob("*") if p.is_file() and "node_modules" not in p.relative_to(source).parts)


def _digest(source: Path) -> str:
    found = hashlib.sha256()
    for path in _files(source):
        found.update(str(path.relative_to(source)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _run(command: list[str], *, folder: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as e:
        raise NotHereError(f"{command[0]} could not be run: {e}") from e
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise NotHereError(f"{' '.join(command[:3])} failed with {done.returncode}: {last}")


def main() -> None:
    """Fetch both; say what cannot be had."""
    sys.path.insert(0, str(ROOT))
    shared = Path(os.environ.get("CORTEX_GROW_SHARED", ROOT.parent / "shared"))
    for step in (fetch_browser, lambda: fetch_harness(shared / "tools" / "render-template")):
        try:
            step()
        except NotHereError as e:
            print(f"not here: {e}", flush=True)


if __name__ == "__main__":
    main()
