"""Whether to reconnect, and when: a decision on plain values.

The rules:

* How a connection or an attempt ended is a value, an ``Outcome``; the policy has a list for each kind.
* A connection that lasted ``healthy_after`` seconds was good: the count of failures starts again.
* Everything else is a failure, also a server that accepts and drops at once; each failure makes the next wait longer.
* A server's ``Retry-After`` makes a wait longer, never shorter, and at most ``max_retry_after``.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from ..exceptions import (
    AddressNotAllowedError,
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientPayloadError,
    ServerFingerprintMismatch,
)

Jitter: TypeAlias = Literal["full", "equal", "none"]

NORMAL: Final = 1000


@dataclass(frozen=True, slots=True)
class Closed:
    """A connection was closed by the server or lost; *code* is ``ClientWebSocketResponse.close_code``."""

    code: int


@dataclass(frozen=True, slots=True)
class Left:
    """The user continued without waiting for the end of the connection, or closed it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A handshake was answered with this status; *retry_after* is from the answer, in seconds."""

    status: int
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed with this error: no connection, or an exception of ``on_connect`` or another callable."""

    error: Exception


Outcome: TypeAlias = Closed | Left | Refused | Failed


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Reconnect in *delay* seconds; *failures* is the new number of consecutive failures."""

    delay: float
    failures: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not reconnect. *clean*: the server ended it normally, which is no error."""

    reason: str
    clean: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """Which ends of a WebSocket are followed by another connection, and after which wait.

    The n-th consecutive wait is ``initial * factor ** (n - 1)`` seconds and at most ``max_delay``, minus ``jitter``.

    Args:
        initial: seconds of the first wait.
        factor: how many times longer each wait is than the previous one.
        max_delay: seconds of the longest wait.
        jitter: "equal" subtracts a random part of up to half of a wait, "full" up to all of it, "none" nothing. So the
            clients of a restarted server do not all come back at once.
        healthy_after: seconds that a connection must last for the waits to start again.
        max_attempts: how many consecutive attempts may fail; None for any number. A connection that did not last is a
            failure.
        close_codes: the close codes after which to reconnect; 1006 is a lost connection.
        statuses: the statuses of a refused handshake after which to reconnect.
        max_retry_after: the longest ``Retry-After`` that is obeyed, in seconds; longer ones are cut to it.
        errors: the classes of errors after which to reconnect.
        fatal_errors: subclasses of those after which not to reconnect.

    Raises:
        ValueError: a number is out of range, or a code or status does not exist.
        TypeError: an entry of *errors* or *fatal_errors* is not an exception class.
    """

    CLOSE_CODES: ClassVar[frozenset[int]] = frozenset((1001, 1005, 1006, 1011, 1012, 1013, 1014))
    STATUSES: ClassVar[frozenset[int]] = frozenset((408, 425, 429, *range(500, 600)))
    ERRORS: ClassVar[tuple[type[Exception], ...]] = (
        ClientConnectionError,
        ClientPayloadError,
        ConnectionError,
        TimeoutError,
    )
    FATAL_ERRORS: ClassVar[tuple[type[Exception], ...]] = (
        AddressNotAllowedError,
        ClientConnectorCertificateError,
        ServerFingerprintMismatch,
    )

    initial: float = 1.0
    factor: float = 2.0
    max_delay: float = 60.0
    jitter: Jitter = "equal"
    healthy_after: float = 10.0
    max_attempts: int | None = None
    close_codes: Iterable[int] = CLOSE_CODES
    statuses: Iterable[int] = STATUSES
    max_retry_after: float = 300.0
    errors: tuple[type[Exception], ...] = ERRORS
    fatal_errors: tuple[type[Exception], ...] = FATAL_ERRORS

    def __post_init__(self) -> None:
        for name, least, expected in (
            ("initial", 0.0, "more than 0 seconds"),
            ("factor", 1.0, "1 or more"),
            ("max_delay", self.initial, f"seconds, at least initial={self.initial}"),
            ("healthy_after", 0.0, "seconds"),
            ("max_retry_after", 0.0, "seconds"),
        ):
            value = getattr(self, name)
            if not (least <= value < math.inf) or (name == "initial" and value == 0):
                raise ValueError(f"{name}={value!r}; give {expected}")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError(f"max_attempts={self.max_attempts}; give 1 or more, or None for any")
        if self.jitter not in ("full", "equal", "none"):
            raise ValueError(f"jitter={self.jitter!r}; give 'full', 'equal' or 'none'")
        for name, first, last in (("close_codes", 1000, 4999), ("statuses", 100, 599)):
            values = frozenset(getattr(self, name))
            if wrong := [value for value in values if not first <= value <= last]:
                raise ValueError(f"{name}: {wrong} are not from {first} to {last}")
            object.__setattr__(self, name, values)
        for name in ("errors", "fatal_errors"):
            for kind in getattr(self, name):
                if not (isinstance(kind, type) and issubclass(kind, Exception)):
                    raise TypeError(f"{name}: {kind!r} is not an exception class")
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def decide(
        self, outcome: Outcome, failures: int, healthy_for: float | None, random: float
    ) -> Reconnect | Stop:
        """Decide what follows *outcome*.

        Args:
            failures: consecutive failures before this outcome.
            healthy_for: seconds for which the connection was open; None if it never was.
            random: from 0 up to but not including 1.
        """
        if (stop := self._stop(outcome)) is not None:
            return stop
        healthy = healthy_for is not None and healthy_for >= self.healthy_after
        failures = 0 if healthy else failures + 1
        if self.max_attempts is not None and failures >= self.max_attempts:
            return Stop(
                f"{failures} attempts in a row came to nothing (max_attempts={self.max_attempts})"
            )
        delay = self.delay(max(0, failures - 1), random)
        if isinstance(outcome, Refused) and outcome.retry_after is not None:
            delay = max(delay, min(outcome.retry_after, self.max_retry_after))
        return Reconnect(delay, failures)

    def delay(self, before: int, random: float) -> float:
        """Return the seconds of a wait after *before* consecutive waits."""
        try:
            longest = min(self.max_delay, self.initial * self.factor**before)
        except OverflowError:
            longest = self.max_delay
        if self.jitter == "full":
            return longest * random
        return longest if self.jitter == "none" else longest / 2 * (1 + random)

    def _stop(self, outcome: Outcome) -> Stop | None:
        """Return the reason to stop after this outcome; None to reconnect."""
        match outcome:
            case Closed(code) if code not in self.close_codes:
                if code == NORMAL:
                    return Stop("the server closed with 1000, the normal end", True)
                return Stop(f"the policy's close_codes do not have {code}")
            case Refused(status) if status not in self.statuses:
                return Stop(f"the policy's statuses do not have {status}")
            case Failed(error) if isinstance(error, self.fatal_errors):
                return Stop(f"the policy's fatal_errors have {type(error).__name__}")
            case Failed(error) if not isinstance(error, self.errors):
                return Stop(f"the policy's errors do not have {type(error).__name__}")
        return None


DEFAULT_POLICY: Final = ReconnectPolicy()
