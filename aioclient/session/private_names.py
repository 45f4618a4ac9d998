"""Private names of aiohttp's session that other people's code is known to read.

They are no interface: nothing promises that they stay, and none can be set. Each tells what the session has of it.
Names that are not here are private names of our own session as well, with the same meaning.
"""

from operator import attrgetter
from typing import Any

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11


def _version(session: Any) -> HttpVersion:
    return HttpVersion10 if session._options.http10 else HttpVersion11


def _base_url_origin(session: Any) -> object:
    return None if session.base_url is None else session.base_url.origin()


class PrivateNames:
    """The names, to be read. Properties and no ``__getattr__``, which would slow down every other attribute."""

    __slots__ = ()

    _auto_decompress = property(attrgetter("_options.auto_decompress"))
    _base_url_origin = property(_base_url_origin)
    _default_auth = property(attrgetter("_auth"))
    _default_headers = property(attrgetter("_defaults.fields"))
    _max_field_size = property(attrgetter("_options.max_field_size"))
    _max_headers = property(attrgetter("_options.max_headers"))
    _max_line_size = property(attrgetter("_options.max_line_size"))
    _read_bufsize = property(attrgetter("_options.read_bufsize"))
    _requote_redirect_url = property(attrgetter("_options.requote_redirect_url"))
    _resolve_charset = property(attrgetter("_options.fallback_charset_resolver"))
    _response_class = property(attrgetter("_options.response_class"))
    _skip_auto_headers = property(attrgetter("_options.skip_auto_headers"))
    _source_traceback = property(attrgetter("_made_at.stack"))
    _version = property(_version)
