"""Observation of a request: traces and log lines.

- ``tracing``: the signals of ``aiohttp.TraceConfig``.
"""
