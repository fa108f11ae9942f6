"""HTML by small functions: every text and attribute is escaped, unless a function here made it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from cortex_grow.share.text import visible

_EMPTY = frozenset({"meta", "input", "br", "col"})


class Markup(str):
    """Text that is HTML already. Only :func:`el` and :func:`raw` make it."""

    __slots__ = ()


def el(_name: str, *children: object, **attributes: object) -> Markup:
    """An element. Children that are no :class:`Markup` are text: made visible and escaped; ``None`` is left out.

    An attribute's trailing underscore goes, others become hyphens (``class_``, ``data_type``); ``True`` stands for an
    attribute without a value, ``None`` and ``False`` for none.
    """
    made = [f"<{_name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        made.append(f" {key}" if value is True else f' {key}="{escape(visible(value))}"')
    made.append(">")
    if _name in _EMPTY:
        return Markup("".join(made))
    _flatten(children, made)
    made.append(f"</{_name}>")
    return Markup("".join(made))


def _flatten(children: Iterable[object], made: list[str]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            made.append(child)
        elif isinstance(child, str):
            made.append(escape(visible(child)))
        elif isinstance(child, Iterable):
            _flatten(child, made)
        else:
            made.append(escape(visible(child)))


def raw(name: str, content: str) -> Markup:
    """A ``style`` or ``script`` element around a text of the pack's own, never of a report.

    Raises :class:`ValueError` where the text would end the element.
    """
    if f"</{name}" in content.lower() or "<!--" in content:
        raise ValueError(f"a {name} that ends itself")
    return Markup(f"<{name}>{content}</{name}>")


def link(text: str, address: str) -> Markup | str:
    """A link to a page on the web that tells it nothing of this one; text alone for an address of any other kind."""
    if not address.startswith("https://"):
        return text
    return el("a", text, href=address, rel="noopener noreferrer nofollow", target="_blank")
