"""HTTP/2 as an option: what ``http2=`` may be, and the package that it needs."""

from importlib.util import find_spec

from ..exceptions import MissingExtraError
from ..message.request import HTTP2Option, check_http2


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
