"""A plugin for the tests of requests and of httpx: their clients send by aioclient, or are replaced by its session.

``clients.py`` loads it, says by ``CLIENTS_SUITE`` which of them, and by ``CLIENTS_RESULTS`` where the outcomes go.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient import sync

# What requests raises, and what aioclient raises in its place.
EXCEPTIONS: dict[str, Any] = {
    "RequestException": (aioclient.ClientError, TimeoutError, ValueError),
    "HTTPError": aioclient.ClientResponseError,
    "ConnectionError": aioclient.ClientConnectionError,
    "ProxyError": (aioclient.ClientProxyConnectionError, aioclient.ClientHttpProxyError),
    "SSLError": aioclient.ClientSSLError,
    "Timeout": TimeoutError,
    "ConnectTimeout": aioclient.ConnectionTimeoutError,
    "ReadTimeout": aioclient.ServerTimeoutError,
    "TooManyRedirects": aioclient.TooManyRedirects,
    "MissingSchema": aioclient.InvalidURL,
    "InvalidSchema": aioclient.NonHttpUrlClientError,
    "InvalidURL": aioclient.InvalidURL,
    "InvalidProxyURL": aioclient.InvalidURL,
    "InvalidHeader": (ValueError, TypeError),
    "ChunkedEncodingError": aioclient.ClientPayloadError,
    "ContentDecodingError": aioclient.ContentDecodingError,
    "InvalidJSONError": (ValueError, TypeError),
    "JSONDecodeError": json.JSONDecodeError,
}


class Session(sync.Session):
    """A session as requests makes it: the environment counts, and hosts that are IP addresses have cookies."""

    def __init__(self) -> None:
        super().__init__(trust_env=True, cookie_jar=aioclient.CookieJar(unsafe=True), timeout=20)


def put_adapter() -> None:
    """Let every session of requests send by aioclient."""
    import requests.sessions

    from aioclient.adapters.requests import Adapter

    requests.sessions.HTTPAdapter = Adapter  # type: ignore[assignment,misc]


def put_session() -> None:
    """Let the names of requests be those of aioclient."""
    import requests.auth
    import requests.exceptions

    sync.Session = Session  # type: ignore[misc]
    values: dict[str, Any] = {
        "Session": Session,
        "session": Session,
        "Request": sync.Request,
        "PreparedRequest": sync.PreparedRequest,
    }
    for name in ("request", "get", "options", "head", "post", "put", "patch", "delete"):
        values[name] = getattr(sync, name)
    for name, value in {**values, **EXCEPTIONS}.items():
        for module in (requests, requests.exceptions):
            if hasattr(module, name):
                setattr(module, name, value)
    requests.auth.HTTPDigestAuth = aioclient.DigestAuth  # type: ignore[assignment,misc]
    requests.auth.HTTPBasicAuth = aioclient.BasicAuth  # type: ignore[assignment,misc]


def put_transports() -> None:
    """Let every client of httpx send by aioclient."""
    import httpx._client
    import uvicorn.config

    from aioclient.adapters.httpx import AsyncTransport, Transport

    def fitting(kind: Any) -> Any:
        return lambda http1=True, **settings: kind(**settings)

    httpx._client.HTTPTransport = fitting(Transport)  # type: ignore[misc]
    httpx._client.AsyncHTTPTransport = fitting(AsyncTransport)  # type: ignore[misc]
    # The tests' server writes names of fields as h11 does, which is not chosen where httptools is installed.
    uvicorn.config.HTTP_PROTOCOLS["auto"] = uvicorn.config.HTTP_PROTOCOLS["h11"]


{"adapter": put_adapter, "session": put_session, "transports": put_transports}[
    os.environ["CLIENTS_SUITE"]
]()

# Who asks for one of these reaches a server; no other test has to do with what sends.
SERVERS = frozenset(("httpbin", "httpbin_secure", "nosan_server", "server", "https_server"))

_outcomes: dict[str, bool] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests that reach a server; those of ``test_lowlevel.py`` make one each."""
    left_out = [
        item
        for item in items
        if SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
        and item.path.name != "test_lowlevel.py"
    ]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test ended; one that is skipped, or known to fail, does not count."""
    if report.skipped or hasattr(report, "wasxfail"):
        return
    if report.when == "call" or report.failed:
        name = report.nodeid.removeprefix("tests/")
        _outcomes[name] = report.passed and _outcomes.get(name, True)


def pytest_sessionfinish() -> None:
    """Hand the outcomes over."""
    Path(os.environ["CLIENTS_RESULTS"]).write_text(json.dumps(_outcomes))
