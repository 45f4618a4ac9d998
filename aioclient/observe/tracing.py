"""The signals of ``aiohttp.TraceConfig``, fired from our engine.

The rules, those of aiohttp:

* A call fires ``on_request_start`` once, before its middlewares run. Each config that saw it without an error hears
  of the end: by ``on_request_end``, or by ``on_request_exception``, or by both if a callback of the first raises.
* Each attempt (a hop after a redirect, a repetition by a middleware or on a stale connection) fires the signals of
  the connection and of what is sent anew.
* Callbacks run one after the other, configs in their order; the request waits for them, within its total timeout.
* What a callback raises ends the call. Whoever holds the connection at that moment closes it.
* What is sent is reported before it is written. ``on_request_headers_sent`` has all fields as they go out,
  credentials included; ``on_request_start`` has those that may still be changed.
"""

from collections.abc import Coroutine, Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Final

from aiohttp import tracing
from aiohttp.tracing import TraceConfig
from multidict import CIMultiDict

from ..message.request import Request
from ..message.response import ClientResponse
from ..message.stream import StreamReader
from .stream import TracedStreamReader

Fired = Coroutine[Any, Any, None]

_END: Final = attrgetter("on_request_end")
_EXCEPTION: Final = attrgetter("on_request_exception")
_REDIRECT: Final = attrgetter("on_request_redirect")
_QUEUED_START: Final = attrgetter("on_connection_queued_start")
_QUEUED_END: Final = attrgetter("on_connection_queued_end")
_CREATE_START: Final = attrgetter("on_connection_create_start")
_CREATE_END: Final = attrgetter("on_connection_create_end")
_REUSECONN: Final = attrgetter("on_connection_reuseconn")
_CACHE_HIT: Final = attrgetter("on_dns_cache_hit")
_CACHE_MISS: Final = attrgetter("on_dns_cache_miss")
_RESOLVEHOST_START: Final = attrgetter("on_dns_resolvehost_start")
_RESOLVEHOST_END: Final = attrgetter("on_dns_resolvehost_end")
_HEADERS_SENT: Final = attrgetter("on_request_headers_sent")
_CHUNK_SENT: Final = attrgetter("on_request_chunk_sent")
_CHUNK_RECEIVED: Final = attrgetter("on_response_chunk_received")


def frozen(configs: Sequence[TraceConfig] | None) -> list[TraceConfig]:
    """Return *configs*, to which no callback can be added any more.

    Raises:
        TypeError: one is no ``aiohttp.TraceConfig``.
    """
    result = list(configs or ())
    for config in result:
        if not isinstance(config, TraceConfig):
            raise TypeError(
                f"trace_configs must be aiohttp.TraceConfig objects, found {type(config).__name__}"
            )
    for config in result:
        config.freeze()
    return result


