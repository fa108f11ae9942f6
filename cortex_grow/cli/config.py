"""The configuration of the command line: one TOML file and the environment, and where each value comes from.

The file is ``--config``, else ``$CORTEX_GROW_CONFIG``, else ``./cortex-grow.toml``, else
``$XDG_CONFIG_HOME/cortex-grow/config.toml`` (XDG Base Directory Specification), else ``/etc/cortex-grow.toml``. It has
a table ``[common]`` for what holds for every source and a table ``[sources.<Name>]`` for each source; the items are
those of the declarations. An environment variable wins over the file: ``CORTEX_GROW_<ITEM>`` for every source,
``CORTEX_GROW_<SOURCE>_<ITEM>`` for one.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_grow.net.redact import Redactor, secrets_in
from cortex_grow.source.declaration import Declaration, Item
from cortex_grow.source.settings import secret_name

PREFIX = "CORTEX_GROW_"
FILE = "cortex-grow.toml"
SYSTEM = Path("/etc/cortex-grow.toml")
MASK = "********"
LARGEST = 4 * 1024 * 1024
# Variables of the same beginning that are no items: where this file is, where state is, what the tests read.
_OTHERS = frozenset({"CORTEX_GROW_CONFIG", "CORTEX_GROW_STATE", "CORTEX_GROW_SHARED", "CORTEX_GROW_DEBUG"})
# What Cortex asks for itself with every analyzer, and how the pack reaches the outside.
_CORTEX_ITEMS = (
    ("proxy_http", "Proxy for http: addresses.", "string"),
    ("proxy_https", "Proxy for https: addresses.", "string"),
    ("cacerts", "Certificate authorities, as PEM text or the path of a file or folder.", "string"),
    ("check_tlp", "Hold to max_tlp.", "boolean"),
    ("max_tlp", "Highest TLP of an indicator that may be asked about. Empty: by what the source discloses.", "number"),
    ("check_pap", "Hold to max_pap.", "boolean"),
    ("max_pap", "Highest PAP of an indicator that may be asked about. Empty: by what the source discloses.", "number"),
    ("allow_public", "Allow questions that others can see.", "boolean"),
    ("connect_timeout", "Seconds to wait for a connection.", "number"),
    ("read_timeout", "Seconds to wait for the next part of an answer.", "number"),
    ("max_bytes", "Largest answer that is read.", "number"),
    ("retries", "Further tries after a lost answer.", "number"),
    ("max_wait", "Longest wait that a service may ask for, in seconds.", "number"),
)


class ConfigError(ValueError):
    """A configuration that cannot be used; the text names file, section and item, never the value of a secret."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value and where it comes from: a file and its section, a variable, or the declaration's default."""

    value: Any
    origin: str
    secret: bool = False

    @property
    def shown(self) -> str:
        """The value for a person: a secret is masked, whatever its length."""
        if self.value in (None, "", []):
            return ""
        if self.secret:
            return MASK
        text = self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)
        return Redactor(secrets_in({"value": text})).redact(text)


@dataclass(frozen=True)
class Config:
    """What was configured: ``common`` and, by source, ``sources``; ``path`` is the file, where there is one."""

    path: Path | None = None
    common: Mapping[str, Value] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def values(self, declaration: Declaration) -> dict[str, Any]:
        """What a source is told: its own values over the common ones."""
        return {name: entry.value for name, entry in self.entries(declaration).items()}

    def entries(self, declaration: Declaration) -> dict[str, Value]:
        """The same with their origins. The environment wins over the file, then one source over all of them."""
        own = self.sources.get(declaration.name, {})
        chosen = dict(self.common)
        for name, entry in own.items():
            if name not in chosen or _from_environment(entry) or not _from_environment(chosen[name]):
                chosen[name] = entry
        return chosen

    def redactor(self) -> Redactor:
        """Knows every secret of the configuration, those of sources that are not asked included."""
        everything = [*self.common.values(), *(entry for own in self.sources.values() for entry in own.values())]
        secrets = [str(entry.value) for entry in everything if entry.secret and entry.value not in (None, "", [])]
        return Redactor([*secrets, *secrets_in({"values": [entry.value for entry in everything]})])


