"""Values without I/O: requests, responses, bodies, streams, content codings, timeouts."""
