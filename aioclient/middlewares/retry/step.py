"""The middleware that tries again."""

import logging
import time
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from inspect import isawaitable
from random import random
from typing import Any, ClassVar, Final, cast
from uuid import uuid4

from ...chain import Handler, check_listener, tell
from ...exceptions import AttemptTimeoutError
from ...exchange import IDEMPOTENT
from ...message.attempt import Attempt, summary
from ...message.headers import check_value
from ...message.request import Request
from ...message.retry_after import retry_after
from ...message.retry_budget import RetryBudget
from ...message.timeout import seconds
from ...message.unset import UNSET, Unset
from ...response.client_response import ClientResponse, note_attempts
from ...response.synthetic import wait_for_end
from ...waiting import AttemptLimit, wait
from .policy import Again, Answered, Asked, Failed, Jitter, Outcome, RetryPolicy, Stop

KEY: Final = "Idempotency-Key"
READ: Final = 2**20  # bytes; with ``read_body``, so much of a body is read within the attempt

_log = logging.getLogger("aioclient.retry")


@dataclass(frozen=True, slots=True)
class Retried:
    """The argument of ``on_change`` of a ``Retry``, before each wait: *attempt* was the *number*-th one of *label*."""

    label: str
    number: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class RetryStatistics:
    """What a ``Retry`` has counted since it was made, or since ``reset()``.

    ``calls`` are requests, each hop counted separately; ``retries`` are further attempts; ``recovered`` are requests
    that succeeded thanks to them; ``given_up`` are requests that ended with a failure worth another attempt.
    """

    calls: int
    retries: int
    recovered: int
    given_up: int


