"""The URL of a call: parsed, joined with its parameters, and refused when it is none."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from yarl import URL, Query

from ..exceptions import InvalidUrlClientError, bad_url, shown
from ..message.origin import MAX_URL, check_length, origin_of

_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f]").search


def parsed(url: str | URL) -> URL:
    """Return *url* as a ``URL``.

    Raises:
        InvalidUrlClientError: it is none, is too long, or holds a control character, which yarl would drop.
    """
    if isinstance(url, str) and not url.isprintable() and _CONTROL_CHARACTER(url) is not None:
        raise InvalidUrlClientError(bad_url(url), "it holds a control character; percent-encode it")
    try:
        if isinstance(url, str) and not (len(url) <= MAX_URL and url.isascii()):
            check_length(url)
        return URL(url)
    except TypeError:
        raise InvalidUrlClientError(
            bad_url(url), f"a URL is a str or a yarl.URL, found {type(url).__name__}"
        ) from None
    except ValueError as error:
        # Not chained: the text of yarl's error may hold a password.
        reason = str(error) if "@" not in str(error) else "it cannot be parsed"
        raise InvalidUrlClientError(bad_url(url), reason) from None


def with_params(url: URL, params: Query) -> URL:
    """Return *url* with *params* behind its query; text is taken as encoded already."""
    if isinstance(params, str):
        query = params.replace("#", "%23")
        if url.raw_query_string:
            query = f"{url.raw_query_string}&{query}"
        return URL.build(
            scheme=url.scheme,
            authority=url.raw_authority,
            path=url.raw_path,
            query_string=parsed(f"?{query}").raw_query_string,
            fragment=url.raw_fragment,
            encoded=True,
        )
    try:
        if not isinstance(params, (Mapping, Sequence)):
            params = tuple(cast(Iterable[Any], params))  # an iterator of pairs
        return url.extend_query(params)
    except TypeError as error:
        raise TypeError(f"params cannot be made a query: {error}") from error


def host_name(name: str) -> str:
    """Return a host name as URLs have it; raise ``InvalidUrlClientError`` if it is none."""
    return origin_of(parsed(f"https://[{name}]" if ":" in name else f"https://{name}")).host


def checked_base_url(base_url: str | URL) -> URL:
    """Return the base URL, which must be absolute."""
    url = parsed(base_url)
    origin_of(url)
    if not url.path.endswith("/"):
        raise ValueError(
            f"base_url {shown(url)} must end with '/', so that relative URLs go below it"
        )
    return url
