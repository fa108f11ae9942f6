"""What hygiene makes of an indicator, and how it says so."""

from __future__ import annotations

from cortex_grow.hygiene.index import Match

TYPE_CHECKING = False  # as in index.py
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortex_grow.hygiene.assets import Assets
    from cortex_grow.hygiene.index import Index
    from cortex_grow.model.indicator import Indicator

_MEANING = {
    "own": "It is internal: it is asked of local sources only, and nothing about it leaves.",
    "deny": "It is on your deny list: it counts as known bad and is never suppressed, whatever other lists say.",
    "suppress": "It is suppressed where it turns up as related: shown with its reason, not followed, scored or shared.",
    "demote": "It is kept, but ranks low and counts against a bad verdict.",
    "context": "It is kept and treated like any other; the lists only tell more about it.",
    "none": "No list knows it: it is treated like any other.",
}


class Judgement:
    """``action`` (none, suppress, demote, context, own, deny) and the ``matches`` behind it, the deciding one first."""

    __slots__ = ("action", "matches")

    def __init__(self, action: str, matches: Sequence[Match] = ()) -> None:
        self.action, self.matches = action, tuple(matches)

    def __repr__(self) -> str:
        return f"Judgement({self.action}, {list(self.matches)})"


def judge(indicator: Indicator, index: Index, assets: Assets) -> Judgement:
    """What to do with an indicator. In order: internal, deny list, allow list, warning lists (the strongest action)."""
    matches = []
    own = assets.own(indicator)
    if own:
        matches.append(Match("own assets", "own_assets", own, indicator.value, "own", "it is internal"))
    for entries, action, because in (
        (assets.deny, "deny", "you listed it as bad"),
        (assets.allow, "suppress", "you listed it as noise"),
    ):
        found = entries.find(indicator.type, indicator.value)
        if found:
            name = f"your {'deny' if action == 'deny' else 'allow'} list"
            matches.append(Match(name, entries.name, f"on {name}: {found}", indicator.value, action, because))
    matches.extend(index.lookup(indicator.type, indicator.value))
    return Judgement(matches[0].action if matches else "none", matches)


def explain(indicator: Indicator, index: Index, assets: Assets) -> str:
    """In sentences: which lists know an indicator, what they are, what the pack does and why."""
    judgement = judge(indicator, index, assets)
    # What is printed to a terminal must not be able to steer it.
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in indicator.value)
    lines = [f"{shown} ({indicator.type})", f"  {_MEANING[judgement.action]}"]
    reasons: dict[tuple[str, str], list[Match]] = {}
    for match in judgement.matches:
        if match.slug in ("own_assets", "deny_list", "allow_list"):
            lines += ["", f"  {match.why[0].upper()}{match.why[1:]}."]
        else:
            reasons.setdefault((match.action, match.because), []).append(match)
    for (action, because), matches in reasons.items():
        lines += ["", f"  {action.capitalize()}: {because}. Known to"]
        for match in matches:
            where = "" if match.matched == indicator.value else f", as {match.matched}"
            lines.append(f"    the list '{match.list}'{where}: {match.why.rstrip('.')}.")
    if judgement.action in ("own", "deny") and len(judgement.matches) > 1:
        lines += ["", f"  What decides is the first of these: {judgement.action}."]
    lists = f"{index.version}, of {index.made_at}, {len(index.lists)} lists, {index.entries:,} entries"
    lines += ["", f"  Warning lists: {lists}."]
    lines += [f"  Not used: {problem}" for problem in assets.problems]
    return "\n".join(lines)
