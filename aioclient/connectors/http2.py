"""HTTP/2 as an option: what ``http2=`` and its kin may be, and the package that it needs."""

from dataclasses import dataclass
from importlib.util import find_spec

from ..exceptions import MissingExtraError
from ..message.request import HTTP2Option, check_http2
from ..message.timeout import seconds
from ..protocols.http2.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class HTTP2Settings:
    """How connections of a connector speak HTTP/2.

    Attributes:
        local: What servers are told of windows.
        ping: Seconds of silence after which the server is asked whether it is there; None for never.
    """

    local: LocalSettings
    ping: float | None


def http2_settings(ping: float | None, stream_window: int, connection_window: int) -> HTTP2Settings:
    """Return the settings that a connector's arguments say.

    Raises:
        TypeError, ValueError: one of them cannot be.
    """
    for name, window in (("stream", stream_window), ("connection", connection_window)):
        if isinstance(window, bool) or not isinstance(window, int):
            raise TypeError(f"http2_{name}_window must be an int, found {window!r}")
    try:
        local = LocalSettings(stream_window=stream_window, connection_window=connection_window)
    except ValueError as error:
        raise ValueError(f"http2_{error}") from None
    return HTTP2Settings(local, None if ping is None else seconds("http2_ping", ping))


def require_http2(value: object) -> HTTP2Option:
    """Return *value*, an ``http2=`` argument, if it can be done as asked.

    Raises:
        TypeError, ValueError: it is none.
        MissingExtraError: it asks for HTTP/2, and the package that encodes its fields is not installed.
    """
    option = check_http2(value)
    if option and find_spec("hpack") is None:
        raise MissingExtraError(
            f"http2={value!r} needs the package hpack: pip install 'aioclient[http2]'"
        )
    return option


def check_connections(value: object) -> int:
    """Return *value*, an ``http2_connections=`` argument.

    Raises:
        TypeError, ValueError: it is no number from 1 on.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"http2_connections must be an int, found {value!r}")
    if value < 1:
        raise ValueError(f"http2_connections={value}: give a number from 1 on")
    return value
