"""The trace configs of a session, and the signals that they listen to."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from aiohttp.tracing import TraceConfig

Signal: TypeAlias = "attrgetter[Any]"  # gets a signal's callbacks from a config

START: Final = attrgetter("on_request_start")
END: Final = attrgetter("on_request_end")
EXCEPTION: Final = attrgetter("on_request_exception")
REDIRECT: Final = attrgetter("on_request_redirect")
QUEUED_START: Final = attrgetter("on_connection_queued_start")
QUEUED_END: Final = attrgetter("on_connection_queued_end")
CREATE_START: Final = attrgetter("on_connection_create_start")
CREATE_END: Final = attrgetter("on_connection_create_end")
REUSECONN: Final = attrgetter("on_connection_reuseconn")
CACHE_HIT: Final = attrgetter("on_dns_cache_hit")
CACHE_MISS: Final = attrgetter("on_dns_cache_miss")
RESOLVEHOST_START: Final = attrgetter("on_dns_resolvehost_start")
RESOLVEHOST_END: Final = attrgetter("on_dns_resolvehost_end")
HEADERS_SENT: Final = attrgetter("on_request_headers_sent")
CHUNK_SENT: Final = attrgetter("on_request_chunk_sent")
CHUNK_RECEIVED: Final = attrgetter("on_response_chunk_received")

SIGNALS: Final = tuple(value for value in globals().values() if isinstance(value, attrgetter))


class TraceConfigs(list[TraceConfig]):
    """Frozen trace configs; ``signals`` are the signals that any of them listens to.

    Raises:
        TypeError: one is not an ``aiohttp.TraceConfig``; then none is frozen.
    """

    __slots__ = ("signals",)

    def __init__(self, configs: Iterable[TraceConfig] | None) -> None:
        super().__init__(() if configs is None else configs)
        for config in self:
            if not isinstance(cast(object, config), TraceConfig):
                raise TypeError(
                    f"trace_configs must be aiohttp.TraceConfig objects, found {type(config).__name__}"
                )
        for config in self:
            config.freeze()
        self.signals: frozenset[attrgetter[object]] = frozenset(
            signal for signal in SIGNALS if any(signal(config) for config in self)
        )
