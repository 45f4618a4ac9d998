"""Proxies: the choice of the proxy for a request, and the protocols to open a tunnel."""
