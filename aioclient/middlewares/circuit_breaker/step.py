"""The middleware that refuses requests to an origin that fails."""

from asyncio import CancelledError, get_running_loop
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import iscoroutinefunction
from typing import ClassVar

from ...chain import Handler, check_listener, tell
from ...exceptions import (
    AddressNotAllowedError,
    CircuitOpenError,
    ClientConnectionError,
    NotSentError,
)
from ...message.request import Request
from ...message.scopes import By, States, scope_of
from ...response.client_response import ClientResponse
from ...waiting import ran_out_of_time
from .policy import OPEN, Circuit, CircuitRule, CircuitState


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """The argument of ``on_change`` of a ``CircuitBreaker``: the circuit of *key* changed from *before* to *state*.

    *failures* of *calls* requests in the window were the reason.
    """

    key: str
    state: CircuitState
    before: CircuitState
    calls: int
    failures: int


@dataclass(frozen=True, slots=True)
class CircuitBreakerStatistics:
    """What a ``CircuitBreaker`` has counted since it was made, or since ``reset()``.

    ``calls`` are requests, ``failures`` those that failed, ``refused`` those that were not let through, ``opened`` is
    how often a circuit opened; ``open`` has the keys of the circuits that are not closed now.
    """

    calls: int
    failures: int
    refused: int
    opened: int
    open: tuple[str, ...]


class CircuitBreaker:
    """A middleware that lets nothing through to an origin that fails, so that it can recover and callers fail fast.

    Each origin has a circuit. It opens when the part *failure_rate* of at least *min_calls* requests in *window*
    seconds has failed; then ``CircuitOpenError`` is raised at once. After *open_for* seconds, *probes* requests pass:
    if all succeed the circuit closes, if one fails it opens again.

    A failure is a connection error, a timeout (of an attempt or of the call), or a status of 500 or more. A 4xx is not
    a failure. A request that was cancelled, or that another middleware refused, is not one either: it says nothing
    about the server.

    Args:
        failure_rate: the part of the requests that must fail, such as 0.5.
        min_calls: with fewer requests in the window, the circuit does not open.
        window: seconds in which requests are counted.
        open_for: seconds for which the circuit stays open.
        probes: number of requests that decide whether it closes.
        by: what has a circuit of its own: "origin", "host", or a function that takes the request and returns a key.
        is_failure: a function that gets the response or the exception and returns whether it is a failure, in place of
            the rules above.
        on_change: a function that gets a ``CircuitChange``.

    Raises:
        ValueError, TypeError: an argument makes no sense.
    """

    argument: ClassVar[str] = "circuit_breaker"
    tidy: ClassVar[bool] = True

    def __init__(
        self,
        failure_rate: float = 0.5,
        *,
        min_calls: int = 10,
        window: float = 30.0,
        open_for: float = 30.0,
        probes: int = 1,
        by: By = "origin",
        is_failure: Callable[[ClientResponse | Exception], bool] | None = None,
        on_change: Callable[[CircuitChange], object] | None = None,
    ) -> None:
        self._rule = CircuitRule(failure_rate, min_calls, window, open_for, probes)
        check_listener(on_change)
        if is_failure is not None and not callable(is_failure):
            raise TypeError(f"is_failure must be a function, found {type(is_failure).__name__}")
        if iscoroutinefunction(is_failure):
            raise TypeError("is_failure must be a plain function, found a coroutine function")
        self._key = scope_of(by)
        self._is_failure = is_failure
        self._on_change = on_change
        self._circuits: States[str, Circuit] = States()
        self.reset()

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Let *request* pass unless the circuit is open.

        Raises:
            CircuitOpenError: the circuit is open.
        """
        loop = get_running_loop()
        key = self._key(request)
        now = loop.time()
        circuit = self._circuits.get(key) or self._new(key, now)
        before = circuit.state
        permit = circuit.admit(now)
        if circuit.state is not before:
            self._tell(key, circuit, before, now)
        if permit is None:
            self._refused += 1
            raise self._error(request, key, circuit, now)
        self._calls += 1
        failed: bool | None = None  # None: it says nothing about the server
        try:
            try:
                response = await handler(request)
            except Exception as error:
                failed = self._is_blamed(error) or None
                raise
            except CancelledError:
                failed = ran_out_of_time(request.deadline) or None
                raise
            failed = self._is_bad(response)
        finally:
            self._settle(key, circuit, permit, failed)
        return response

    def _is_bad(self, response: ClientResponse) -> bool:
        """Tell whether *response* is a failure."""
        if self._is_failure is None:
            return response.status >= 500
        try:
            return bool(self._is_failure(response))
        except BaseException:
            response.close()  # nobody else will close it
            raise

    def _is_blamed(self, error: Exception) -> bool:
        """Tell whether *error* is a failure of the server."""
        if self._is_failure is not None:
            return self._is_failure(error)
        if isinstance(error, (NotSentError, AddressNotAllowedError)):
            return False
        return isinstance(error, (ClientConnectionError, TimeoutError))

    def _settle(self, key: str, circuit: Circuit, permit: int, failed: bool | None) -> None:
        """Note the outcome of the request of *permit*: whether it *failed*; None if it says nothing."""
        if failed is None:
            circuit.withdrawn(permit)
            return
        before, now = circuit.state, get_running_loop().time()
        if failed:
            self._failures += 1
            circuit.failed(permit, now)
        else:
            circuit.succeeded(permit, now)
        if circuit.state is not before:
            self._opened += circuit.state is OPEN
            self._tell(key, circuit, before, now)

    def _error(self, request: Request, key: str, circuit: Circuit, now: float) -> CircuitOpenError:
        calls, failures = circuit.counted(now)
        if circuit.state is OPEN:
            seconds = circuit.until - now
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            reason = f"the circuit of {key} is open, since {failures} of {calls} requests failed"
            return CircuitOpenError(request.label, reason, seconds, until)
        reason = f"the circuit of {key} is half-open, and its probe is under way"
        return CircuitOpenError(request.label, reason, None, None)

    def _tell(self, key: str, circuit: Circuit, before: CircuitState, now: float) -> None:
        calls, failures = circuit.counted(now)
        tell(self._on_change, CircuitChange(key, circuit.state, before, calls, failures))

    def _new(self, key: str, now: float) -> Circuit:
        return self._circuits.add(key, Circuit(self._rule), lambda each: each.is_fresh(now))

    def state(self, key: str) -> CircuitState:
        """Return the state of the circuit of *key*, such as "https://api.example.com"; closed for an unknown one."""
        circuit = self._circuits.get(key)
        return CircuitState.CLOSED if circuit is None else circuit.state

    def statistics(self) -> CircuitBreakerStatistics:
        """Return the counts, as an immutable value."""
        not_closed = tuple(
            key
            for key, circuit in self._circuits.items()
            if circuit.state is not CircuitState.CLOSED
        )
        return CircuitBreakerStatistics(
            self._calls, self._failures, self._refused, self._opened, not_closed
        )

    def reset(self) -> None:
        """Close all circuits, and reset the counts."""
        self._circuits.clear()
        self._calls = self._failures = self._refused = self._opened = 0

    def __repr__(self) -> str:
        not_closed = self.statistics().open
        return f"<CircuitBreaker {'open: ' + ', '.join(not_closed) if not_closed else 'closed'}>"
