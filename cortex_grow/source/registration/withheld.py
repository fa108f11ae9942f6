"""Who is not the registrant: placeholders, privacy services, and name servers that stand for nobody.

Facts of the field, each with its source: RFC 9537 (redaction), ICANN's registration data policy (*REDACTED*, *DATA
REDACTED*), the registries' and privacy services' own texts in recorded answers.
"""

from __future__ import annotations

import re

# The whole value means that nobody is named.
_PLACEHOLDERS = re.compile(
    r"[\W_]*(?:n/?a|none|null|nil|unknown|undef(?:ined)?|not[ .](?:applicable|available|disclosed|shown|defined)|no object found|private|"
    r"privacy|private (?:person|individual|registrant|registration|registry)|individual|natural person|hidden|masked|"
    r"redacted|withheld|protected|confidential|anonymous|person|personal data|"
    r"data (?:redacted|protected|withheld)|see privacyguardian\.org|registrant|registrant of .*)[\W_]*",
    re.IGNORECASE,
)
# A value that holds one of these is a placeholder or the name of a service that stands in for the registrant.
_STANDS_IN = re.compile(
    r"redacted|privacy (?:protect|service|user|ltd|inc\b|hero|department|administrator|guardian)|private registra|"
    r"registration private|registered privately|domains by proxy|domain ?proxy|proxy (?:service|registrant|protection)|"
    r"whois ?(?:guard|privacy|proxy|protect|agent|secure|trustee)|privacyguardian|contact privacy|perfect privacy|"
    r"withheld for privacy|identity (?:protect|shield)|id ?shield|data ?protected|gdpr|statutory masking|"
    r"not disclosed|nicht offengelegt|not shown|hidden upon|hidden!|data hidden|name hidden|non[- ]public data|"
    r"domain privacy|domain protection services|domain id shield|personal data, can not be publicly disclosed|"
    r"super privacy|private by design|digital privacy|"
    r"domain (?:may be )?for sale|anonymi[sz]e|undisclosed|1&1 internet private",
    re.IGNORECASE,
)
# Domains of services that stand in for registrants, and whose mailboxes are therefore nobody's.
SERVICES = frozenset(
    """
    1and1-private-registration.com 1und1-private-registration.com anonymised.email contact.gandi.net contactprivacy.com
    contactprivacy.email customers.whoisprivacycorp.com data-protected.net dataprivacyprotected.com domainsbyproxy.com
    identity-protect.org identityprotect.org myprivacy.ca myprivacy.net namebrightprivacy.com
    networksolutionsprivateregistration.com o-w-o.info obscure.me privacy-protected.email privacy.above.com
    privacy.co.com privacydotlink.com privacyguardian.org privacypost.com privacyprotect.org privatewhois.net
    privateregistration.com proxy.dreamhost.com regprivate.ru whois-privacy.net whoisdefender.com whoisguard.com
    whoisprivacycorp.com whoisprivacyprotect.com whoisprivacyservice.com whoisprivacyservice.org whoisproxy.com
    whoisproxy.org whoisproxy.ru whoissecure.net whoistrustee.com withheldforprivacy.com
    """.split()
)

# Statuses of an RDAP entity that is not who it stands for (RFC 9083, section 10.2.2, and IANA's RDAP JSON values).
STATUSES = frozenset({"private", "proxy", "removed", "obscured"})


def nobody(text: str | None) -> bool:
    """Whether a name of an organisation or person says that nobody is named."""
    return not text or _PLACEHOLDERS.fullmatch(text[:300]) is not None


def stand_in(text: str | None) -> bool:
    """Whether a name is a placeholder for withheld data, or a service that stands in for the registrant."""
    return bool(text) and _STANDS_IN.search(str(text)[:300]) is not None


def service_mail(mail: str, name: str) -> bool:
    """Whether a mail address of the registrant of ``name`` is a mailbox of a privacy service."""
    local, _, host = mail.lower().rpartition("@")
    labels = host.split(".")
    if any(".".join(labels[start:]) in SERVICES for start in range(len(labels))):
        return True
    # A service hands out one mailbox a name: the name itself, sometimes with more behind it.
    own = host == name or host.endswith(f".{name}")
    if not own and (local == name or local.startswith((f"{name}-", f"{name}_", f"{name}."))):
        return True
    return local in ("redacted", "dummy", "noreply", "no-reply", "nobody", "none", "hidden")


_SHARED = "a name server that a DNS provider gives to very many customers"
_PARKED = "a name server of a parking service, shared by names that have nothing else in common"
_HUBS = {
    **dict.fromkeys(
        """
        above.com bodis.com buydomains.com cashparking.com dan.com dns-parking.com dnsnw.com domainparkingserver.net
        fabulous.com hugedomains.com namefind.com namedrive.com parklogic.com parkingcrew.net parked.com
        pendingrenewaldeletion.com rookdns.com sedoparking.com smartname.com trafficz.com undeveloped.com
        uniregistrymarket.link voodoo.com
        """.split(),
        _PARKED,
    ),
    **dict.fromkeys(
        """
        akam.net alidns.com azure-dns.com azure-dns.info azure-dns.net azure-dns.org bluehost.com cloudflare.com
        cscdns.net cloudns.net digitalocean.com dnsmadeeasy.com dnspod.net dnspod.com dnsv1.com dnsv2.com dnsv3.com
        domaincontrol.com dynect.net dreamhost.com gandi.net googledomains.com hichina.com hostgator.com hostinger.com
        linode.com markmonitor.com name-services.com name.com nsone.net one.com ovh.net porkbun.com
        registrar-servers.com reg.ru rzone.de squarespacedns.com ui-dns.com ui-dns.de ui-dns.org ui-dns.biz
        ultradns.com ultradns.net ultradns.org ultradns.info vercel-dns.com wixdns.net wordpress.com worldnic.com
        """.split(),
        _SHARED,
    ),
}


def hub(name_server: str) -> str | None:
    """Why nothing is to be learnt from who else uses a name server; ``None`` where there may be."""
    labels = name_server.split(".")
    for start in range(len(labels)):
        why = _HUBS.get(".".join(labels[start:]))
        if why:
            return why
    # ns-1655.awsdns-14.co.uk: Route 53 numbers its names.
    return _SHARED if len(labels) > 2 and re.fullmatch(r"awsdns-\d+", labels[1]) else None
