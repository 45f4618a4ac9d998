"""The libraries of the dependency group of that name, in an environment of their own.

Each test does what the library's users do to have it send by a session of ours, against a local server that speaks as
much of the service's protocol as the test needs. The server fails the test when a request came by another session.
"""
