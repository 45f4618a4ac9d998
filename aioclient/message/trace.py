"""The events of a request, for those who observe it."""

from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from multidict import CIMultiDict

RequestT = TypeVar("RequestT", contravariant=True)
StreamT = TypeVar("StreamT")


class Trace(Protocol[RequestT, StreamT]):
    """Observes one call, from its first hop to the end of its body; ``RequestT`` is ``Request``, ``StreamT`` is
    ``StreamReader``.

    Each method returns an awaitable, which is awaited at the moment that the method names. An exception ends the call:
    the awaiting code closes the connection, or gives back the slot, that the call has at that moment.
    """

    raised: BaseException | None  # the last exception of a callback
    wants_headers: bool  # whether anything listens to request_headers_sent()
    wants_upload: bool  # whether anything listens to request_chunk_sent()
    wants_body: bool  # whether anything listens to reads of a response
    stream_class: type[StreamT]  # reads the bodies of its responses

    def beside(self, request: RequestT) -> "Trace[RequestT, StreamT]":
        """Return who follows *request*, a call of its own that nobody waits for."""

    def request_start(self, trace_request_ctx: object) -> Awaitable[None]:
        """Tell that the call begins."""

    def request_end(self, response: Any) -> Awaitable[None]:
        """Tell that the *response* is there."""

    def request_exception(self, error: BaseException) -> Awaitable[None]:
        """Tell that the call has failed."""

    def request_redirect(self, request: RequestT, response: object) -> Awaitable[None]:
        """Report that *response* is a redirect; it was not released yet."""

    def follow(self, request: RequestT) -> None:
        """Continue with *request*, the next hop."""

    def connection_queued_start(self) -> Awaitable[None]:
        """Report that the wait for a slot of the pool begins."""

    def connection_queued_end(self) -> Awaitable[None]:
        """Report that the wait is over."""

    def connection_create_start(self) -> Awaitable[None]:
        """Report that a slot is reserved, and a connection will be opened."""

    def connection_create_end(self) -> Awaitable[None]:
        """Report that the connection is ready."""

    def connection_reuseconn(self) -> Awaitable[None]:
        """Report that an open connection was taken from the pool."""

    def dns_cache_hit(self, host: str) -> Awaitable[None]:
        """Report that the addresses of *host* were cached."""

    def dns_cache_miss(self, host: str) -> Awaitable[None]:
        """Report that the addresses of *host* were not cached."""

    def dns_resolvehost_start(self, host: str) -> Awaitable[None]:
        """Report that the resolver will be asked for *host*."""

    def dns_resolvehost_end(self, host: str) -> Awaitable[None]:
        """Report that the resolver has answered."""

    def request_headers_sent(
        self, request: RequestT, fields: "CIMultiDict[str]"
    ) -> Awaitable[None]:
        """Report that the *fields* will be written."""

    def request_chunk_sent(
        self, request: RequestT, chunk: bytes | bytearray | memoryview
    ) -> Awaitable[None]:
        """Report that a piece of the request's body will be written."""

    def response_chunk_received(self, request: RequestT, chunk: bytes) -> Awaitable[None]:
        """Report that a piece of the body of the response to *request* was read."""

    def watch(self, request: RequestT, stream: StreamT) -> None:
        """Report what is read from *stream*, a ``stream_class``: the body of the response to *request*."""
