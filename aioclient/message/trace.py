"""What a request under way tells to those who follow it."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from multidict import CIMultiDict

RequestT = TypeVar("RequestT", contravariant=True)
StreamT = TypeVar("StreamT")


class Trace(Protocol[RequestT, StreamT]):
    """Who follows one call, from its first hop to the end of its body; ``RequestT`` is ``Request``,
    ``StreamT`` is ``StreamReader``.

    What each returns is awaited at the moment it names. What it raises ends the call: whoever awaits it closes the
    connection, or gives back the slot, that the call holds at that moment.
    """

    raised: BaseException | None  # by the last one that failed
    wants_headers: bool  # whether anybody listens to request_headers_sent()
    wants_upload: bool  # whether anybody listens to request_chunk_sent()
    wants_body: bool  # whether anybody listens to what is read of a response
    stream_class: type[StreamT]  # what reads the bodies of its responses

    def request_redirect(self, request: RequestT, response: object) -> Awaitable[None]:
        """Tell that the *response* leads elsewhere; it was not released yet."""

    def follow(self, request: RequestT) -> None:
        """Go on with *request*, the next hop."""

    def connection_queued_start(self) -> Awaitable[None]:
        """Tell that the wait for a slot of the pool begins."""

    def connection_queued_end(self) -> Awaitable[None]:
        """Tell that the wait is over."""

    def connection_create_start(self) -> Awaitable[None]:
        """Tell that a slot is reserved, and a connection will be made."""

    def connection_create_end(self) -> Awaitable[None]:
        """Tell that the connection is ready."""

    def connection_reuseconn(self) -> Awaitable[None]:
        """Tell that an open connection was taken from the pool."""

    def dns_cache_hit(self, host: str) -> Awaitable[None]:
        """Tell that the addresses of *host* were known."""

    def dns_cache_miss(self, host: str) -> Awaitable[None]:
        """Tell that the addresses of *host* were not known."""

    def dns_resolvehost_start(self, host: str) -> Awaitable[None]:
        """Tell that the resolver will be asked for *host*."""

    def dns_resolvehost_end(self, host: str) -> Awaitable[None]:
        """Tell that the resolver has answered."""

    def request_headers_sent(
        self, request: RequestT, fields: "CIMultiDict[str]"
    ) -> Awaitable[None]:
        """Tell that the *fields* will be written."""

    def request_chunk_sent(
        self, request: RequestT, chunk: bytes | bytearray | memoryview
    ) -> Awaitable[None]:
        """Tell that a piece of the request's body will be written."""

    def response_chunk_received(self, request: RequestT, chunk: bytes) -> Awaitable[None]:
        """Tell that a piece of the body of the response to *request* was read."""

    def watch(self, request: RequestT, stream: StreamT) -> None:
        """Tell what is read from *stream*, a ``stream_class``: the body of the response to *request*."""
