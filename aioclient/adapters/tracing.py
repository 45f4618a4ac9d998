"""``extensions={"trace": ...}`` of httpx: the events of httpcore, as far as the signals of a session report them.

=============================================  ===============================
event                                          info
=============================================  ===============================
``connection.connect_tcp.started``             ``host``, ``port``
``connection.connect_tcp.complete``            ``return_value``: None
``http11.send_request_headers.started``        ``request``
``http11.receive_response_headers.complete``   ``return_value``: version,
                                               status, reason, fields
``http2.receive_response_headers.complete``    ``return_value``: status, fields
``http11.receive_response_headers.failed``     ``exception``
=============================================  ===============================

Before a response the protocol is not known: these events are always those of HTTP/1.1.
"""

from inspect import isawaitable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from aiohttp import TraceConfig
from yarl import URL

from ..observe.configs import TraceConfigs
from ..session import ClientSession


class TracedURL(NamedTuple):
    """The parts of a request's URL, as httpcore names them."""

    scheme: bytes
    host: bytes
    port: int | None
    target: bytes


class TracedRequest(NamedTuple):
    """A request as httpcore shows it."""

    method: bytes
    url: TracedURL
    headers: list[tuple[bytes, bytes]]


_traced: "WeakKeyDictionary[ClientSession, ClientSession]" = WeakKeyDictionary()


def traced(session: ClientSession) -> ClientSession:
    """Return a session over the same connector that reports each event to the function in ``trace_request_ctx``."""
    other = _traced.get(session)
    if other is None or other.closed:
        config = TraceConfig()
        config.on_request_start.append(_note_url)
        config.on_connection_create_start.append(_connecting)
        config.on_connection_create_end.append(_connected)
        config.on_request_headers_sent.append(_sending)
        config.on_request_end.append(_answered)
        config.on_request_exception.append(_failed)
        other = _traced[session] = session.with_auth(None)
        other._trace_configs = TraceConfigs([*session.trace_configs, config])
    return other


async def _report(context: Any, event: str, info: dict[str, Any]) -> None:
    result = context.trace_request_ctx(event, info)
    if isawaitable(result):
        await result


async def _note_url(_session: object, context: Any, values: Any) -> None:
    context.url = values.url


async def _connecting(_session: object, context: Any, _values: object) -> None:
    url: URL = context.url
    await _report(
        context, "connection.connect_tcp.started", {"host": url.raw_host, "port": url.port}
    )


async def _connected(_session: object, context: Any, _values: object) -> None:
    await _report(context, "connection.connect_tcp.complete", {"return_value": None})


async def _sending(_session: object, context: Any, values: Any) -> None:
    url: URL = values.url
    request = TracedRequest(
        values.method.encode(),
        TracedURL(
            url.scheme.encode(),
            (url.raw_host or "").encode(),
            url.explicit_port,
            url.raw_path_qs.encode(),
        ),
        [
            (name.encode(), value.encode("utf-8", "surrogateescape"))
            for name, value in values.headers.items()
        ],
    )
    await _report(context, "http11.send_request_headers.started", {"request": request})


async def _answered(_session: object, context: Any, values: Any) -> None:
    response = values.response
    version, fields = response.version, list(response.raw_headers)
    value: tuple[Any, ...]
    if version.major == 2:
        protocol, value = "http2", (response.status, fields)
    else:
        protocol = "http11"
        name = f"HTTP/{version.major}.{version.minor}".encode()
        reason = response.reason.encode("latin-1", "replace")
        value = (name, response.status, reason, fields)
    await _report(context, f"{protocol}.receive_response_headers.complete", {"return_value": value})


async def _failed(_session: object, context: Any, values: Any) -> None:
    await _report(
        context, "http11.receive_response_headers.failed", {"exception": values.exception}
    )
