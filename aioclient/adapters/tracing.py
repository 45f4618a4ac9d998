"""``extensions={"trace": ...}`` of httpx: its events, told by the signals of a session."""

from functools import partial
from inspect import isawaitable
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiohttp import TraceConfig

from ..observe.configs import TraceConfigs
from ..session import ClientSession

# Signals of a trace config, and the event of httpcore that is nearest to each.
EVENTS: Final = {
    "on_connection_create_start": "connection.connect_tcp.started",
    "on_connection_create_end": "connection.connect_tcp.complete",
    "on_request_headers_sent": "http11.send_request_headers.complete",
    "on_request_end": "http11.receive_response_headers.complete",
    "on_request_exception": "http11.receive_response_headers.failed",
}

_traced: "WeakKeyDictionary[ClientSession, ClientSession]" = WeakKeyDictionary()


def traced(session: ClientSession) -> ClientSession:
    """Return a session over the same connector that tells the function in ``trace_request_ctx`` of each event."""
    other = _traced.get(session)
    if other is None or other.closed:
        config = TraceConfig()
        for signal, event in EVENTS.items():
            getattr(config, signal).append(partial(_tell, event))
        other = _traced[session] = session.with_auth(None)
        other._trace_configs = TraceConfigs([*session.trace_configs, config])
    return other


async def _tell(event: str, _session: object, context: Any, values: Any) -> None:
    result = context.trace_request_ctx(event, {"request": values})
    if isawaitable(result):
        await result
