"""The way to the server: pool, resolver, dial, TLS."""
