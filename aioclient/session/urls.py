"""The URL of a call: parsed, joined with its parameters, and checked."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from yarl import URL, Query

from ..exceptions import ClientError, InvalidUrlClientError, bad_url, shown
from ..message.origin import Origin, canonical_host, origin_of, unreadable
from ..message.pairs import checked_pairs
from ..message.urls import url_of

_REMEMBERED: Final = 128  # cached texts, as in yarl


def target_of(url: str | URL) -> tuple[URL, Origin | None, bool]:
    """Return *url* as a ``URL``, its origin (None if unknown), and whether it may have a user or password.

    Most programs call the same few URLs: the results for texts are cached.

    Raises:
        InvalidUrlClientError: as for ``parsed()``.
    """
    return _known(url) if type(url) is str else (parsed(url), None, True)


@lru_cache(_REMEMBERED)
def _known(text: str) -> tuple[URL, Origin | None, bool]:
    url = parsed(text)
    try:
        origin = origin_of(url)
    except ClientError:  # raised when a request is made of it
        origin = None
    return url, origin, url.raw_user is not None or url.raw_password is not None


def parsed(url: str | URL) -> URL:
    """Return *url* as a ``URL``.

    Raises:
        InvalidUrlClientError: it is not a URL, as ``url_of()`` says.
    """
    if isinstance(url, str):
        try:
            return url_of(url)
        except ValueError as error:
            raise InvalidUrlClientError(bad_url(url), str(error)) from None
    if isinstance(url, URL):
        try:
            url.raw_host  # noqa: B018  (reading it is what checks)
        except ValueError:
            raise unreadable(url) from None
        return url
    raise InvalidUrlClientError(
        bad_url(url), f"a URL is a str or a yarl.URL, found {type(url).__name__}"
    )


def with_params(url: URL, params: Query) -> URL:
    """Return *url* with *params* added to its query; a str must be encoded already."""
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
    except (TypeError, ValueError) as error:
        advice = _params_advice(params, error)
        if isinstance(error, ValueError) and advice == str(error):  # of a number such as NaN
            raise
        raise TypeError(f"params cannot be made a query: {advice}") from error


def _params_advice(params: Any, error: Exception) -> str:
    """Return which of *params* is wrong and what to write instead; else the text of *error*."""
    if not isinstance(params, (Mapping, Iterable)):
        return f"it takes a mapping, pairs or a str, found {type(params).__name__}"
    given = params.items() if isinstance(params, Mapping) else checked_pairs("params", params)
    try:
        for name, value in given:
            if not isinstance(name, str):
                return f"a name must be a str, found {type(name).__name__} {name!r}"
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if item is None:
                    return f"params[{name!r}] is None; leave it out, or give ''"
                if isinstance(item, bool):
                    return f"params[{name!r}] is {item}, which servers spell in many ways; give 'true', '1' or the like"
                if isinstance(item, (str, int, float)):
                    continue
                return f"params[{name!r}] is of type {type(item).__name__}; give str, int or float, or a list of them"
    except TypeError as wrong:
        return str(wrong)
    return str(error)


def host_name(name: str) -> str:
    """Return a host name in the form of URLs; raise ``InvalidUrlClientError`` if it is invalid."""
    if not isinstance(cast(object, name), str):
        raise InvalidUrlClientError(bad_url(name), f"a host is a str, found {type(name).__name__}")
    return canonical_host(name)


def checked_base_url(base_url: str | URL) -> URL:
    """Return the base URL, which must be absolute."""
    url = parsed(base_url)
    if not url.scheme and not url.raw_authority:
        raise InvalidUrlClientError(
            bad_url(shown(url)),
            f"base_url must be a full URL, as https://{bad_url(shown(url)).strip('/') or 'api.example.com'}/",
        )
    origin_of(url)
    if not url.path.endswith("/"):
        raise ValueError(
            f"base_url {shown(url)} must end with '/', so that relative URLs go below it"
        )
    return url


def over_http(url: str | URL) -> str | URL:
    """Return *url* with ``http`` in place of ``unix``, aiohttp's scheme for servers on a Unix domain socket."""
    text = str(url)
    return f"http{text[4:]}" if text[:5].lower() == "unix:" else url
