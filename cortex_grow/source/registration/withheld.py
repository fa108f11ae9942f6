"""Who is not the registrant: placeholders, privacy services, and name servers that stand for nobody.

Facts of the field, each with its source: RFC 9537 (redaction), ICANN's registration data policy (*REDACTED*, *DATA
REDACTED*), the registries' and privacy services' own texts in recorded answers.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

# The whole value means that nobody is named.
_PLACEHOLDERS = (
    r"n/?a|none|null|nil|unknown|undef(?:ined)?|not[ .](?:applicable|available|disclosed|shown|defined)",
    r"no object found|private|privacy|private (?:person|individual|registrant|registration|registry)|individual",
    r"natural person|hidden|masked|redacted|withheld|protected|confidential|anonymous|person|personal data",
    r"data (?:redacted|protected|withheld)|see privacyguardian\.org|registrant|registrant of .*",
)
_PLACEHOLDER = re.compile(rf"[\W_]*(?:{'|'.join(_PLACEHOLDERS)})?[\W_]*", re.IGNORECASE)
# A value that holds one of these is a placeholder or the name of a service that stands in for the registrant.
_STANDS_IN = re.compile(
    "|".join(
        (
            r"redacted|not disclosed|nicht offengelegt|not shown|hidden upon|hidden!|(?:data|name) hidden|undisclosed",
            r"non[- ]public data|gdpr|statutory masking|anonymi[sz]e|personal data, can not be publicly disclosed",
            r"privacy (?:protect|service|user|ltd|inc\b|hero|department|administrator|guardian)|privacyguardian",
            r"(?:contact|perfect|domain|super|digital) privacy|withheld for privacy|private by design",
            r"private registra|registration private|registered privately|1&1 internet private",
            r"domains by proxy|domain ?proxy|proxy (?:service|registrant|protection)",
            r"whois ?(?:guard|privacy|proxy|protect|agent|secure|trustee)|identity (?:protect|shield)|id ?shield",
            r"data ?protected|domain protection services|domain id shield|domain (?:may be )?for sale",
        )
    ),
    re.IGNORECASE,
)

# Statuses of an RDAP entity that is not who it stands for (RFC 9083, section 10.2.2, and IANA's RDAP JSON values).
STATUSES = frozenset({"private", "proxy", "removed", "obscured"})


def nobody(text: str | None) -> bool:
    """Whether a name of an organisation or person says that nobody is named."""
    return not text or _PLACEHOLDER.fullmatch(text[:300]) is not None


def stand_in(text: str | None) -> bool:
    """Whether a name is a placeholder for withheld data, or a service that stands in for the registrant."""
    return bool(text) and _STANDS_IN.search(str(text)[:300]) is not None


def service_mail(mail: str, name: str) -> bool:
    """Whether a mail address of the registrant of ``name`` is a mailbox of a privacy service."""
    local, _, host = mail.lower().rpartition("@")
    if _above(host).intersection(_known()["privacy services"]):
        return True
    # A service hands out one mailbox a name: the name itself, sometimes with more behind it.
    own = host == name or host.endswith(f".{name}")
    if not own and (local == name or local.startswith((f"{name}-", f"{name}_", f"{name}."))):
        return True
    return local in ("redacted", "dummy", "noreply", "no-reply", "nobody", "none", "hidden")


@cache
def _known() -> dict[str, Any]:
    """The domains of privacy services, and those of name servers that say nothing, by why they do not."""
    known: dict[str, Any] = json.loads(
        (Path(__file__).with_name("data") / "stand_ins.json").read_text(encoding="utf-8")
    )
    return known


def _above(name: str) -> set[str]:
    """A name and all that it lies below."""
    labels = name.split(".")
    return {".".join(labels[start:]) for start in range(len(labels))}


def hub(name_server: str) -> str | None:
    """Why nothing is to be learnt from who else uses a name server; ``None`` where there may be."""
    above = _above(name_server)
    for why, names in _known()["name servers"].items():
        # ns-1655.awsdns-14.co.uk: Route 53 numbers the domains of its servers.
        if above.intersection(names) or ("awsdns" in names and re.fullmatch(r"ns-\d+\.awsdns-\d+\..+", name_server)):
            return str(why)
    return None
