"""What the blocking session and its calls take beside what requests knows: as the asynchronous session has it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict

from aiohttp import TraceConfig
from aiohttp.abc import AbstractCookieJar

from ..chain import Middleware, Transport
from ..connectors.overrides import ResolveLike
from ..message.proxy import ProxyAuthLike
from ..message.request import HTTP2Option


class SessionArguments(TypedDict, total=False):
    """Further arguments of ``Session()``, handed to its ``ClientSession``."""

    auto_decompress: bool
    connector: Transport | Callable[[], Transport] | None
    cookie_jar: AbstractCookieJar | None
    http2: HTTP2Option | None
    json_serialize: Callable[[Any], str | bytes]
    lenient: bool | None
    max_body_size: int | None
    middlewares: Sequence[Middleware] | None
    netrc: Any
    proxy_auth: ProxyAuthLike | None
    read_bufsize: int
    resolve: ResolveLike | None
    sensitive_headers: Iterable[str] | None
    trace_configs: Sequence[TraceConfig] | None
