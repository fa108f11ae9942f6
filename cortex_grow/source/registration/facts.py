"""A registration as facts: who and what it relates to, how old it is, and what else there is to show."""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.facts import About, Cut, Fact, Hub, Known, Related, Score, Summary, found
from cortex_grow.source.registration import withheld
from cortex_grow.source.registration.record import Registrant, Registration, Resources

DAY = 86400
YOUNG = 30
NEW = 7
MOST_ROUTES = 1000
MOST_SERVERS = 50


def of_name(seed: Indicator, name: Indicator, registration: Registration, as_of: str) -> Iterator[Fact]:
    """The registration of ``name``, which is the seed or the domain that it lies below."""
    about = seed if name.id == seed.id else name
    if about is not seed:
        yield Related(seed, "subdomain-of", name)
    yield from _registered_to(about, registration.registrant)
    servers = registration.name_servers[:MOST_SERVERS]
    if len(registration.name_servers) > len(servers):
        yield Cut("name servers", len(registration.name_servers), len(servers), "no name has more")
    for server in servers:
        end = found("fqdn", server.name)
        yield Related(about, "delegated-to", end)
        for address in server.addresses[:MOST_SERVERS]:
            yield Related(end, "resolves-to", found("ip", address), context={"record": "glue in the registry"})
        why = withheld.hub(server.name.lower())
        if why:
            yield Hub(end, why)
    if registration.created:
        yield About(about, attributes={"registered": registration.created})
    yield from _age(seed, about, registration.created, as_of)
    yield Known(f"Registration of {name.value}", _shown(registration))
    if registration.created:
        yield Summary("registered", registration.created[:10])
    if registration.registrar:
        yield Summary("registrar", registration.registrar)
    elif not registration.created and registration.statuses:
        yield Summary("status", registration.statuses[0])


def of_address(seed: Indicator, resources: Resources) -> Iterator[Fact]:
    """The networks that an address belongs to, the most specific first."""
    blocks = sorted(resources.blocks, key=lambda block: block.network.prefixlen, reverse=True)
    for block in blocks:
        network = Indicator("network", str(block.network))
        yield Related(seed, "belongs-to", network)
        yield from _registered_to(network, block.registrant)
        for mail in block.abuse:
            yield Related(found("mail", mail), "contact-for", network, context={"role": "abuse"})
        if block.created:
            yield About(network, attributes={"registered": block.created})
        yield Known(
            f"Network {network.value}",
            {
                "Name": block.name,
                "Organisation": _who(block.registrant),
                "Abuse contact": block.abuse,
                "Country": block.country,
                "Kind": block.kind,
                "Origin": [f"AS{number}" for number in block.numbers],
                "Registered": block.created,
                "Changed": block.changed,
            },
        )
    for route in resources.routes:
        network = Indicator("network", str(route.network))
        yield Related(seed, "belongs-to", network)
        yield Related(network, "belongs-to", found("autonomous-system", f"AS{route.number}"))
    if blocks:
        yield Summary("network", str(blocks[0].network))
        holder = next((name for block in blocks for name in (block.registrant.organisation, block.name) if name), None)
        if holder:
            yield Summary("holder", holder)
        if blocks[0].country:
            yield Summary("country", blocks[0].country.upper())


def of_number(seed: Indicator, resources: Resources) -> Iterator[Fact]:
    """An autonomous system, and the networks whose route objects name it as their origin."""
    for number in resources.numbers:
        yield from _registered_to(seed, number.registrant)
        for mail in number.abuse:
            yield Related(found("mail", mail), "contact-for", seed, context={"role": "abuse"})
        yield Known(
            f"Autonomous system {seed.value}",
            {
                "Name": number.name,
                "Organisation": _who(number.registrant),
                "Abuse contact": number.abuse,
                "Country": number.country,
                "Registered": number.created,
                "Changed": number.changed,
            },
        )
        holder = number.registrant.organisation or number.name
        if holder:
            yield Summary("holder", holder)
        if number.country:
            yield Summary("country", number.country.upper())
    routes = resources.routes[:MOST_ROUTES]
    for route in routes:
        yield Related(Indicator("network", str(route.network)), "belongs-to", seed, context={"record": "route object"})
    if routes:
        yield Summary("routes", str(len(resources.routes)))
    if len(resources.routes) > len(routes):
        yield Cut("route objects", len(resources.routes), len(routes), f"the first {MOST_ROUTES} are read")


def _registered_to(about: Indicator, registrant: Registrant) -> Iterator[Fact]:
    if registrant.organisation:
        yield Related(about, "registered-to", found("organisation", registrant.organisation))
    for mail in registrant.mails:
        yield Related(about, "registered-to", found("mail", mail))


def _age(seed: Indicator, about: Indicator, created: str | None, as_of: str) -> Iterator[Fact]:
    """How young a domain is: whole days from its registration to the answer. A date to come is no age."""
    seconds = _seconds(created, as_of)
    if seconds is None or not 0 <= seconds < YOUNG * DAY:
        return
    days = seconds // DAY
    ago = "less than a day ago" if not days else "1 day ago" if days == 1 else f"{days} days ago"
    points = 25 if days < NEW else 15
    yield Score(points, "domain age", f"registered {ago}", about=about)
    if about is not seed:
        yield Score(points, "domain age", f"its domain {about.value} was registered {ago}")


def _seconds(start: str | None, end: str) -> int | None:
    from datetime import datetime

    try:
        return int((datetime.fromisoformat(end) - datetime.fromisoformat(start or "")).total_seconds())
    except (ValueError, TypeError):
        return None


def _who(registrant: Registrant) -> str | None:
    if registrant.organisation:
        return registrant.organisation
    return f"withheld ({registrant.withheld})" if registrant.withheld else None


def _shown(registration: Registration) -> dict[str, object]:
    signed = {True: "signed", False: "unsigned"}
    return {
        "Registrant": _who(registration.registrant),
        "Registrant's mail": registration.registrant.mails,
        "Registrar": registration.registrar,
        "Registrar's IANA id": registration.registrar_id,
        "Registrar's abuse contact": registration.registrar_abuse,
        "Registered": registration.created,
        "Changed": registration.changed,
        "Expires": registration.expires,
        "Status": registration.statuses,
        "DNSSEC": None if registration.dnssec is None else signed[registration.dnssec],
    }
