"""Asking the outside: one HTTP session, typed errors, deadlines, redaction, and the shared state (quota,
breaker, cache).

Import what you need from its module (``net.session``, ``net.state``, ...): this package imports nothing by
itself, so that a job that is answered from the cache never pays for an HTTP client.
"""