class RequestTrace:
    """The trace configs of one call, each with its context."""

    __slots__ = (
        "_followers",
        "_request",
        "hears_body",
        "hears_upload",
        "raised",
        "stream_class",
    )

    def __init__(self, request: Request) -> None:
        self._request = request
        self._followers: list[tuple[TraceConfig, SimpleNamespace]] = []
        self.raised: BaseException | None = None
        self.hears_upload = False
        self.hears_body = False
        self.stream_class: type[StreamReader] = StreamReader

    def follow(self, request: Request) -> None:
        """Go on with *request*, the next hop."""
        self._request = request

    def watch(self, request: Request, stream: StreamReader) -> None:
        """Report what is read from *stream*, a ``TracedStreamReader``."""
        if isinstance(stream, TracedStreamReader):
            stream.attach(self, request)

    # The call

    async def request_start(
        self, configs: Sequence[TraceConfig], trace_request_ctx: object
    ) -> None:
        """Fire ``on_request_start``; a config whose callback raises hears no more of the call."""
        request = self._request
        for config in configs:
            context = config.trace_config_ctx(trace_request_ctx=trace_request_ctx)
            if config.on_request_start:
                await config.on_request_start.send(
                    request.session,
                    context,
                    tracing.TraceRequestStartParams(
                        request.method, request.real_url, _headers_of(request)
                    ),
                )
            self._followers.append((config, context))
            if config.on_request_chunk_sent:
                self.hears_upload = True
            if config.on_response_chunk_received:
                self.hears_body = True
                self.stream_class = TracedStreamReader

    def request_end(self, response: ClientResponse) -> Fired:
        """Fire ``on_request_end``."""
        return self._fire_of_call(_END, tracing.TraceRequestEndParams, self._request, response)

    def request_exception(self, error: BaseException) -> Fired:
        """Fire ``on_request_exception``."""
        params = tracing.TraceRequestExceptionParams
        return self._fire_of_call(_EXCEPTION, params, self._request, error)

    def request_redirect(self, request: Request, response: object) -> Fired:
        """Fire ``on_request_redirect``."""
        params = tracing.TraceRequestRedirectParams
        return self._fire_of_call(_REDIRECT, params, request, response)

    # The connection

    def connection_queued_start(self) -> Fired:
        """Fire ``on_connection_queued_start``."""
        return self._fire(_QUEUED_START, tracing.TraceConnectionQueuedStartParams)

    def connection_queued_end(self) -> Fired:
        """Fire ``on_connection_queued_end``."""
        return self._fire(_QUEUED_END, tracing.TraceConnectionQueuedEndParams)

    def connection_create_start(self) -> Fired:
        """Fire ``on_connection_create_start``."""
        return self._fire(_CREATE_START, tracing.TraceConnectionCreateStartParams)

    def connection_create_end(self) -> Fired:
        """Fire ``on_connection_create_end``."""
        return self._fire(_CREATE_END, tracing.TraceConnectionCreateEndParams)

    def connection_reuseconn(self) -> Fired:
        """Fire ``on_connection_reuseconn``."""
        return self._fire(_REUSECONN, tracing.TraceConnectionReuseconnParams)

    def dns_cache_hit(self, host: str) -> Fired:
        """Fire ``on_dns_cache_hit``."""
        return self._fire(_CACHE_HIT, tracing.TraceDnsCacheHitParams, host)

    def dns_cache_miss(self, host: str) -> Fired:
        """Fire ``on_dns_cache_miss``."""
        return self._fire(_CACHE_MISS, tracing.TraceDnsCacheMissParams, host)

    def dns_resolvehost_start(self, host: str) -> Fired:
        """Fire ``on_dns_resolvehost_start``."""
        return self._fire(_RESOLVEHOST_START, tracing.TraceDnsResolveHostStartParams, host)

    def dns_resolvehost_end(self, host: str) -> Fired:
        """Fire ``on_dns_resolvehost_end``."""
        return self._fire(_RESOLVEHOST_END, tracing.TraceDnsResolveHostEndParams, host)

    # The message

    async def request_headers_sent(self, request: Request, head: bytes) -> None:
        """Fire ``on_request_headers_sent``, with the fields of *head*."""
        if self._is_heard(_HEADERS_SENT):
            await self._fire(
                _HEADERS_SENT,
                tracing.TraceRequestHeadersSentParams,
                request.method,
                request.url,
                fields_of(head),
            )

    async def request_chunk_sent(
        self, request: Request, chunk: bytes | bytearray | memoryview
    ) -> None:
        """Fire ``on_request_chunk_sent``."""
        if not self._is_heard(_CHUNK_SENT):
            return
        try:
            await self._fire(
                _CHUNK_SENT,
                tracing.TraceRequestChunkSentParams,
                request.method,
                request.url,
                bytes(chunk),
            )
        except BaseException as error:
            self.raised = error
            raise

    async def response_chunk_received(self, request: Request, chunk: bytes) -> None:
        """Fire ``on_response_chunk_received``."""
        await self._fire(
            _CHUNK_RECEIVED,
            tracing.TraceResponseChunkReceivedParams,
            request.method,
            request.url,
            chunk,
        )

    def _is_heard(self, signal: "attrgetter[Any]") -> bool:
        """Tell whether anybody listens, before something is made for it."""
        return any(signal(config) for config, _ in self._followers)

    async def _fire_of_call(
        self, signal: "attrgetter[Any]", params: type, request: Request, outcome: object
    ) -> None:
        await self._fire(
            signal, params, request.method, request.real_url, _headers_of(request), outcome
        )

    async def _fire(self, signal: "attrgetter[Any]", params: type, *values: object) -> None:
        session = self._request.session
        for config, context in self._followers:
            receivers = signal(config)
            if receivers:
                await receivers.send(session, context, params(*values))


def fields_of(head: bytes) -> "CIMultiDict[str]":
    """Return the header fields of an encoded request *head*."""
    fields: CIMultiDict[str] = CIMultiDict()
    _, *lines = head.decode("utf-8", "surrogateescape").removesuffix("\r\n\r\n").split("\r\n")
    for line in lines:
        name, _, value = line.partition(": ")
        fields.add(name, value)
    return fields


def _headers_of(request: Request) -> "CIMultiDict[str]":
    """Return the fields that the call asked for; changes to them before it is sent are sent, by its redirects too."""
    if request.given is None:
        request.given = request.defaults.fields.copy()
    return request.given
