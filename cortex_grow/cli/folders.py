"""``cortex-grow install``, ``uninstall`` and ``templates``: what Cortex and TheHive read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from cortex_grow import pack
from cortex_grow.cli.install import InstallReport, install, uninstall
from cortex_grow.cli.terminal import Terminal
from cortex_grow.share.files import write_whole

# The first moment that a ZIP file can tell: the same templates give the same bytes.
_WHEN = (1980, 1, 1, 0, 0, 0)


def lay_out(terminal: Terminal, folder: Path, python: str) -> int:
    """Install, and print what belongs into Cortex's configuration."""
    report = install(folder, python)
    _tell(report, terminal)
    terminal.tell(
        f"{len(report.written)} files written, {len(report.unchanged)} unchanged, run by {report.interpreter}"
    )
    terminal.tell("Put this into Cortex's application.conf, and restart Cortex:")
    for line in report.configuration.splitlines():
        terminal.say(line)
    return 0


def take_away(terminal: Terminal, folder: Path) -> int:
    """Uninstall."""
    report = uninstall(folder)
    _tell(report, terminal)
    terminal.tell(f"{len(report.removed)} files removed from {report.folder}")
    return 0


def _tell(report: InstallReport, terminal: Terminal) -> None:
    for name in report.kept:
        terminal.warn(f"edited, and kept as {report.folder / name}")
    for words in report.warnings:
        terminal.warn(words)


def zipped(terminal: Terminal, out: Path) -> int:
    """Write the templates as TheHive imports them: ``<definition id>/long.html`` and ``short.html`` at its root."""
    found = sorted(pack.templates().glob("*/*.html"))
    if not found:
        raise pack.PackNotFoundError(f"{pack.templates()} holds no templates: install cortex-grow from its wheel")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in found:
            entry = zipfile.ZipInfo(f"{path.parent.name}/{path.name}", _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    write_whole(out, content.getvalue())
    terminal.say(f"{out}: {len(found)} templates")
    return 0
