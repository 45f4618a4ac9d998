"""Private names of aiohttp's session that other people's code is known to read.

They are no interface: nothing promises that they stay, and none can be set. Each tells what the session has of it.
Names that are not here are private names of our own session as well, with the same meaning.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11


def _version(session: Any) -> HttpVersion:
    return HttpVersion10 if session._options.http10 else HttpVersion11


def _base_url_origin(session: Any) -> object:
    return None if session.base_url is None else session.base_url.origin()


PRIVATE_NAMES: Final[Mapping[str, Callable[[Any], object]]] = MappingProxyType(
    {
        "_auto_decompress": attrgetter("_options.auto_decompress"),
        "_base_url_origin": _base_url_origin,
        "_default_auth": attrgetter("_auth"),
        "_default_headers": attrgetter("_defaults.fields"),
        "_max_field_size": attrgetter("_options.max_field_size"),
        "_max_headers": attrgetter("_options.max_headers"),
        "_max_line_size": attrgetter("_options.max_line_size"),
        "_read_bufsize": attrgetter("_options.read_bufsize"),
        "_requote_redirect_url": attrgetter("_options.requote_redirect_url"),
        "_resolve_charset": attrgetter("_options.fallback_charset_resolver"),
        "_response_class": attrgetter("_options.response_class"),
        "_skip_auto_headers": attrgetter("_options.skip_auto_headers"),
        "_source_traceback": attrgetter("_made_at.stack"),
        "_version": _version,
    }
)
