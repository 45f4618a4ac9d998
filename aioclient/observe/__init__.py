"""Who looks on while a request is under way.

- ``tracing``: the signals of ``aiohttp.TraceConfig``.
"""
