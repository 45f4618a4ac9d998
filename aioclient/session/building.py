"""Builds requests from a session's settings and the arguments of a call."""

from asyncio import AbstractEventLoop
from dataclasses import replace
from typing import Any, cast
from weakref import ref

from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict
from yarl import URL

from ..body import make_body
from ..message.cookie_pairs import cookie_pairs
from ..message.headers import (
    AUTHORIZATION,
    COOKIE,
    DefaultHeaders,
    LooseHeaders,
    check_method,
    merge_into,
    without_secrets,
)
from ..message.origin import Origin, origin_of
from ..message.priority import Priority
from ..message.request import Auth, Request, RequestOptions
from ..message.timeout import ClientTimeout, coerce_timeout
from ..message.unset import Unset
from ..middlewares.auth import NO_AUTH, AuthLike, coerce_auth, credentials_in
from ..middlewares.cookies import with_cookies
from .arguments import (
    APART_FROM_OPTIONS,
    OF_PROXIES,
    CallArguments,
    TimeoutLike,
    check_truths,
    override_options,
)
from .defaults import without_strays
from .settings import AUTH_AND_URL, SessionSettings
from .urls import target_of, with_params

Fields = CIMultiDict[str]


class RequestBuilder:
    """Builds the requests of one session.

    Most calls consist of a method and a URL; for these no argument is looked up.
    """

    __slots__ = ("_defaults", "_jar", "_loop", "_session", "settings")

    def __init__(
        self,
        settings: SessionSettings,
        defaults: DefaultHeaders,
        jar: AbstractCookieJar,
        loop: AbstractEventLoop,
        session: "ref[Any]",
    ) -> None:
        self.settings: SessionSettings = settings
        self._defaults = defaults
        self._jar = jar
        self._loop = loop
        self._session = session

    def build(self, method: str, url: str | URL, arguments: CallArguments, plain: bool) -> Request:
        """Return the request of a call; *plain* is whether all its arguments are in ``PLAIN``.

        Raises:
            ValueError, TypeError: it cannot be sent, or an argument does not exist or contradicts another.
            InvalidURL: the URL is not valid.
        """
        settings = self.settings
        method = check_method(method)
        target, origin, has_login = target_of(url)
        credentials = settings.auth
        own: Fields | None = None  # None: the request has the session's fields
        if settings.base_url is not None:
            target = settings.base_url.join(target)
            origin = origin_of(target)
            has_login = True  # perhaps
            if origin != settings.base_origin:
                credentials = None
                own = without_secrets(self._defaults.fields, settings.options.sensitive_headers)
        options = settings.options
        limits = settings.timeout
        auth = pairs = content = None
        if arguments:
            if params := arguments.get("params"):
                target = with_params(target, params)
            if not plain:
                options = self._options(arguments, target)
                own = self._adjusted_fields(own, options, arguments)
            if "headers" in arguments:
                own = self._with_headers(own, arguments["headers"])
            auth = arguments.get("auth")
        if auth is not None or (
            has_login and (target.raw_user is not None or target.raw_password is not None)
        ):
            target, credentials = self._credentials(target, auth, own)
        if arguments:
            if "timeout" in arguments:
                limits = self._limits(arguments["timeout"])
            if "cookies" in arguments:
                own, pairs = self._with_cookies(own, arguments["cookies"], target)
            data, json = arguments.get("data"), arguments.get("json")
            if data is not None or json is not None:
                content = make_body(data, json, json_serialize=settings.serialize)
        total = limits.total
        return Request(
            method,
            target,
            self._defaults,
            own,
            content,
            options if options.signer is None else self._for_origin(options, origin, arguments),
            limits,
            None if total is None else self._loop.time() + total,
            credentials,
            pairs,
            self._session,
            origin,
        )

    def _for_origin(
        self, options: RequestOptions, origin: Origin | None, arguments: CallArguments
    ) -> RequestOptions:
        """Return the options without the session's signer where the session's credentials do not go either."""
        foreign = self.settings.base_url is not None and origin != self.settings.base_origin
        return replace(options, signer=None) if foreign and "signer" not in arguments else options

    def _options(self, arguments: CallArguments, target: URL) -> RequestOptions:
        """Return the session's options, overridden by those of the call."""
        settings = self.settings
        follows: object = arguments.get("allow_redirects", True)
        if follows is not True and follows is not False:
            check_truths({"allow_redirects": follows})
        options = settings.options if follows else settings.no_redirects
        if not APART_FROM_OPTIONS.issuperset(arguments):
            options = override_options(options, arguments)
            if not OF_PROXIES.isdisjoint(arguments):
                table = settings.proxies.for_call(arguments, origin_of(target))
                if table is not options.proxies:
                    options = replace(options, proxies=table)
        if "websocket" in arguments:
            options = replace(options, websocket=True)
        creation_site = arguments.get("creation_site")
        return options if creation_site is None else replace(options, creation_site=creation_site)

    def _adjusted_fields(
        self, own: Fields | None, options: RequestOptions, arguments: CallArguments
    ) -> Fields | None:
        """Return the fields as changed by the less common arguments ``skip_auto_headers`` and ``priority``."""
        own = self._without_auto(own, options.skip_auto_headers)
        priority = arguments.get("priority")
        if priority is None:
            return own
        return self._with_headers(own, {"Priority": priority_field(priority)})

    def _without_auto(self, own: Fields | None, skipped: frozenset[str]) -> Fields | None:
        """Drop the default fields that a call skips; the user's own fields stay."""
        if skipped is self.settings.options.skip_auto_headers:
            return own
        if own is None:
            own = self._defaults.fields.copy()
        for name in self.settings.auto_fields:
            if name.lower() in skipped and name not in self._defaults.given:
                del own[name]
        return own

    def _with_headers(self, own: Fields | None, headers: LooseHeaders | None) -> Fields | None:
        """Merge the call's fields over the session's."""
        if headers is None:
            return own
        if own is None:
            own = self._defaults.fields.copy()
        merge_into(own, headers)
        return own

    def _credentials(
        self, target: URL, auth: AuthLike | None, own: Fields | None
    ) -> tuple[URL, Auth]:
        """Move the credentials out of the URL; refuse contradictory ones."""
        in_url = credentials_in(target)
        if auth is not None and in_url is not None:
            raise ValueError(AUTH_AND_URL)
        if auth is not NO_AUTH and AUTHORIZATION in (self._defaults.fields if own is None else own):
            raise ValueError(
                "Cannot combine AUTHORIZATION header with AUTH argument or credentials encoded in URL; "
                'headers={"Authorization": None} leaves out the session\'s'
            )
        return target.with_user(None), coerce_auth(cast(AuthLike, in_url if auth is None else auth))

    def _limits(self, timeout: TimeoutLike | Unset) -> ClientTimeout:
        """Return the call's timeout, or the session's."""
        return self.settings.timeout if isinstance(timeout, Unset) else coerce_timeout(timeout)

    def _with_cookies(
        self, own: Fields | None, cookies: LooseCookies | None, target: URL
    ) -> tuple[Fields | None, dict[str, str] | None]:
        """Return the call's cookies, and the fields; a ``Cookie`` field gets the cookies too, because it replaces the
        jar's.
        """
        if cookies is None:
            return own, None
        pairs = cookie_pairs(without_strays(cookies, target, self._jar))
        fields = self._defaults.fields if own is None else own
        return with_cookies(fields, pairs) if pairs and COOKIE in fields else own, pairs


def priority_field(priority: object) -> str:
    """Return the field value for a call's ``priority=``.

    Raises:
        TypeError: it is not a ``Priority``.
    """
    if not isinstance(priority, Priority):
        raise TypeError(
            f"priority must be an aioclient.Priority, found {type(priority).__name__} {priority!r}"
        )
    return str(priority)
