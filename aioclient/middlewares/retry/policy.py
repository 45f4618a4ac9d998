"""Whether and when to try again: a decision on plain values.

The rules, in the order in which they are checked:

* Another attempt must make sense: because of the status or the error, or because the user's function says so.
* Another attempt must be safe: the method is one of ``methods``, or the request has an ``Idempotency-Key``, or it was
  never sent. Its body can be sent again.
* A server's ``Retry-After`` makes a wait longer, never shorter. If it asks for more than ``max_retry_after``, the
  response is returned instead.
* No attempt begins after the deadline.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from ...exceptions import (
    AddressNotAllowedError,
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientConnectorError,
    ConnectionTimeoutError,
    IncompleteBodyError,
    NotSentError,
    ServerFingerprintMismatch,
)
from ...exchange import IDEMPOTENT
from ...message.headers import check_method
from ...message.numbers import check_count, check_number

Jitter: TypeAlias = Literal["full", "equal", "none"]

# Errors that are raised before a byte of the request was sent.
NEVER_LEFT: Final = (ClientConnectorError, ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt got a response with this status, which asks to wait *retry_after* seconds; None if it does not.

    *wanted* is the result of the user's function: True to try again, False not to, None to decide by the status.
    """

    status: int
    retry_after: float | None = None
    wanted: bool | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt raised this error."""

    error: Exception


Outcome: TypeAlias = Answered | Failed


@dataclass(frozen=True, slots=True)
class Asked:
    """The facts of a request that matter: method, ``Idempotency-Key``, whether its body can be sent again."""

    method: str
    has_key: bool = False
    resendable: bool = True


@dataclass(frozen=True, slots=True)
class Again:
    """Try again in *delay* seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not try again; *reason* says why, None for an outcome that needs no retry."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The arguments of ``Retry``, checked; its docstring describes them."""

    STATUSES: ClassVar[frozenset[int]] = frozenset((408, 425, 429, 502, 503, 504))
    ERRORS: ClassVar[tuple[type[Exception], ...]] = (ClientConnectionError, IncompleteBodyError)
    FATAL_ERRORS: ClassVar[tuple[type[Exception], ...]] = (
        AddressNotAllowedError,
        ClientConnectorCertificateError,
        NotSentError,
        ServerFingerprintMismatch,
    )

    attempts: int = 3
    backoff: float = 0.1
    factor: float = 2.0
    max_backoff: float = 30.0
    jitter: Jitter = "full"
    max_retry_after: float = 60.0
    statuses: Iterable[int] = STATUSES
    errors: tuple[type[Exception], ...] = ERRORS
    fatal_errors: tuple[type[Exception], ...] = FATAL_ERRORS
    methods: Iterable[str] = IDEMPOTENT

    def __post_init__(self) -> None:
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            raise TypeError(f"attempts must be an int, found {type(self.attempts).__name__}")
        if self.attempts < 1:
            raise ValueError(f"attempts={self.attempts}; give 1 or more, the first one counts")
        for name in ("backoff", "factor", "max_backoff", "max_retry_after"):
            check_number(name, getattr(self, name))
        for name, least, expected in (
            ("backoff", 0.0, "seconds"),
            ("factor", 1.0, "1 or more"),
            ("max_backoff", self.backoff, f"seconds, at least backoff={self.backoff}"),
            ("max_retry_after", 0.0, "seconds"),
        ):
            value = getattr(self, name)
            if not (least <= value < math.inf):
                raise ValueError(f"{name}={value!r}; give {expected}")
        if self.jitter not in ("full", "equal", "none"):
            raise ValueError(f"jitter={self.jitter!r}; give 'full', 'equal' or 'none'")
        self._check_iterables()
        statuses = frozenset(self.statuses)
        for status in statuses:
            check_count("a status of statuses", status, 100)
        if wrong := [status for status in statuses if status > 999]:
            raise ValueError(f"statuses: {wrong} are not from 100 to 999")
        for name in ("errors", "fatal_errors"):
            for kind in getattr(self, name):
                if not (isinstance(kind, type) and issubclass(kind, Exception)):
                    raise TypeError(f"{name}: {kind!r} is not a class of exceptions")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "statuses", statuses)
        object.__setattr__(self, "methods", frozenset(map(check_method, self.methods)))

    def _check_iterables(self) -> None:
        for name, items in (
            ("methods", "names"),
            ("statuses", "numbers"),
            ("errors", "classes of exceptions"),
            ("fatal_errors", "classes of exceptions"),
        ):
            given: object = getattr(self, name)
            if isinstance(given, (str, type)) or not isinstance(given, Iterable):
                raise TypeError(f"{name} must be an iterable of {items}, found {given!r}")

    def decide(
        self, outcome: Outcome, asked: Asked, made: int, left: float | None, random: float
    ) -> Again | Stop:
        """Decide what to do after *outcome*.

        Args:
            outcome: the result of the last attempt.
            asked: the facts of the request.
            made: number of attempts so far, this one included.
            left: seconds until the deadline; None for no limit.
            random: from 0 up to but not including 1.
        """
        if not self.is_worth_it(outcome):
            return Stop()
        never_left = isinstance(outcome, Failed) and isinstance(outcome.error, NEVER_LEFT)
        if asked.method not in self.methods and not asked.has_key and not never_left:
            return Stop(
                f"the server may have done what {asked.method} asks for; with an Idempotency-Key it could be "
                "repeated (idempotency_key=True)"
            )
        if made >= self.attempts:
            return Stop(f"attempts={self.attempts}")
        if not asked.resendable:
            return Stop(
                "the body of the request cannot be sent again; give bytes or a seekable file"
            )
        delay = self.delay(made - 1, random)
        if isinstance(outcome, Answered) and outcome.retry_after is not None:
            if outcome.retry_after > self.max_retry_after:
                return Stop(
                    f"the server asks to wait {outcome.retry_after:g} s, longer than "
                    f"max_retry_after={self.max_retry_after:g}"
                )
            delay = max(delay, outcome.retry_after)
        if left is not None and delay >= left:
            return Stop(f"it would begin in {delay:.3g} s, the deadline is in {max(left, 0):.3g} s")
        return Again(delay)

    def is_worth_it(self, outcome: Outcome) -> bool:
        """Tell whether another attempt may have a better result than *outcome*."""
        if isinstance(outcome, Failed):
            error = outcome.error
            return isinstance(error, self.errors) and not isinstance(error, self.fatal_errors)
        wanted = outcome.wanted
        return outcome.status in frozenset(self.statuses) if wanted is None else wanted

    def delay(self, before: int, random: float) -> float:
        """Return the seconds to wait after *before* earlier waits."""
        try:
            longest = min(self.max_backoff, self.backoff * self.factor**before)
        except OverflowError:
            longest = self.max_backoff
        if self.jitter == "full":
            return longest * random
        return longest if self.jitter == "none" else longest / 2 * (1 + random)
