"""What registries and registrars say of names, networks and autonomous systems: RDAP objects and WHOIS texts, read into
one record, and the record into facts."""
