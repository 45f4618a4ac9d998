"""HTTP/2 as an option: the values of ``http2=`` and related arguments, and the package that it needs."""

from dataclasses import dataclass
from importlib.util import find_spec

from ..exceptions import MissingExtraError
from ..message.request import HTTP2Option, check_http2
from ..message.timeout import seconds
from ..protocols.http2.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class HTTP2Settings:
    """The HTTP/2 settings of a connector's connections.

    Attributes:
        local: Our settings for servers: the windows.
        ping: Seconds of silence after which a ping is sent; None for never.
    """

    local: LocalSettings
    ping: float | None


def http2_settings(ping: float | None, stream_window: int, connection_window: int) -> HTTP2Settings:
    """Return the settings from a connector's arguments.

    Raises:
        TypeError, ValueError: one of them is invalid.
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
    """Return *value*, an ``http2=`` argument, if it is possible.

    Raises:
        TypeError, ValueError: it is invalid.
        MissingExtraError: it asks for HTTP/2, and the package that encodes its fields is not installed.
    """
    option = check_http2(value)
    if option and find_spec("hpack") is None:
        raise MissingExtraError(
            f"http2={value!r} needs the package hpack: pip install 'aioclient[http2]'"
        )
    return option


def check_flag(name: str, value: object) -> bool:
    """Return *value*, the argument *name*, if it is True or False.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, found {value!r}")
    return value


def check_connections(value: object) -> int:
    """Return *value*, an ``http2_connections=`` argument.

    Raises:
        TypeError, ValueError: it is not a number from 1 on.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"http2_connections must be an int, found {value!r}")
    if value < 1:
        raise ValueError(f"http2_connections={value}: give a number from 1 on")
    return value
