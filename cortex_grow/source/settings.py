"""Settings of one source, read from a Cortex job's ``config``, from the pack's TOML file or from the environment.

Cortex hands over ``null`` for every optional item that was left empty, also where the definition has a default; so a
``null`` always means the default here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cortex_grow.model.verdict import Thresholds
from cortex_grow.source.declaration import Declaration

# Names that mark a value as secret whatever the declaration says.
_SECRET_NAMES = ("key", "password", "passwd", "pwd", "secret", "token", "credential", "auth")


class SettingError(ValueError):
    """A setting that cannot be used; the text names the item, what stands there and what is expected."""


class Settings:
    """Typed reading of settings: the value given, else the declaration's default, else the caller's."""

    def __init__(self, values: Mapping[str, Any] | None = None, declaration: Declaration | None = None) -> None:
        self.values: dict[str, Any] = {name: value for name, value in (values or {}).items() if value is not None}
        self.declaration = declaration

    def get(self, name: str, default: Any = None) -> Any:
        """The value as given; an empty text or list counts as not given."""
        value = self.values.get(name)
        if value is None or value in ("", []):
            item = self.declaration.items.get(name) if self.declaration else None
            value = item.default if item else None
        return default if value is None or value in ("", []) else value

    def given(self, name: str) -> bool:
        """Whether the operator set this item."""
        return self.values.get(name) not in (None, "", [])

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text. Raises :class:`SettingError` for a list or an object."""
        value = self.get(name, default)
        if value is None or isinstance(value, str):
            return value.strip() if value else value
        if isinstance(value, (int, float)):
            return str(value)
        raise SettingError(f"setting {name!r} must be a text, not {type(value).__name__}")

    def texts(self, name: str) -> list[str]:
        """A list of texts; one text stands for a list of one, or of its lines."""
        value = self.get(name, [])
        if isinstance(value, str):
            value = value.splitlines()
        if not isinstance(value, Iterable) or isinstance(value, Mapping):
            raise SettingError(f"setting {name!r} must be a list of texts, not {type(value).__name__}")
        return [str(entry).strip() for entry in value if entry is not None and str(entry).strip()]

    def number(self, name: str, default: int = 0, *, low: int | None = None, high: int | None = None) -> int:
        """A whole number, held between ``low`` and ``high``. Raises :class:`SettingError` for anything else."""
        value = self.get(name, default)
        try:
            if isinstance(value, bool):
                raise ValueError
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            raise SettingError(f"setting {name!r} must be a number, not {str(value)[:40]!r}") from None
        if low is not None:
            number = max(low, number)
        return min(high, number) if high is not None else number

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean; the texts true, yes, on, 1 and false, no, off, 0 are understood."""
        value = self.get(name, default)
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in {"true", "yes", "on", "1"}:
            return True
        if word in {"false", "no", "off", "0"}:
            return False
        raise SettingError(f"setting {name!r} must be true or false, not {word[:40]!r}")

    @property
    def thresholds(self) -> Thresholds:
        """From which score on a verdict has which level."""
        usual = Thresholds()
        return Thresholds(
            self.number("malicious_from", usual.malicious),
            self.number("suspicious_from", usual.suspicious),
            self.number("safe_to", usual.safe),
        )

    @property
    def secrets(self) -> list[str]:
        """Every value that must not leave: items declared secret, and items named like one, nested ones included."""
        declared = {name for name, item in (self.declaration.items if self.declaration else {}).items() if item.secret}
        return sorted({text for text in _secrets(self.values, declared, False) if text}, key=len, reverse=True)


def secret_name(name: str) -> bool:
    """Whether an item's name says that its value is a secret."""
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_NAMES)


def _secrets(value: Any, declared: set[str], inside: bool) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _secrets(entry, declared, inside or name in declared or secret_name(str(name)))
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _secrets(entry, declared, inside)
    elif isinstance(value, str):
        if inside:
            yield value
        elif "@" in value and "://" in value:  # a proxy with its password
            from urllib.parse import urlsplit

            try:
                yield urlsplit(value).password or ""
            except ValueError:
                yield value
