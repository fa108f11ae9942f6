"""What the command line says, and how: nothing from outside moves the cursor, colours text or is taken for markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cortex_grow.net.redact import Redactor
from cortex_grow.share.text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {"malicious": "bold red", "suspicious": "yellow", "safe": "green", "info": "cyan"}
MOST_CELL = 60


class Terminal:
    """Standard output for results, standard error for everything else. ``redact`` takes secrets out of what is said."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.redact: Callable[[str], str] = Redactor()
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:  # a character that the terminal lacks must not end the program
                reconfigure(errors="backslashreplace")

    @cached_property
    def out(self) -> Console:
        """The console of standard output."""
        return _console(False)

    @cached_property
    def err(self) -> Console:
        """The console of standard error."""
        return _console(True)

    @property
    def fancy(self) -> bool:
        """Whether lines and dots beyond ASCII can be written."""
        return "utf" in (self.out.encoding or "").lower()

    def text(self, *parts: tuple[str, str] | str) -> Text:
        """Parts, each with a style or without, as one line; what is not seen in them becomes visible."""
        from rich.text import Text

        made = Text(no_wrap=True, overflow="ignore")
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            made.append(visible(self.redact(words)), style or None)
        return made

    def say(self, *parts: tuple[str, str] | str) -> None:
        """A line of the result."""
        self.out.print(self.text(*parts), soft_wrap=True)

    def tell(self, *parts: tuple[str, str] | str) -> None:
        """A line about the work, unless quiet."""
        if not self.quiet:
            self.err.print(self.text(*parts), soft_wrap=True)

    def warn(self, words: str) -> None:
        """Something that is wrong and does not end the work."""
        self.err.print(self.text(("warning: ", "yellow"), words), soft_wrap=True)

    def error(self, words: str) -> None:
        """Why the work ended."""
        self.err.print(self.text(("error: ", "bold red"), words), soft_wrap=True)

    def json(self, tree: Any) -> None:
        """A tree as strict JSON on standard output, without secrets."""
        redact = self.redact
        if isinstance(redact, Redactor):
            tree = redact.redact_tree(tree)
        text = json.dumps(tree, ensure_ascii=False, allow_nan=False, indent=1)
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
        sys.stdout.buffer.flush()

    def table(
        self, columns: tuple[str, ...], rows: list[tuple[object, ...]], right: frozenset[str] = frozenset()
    ) -> None:
        """A table of the result; columns named in ``right`` hold numbers. Without a terminal nothing is cut."""
        from rich.table import Table

        made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for name in columns:
            made.add_column(self._cell(name), justify="right" if name in right else "left", overflow="fold")
        for row in rows:
            made.add_row(*(self._cell(value) for value in row))
        self.out.print(made)

    def _cell(self, value: object) -> Text:
        from rich.text import Text

        words = "" if value is None else visible(self.redact(str(value)))
        return Text(words, style=STYLES.get(words, ""))


def log_to(terminal: Terminal, wanted: bool) -> None:
    """Where ``wanted``, what libraries and mappings log goes to standard error, secrets taken out; else nowhere.

    They log with tracebacks; what a person needs stands in the report.
    """
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            for line in self.format(record).splitlines():
                terminal.err.print(terminal.text((line, "dim")), soft_wrap=True)

    root = logging.getLogger()
    root.addHandler(Handler() if wanted else logging.NullHandler())


def _console(err: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    # Into a file or a pipe: as wide as the text is, so that no line is broken for a window that is not there.
    width = None if stream.isatty() else 1000
    return Console(stderr=err, markup=False, emoji=False, highlight=False, width=width, legacy_windows=False)
