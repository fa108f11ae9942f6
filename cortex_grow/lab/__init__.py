"""Loopback stand-ins for the outside services, each in its own protocol: for the demo and the tests.

They are reached by ordinary configuration (base address, resolver, WHOIS server), and refuse what the real service
would refuse. ``Lab.demo()`` serves the project's own story, ``Lab.replay(folder)`` recorded answers.
"""

from __future__ import annotations

from cortex_grow.lab.lab import Lab, Logged

__all__ = ["Lab", "Logged"]
