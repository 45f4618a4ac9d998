"""Our engine under clients that somebody else wrote: ``adapters.httpx``, ``adapters.httpx2``, ``adapters.requests``.

- ``settings``: what these clients call things, and the sessions made of it; ``errors``: their exceptions for ours;
- ``httpx_family``: the transports of httpx and httpx2, which have one interface;
- ``httpx``, ``httpx2``, ``requests``: what users import, each of which needs the library of its name.
"""
