"""Plain data: indicators, relations, verdicts and reports. No I/O, no third-party import."""