def common_items() -> dict[str, Item]:
    """The items that every source has, by name."""
    from cortex_grow.source.sync import common_items as declared

    rows = [*((name, text, type) for name, text, type in _CORTEX_ITEMS)]
    items = {name: Item(name, text, type, False, False, None, False) for name, text, type in rows}
    for row in declared():
        items[row["name"]] = Item(
            row["name"],
            row["description"],
            row["type"],
            bool(row["multi"]),
            False,
            row.get("defaultValue"),
            bool(row.get("secret", False)),
        )
    return items


def places(environ: Mapping[str, str]) -> list[Path]:
    """Where a configuration file is looked for when none is named, first come."""
    found = [Path(FILE)]
    base = environ.get("XDG_CONFIG_HOME", "")
    try:
        home = Path(base) if os.path.isabs(base) else Path.home() / ".config"
        found.append(home / "cortex-grow" / "config.toml")
    except RuntimeError:  # a user without a home has no folder of his own
        pass
    return [*found, SYSTEM]


def load(sources: Iterable[Declaration], path: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read file and environment. Raises :class:`ConfigError` where either cannot be used.

    ``sources`` are the declarations of all sources, ``path`` a file that must be there.
    """
    environ = os.environ if environ is None else environ
    known = _Known(list(sources))
    if path is None and environ.get("CORTEX_GROW_CONFIG"):
        path = Path(environ["CORTEX_GROW_CONFIG"]).expanduser()
        if not path.is_file():
            raise ConfigError(f"CORTEX_GROW_CONFIG names {path}, which is no file")
    if path is None:
        path = next((place for place in places(environ) if place.is_file()), None)
    elif not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    if path is not None:
        known.read_file(path)
    known.read_environment(environ)
    return Config(path, known.common, known.own, tuple(known.warnings))


class _Known:
    """Collects values of known items; what is not known becomes a warning that names the nearest known name."""

    def __init__(self, sources: list[Declaration]) -> None:
        self.items = common_items()
        self.sources = {source.name: source for source in sources}
        self.common: dict[str, Value] = {}
        self.own: dict[str, dict[str, Value]] = {}
        self.warnings: list[str] = []

    def read_file(self, path: Path) -> None:
        """Take in a file."""
        try:
            if path.stat().st_size > LARGEST:
                raise ConfigError(f"{path}: larger than {LARGEST} bytes, as no configuration is")
            table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: is not UTF-8 text") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        for name, section in table.items():
            if name == "common" and isinstance(section, dict):
                self._section(path, "common", section, self.items, self.common)
            elif name == "sources" and isinstance(section, dict):
                for source, values in section.items():
                    self._source(path, source, values)
            else:
                sections = ["common", *(f"sources.{source}" for source in self.sources)]
                what = f"[{name}] is no section" if isinstance(section, dict) else f"{name} stands in no section"
                self.warnings.append(f"{path}: {what} that is known here{_nearest(name, sections, '[{}]')}")
        self._private(path)

    def _source(self, path: Path, name: str, values: object) -> None:
        source = _same(name, self.sources)
        if source is None or not isinstance(values, dict):
            near = _nearest(name, self.sources, "[sources.{}]")
            what = "is no source" if source is None else "is no section"
            self.warnings.append(f"{path}: [sources.{name}] {what} that is known here{near}")
            return
        items = {**self.items, **self.sources[source].items}
        self._section(path, f"sources.{source}", values, items, self.own.setdefault(source, {}))

    def _section(
        self, path: Path, section: str, values: Mapping[str, Any], items: Mapping[str, Item], into: dict[str, Value]
    ) -> None:
        for name, value in values.items():
            known = _same(name, items)
            if known is None:
                self.warnings.append(f"{path}: [{section}] has no item {name}{self._advice(name, items)}")
                continue
            item = items[known]
            checked = _checked(item, value, f"{path}: [{section}] {name}")
            into[known] = Value(checked, f"{path} [{section}]", _is_secret(item))

    def _advice(self, name: str, items: Mapping[str, Item]) -> str:
        having = [source for source, declaration in self.sources.items() if _same(name, declaration.items)]
        if having:
            return f"; it belongs under [sources.{having[0]}]"
        return _nearest(name, items, "{}")

    def _private(self, path: Path) -> None:
        entries = [*self.common.values(), *(entry for own in self.own.values() for entry in own.values())]
        if any(entry.secret and entry.value for entry in entries) and path.stat().st_mode & stat.S_IROTH:
            self.warnings.append(f"{path}: holds a secret and can be read by every user (chmod o-r {path})")

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """Take in the environment."""
        names: dict[str, tuple[str | None, Item]] = {}
        for source, declaration in self.sources.items():
            for item in {**self.items, **declaration.items}.values():
                names[f"{PREFIX}{source}_{item.name}".upper()] = (source, item)
        names.update({f"{PREFIX}{item.name}".upper(): (None, item) for item in self.items.values()})
        for name, text in sorted(environ.items()):
            if not name.startswith(PREFIX) or name in _OTHERS or not text.strip():
                continue
            if name not in names:
                self.warnings.append(f"the environment's {name} is no item{_nearest(name, names, '{}')}")
                continue
            of, item = names[name]
            value = Value(_parsed(item, text.strip(), name), f"environment {name}", _is_secret(item))
            if of is None:
                self.common[item.name] = value
            else:
                self.own.setdefault(of, {})[item.name] = value


def _from_environment(entry: Value) -> bool:
    return entry.origin.startswith("environment ")


def _is_secret(item: Item) -> bool:
    return item.secret or secret_name(item.name)


def _same(name: str, names: Iterable[str]) -> str | None:
    """The known name that ``name`` is, capitals aside."""
    return next((known for known in names if known.casefold() == name.casefold()), None)


def _nearest(name: str, names: Iterable[str], form: str) -> str:
    from difflib import get_close_matches

    by_case = {known.casefold(): known for known in names}
    near = get_close_matches(name.casefold()[:100], by_case, 1, 0.5)
    return f"; did you mean {form.format(by_case[near[0]])}?" if near else ""


def _checked(item: Item, value: Any, where: str) -> Any:
    """A value of the file, as its item wants it. Raises :class:`ConfigError` that does not repeat the value."""
    if item.multi:
        entries = value if isinstance(value, list) else [value]
        return [_one(item, entry, f"{where} must be a list of {_WORDS[item.type]}s") for entry in entries]
    return _one(item, value, f"{where} must be {_ARTICLE[item.type]}")


_WORDS = {"string": "text", "number": "number", "boolean": "boolean"}
_ARTICLE = {
    "string": 'a text in quotation marks ("…")',
    "number": "a number, without quotation marks",
    "boolean": "true or false, without quotation marks",
}
_IS = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}


def _one(item: Item, value: Any, wanted: str) -> Any:
    kind = type(value)
    right = {"string": (str,), "number": (int, float), "boolean": (bool,)}[item.type]
    if kind not in right or value != value or value in (float("inf"), float("-inf")):
        raise ConfigError(f"{wanted}; it is {_IS.get(kind, 'a date or time')}{_instance(item, value)}")
    return value


def _instance(item: Item, value: Any) -> str:
    if _is_secret(item) or isinstance(value, (list, dict)):
        return ""
    return f" ({str(value)[:40]})"


def _parsed(item: Item, text: str, name: str) -> Any:
    """A variable's text, as its item wants it: lists as JSON or with commas in between."""
    if item.multi:
        if text.startswith("["):
            try:
                entries = json.loads(text)
            except ValueError:
                raise ConfigError(f"{name}: begins with [ and is no JSON list") from None
        else:
            entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        return _checked(item, entries, name)
    if item.type == "boolean":
        word = text.lower()
        if word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return word in ("true", "yes", "on", "1")
        raise ConfigError(f"{name} must be true or false{_instance(item, text)}")
    if item.type == "number":
        try:
            return int(text)
        except ValueError:
            pass  # may be a fraction
        try:
            return _one(item, float(text), f"{name} must be a number")
        except ValueError:
            raise ConfigError(f"{name} must be a number{_instance(item, text)}") from None
    return text
