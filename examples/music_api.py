"""The client of a music service, as the author of its SDK writes it: credentials, signatures, a cache of results.

What is general comes from the library: the session, ``CredentialAuth``, ``signer=``, HTTP/2, the context's session.
What is the service's own stands here: its envelope, its codes, its signature.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, Self

import aioclient

FOREVER = float("inf")
MISSING = object()


class Serializer(Protocol):
    """Makes text of results, and results of text; each hit is a result of its own."""

    def dumps(self, value: object) -> str | bytes: ...
    def loads(self, raw: str | bytes) -> Any: ...


class CodeError(Exception):
    """The service answered with a code that is no success; ``code`` and ``data`` say which."""

    def __init__(self, code: int, data: object) -> None:
        super().__init__(f"the service answered with code {code}")
        self.code, self.data = code, data


class CredentialExpiredError(CodeError): ...


class SignatureInvalidError(CodeError): ...


class CredentialInvalidError(Exception): ...


CODES = {1000: CredentialExpiredError, 2000: SignatureInvalidError}


@dataclass(frozen=True)
class Credential(aioclient.Credential):
    """A user of the service."""

    user: int = 0
    key: str = ""

    @property
    def identity(self) -> str:
        return str(self.user)

    def cookies(self) -> Mapping[str, str]:
        return {"uid": str(self.user), "key": self.key} if self.key else {}

    def raise_for_invalid(self) -> None:
        if not self.user or not self.key:
            raise CredentialInvalidError("a user and a key are needed for this call")

    def __repr__(self) -> str:
        return f"Credential(user={self.user}, key='***')"


@dataclass(frozen=True)
class ApiConfig:
    """Where the service is, and what it is told of the client."""

    base_url: str
    signed_path: str = "signed"
    version: str = "1.0"
    secret: str = "not a secret, an example"


class ResultCache:
    """Results by what was asked, for some seconds."""

    def __init__(self, ttl: float, serializer: Serializer, clock: Callable[[], float]) -> None:
        self._ttl, self._serializer, self._clock = ttl, serializer, clock
        self._kept: dict[str, tuple[float, str | bytes]] = {}

    def get(self, key: str) -> Any:
        until, raw = self._kept.get(key, (0.0, ""))
        return self._serializer.loads(raw) if until > self._clock() else MISSING

    def put(self, key: str, value: object, ttl: float | None) -> None:
        until = self._clock() + (self._ttl if ttl is None else ttl)
        self._kept[key] = until, self._serializer.dumps(value)

    def clear(self) -> None:
        self._kept.clear()


class Session:
    """A session with the service: use it as ``async with Session(config) as session``."""

    USER_AGENT = "music/1.0"

    def __init__(
        self,
        config: ApiConfig,
        *,
        credential: Credential | None = None,
        enable_sign: bool = False,
        enable_cache: bool = True,
        cache_ttl: float = 120,
        serializer: Serializer = json,  # type: ignore[assignment]
        clock: Callable[[], float] = time.monotonic,
        http2: bool = True,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> None:
        self.config, self.credential, self.enable_sign = config, credential, enable_sign
        self.enable_cache = enable_cache
        self.cache = ResultCache(cache_ttl, serializer, clock)
        self._client = aioclient.ClientSession(
            config.base_url,
            headers={"User-Agent": self.USER_AGENT, **(headers or {})},
            cookie_jar=aioclient.DummyCookieJar(),
            http2=http2,
            raise_for_status=True,
            **arguments,
        )
        self._scope = aioclient.use_session(self._client)

    async def clear_cache(self) -> None:
        if self.enable_cache:
            self.cache.clear()

    def sign(self, request: aioclient.UnsignedRequest) -> None:
        """Put a signature of the body's bytes into the query; called last, for each attempt."""
        digest = hmac.new(self.config.secret.encode(), request.body or b"", hashlib.sha256)
        request.url = request.url.update_query(sign=digest.hexdigest())

    async def call(
        self, api: str, params: Mapping[str, Any], credential: Credential | None, verify: bool
    ) -> Any:
        """Return what the service answers to one of its functions."""
        who = credential or self.credential or Credential()
        auth = aioclient.CredentialAuth(who, verify=verify)
        body = {"comm": {"version": self.config.version}, api: dict(params)}
        path = self.config.signed_path if self.enable_sign else "api"
        signer = self.sign if self.enable_sign else None
        async with self._client.post(path, json=body, auth=auth, signer=signer) as response:
            answer = (await response.json())[api]
        if answer["code"] != 0:
            raise CODES.get(answer["code"], CodeError)(answer["code"], answer.get("data"))
        return answer["data"]

    async def close(self) -> None:
        await self._client.close()

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._scope.__aexit__(*error)  # type: ignore[arg-type]
        await self.close()

    def __repr__(self) -> str:
        return f"<Session {self.config.base_url} {self.credential}>"


Processor = Callable[[Any], Any]


def api_request(
    api: str,
    *,
    verify: bool = False,
    cache_ttl: float | None = None,
    cacheable: bool = True,
    exclude_params: frozenset[str] = frozenset(),
) -> Callable[[Callable[..., tuple[dict[str, Any], Processor]]], Callable[..., Awaitable[Any]]]:
    """Decorate a function that returns (parameters, what makes a result of the data).

    Args:
        api: the service's name of it.
        verify: whether a credential is needed.
        cache_ttl: seconds for which the result is kept; None for the session's, FOREVER for ever.
        cacheable: whether it is kept at all.
        exclude_params: those that do not change the result.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        @wraps(function)
        async def call(
            session: Session, *args: Any, credential: Credential | None = None, **kwargs: Any
        ) -> Any:
            params, process = function(*args, **kwargs)
            params = {k: int(v) if isinstance(v, bool) else v for k, v in params.items()}
            who = credential or session.credential or Credential()
            counted = {k: v for k, v in params.items() if k not in exclude_params}
            key = json.dumps([api, who.user, counted], sort_keys=True)
            keeps = cacheable and session.enable_cache
            if keeps and (found := session.cache.get(key)) is not MISSING:
                return found
            result = process(await session.call(api, params, credential, verify))
            if keeps:
                session.cache.put(key, result, cache_ttl)
            return result

        return call

    return decorate


@api_request("songs.detail")
def song(number: int, hires: bool = False) -> tuple[dict[str, Any], Processor]:
    """Return the title of a song."""
    return {"id": number, "hires": hires}, lambda data: {"title": data["name"]}


@api_request("users.likes", verify=True, cacheable=False)
def likes() -> tuple[dict[str, Any], Processor]:
    """Return the songs that the user likes."""
    return {}, lambda data: data
