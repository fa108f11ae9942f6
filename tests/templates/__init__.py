"""Report templates, rendered in Chromium as TheHive renders them."""
