"""TLP and PAP: which question may be asked. Fails closed.

``local`` asks nothing of anyone; ``passive`` reads third-party records; ``vendor`` discloses the value to a vendor;
``active`` touches the target's own machines; ``public`` makes a submission that others can see.
"""

from __future__ import annotations

from cortex_grow.source.settings import Settings

TLP_NAMES = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT or RED", "TLP:RED")
PAP_NAMES = ("PAP:CLEAR", "PAP:GREEN", "PAP:AMBER", "PAP:RED")
ANY = 4
AMBER = 2
GREEN = 1

# The highest TLP and PAP of a job whose indicator may be asked about, by exposure.
LIMITS = {
    "local": (ANY, ANY),
    "passive": (AMBER, AMBER),
    "vendor": (AMBER, AMBER),
    "active": (AMBER, GREEN),
    "public": (AMBER, AMBER),
}


def barred(exposure: str, tlp: int, pap: int, settings: Settings) -> str | None:
    """Why a question of this exposure may not be asked for a job of this TLP and PAP; ``None`` where it may.

    ``max_tlp``, ``max_pap``, ``check_tlp`` and ``check_pap`` are Cortex's own items: what the operator set wins, a null
    means checks on and the limit of the exposure. A ``public`` question also needs ``allow_public``; where
    ``allow_active`` is false, no ``active`` question is asked.
    """
    if exposure == "active" and not settings.flag("allow_active", True):
        return "it would touch the target's own machines; name the source in include to ask it"
    limit_tlp, limit_pap = LIMITS[exposure]
    limit_tlp = settings.number("max_tlp", limit_tlp)
    limit_pap = settings.number("max_pap", limit_pap)
    if settings.flag("check_tlp", True) and tlp > limit_tlp:
        return f"TLP is higher than allowed: {_name(TLP_NAMES, tlp)} is above {_name(TLP_NAMES, limit_tlp)} (max_tlp)"
    if settings.flag("check_pap", True) and pap > limit_pap:
        return f"PAP is higher than allowed: {_name(PAP_NAMES, pap)} is above {_name(PAP_NAMES, limit_pap)} (max_pap)"
    if exposure == "public" and not settings.flag("allow_public", False):
        return "others could see this submission; it is made only where allow_public is set"
    return None


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"{names[0].split(':')[0]} {number}"
