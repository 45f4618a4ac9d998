"""Proxies: which one a request goes by, and the way through it."""
