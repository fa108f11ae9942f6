"""Where the pack lies: the folders of analyzers, responders, report templates and examples of this package.

An installed wheel carries them inside this package; in a checkout (and so in an editable install) they stand beside
``cortex_grow``. Standard library only: everything may import this.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


class PackNotFoundError(RuntimeError):
    """The package was installed without its analyzers."""


def root() -> Path:
    """The folder that holds the pack, absolute.

    Raises :class:`PackNotFoundError` where neither this package nor the folder around ``cortex_grow`` holds analyzers.
    """
    for folder in (_HERE, _HERE.parent.parent):
        if (folder / "analyzers").is_dir():
            return folder
    raise PackNotFoundError(
        f"no analyzers in {_HERE} and none beside {_HERE.parent}: install cortex-grow from its wheel or a checkout"
    )


def analyzers() -> Path:
    """One folder a source: definitions and worker files."""
    return root() / "analyzers"


def responders() -> Path:
    """One folder a target: definitions and worker files. May be absent."""
    return root() / "responders"


def templates() -> Path:
    """One folder a definition id, with ``long.html`` and ``short.html``. May be absent."""
    return root() / "thehive-templates"


def examples() -> Path:
    """Indicators to try the pack on. May be absent."""
    return root() / "examples"
