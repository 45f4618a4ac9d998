"""The blocking session: what users of requests write, done by a ``ClientSession`` in the loop of the process."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from http.cookiejar import CookieJar as StandardCookieJar
from inspect import isawaitable
from os import environ
from types import TracebackType
from typing import Any, Final, NoReturn, Self, Unpack, cast
from weakref import finalize

from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict
from yarl import URL

from ..chain import Transport
from ..connectors.base import BaseConnector
from ..connectors.tcp import TCPConnector
from ..cookies import CookieJar
from ..message.headers import LooseHeaders, merge_into
from ..message.timeout import DEFAULT_TIMEOUT
from ..message.unset import UNSET, Unset
from ..middlewares.auth import NO_AUTH, AuthLike
from ..middlewares.cookies import Cookies as CookieStep
from ..response.client_response import ClientResponse
from ..session import ClientSession
from ..session.arguments import TimeoutLike, check_transport
from ..session.defaults import auto_fields
from ..session.urls import parsed
from .arguments import SessionArguments
from .cookies import Cookies, cookies_for
from .merging import Hook, hooks_of, merge, query_of
from .mounts import Mounts, Prefix, prefix_of
from .portal import PORTAL
from .request import Hooks, PreparedRequest, Request, prepare
from .response import Response
from .tls import Cert, Verify, tls_setting
from .uploads import body_of
from .websocket import WebSocket

MAX_REDIRECTS: Final = 10


class Session:
    """A blocking session: common defaults, a pool of connections and a cookie jar, for code without ``await``.

    Its names are those of requests. Any number of threads may use one session. It works where an event loop runs, too,
    as in a notebook, but blocks that loop meanwhile. All attributes may be set at any time.

    Args:
        base_url: relative URLs are joined to it; the session's credentials then go to its origin only.
        headers: laid over the default fields; ``session.headers`` stays live.
        params: appended to the query of every URL.
        auth: default credentials, as ``ClientSession`` takes them.
        cookies: into the jar at the start, for the host of *base_url*, else for every host; those of a jar, such as one
            of ``http.cookiejar``, keep their hosts.
        timeout: seconds in total, (connect, read), None, or a ``ClientTimeout``; 300 s in total by default.
        verify: whether certificates are verified; or a file or folder of authorities, or an ``SSLContext``.
        cert: the client's certificate: the path of a file that holds its key too, or (certificate, key).
        proxies: by scheme and host, as ``ClientSession`` takes them.
        hooks: ``{"response": function}``, or a list of functions: each is called with the response and the call's
            settings by name, and may return another response. Those of a call come after them.
        stream: whether bodies are left to be read; by default they are read at once.
        max_redirects: after which ``TooManyRedirects`` is raised.
        trust_env: whether the environment's proxies, netrc file, and authorities (``REQUESTS_CA_BUNDLE`` or
            ``CURL_CA_BUNDLE``) are used.
        session: what a ``ClientSession`` takes beside these: ``middlewares``, ``http2``, ``connector`` …

    Raises:
        TypeError, ValueError: an argument that cannot be used.
    """

    def __init__(
        self,
        base_url: str | URL | None = None,
        *,
        headers: LooseHeaders | None = None,
        params: Any = None,
        auth: AuthLike | None = None,
        cookies: LooseCookies | StandardCookieJar | None = None,
        timeout: TimeoutLike = DEFAULT_TIMEOUT,
        verify: Verify = True,
        cert: Cert = None,
        proxies: Mapping[str, Any] | None = None,
        hooks: Hooks | None = None,
        stream: bool = False,
        max_redirects: int = MAX_REDIRECTS,
        trust_env: bool = False,
        **session: Unpack[SessionArguments],
    ) -> None:
        auto = auto_fields(frozenset())
        given: CIMultiDict[str] = CIMultiDict(auto)
        if headers is not None:
            merge_into(given, headers)
        self.params: Any = {} if params is None else params
        self.timeout = timeout
        self.verify: Verify = verify
        self.cert: Cert = cert
        self.proxies: MutableMapping[str, Any] = dict(proxies or {})
        self.hooks: dict[str, list[Hook]] = {"response": hooks_of(hooks)}
        self.stream = stream
        self.max_redirects = max_redirects
        jar = session.pop("cookie_jar", None)
        self._cookies = Cookies(CookieJar() if jar is None else jar)
        self._mounted: dict[Prefix, tuple[Mounted, Transport]] = {}
        self._connector: Any = session.pop("connector", None)
        self._settings: dict[str, Any] = {
            "base_url": base_url,
            "trust_env": trust_env,
            "auth": auth,
            "skip_auto_headers": tuple(auto),
            **session,
        }
        self._closed = False
        self._pool: Any = None
        if isinstance(cookies, Cookies | StandardCookieJar):
            self._cookies.update(cookies)
            cookies = None
        self._life = PORTAL.run(self._begin(given, cookies))

    # The session in the loop

    async def _begin(
        self, headers: "CIMultiDict[str]", cookies: LooseCookies | None = None
    ) -> "_Life":
        life = _Life(await self._make(headers, cookies))
        PORTAL.members.add(life)
        finalize(self, PORTAL.start, life.close).atexit = False
        return life

    async def _make(
        self, headers: "CIMultiDict[str]", cookies: LooseCookies | None = None
    ) -> ClientSession:
        """Make the session that does the work; the pool is kept, if there is one already."""
        if self._pool is None:
            given = self._connector
            self._pool = TCPConnector() if given is None else _made(given)
        transport: Transport = self._pool
        if self._mounted:
            transport = mounts = Mounts(self._pool)
            for prefix, (_, mounted) in self._mounted.items():
                mounts.mount(prefix, mounted)
        return ClientSession(
            connector=transport,
            headers=headers,
            cookies=cookies,
            cookie_jar=self._cookies.jar,
            **self._settings,
        )

    async def _begin_again(self, over: "_Life") -> None:
        """Take the place of *over*, unless another thread's call has done so (called in the loop)."""
        if self._life is over:
            self._pool = None
            self._mounted = {
                prefix: (given, _made(given)) for prefix, (given, _) in self._mounted.items()
            }
            self._life = await self._begin(over.core.headers.copy())

    async def _mount(self, prefix: Prefix, given: "Mounted") -> None:
        """Mount a transport, or leave everything as it was; close the one that it replaces."""
        made = _made(given)
        check_transport("transport", made)
        before = self._mounted
        self._mounted = {**before, prefix: (given, made)}
        try:
            await self._change()
        except BaseException:
            self._mounted = before
            raise
        _, replaced = before.get(prefix, (None, None))
        if replaced is not None and all(
            each is not replaced
            for each in (self._pool, *(each for _, each in self._mounted.values()))
        ):
            await replaced.close()

    async def _change(self) -> None:
        """Make it again, with other settings."""
        life = self._life
        old = life.core
        life.core = await self._make(old.headers.copy())
        old.detach()

    def _living(self) -> "_Life":
        """Return what lives in the loop; a process that was forked off makes its own.

        Raises:
            RuntimeError: the session was closed.
        """
        life = self._life
        if life.is_over:
            if self._closed:
                raise RuntimeError(
                    "Session is closed; make its calls within 'with', or before its close()"
                )
            PORTAL.run(self._begin_again(life))
        return self._life

    @property
    def _core(self) -> ClientSession:
        """The session in the loop; another one after a change of ``mount()`` or ``trust_env``."""
        return self._living().core

    # State

    @property
    def headers(self) -> "CIMultiDict[str]":
        """The fields of every request, default ones included; changes count from the next request on."""
        return self._core.headers

    @headers.setter
    def headers(self, headers: LooseHeaders) -> None:
        fields = self._core.headers
        fields.clear()
        merge_into(fields, headers)

    @property
    def cookies(self) -> Cookies:
        """The session's cookies, by name; ``cookies.jar`` is the jar."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._cookies.clear()
        self._cookies.update(cookies)

    @property
    def auth(self) -> Any:
        """The default credentials."""
        return self._core.auth

    @auth.setter
    def auth(self, auth: AuthLike | None) -> None:
        self._settings["auth"] = self._core.auth = auth

    @property
    def base_url(self) -> URL | None:
        """What relative URLs are joined to."""
        return self._core.base_url

    @property
    def trust_env(self) -> bool:
        """Whether the environment's proxies, netrc file and authorities are used."""
        return self._core.trust_env

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        self._living()
        self._settings["trust_env"] = value
        PORTAL.run(self._change())

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self._closed

    def mount(self, prefix: str, transport: "Transport | Callable[[], Transport]") -> None:
        """Send what begins with *prefix* by *transport*; the longest prefix that fits counts.

        Args:
            prefix: ``https://``, ``http://a.example``, ``https://a.example/v1``. It ends where a host or a segment of
                the path ends: ``http://a.example`` is not ``http://a.example.evil``.
            transport: a connector or another ``Transport``, or a function or class that makes it, which a forked
                process calls anew. The session closes it, at the latest when another one is mounted in its place.

        Raises:
            ValueError: *prefix* does not begin with ``http://`` or ``https://``.
            TypeError: *transport* is not a ``Transport``, such as an adapter of requests.
            RuntimeError: *transport* belongs to another event loop, or the session was closed.
        """
        at = prefix_of(prefix)
        self._living()
        PORTAL.run(self._mount(at, transport))

    # Requests

    def request(
        self,
        method: str,
        url: str | URL,
        params: Any = None,
        data: Any = None,
        headers: LooseHeaders | None = None,
        cookies: Any = None,
        files: Any = None,
        auth: AuthLike | None = None,
        timeout: TimeoutLike | Unset = UNSET,
        allow_redirects: bool = True,
        proxies: Mapping[str, Any] | None = None,
        hooks: Hooks | None = None,
        stream: bool | None = None,
        verify: Verify | None = None,
        cert: Cert = None,
        json: Any = None,
        **more: Any,
    ) -> Response:
        """Send a request, and return the response when its body is here; with *stream* when its head is.

        What is given here is for this call alone, cookies included. Mappings are laid over the session's, and a key
        whose value is None is left out. Ctrl-C ends the request, and the session stays usable.

        Args:
            method: a token; sent in upper case.
            url: absolute, or relative to ``base_url``.
            params: appended to the URL's query: mapping, pairs, or an encoded string.
            data: body: bytes, str, form fields, a file object, an iterable of bytes, which runs in the calling thread.
            headers: laid over the session's.
            cookies: sent with this request, not stored; of a jar, those that belong to the URL.
            files: sent as a form, with *data* as its other fields: ``{"name": file}``, or
                ``{"name": (file name, file, content type)}``.
            auth: instead of the session's; ``NO_AUTH`` for none.
            timeout: instead of the session's.
            allow_redirects: whether redirects are followed.
            proxies: laid over the session's.
            hooks: further functions for the response.
            stream: whether the body is left to be read.
            verify, cert: instead of the session's.
            json: body: any value that JSON can hold.
            more: further arguments of ``ClientSession.request()``.

        Raises:
            ValueError, TypeError: before anything is sent, for what cannot be sent.
            ClientError, TimeoutError: what goes wrong from then on.
        """
        life = self._living()
        call = more
        data, errands = body_of(data, files)
        if cookies is not None and not isinstance(cookies, dict):
            cookies = cookies_for(cookies, self._joined(url))
        arguments = {
            "data": data,
            "json": json,
            "headers": headers,
            "cookies": cookies,
            "auth": auth,
        }
        for name, value in arguments.items():
            if value is not None:
                call[name] = value
        if params or self.params:
            call["params"] = query_of(merge(params, self.params))
        if not allow_redirects:
            call["allow_redirects"] = False
        self._limit(call, timeout)
        self._route(call, proxies, verify, cert)
        stream = self.stream if stream is None else stream
        response = Response(
            PORTAL.run(_send(life, method, url, call, stream), errands),
            self if stream else None,
            errands,
        )
        if not hooks and not self.hooks.get("response"):
            return response
        settings = {
            "timeout": call.get("timeout", self.timeout),
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
            "proxies": call.get("proxies", {}),
            "stream": stream,
        }
        try:
            return _hooked(response, [*hooks_of(self.hooks), *hooks_of(hooks)], settings)
        except BaseException:
            response.close()
            raise

    def _joined(self, url: str | URL) -> URL:
        base, target = self.base_url, parsed(url)
        return target if base is None else base.join(target)

    def _limit(self, call: dict[str, Any], timeout: TimeoutLike | Unset) -> None:
        """Say in a *call* how long it may take, and how often it is redirected."""
        if not isinstance(timeout, Unset):
            call["timeout"] = timeout
        elif self.timeout is not DEFAULT_TIMEOUT:
            call["timeout"] = self.timeout
        if self.max_redirects != MAX_REDIRECTS:
            call.setdefault("max_redirects", self.max_redirects)

    def _route(
        self,
        call: dict[str, Any],
        proxies: Mapping[str, Any] | None,
        verify: Verify | None,
        cert: Cert,
    ) -> None:
        """Say in a *call* by which proxy, and with which TLS."""
        if proxies or self.proxies:
            call["proxies"] = merge(proxies, self.proxies)
        self._secure(call, verify, cert)

    def _secure(self, call: dict[str, Any], verify: Verify | None, cert: Cert) -> None:
        """Say in a *call* how TLS is set up."""
        verify = self.verify if verify is None else verify
        cert = self.cert if cert is None else cert
        if verify is True and self._settings["trust_env"]:
            verify = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
        if verify is not True or cert is not None:
            call.setdefault("ssl", tls_setting(verify, cert))

    def get(self, url: str | URL, params: Any = None, **arguments: Any) -> Response:
        """Send a GET request; see ``request()``."""
        return self.request("GET", url, params, **arguments)

    def options(self, url: str | URL, **arguments: Any) -> Response:
        """Send an OPTIONS request; see ``request()``."""
        return self.request("OPTIONS", url, **arguments)

    def head(self, url: str | URL, **arguments: Any) -> Response:
        """Send a HEAD request, which follows no redirects unless told to; see ``request()``."""
        arguments.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **arguments)

    def post(
        self, url: str | URL, data: Any = None, json: Any = None, **arguments: Any
    ) -> Response:
        """Send a POST request; see ``request()``."""
        return self.request("POST", url, data=data, json=json, **arguments)

    def put(self, url: str | URL, data: Any = None, **arguments: Any) -> Response:
        """Send a PUT request; see ``request()``."""
        return self.request("PUT", url, data=data, **arguments)

    def patch(self, url: str | URL, data: Any = None, **arguments: Any) -> Response:
        """Send a PATCH request; see ``request()``."""
        return self.request("PATCH", url, data=data, **arguments)

    def delete(self, url: str | URL, **arguments: Any) -> Response:
        """Send a DELETE request; see ``request()``."""
        return self.request("DELETE", url, **arguments)

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Return *request* as this session would send it: with its fields, cookies, parameters and credentials.

        Raises:
            ValueError, TypeError: it cannot be sent.
        """
        core = self._core
        return prepare(
            request,
            self._joined(request.url),
            merge(request.params, self.params),
            core.headers.copy(),
            CookieStep(self._cookies.jar).header_for,
            core.auth if request.auth is None else request.auth,
        )

    def send(self, request: PreparedRequest, **arguments: Any) -> Response:
        """Send a prepared request as it is; the arguments are those of ``request()`` that do not build one.

        Raises:
            ValueError: it is not prepared.
        """
        if not isinstance(cast(object, request), PreparedRequest):
            raise ValueError(
                f"send() takes a PreparedRequest, found {type(request).__name__}; "
                "call session.prepare_request(request) first"
            )
        fields: dict[str, Any] = dict.fromkeys(
            name for name in self._core.headers if name not in request.headers
        )
        hooks = {"response": [*hooks_of(request.hooks), *hooks_of(arguments.pop("hooks", None))]}
        return self.request(
            request.method,
            URL(request.url, encoded=True),
            None if not self.params else dict.fromkeys(self.params),
            headers=[*fields.items(), *request.headers.items()],
            data=request.body,
            auth=NO_AUTH if request.auth is None else request.auth,
            hooks=hooks,
            **arguments,
        )

    def ws_connect(self, url: str | URL, **arguments: Any) -> WebSocket:
        """Open a WebSocket; the arguments are those of ``ClientSession.ws_connect()``.

        Raises:
            HandshakeRefusedError: the server did not switch protocols.
            ValueError, TypeError, ClientError, TimeoutError: as ``request()``.
        """
        life = self._living()
        self._secure(arguments, None, None)
        return WebSocket(PORTAL.run(_open_websocket(life, url, arguments)), self)

    # The end

    def close(self) -> None:
        """Close the session and its connections; afterwards no socket is left."""
        self._closed = True
        if not self._life.is_over:
            PORTAL.run(self._life.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> NoReturn:
        raise TypeError(
            "aioclient.Session blocks: use 'with'; 'async with' is for aioclient.ClientSession"
        )

    async def __aexit__(self, *_: object) -> None:
        """Never reached: ``__aenter__`` raises."""

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Session cannot be pickled: it would carry its credentials along")

    def __repr__(self) -> str:
        return f"<Session {'closed' if self._closed else repr(self._life.core)[15:-1]}>"


class _Life:
    """The session in the loop, from its making to its end."""

    __slots__ = ("core", "is_over")

    def __init__(self, core: ClientSession) -> None:
        self.core = core
        self.is_over = False

    async def close(self) -> None:
        """Close it (called in the loop)."""
        PORTAL.members.discard(self)
        self.is_over = True
        await self.core.close()

    def forked(self) -> None:
        """Forget it in a forked process: the sockets belong to the parent."""
        self.is_over = True
        disown(self.core)


def disown(session: ClientSession) -> None:
    """Drop *session*, in a forked process, and leave its connections to the parent process."""
    connector: object = session.connector
    if isinstance(connector, BaseConnector | Mounts):
        connector.disown()
    session.detach()


Mounted = Transport | Callable[[], Transport]


def _made(given: Mounted) -> Transport:
    """Return a transport from a transport, or from a function or class that makes one."""
    makes = isinstance(given, type) or (callable(given) and not hasattr(given, "send"))
    return cast(Callable[[], Transport], given)() if makes else cast(Transport, given)


async def _send(
    life: _Life, method: str, url: str | URL, arguments: dict[str, Any], stream: bool
) -> ClientResponse:
    response = await life.core.request(method, url, **arguments)
    if not stream:
        await response.read()
    return response


async def _open_websocket(life: _Life, url: str | URL, arguments: dict[str, Any]) -> Any:
    return await life.core.ws_connect(url, **arguments)


def _hooked(response: Response, hooks: Iterable[Hook], settings: dict[str, Any]) -> Response:
    """Return *response*, or what *hooks* put in its place, one after the other."""
    for hook in hooks:
        result = hook(response, **settings)
        if isawaitable(result):
            result = PORTAL.run(_awaited(result))
        if result is not None:
            response = result
    return response


async def _awaited(result: Any) -> Any:
    return await result
