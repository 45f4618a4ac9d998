"""Private names of aiohttp's session that other code is known to read.

They are no interface and may disappear. They are read-only, except ``_retry_connection``, which aiohttp's
``TestClient`` sets. ``_cookie_jar``, ``_request`` and ``_trace_configs`` are not here: our session has them, with the
same meaning.
"""

from operator import attrgetter
from typing import Any


def _base_url_origin(session: Any) -> object:
    return None if session.base_url is None else session.base_url.origin()


def _set_retry_connection(session: Any, on: bool) -> None:
    session._lifecycle.connector._retry_stale = bool(on)


class SessionPrivateNames:
    """Read-only properties. A ``__getattr__`` would slow down every other attribute."""

    __slots__ = ()

    _auth = property(attrgetter("_settings.auth"))
    _auto_decompress = property(attrgetter("_settings.options.auto_decompress"))
    _base_url = property(attrgetter("_settings.base_url"))
    _base_url_origin = property(_base_url_origin)
    _connector = property(attrgetter("_lifecycle.connector"))
    _connector_owner = property(attrgetter("_lifecycle.owner"))
    _default_auth = property(attrgetter("_settings.auth"))
    _default_headers = property(attrgetter("_defaults.given"))
    _json_serialize = property(attrgetter("_settings.json_serialize"))
    _json_serialize_bytes = property(attrgetter("_settings.json_serialize_bytes"))
    _loop = property(attrgetter("_lifecycle.loop"))
    _max_field_size = property(attrgetter("_settings.options.max_field_size"))
    _max_headers = property(attrgetter("_settings.options.max_headers"))
    _max_line_size = property(attrgetter("_settings.options.max_line_size"))
    _middlewares = property(attrgetter("_settings.middlewares"))
    _raise_for_status = property(attrgetter("_settings.raise_for_status"))
    _read_bufsize = property(attrgetter("_settings.options.read_bufsize"))
    _retry_connection = property(
        attrgetter("_lifecycle.connector._retry_stale"), _set_retry_connection
    )
    _requote_redirect_url = property(attrgetter("_settings.options.requote_redirect_url"))
    _resolve_charset = property(attrgetter("_settings.options.fallback_charset_resolver"))
    _response_class = property(attrgetter("_settings.options.response_class"))
    _skip_auto_headers = property(attrgetter("_settings.options.skip_auto_headers"))
    _source_traceback = property(attrgetter("_lifecycle.creation_site.stack"))
    _timeout = property(attrgetter("_settings.timeout"))
    _trust_env = property(attrgetter("_settings.trust_env"))
    _version = property(attrgetter("version"))
    _ws_response_class = property(attrgetter("_settings.ws_response_class"))
