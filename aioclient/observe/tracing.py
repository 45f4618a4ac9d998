"""The signals of ``aiohttp.TraceConfig``, sent by our engine.

The rules are those of aiohttp:

* A call sends ``on_request_start`` once, before its middlewares run. Each config whose callback did not raise is
  informed of the end: by ``on_request_end``, or by ``on_request_exception``, or by both if a callback of the first
  raises.
* Each attempt (a hop after a redirect, a repetition by a middleware or on a stale connection) sends the signals of the
  connection and of the sent data again.
* Callbacks run one after the other, configs in their order; the request waits for them, within its total timeout. For
  ``on_request_exception`` it waits without a limit: that timeout may be the exception.
* An exception of a callback ends the call. The code that uses the connection at that moment closes it.
* Data is reported before it is written. ``on_request_headers_sent`` has all fields as they are sent, including
  credentials; ``on_request_start`` has those that may still be changed.
"""

from collections.abc import Awaitable, Generator
from types import SimpleNamespace
from typing import Final

from aiohttp import tracing
from aiohttp.tracing import TraceConfig
from multidict import CIMultiDict

from ..message.request import Request
from ..response.client_response import ClientResponse
from ..response.stream import StreamReader
from . import configs as signals
from .configs import Signal, TraceConfigs
from .stream import TracedStreamReader
from .waiting import await_callback, await_rest


