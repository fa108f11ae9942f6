"""From the fields of a contact to a registrant: mail addresses that are none, placeholders and stand-ins left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cortex_grow.source.registration import withheld
from cortex_grow.source.registration.record import Registrant

_MAIL = re.compile(r"[^\s@<>()\[\],;:\"|]{1,64}@([^\s@<>()\[\],;:\"|.]{1,63}\.){1,10}[^\s@<>()\[\],;:\"|.]{2,63}")
_SPELT = re.compile(r"([^\s@]{1,64}) AT ([^\s@]{1,253})")


def mail_in(text: str | None) -> str | None:
    """The mail address that a text is, also written with ``AT`` (ISOC-IL); ``None`` for anything else.

    A sentence that stands where a mail should (*Please query the RDDS service …*) is none.
    """
    if not text or len(text) > 320:
        return None
    text = text.strip().strip("<>.,;'\"")
    spelt = _SPELT.fullmatch(text)
    if spelt:
        text = f"{spelt[1]}@{spelt[2]}"
    return text if _MAIL.fullmatch(text) else None


def mails_in(text: str) -> list[str]:
    """The mail addresses among the words of a line."""
    return [mail for word in text[:400].split() if (mail := mail_in(word))]


def registrant_of(
    organisation: str | None, person: str | None, mails: Iterable[str], name: str, standing: bool = False
) -> Registrant:
    """The registrant of ``name`` by its organisation, else its name, and its mails.

    Who only stands in for the registrant, by name, by mailbox or because the answer says so (``standing``), is not one.
    """
    organisation = None if withheld.nobody(organisation) else organisation
    person = None if withheld.nobody(person) else person
    who = next((text for text in (organisation, person) if withheld.stand_in(text)), None)
    if standing:
        who = who or organisation or person or "withheld"
    # "REDACTED FOR PRIVACY" as organisation or name hides that alone; a service hides the mail as well.
    hides_all = standing or (who is not None and not _redaction(who))
    shown = [mail for mail in dict.fromkeys(mails) if name == "" or not withheld.service_mail(mail, name)]
    if hides_all:
        return Registrant(withheld=who)
    named = next((text for text in (organisation, person) if text and not withheld.stand_in(text)), None)
    return Registrant(named, tuple(shown), who)


def _redaction(text: str) -> bool:
    """Whether a placeholder says that this one field is hidden, rather than naming a service."""
    return (
        re.search(r"redacted|hidden|not disclosed|not shown|undisclosed|masking|non[- ]public", text, re.I) is not None
    )
