"""What a run starts from: values of the command line, files of any shape, standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cortex_grow.model.detect import detect, extract
from cortex_grow.model.indicator import Indicator, InvalidIndicator

LARGEST = 64 * 1024 * 1024
STDIN = "-"
# A text of which more than this part is control characters is none.
MOST_CONTROL = 0.02
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CONTROL = bytes({*range(32), 127} - {9, 10, 12, 13, 27})


class InputError(ValueError):
    """An input that cannot be used; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Left:
    """What was skipped: where it stood (``iocs.txt:12``, or ``command line``), the text, and why."""

    where: str
    text: str
    why: str


@dataclass
class Inputs:
    """``seeds`` in the order in which they came, each once; ``skipped`` of them ``skipped_count`` in all."""

    seeds: list[Indicator] = field(default_factory=list)
    skipped: list[Left] = field(default_factory=list)
    skipped_count: int = 0
    repeated: int = 0

    def add(self, indicator: Indicator) -> None:
        """Take in a seed, once."""
        if indicator in self._known:
            self.repeated += 1
        else:
            self._known.add(indicator)
            self.seeds.append(indicator)

    def skip(self, left: Left) -> None:
        """Take in what is none."""
        self.skipped.append(left)
        self.skipped_count += 1

    def __post_init__(self) -> None:
        self._known: set[Indicator] = set()

    def listed(self) -> str:
        """All that was skipped, one a line, for a file."""
        lines = [f"{left.where}\t{left.text!r}\t{left.why}" for left in self.skipped]
        if self.skipped_count > len(self.skipped):
            lines.append(f"and {self.skipped_count - len(self.skipped)} more")
        return "\n".join(lines) + "\n"


def read(values: Iterable[str], files: Iterable[str]) -> Inputs:
    """The seeds in ``values`` and ``files`` (``-`` is standard input).

    Raises :class:`InputError` for a file that cannot be read as text: a run that leaves out half of what was meant
    spends calls for nothing.
    """
    inputs = Inputs()
    for value in values:
        _value(value, inputs)
    for file in files:
        name = "standard input" if file == STDIN else file
        found = extract(text_of(file))
        for one in found:
            inputs.add(one.indicator)
        for left in found.skipped:
            inputs.skip(Left(f"{name}:{left.line}", left.text, left.reason))
        inputs.skipped_count += found.skipped_count - len(found.skipped)
    return inputs


def _value(value: str, inputs: Inputs) -> None:
    try:
        indicator = detect(value)
    except InvalidIndicator as error:
        inputs.skip(Left("command line", value[:200], error.reason))
        return
    if indicator.type == "filename" and Path(value).is_file():
        inputs.skip(Left("command line", value[:200], f"is a file here: write -f {value[:200]} to read what it lists"))
        return
    inputs.add(indicator)


def text_of(file: str) -> str:
    """The text of a file or of standard input. Raises :class:`InputError`."""
    if file == STDIN:
        return decoded(_bounded(sys.stdin.buffer, "standard input"), "standard input")
    path = Path(file)
    try:
        if path.is_dir():
            raise InputError(f"{file} is a folder: name the files in it, each with -f")
        with path.open("rb") as opened:
            return decoded(_bounded(opened, file), file)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _bounded(opened: BinaryIO, name: str) -> bytes:
    content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InputError(f"{name}: larger than {LARGEST // 1048576} MiB; split it, and grow the parts one by one")
    return content


def decoded(content: bytes, name: str) -> str:
    """The text in ``content``: UTF-8, UTF-16 with its mark, else Windows-1252. Raises :class:`InputError`."""
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "")
    if encoding != "utf-16" and (b"\0" in content or _strange(content)):
        raise InputError(
            f"{name}: is binary, not a text that lists indicators (to ask about a file itself: cortex-grow run NAME "
            f"--file {name})"
        )
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding:
            raise InputError(f"{name}: begins like {encoding.upper()} text and is none") from None
        text = content.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _strange(content: bytes) -> bool:
    head = content[:65536]
    return len(head) - len(head.translate(None, _CONTROL)) > MOST_CONTROL * len(head)
