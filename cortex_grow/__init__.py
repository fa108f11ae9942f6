"""cortex-grow: grow raw indicators into related indicators of higher value."""

__version__ = "0.1.0"
