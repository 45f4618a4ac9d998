"""A sender that tries again."""

import time
from collections.abc import Callable, Iterable
from random import random
from typing import Final, TypedDict, Unpack, overload

from multidict import CIMultiDict

from ..exceptions import ClientConnectionError
from ..exchange import IDEMPOTENT
from ..message.retry_after import MAX_DELAY, retry_after
from ..middlewares.retry.policy import Again, Answered, Asked, Failed, Jitter, RetryPolicy
from .base import R_co, Sender
from .stepping import Pause, Send, Sleep, SteppingSender, Steps
from .values import Request, Response, copy_of

SERVER_ERRORS: Final = frozenset(range(500, 600))
ALL_METHODS: Final = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "QUERY")
TOO_MANY_REQUESTS: Final = 429


class RetryingOptions(TypedDict, total=False):
    """Arguments of a ``RetryingSender`` beside tekore's."""

    retry_all_methods: bool
    methods: Iterable[str]
    statuses: Iterable[int]
    retry_on: tuple[type[Exception], ...]
    max_wait: float | None
    max_rate_limit_retries: int | None
    jitter: Jitter
    sleep: Sleep | None
    clock: Callable[[], float]
    random: Callable[[], float]


class RetryingSender(SteppingSender[R_co]):
    """Waits while a server says 429, and tries again after its errors.

    After 429 the wait is the value of ``Retry-After``, or 1 s, plus 1 s; it does not use up a retry. After a server
    error or a lost connection it is 1, 2, 4 … s. When the retries are used up, the last response is returned, or the
    last exception is raised.

    A request that the server may have acted on is sent again only if that does no harm: POST and PATCH are not. Nor is
    a request whose body is an iterator or a file. Each attempt begins with the request as it was given, also if a
    sender within has changed it.

    Args:
        retries: how often a request is sent again after errors; 0 for only 429.
        sender: the one within; a ``SyncSender`` by default.
        retry_all_methods: whether POST and PATCH are sent again as well, as tekore does.
        methods: those that are sent again in any case; the idempotent ones by default (RFC 9110, section 9.2.2).
        statuses: those that are errors of the server.
        retry_on: exceptions after which it tries again.
        max_wait: seconds; a response that asks for a longer wait is returned. None for any.
        max_rate_limit_retries: how often 429 is waited for; None for ever.
        jitter: "none" for just these waits, "full" for a random part of them, "equal" for half of them and a part of
            the other half.
        sleep: waits so many seconds; ``time.sleep`` or ``asyncio.sleep`` by default.
        clock: tells the seconds since the epoch, for a ``Retry-After`` that is a date.
        random: returns a number from 0 up to 1, for *jitter*.

    Raises:
        TypeError, ValueError: an argument is not of its kind.
    """

    @overload
    def __init__(
        self: "RetryingSender[Response]",
        retries: int = 0,
        sender: None = None,
        **options: Unpack[RetryingOptions],
    ) -> None: ...

    @overload
    def __init__(
        self, retries: int, sender: Sender[R_co], **options: Unpack[RetryingOptions]
    ) -> None: ...

    @overload
    def __init__(
        self, retries: int = 0, *, sender: Sender[R_co], **options: Unpack[RetryingOptions]
    ) -> None: ...

    def __init__(
        self,
        retries: int = 0,
        sender: Sender[R_co] | None = None,
        **options: Unpack[RetryingOptions],
    ) -> None:
        if unknown := options.keys() - RetryingOptions.__annotations__.keys():
            raise TypeError(f"RetryingSender() has no arguments {sorted(unknown)}")
        max_wait = options.get("max_wait")
        max_rate_limit_retries = options.get("max_rate_limit_retries")
        jitter = options.get("jitter", "none")
        every = options.get("retry_all_methods", False)
        methods = options.get("methods", IDEMPOTENT)
        if isinstance(retries, bool) or not isinstance(retries, int):
            raise TypeError(f"retries must be an int, found {type(retries).__name__}")
        if max_rate_limit_retries is not None and max_rate_limit_retries < 0:
            raise ValueError(f"max_rate_limit_retries={max_rate_limit_retries}: give 0 or more")
        longest = MAX_DELAY if max_wait is None else max_wait
        self.retries = retries
        self._policy = RetryPolicy(
            attempts=max(retries, 0) + 1,
            backoff=min(1.0, longest),
            max_backoff=longest,
            max_retry_after=longest,
            jitter=jitter,
            statuses=options.get("statuses", SERVER_ERRORS),
            errors=options.get("retry_on", (ClientConnectionError,)),
            methods=ALL_METHODS if every else methods,
        )
        self._every_method = every
        self._max_wait = max_wait
        self._max_rate_limit_retries = max_rate_limit_retries
        self._sleep = options.get("sleep")
        self._clock = options.get("clock", time.time)
        self._random = options.get("random", random)
        super().__init__(sender)  # type: ignore[arg-type]

    def steps(self, request: Request) -> Steps:
        """Send, wait, and send again."""
        failed = limited = 0
        given = copy_of(request)
        asked = self._asked(request)
        while True:
            try:
                response: Response = yield Send(request)
            except Exception as error:
                failed += 1
                outcome: Answered | Failed = Failed(error)
                again = self._policy.decide(outcome, asked, failed, None, self._number())
                if not isinstance(again, Again):
                    raise
                yield Pause(again.delay)
                request = copy_of(given)
                continue
            wait = retry_after(CIMultiDict(response.headers), self._clock())
            if response.status_code == TOO_MANY_REQUESTS:
                seconds = (1.0 if wait is None else wait) + 1.0
                if not self._waits(asked, seconds, limited):
                    return response
                limited += 1
                yield Pause(seconds)
                request = copy_of(given)
                continue
            failed += 1
            outcome = Answered(response.status_code, wait)
            again = self._policy.decide(outcome, asked, failed, None, self._number())
            if not isinstance(again, Again):
                return response
            yield Pause(again.delay)
            request = copy_of(given)

    def _asked(self, request: Request) -> Asked:
        names = {name.lower() for name in request.headers or ()}
        method = request.method.upper()
        return Asked(
            "GET" if self._every_method else method,
            has_key="idempotency-key" in names,
            resendable=_is_resendable(request.content) and _is_resendable(request.data),
        )

    def _waits(self, asked: Asked, seconds: float, limited: int) -> bool:
        """Tell whether 429 is waited for: for *seconds*, after *limited* times before."""
        most = self._max_rate_limit_retries
        return (
            asked.resendable
            and (asked.method in self._policy.methods or asked.has_key)
            and (self._max_wait is None or seconds <= self._max_wait)
            and (most is None or limited < most)
        )

    def _number(self) -> float:
        return 0.0 if self._policy.jitter == "none" else self._random()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(retries={self.retries}, sender={self.sender!r})"


def _is_resendable(body: object) -> bool:
    """Tell whether *body* is the same when it is sent again: an iterator or a file has been read."""
    return not any(hasattr(body, name) for name in ("__next__", "__anext__", "read"))