class _Nothing:
    """The awaitable when nobody listens."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


_NOTHING: Final = _Nothing()


class RequestTrace:
    """The trace configs of one call, each with its context."""

    __slots__ = (
        "_configs",
        "_followers",
        "_request",
        "_signals",
        "raised",
        "stream_class",
        "wants_body",
        "wants_headers",
        "wants_upload",
    )

    def __init__(self, request: Request, configs: list[TraceConfig]) -> None:
        if not isinstance(configs, TraceConfigs):
            configs = TraceConfigs(configs)  # a user has assigned another list
        self._request = request
        self._configs = configs
        self._signals = configs.signals
        self._followers: list[tuple[TraceConfig, SimpleNamespace]] = []
        self.wants_headers: bool = signals.HEADERS_SENT in configs.signals
        self.wants_upload: bool = signals.CHUNK_SENT in configs.signals
        self.wants_body: bool = signals.CHUNK_RECEIVED in configs.signals
        self.stream_class: type[TracedStreamReader | StreamReader] = (
            TracedStreamReader if self.wants_body else StreamReader
        )
        self.raised: BaseException | None = None

    def beside(self, request: Request) -> "RequestTrace":
        """Return the trace of *request*, a call of its own that nobody waits for."""
        return RequestTrace(request, self._configs)

    def follow(self, request: Request) -> None:
        """Continue with *request*, the next hop."""
        self._request = request

    def watch(self, request: Request, stream: StreamReader) -> None:
        """Report what is read from *stream*, a ``TracedStreamReader``."""
        if isinstance(stream, TracedStreamReader):
            stream.attach(self, request)

    # The call

    async def request_start(self, trace_request_ctx: object) -> None:
        """Fire ``on_request_start``; a config whose callback raises gets no further signals of the call."""
        request = self._request
        headers = _headers_of(request)
        for config in self._configs:
            context = config.trace_config_ctx(trace_request_ctx=trace_request_ctx)
            receivers = config.on_request_start
            if receivers:
                params = tracing.TraceRequestStartParams(request.method, request.real_url, headers)
                for receiver in receivers:
                    await await_callback(request, receiver(request.session, context, params))
            self._followers.append((config, context))
        _take_back(request, headers)

    def request_end(self, response: ClientResponse) -> Awaitable[None]:
        """Fire ``on_request_end``."""
        if signals.END not in self._signals:
            return _NOTHING
        return self._fire_last(signals.END, tracing.TraceRequestEndParams, response)

    def request_exception(self, error: BaseException) -> Awaitable[None]:
        """Fire ``on_request_exception``."""
        return self._fire_last(signals.EXCEPTION, tracing.TraceRequestExceptionParams, error)

    async def request_redirect(self, request: Request, response: object) -> None:
        """Fire ``on_request_redirect``."""
        headers = _headers_of(request)
        params = tracing.TraceRequestRedirectParams
        await self._fire(
            signals.REDIRECT, params, request.method, request.real_url, headers, response
        )
        _take_back(request, headers)

    # The connection

    def connection_queued_start(self) -> Awaitable[None]:
        """Fire ``on_connection_queued_start``."""
        return self._fire(signals.QUEUED_START, tracing.TraceConnectionQueuedStartParams)

    def connection_queued_end(self) -> Awaitable[None]:
        """Fire ``on_connection_queued_end``."""
        return self._fire(signals.QUEUED_END, tracing.TraceConnectionQueuedEndParams)

    def connection_create_start(self) -> Awaitable[None]:
        """Fire ``on_connection_create_start``."""
        return self._fire(signals.CREATE_START, tracing.TraceConnectionCreateStartParams)

    def connection_create_end(self) -> Awaitable[None]:
        """Fire ``on_connection_create_end``."""
        return self._fire(signals.CREATE_END, tracing.TraceConnectionCreateEndParams)

    def connection_reuseconn(self) -> Awaitable[None]:
        """Fire ``on_connection_reuseconn``."""
        if signals.REUSECONN not in self._signals:
            return _NOTHING
        return self._fire(signals.REUSECONN, tracing.TraceConnectionReuseconnParams)

    def dns_cache_hit(self, host: str) -> Awaitable[None]:
        """Fire ``on_dns_cache_hit``."""
        return self._fire(signals.CACHE_HIT, tracing.TraceDnsCacheHitParams, host)

    def dns_cache_miss(self, host: str) -> Awaitable[None]:
        """Fire ``on_dns_cache_miss``."""
        return self._fire(signals.CACHE_MISS, tracing.TraceDnsCacheMissParams, host)

    def dns_resolvehost_start(self, host: str) -> Awaitable[None]:
        """Fire ``on_dns_resolvehost_start``."""
        return self._fire(signals.RESOLVEHOST_START, tracing.TraceDnsResolveHostStartParams, host)

    def dns_resolvehost_end(self, host: str) -> Awaitable[None]:
        """Fire ``on_dns_resolvehost_end``."""
        return self._fire(signals.RESOLVEHOST_END, tracing.TraceDnsResolveHostEndParams, host)

    # The message

    def request_headers_sent(self, request: Request, fields: "CIMultiDict[str]") -> Awaitable[None]:
        """Fire ``on_request_headers_sent``."""
        params = tracing.TraceRequestHeadersSentParams
        return self._fire(signals.HEADERS_SENT, params, request.method, request.url, fields)

    async def request_chunk_sent(
        self, request: Request, chunk: bytes | bytearray | memoryview
    ) -> None:
        """Fire ``on_request_chunk_sent``."""
        params = tracing.TraceRequestChunkSentParams
        try:
            await self._fire(signals.CHUNK_SENT, params, request.method, request.url, bytes(chunk))
        except BaseException as error:
            self.raised = error
            raise

    def response_chunk_received(self, request: Request, chunk: bytes) -> Awaitable[None]:
        """Fire ``on_response_chunk_received``."""
        params = tracing.TraceResponseChunkReceivedParams
        return self._fire(signals.CHUNK_RECEIVED, params, request.method, request.url, chunk)

    async def _fire(self, signal: Signal, params: type, *values: object) -> None:
        """Call the callbacks of *signal*, one after the other, within the call's total limit."""
        request = self._request
        session = request.session
        for config, context in self._followers:
            receivers = signal(config)
            if receivers:
                value = params(*values)
                for receiver in receivers:
                    steps = receiver(session, context, value).__await__()
                    try:
                        waited_for = next(steps)
                    except StopIteration:
                        continue  # most callbacks wait for nothing
                    await await_rest(request, steps, waited_for)

    async def _fire_last(self, signal: Signal, params: type, outcome: object) -> None:
        """Call the callbacks for the end of the call; if that is an exception, the call's time may be over."""
        request = self._request
        headers = _headers_of(request)
        for config, context in self._followers:
            receivers = signal(config)
            if receivers:
                value = params(request.method, request.real_url, headers, outcome)
                for receiver in receivers:
                    waiting = receiver(request.session, context, value)
                    if signal is signals.EXCEPTION:
                        await waiting
                    else:
                        await await_callback(request, waiting)


def _headers_of(request: Request) -> "CIMultiDict[str]":
    """Return the fields of the call, including the session's."""
    return request.defaults.fields.copy() if request.given is None else request.given


def _take_back(request: Request, headers: "CIMultiDict[str]") -> None:
    """Let *request*, and the hops after it, be sent with *headers*, which callbacks may have changed."""
    # While they are the session's own, they stay encoded.
    if request.given is None and headers != request.defaults.fields:
        request.given = headers