class Retry:
    """A middleware that retries connection errors and the statuses of a server that is temporarily unavailable.

    It repeats only what is safe to repeat: idempotent methods, requests that were never sent, and requests with an
    ``Idempotency-Key``, if their body can be sent again. After the last attempt its response is returned unchanged, or
    its exception is raised with ``attempts`` and one note that describes every attempt. Nothing is repeated after a
    response was returned.

    The n-th wait is a random part of ``backoff * factor ** (n - 1)`` seconds, and at least what the server's
    ``Retry-After`` asks for. Each further attempt needs room in the *budget* and must begin before the call's deadline.

    Args:
        attempts: the largest number of attempts, the first one included.
        timeout: seconds for each attempt, until the head of its response; None for only the limits of the call.
            Waiting for a rate limit or a concurrency limit is not counted.
        backoff: upper limit of the first wait, in seconds.
        factor: by which each wait is longer than the one before.
        max_backoff: upper limit of each wait, in seconds.
        jitter: which part of a wait is random: "full" all of it, "equal" its second half, "none" no part.
        max_retry_after: the longest ``Retry-After`` to wait for, in seconds; a response that asks for more is
            returned.
        statuses: the statuses to try again after.
        errors: the classes of exceptions to try again after.
        fatal_errors: those of them after which to stop.
        methods: methods that may be repeated without an ``Idempotency-Key``.
        inspect: a function or coroutine function that gets each response: True tries again, False does not, None
            decides by the status.
        idempotency_key: True gives each request with another method an ``Idempotency-Key``, the same for all attempts
            and hops of its call; or a function that returns one.
        read_body: whether reading the body, up to 1 MiB of it, is part of the attempt.
        budget: a ``RetryBudget``; by default each ``Retry`` has its own; None for no limit.
        on_change: a function that gets a ``Retried`` before each wait.

    Raises:
        ValueError, TypeError: an argument makes no sense.
    """

    argument: ClassVar[str] = "retry"
    tidy: ClassVar[bool] = True

    def __init__(
        self,
        attempts: int = 3,
        *,
        timeout: float | None = None,
        backoff: float = 0.1,
        factor: float = 2.0,
        max_backoff: float = 30.0,
        jitter: Jitter = "full",
        max_retry_after: float = 60.0,
        statuses: Iterable[int] = RetryPolicy.STATUSES,
        errors: tuple[type[Exception], ...] = RetryPolicy.ERRORS,
        fatal_errors: tuple[type[Exception], ...] = RetryPolicy.FATAL_ERRORS,
        methods: Iterable[str] = IDEMPOTENT,
        inspect: Callable[[ClientResponse], bool | Awaitable[bool | None] | None] | None = None,
        idempotency_key: bool | Callable[[], str] = False,
        read_body: bool = False,
        budget: RetryBudget | Unset | None = UNSET,
        on_change: Callable[[Retried], object] | None = None,
    ) -> None:
        self._policy = policy = RetryPolicy(
            attempts=attempts,
            backoff=backoff,
            factor=factor,
            max_backoff=max_backoff,
            jitter=jitter,
            max_retry_after=max_retry_after,
            statuses=statuses,
            errors=errors,
            fatal_errors=fatal_errors,
            methods=methods,
        )
        check_listener(on_change)
        if inspect is not None and not callable(inspect):
            raise TypeError(f"inspect must be a function, found {type(inspect).__name__}")
        if not isinstance(idempotency_key, bool) and not callable(idempotency_key):
            raise TypeError(
                f"idempotency_key must be True, False or a function, found {type(idempotency_key).__name__}; "
                "one key for one call is a header field: headers={'Idempotency-Key': ...}"
            )
        if not isinstance(budget, (RetryBudget, Unset)) and budget is not None:
            raise TypeError(f"budget must be a RetryBudget or None, found {type(budget).__name__}")
        self.budget: RetryBudget | None = RetryBudget() if isinstance(budget, Unset) else budget
        self._timeout = None if timeout is None else seconds("timeout", timeout)
        self._inspect = inspect
        self._make_key = _new_key if idempotency_key is True else idempotency_key
        self._read_body = read_body
        self._on_change = on_change
        self._statuses = cast(frozenset[int], policy.statuses)
        self._is_plain = self._timeout is None and not read_body
        self._calls = self._retries = self._recovered = self._given_up = 0

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Send *request*, and again as often as the policy decides."""
        loop = get_running_loop()
        began = loop.time()
        self._calls += 1
        if self.budget is not None:
            self.budget.deposit(request.origin, began)
        if self._make_key:
            self._put_key(request)
        attempts: tuple[Attempt, ...] = ()
        while True:
            try:
                response = await (
                    handler(request) if self._is_plain else self._attempt(request, handler)
                )
            except Exception as error:
                attempts, next_ = self._judge(request, Failed(error), attempts, began)
                if isinstance(next_, Stop):
                    _mark(error, attempts, next_.reason)
                    raise
            else:
                if self._inspect is None and response.status not in self._statuses:
                    return self._done(request, response, attempts, began) if attempts else response
                outcome = await self._answered(response)
                attempts, next_ = self._judge(request, outcome, attempts, began)
                if isinstance(next_, Stop):
                    note_attempts(response, attempts)
                    return response
                await wait_for_end(response.release())
                del response  # its connection must be free for the next attempt
            await wait(next_.delay)
            if request.content is not None:
                request.content.rewind()
            began = loop.time()

    async def _attempt(self, request: Request, handler: Handler) -> ClientResponse:
        """Make an attempt with a time limit, or one that reads the body.

        Raises:
            AttemptTimeoutError: it took longer than ``timeout``.
        """
        if self._timeout is None:
            return await self._read(await handler(request))
        limit = AttemptLimit(self._timeout)
        try:
            async with limit:
                response = await handler(request)
                return await self._read(response) if self._read_body else response
        except TimeoutError as error:
            if not limit.expired or isinstance(error, AttemptTimeoutError):
                raise
            raise AttemptTimeoutError(
                request.method, request.url, self._timeout, "no response"
            ) from error

    async def _read(self, response: ClientResponse) -> ClientResponse:
        # What follows a 101 is another protocol.
        if response.status != 101 and not response.content.at_eof():
            try:
                await response.content.prefetch(READ)
            except BaseException:
                response.close()
                raise
        return response

    async def _answered(self, response: ClientResponse) -> Answered:
        wanted: Any = None
        if self._inspect is not None:
            try:
                wanted = self._inspect(response)
                if isawaitable(wanted):
                    wanted = await wanted
            except BaseException:
                response.close()
                raise
        return Answered(response.status, retry_after(response.headers, time.time()), wanted)

    def _judge(
        self, request: Request, outcome: Outcome, attempts: tuple[Attempt, ...], began: float
    ) -> tuple[tuple[Attempt, ...], Again | Stop]:
        """Return the attempts including the last one, and the decision after it."""
        now = get_running_loop().time()
        content, deadline = request.content, request.deadline
        made = len(attempts) + 1
        next_ = self._policy.decide(
            outcome,
            Asked(request.method, KEY in request.fields, content is None or not content.consumed),
            made,
            None if deadline is None else deadline - now,
            random(),
        )
        if (
            isinstance(next_, Again)
            and self.budget is not None
            and not self.budget.withdraw(request.origin, now)
        ):
            next_ = Stop("the budget of retries is used up")
        waited = next_.delay if isinstance(next_, Again) else 0.0
        status = outcome.status if isinstance(outcome, Answered) else None
        error = describe(outcome.error) if isinstance(outcome, Failed) else None
        attempt = Attempt(status, error, now - began, waited)
        if isinstance(next_, Again):
            self._retries += 1
            _log.info("%s: attempt %d: %s", request.label, made, attempt)
            tell(self._on_change, Retried(request.label, made, attempt))
        elif next_.reason is not None:
            self._given_up += 1
            _log.info(
                "%s: attempt %d: %s; no further one: %s", request.label, made, attempt, next_.reason
            )
        elif attempts:
            self._recovered += isinstance(outcome, Answered)
            _log.info("%s: attempt %d: %s", request.label, made, attempt)
        return (*attempts, attempt), next_

    def _done(
        self,
        request: Request,
        response: ClientResponse,
        attempts: tuple[Attempt, ...],
        began: float,
    ) -> ClientResponse:
        """Return the successful *response* after other *attempts*."""
        attempts, _ = self._judge(request, Answered(response.status), attempts, began)
        note_attempts(response, attempts)
        return response

    def _put_key(self, request: Request) -> None:
        """Give *request* a key, or the key of the previous hop, unless it has one or needs none."""
        if request.method in self._policy.methods or KEY in request.fields:
            return
        for response in reversed(request.history):
            if key := cast(ClientResponse, response).request.fields.get(KEY):
                break
        else:
            make = cast("Callable[[], str]", self._make_key)
            key = check_value(KEY, make())
        request.headers[KEY] = key

    def statistics(self) -> RetryStatistics:
        """Return the counts, as an immutable value."""
        return RetryStatistics(self._calls, self._retries, self._recovered, self._given_up)

    def reset(self) -> None:
        """Reset the counts, and the budget."""
        self._calls = self._retries = self._recovered = self._given_up = 0
        if self.budget is not None:
            self.budget.reset()

    def __repr__(self) -> str:
        return f"<Retry attempts={self._policy.attempts}, {self._retries} retries for {self._calls} calls>"


def describe(error: Exception) -> str:
    """Return the class and text of *error*."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _mark(error: Exception, attempts: tuple[Attempt, ...], reason: str | None) -> None:
    """Add the attempts that led to *error* to it."""
    cast(Any, error).attempts = attempts
    if len(attempts) > 1 or reason is not None:
        error.add_note(summary(attempts, reason))


def _new_key() -> str:
    return str(uuid4())
