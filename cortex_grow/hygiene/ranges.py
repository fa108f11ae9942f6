"""Turns overlapping networks into disjoint ranges, each with the networks around it. Used by the compiler only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Net(NamedTuple):
    """A listed network: first and last address as numbers, the list, the length of its prefix, its rule."""

    first: int
    last: int
    list: int
    length: int
    rule: int

    def element(self) -> tuple[int, int, int]:
        """What the compiled file keeps of it."""
        return self.list, self.length, self.rule


Elements = tuple[tuple[int, int, int], ...]


def flatten(nets: Iterable[Net]) -> Iterator[tuple[int, Elements]]:
    """The ranges in ascending order from address 0 on: where each begins, and the networks that cover it.

    Networks by prefix contain each other or have nothing in common, so that a stack is enough: those on it cover the
    address at hand, the widest at the bottom. Neighbours of equal coverage become one range.
    """
    held: tuple[int, Elements] = (0, ())
    last: Elements | None = None
    for change in _changes(nets):
        # Several changes at one address are one: only the last of them holds.
        if change[0] != held[0] and held[1] != last:
            yield held
            last = held[1]
        held = change
    if held[1] != last:
        yield held


def _changes(nets: Iterable[Net]) -> Iterator[tuple[int, Elements]]:
    cover: list[Net] = []

    def now(address: int) -> tuple[int, Elements]:
        return address, tuple(sorted({net.element() for net in cover}))

    def leave(before: int | None) -> Iterator[tuple[int, Elements]]:
        while cover and (before is None or cover[-1].last < before):
            end = cover[-1].last
            while cover and cover[-1].last == end:
                cover.pop()
            yield now(end + 1)

    for net in sorted(nets, key=lambda net: (net.first, -net.last, net.list)):
        yield from leave(net.first)
        cover.append(net)
        yield now(net.first)
    yield from leave(None)
