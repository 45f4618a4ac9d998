"""Whether a WebSocket is connected again, and when: decided on plain values."""

import math
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient import ReconnectPolicy
from aioclient.exceptions import (
    AddressNotAllowedError,
    ClientConnectionError,
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientPayloadError,
    InvalidURL,
    MissingExtraError,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
)
from aioclient.reconnecting.policy import (
    Closed,
    Failed,
    Left,
    Outcome,
    Reconnect,
    Refused,
    Stop,
)

PLAIN = ReconnectPolicy(jitter="none")


class Key:
    """What errors tell of a connection."""

    host, port, is_ssl, ssl = "a.example", 443, True, True


KEY: Any = Key()


class TestKinds:
    """Which ends are followed by another connection."""

    @pytest.mark.parametrize("code", [1001, 1005, 1006, 1011, 1012, 1013, 1014])
    def test_codes_that_reconnect(self, code: int) -> None:
        """The server goes away, restarts, is overloaded or had a fault; or the connection was lost."""
        assert PLAIN.decide(Closed(code), 0, None, 0) == Reconnect(1.0, 1)

    @pytest.mark.parametrize(
        "code", [1002, 1003, 1007, 1008, 1009, 1010, 1015, 3000, 4000, 4004, 4999]
    )
    def test_codes_that_end_it(self, code: int) -> None:
        """What would go wrong again, and what only the application understands, ends it by name."""
        decision = PLAIN.decide(Closed(code), 0, None, 0)
        assert isinstance(decision, Stop)
        assert str(code) in decision.reason
        assert not decision.clean

    def test_a_normal_end(self) -> None:
        """1000 says that all is done: a clean end."""
        decision = PLAIN.decide(Closed(1000), 5, 100.0, 0)
        assert isinstance(decision, Stop)
        assert decision.clean

    def test_codes_of_ones_own(self) -> None:
        """close_codes is what counts, for 1000 and private codes too."""
        policy = ReconnectPolicy(close_codes=(1000, *range(4000, 4004)), jitter="none")
        for code in (1000, 4000, 4003):
            assert policy.decide(Closed(code), 0, None, 0) == Reconnect(1.0, 1)
        for code in (1006, 4004):
            assert isinstance(policy.decide(Closed(code), 0, None, 0), Stop)
        more = ReconnectPolicy(close_codes=ReconnectPolicy.CLOSE_CODES | {4000})
        assert isinstance(more.decide(Closed(1006), 0, None, 0), Reconnect)

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_statuses_that_reconnect(self, status: int) -> None:
        """A server that is overloaded, restarts or has a fault may take the next handshake."""
        assert PLAIN.decide(Refused(status), 0, None, 0) == Reconnect(1.0, 1)

    @pytest.mark.parametrize("status", [101, 200, 302, 400, 401, 403, 404, 407, 410, 426])
    def test_statuses_that_end_it(self, status: int) -> None:
        """A handshake that is wrong, or not allowed, is refused again."""
        decision = PLAIN.decide(Refused(status), 0, None, 0)
        assert isinstance(decision, Stop)
        assert str(status) in decision.reason

    def test_statuses_of_ones_own(self) -> None:
        """statuses is what counts."""
        policy = ReconnectPolicy(statuses=[404], jitter="none")
        assert policy.decide(Refused(404), 0, None, 0) == Reconnect(1.0, 1)
        assert isinstance(policy.decide(Refused(503), 0, None, 0), Stop)

    @pytest.mark.parametrize(
        "error",
        [
            ClientConnectionError(),
            ServerDisconnectedError(),
            ClientConnectionResetError(),
            ClientPayloadError(),
            ClientConnectorError(KEY, ConnectionRefusedError(111, "refused")),
            ClientConnectorDNSError(KEY, OSError(-3, "no answer")),
            ClientConnectorSSLError(KEY, ssl.SSLEOFError(8, "the server went away")),
            ConnectionResetError(),
            TimeoutError(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_that_reconnect(self, error: Exception) -> None:
        """The network, and a silent peer, may be better the next time."""
        assert PLAIN.decide(Failed(error), 0, None, 0) == Reconnect(1.0, 1)

    @pytest.mark.parametrize(
        "error",
        [
            InvalidURL("x"),
            ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("expired")),
            ServerFingerprintMismatch(b"", b"", "a.example", 443),
            AddressNotAllowedError(KEY, PermissionError(13, "no"), None, "no"),
            MissingExtraError(),
            TypeError(),
            ValueError(),
            RuntimeError(),
            FileNotFoundError(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_that_end_it(self, error: Exception) -> None:
        """What is wrong with the program, its arguments or the server's certificate does not pass."""
        decision = PLAIN.decide(Failed(error), 0, None, 0)
        assert isinstance(decision, Stop)
        assert type(error).__name__ in decision.reason

    def test_errors_of_ones_own(self) -> None:
        """errors and fatal_errors are what counts, the latter first."""
        policy = ReconnectPolicy(errors=(LookupError,), fatal_errors=(KeyError,), jitter="none")
        assert policy.decide(Failed(IndexError()), 0, None, 0) == Reconnect(1.0, 1)
        assert isinstance(policy.decide(Failed(KeyError()), 0, None, 0), Stop)
        assert isinstance(policy.decide(Failed(TimeoutError()), 0, None, 0), Stop)

    def test_the_user_goes_on(self) -> None:
        """Who leaves a connection gets another one."""
        assert PLAIN.decide(Left(), 0, None, 0) == Reconnect(1.0, 1)


class TestWaits:
    """When the next attempt is made."""

    def test_growing_and_capped(self) -> None:
        """Each wait is longer than the one before, by the factor, up to the longest."""
        policy = ReconnectPolicy(initial=2, factor=3, max_delay=50, jitter="none")
        failures, delays = 0, []
        for _ in range(6):
            decision = policy.decide(Closed(1006), failures, 1.0, 0.5)
            assert isinstance(decision, Reconnect)
            delays.append(decision.delay)
            failures = decision.failures
        assert delays == [2, 6, 18, 50, 50, 50]
        assert failures == 6

    def test_reset(self) -> None:
        """After a connection that lasted the waits begin anew; after one that did not they do not."""
        policy = ReconnectPolicy(healthy_after=30, jitter="none")
        assert policy.decide(Closed(1006), 5, 29.9, 0) == Reconnect(32.0, 6)
        assert policy.decide(Closed(1006), 5, 30.0, 0) == Reconnect(1.0, 0)
        assert policy.decide(Failed(TimeoutError()), 0, None, 0) == Reconnect(1.0, 1)

    def test_every_connection_is_healthy(self) -> None:
        """With healthy_after=0 every connection counts as one that lasted, and no failed attempt does."""
        policy = ReconnectPolicy(healthy_after=0, jitter="none")
        assert policy.decide(Closed(1006), 5, 0.0, 0) == Reconnect(1.0, 0)
        assert policy.decide(Refused(503), 5, None, 0) == Reconnect(32.0, 6)

    @pytest.mark.parametrize(
        ("jitter", "random", "delay"),
        [
            ("none", 0.5, 8.0),
            ("full", 0.0, 0.0),
            ("full", 0.5, 4.0),
            ("equal", 0.0, 4.0),
            ("equal", 0.5, 6.0),
        ],
    )
    def test_jitter(self, jitter: Any, random: float, delay: float) -> None:
        """A random part of the wait, or of its half, is left out."""
        policy = ReconnectPolicy(jitter=jitter)
        assert policy.decide(Closed(1006), 3, None, random) == Reconnect(delay, 4)

    def test_max_attempts(self) -> None:
        """So many attempts may come to nothing in a row, and a connection that lasted is none of them."""
        policy = ReconnectPolicy(max_attempts=2, jitter="none")
        assert policy.decide(Refused(503), 0, None, 0) == Reconnect(1.0, 1)
        decision = policy.decide(Refused(503), 1, None, 0)
        assert isinstance(decision, Stop)
        assert "max_attempts=2" in decision.reason
        assert policy.decide(Closed(1006), 1, 60.0, 0) == Reconnect(1.0, 0)
        assert isinstance(policy.decide(Closed(1006), 1, 5.0, 0), Stop)

    def test_retry_after(self) -> None:
        """A server's wish makes a wait longer, not shorter, up to max_retry_after."""
        policy = ReconnectPolicy(max_retry_after=90, jitter="none")
        assert policy.decide(Refused(503, 20.0), 0, None, 0) == Reconnect(20.0, 1)
        assert policy.decide(Refused(503, 2.0), 3, None, 0) == Reconnect(8.0, 4)
        assert policy.decide(Refused(503, math.inf), 0, None, 0) == Reconnect(90.0, 1)
        assert isinstance(policy.decide(Refused(403, 20.0), 0, None, 0), Stop)

    @given(
        st.builds(
            ReconnectPolicy,
            initial=st.floats(0.001, 10),
            factor=st.floats(1, 100),
            max_delay=st.floats(10, 1e6),
            jitter=st.sampled_from(["full", "equal", "none"]),
            healthy_after=st.floats(0, 1e6),
            max_retry_after=st.floats(0, 1e6),
        ),
        st.one_of(
            st.builds(Closed, st.sampled_from(sorted(ReconnectPolicy.CLOSE_CODES))),
            st.just(Left()),
            st.builds(Refused, st.integers(500, 599), st.none() | st.floats(0, math.inf)),
            st.builds(Failed, st.just(TimeoutError())),
        ),
        st.integers(0, 10**6),
        st.none() | st.floats(0, 1e9),
        st.floats(0, 1, exclude_max=True),
    )
    def test_bounds(
        self,
        policy: ReconnectPolicy,
        outcome: Outcome,
        failures: int,
        healthy_for: float | None,
        random: float,
    ) -> None:
        """A wait is never negative, never above its limits, and no shorter after more failures."""
        decision = policy.decide(outcome, failures, healthy_for, random)
        assert isinstance(decision, Reconnect)
        asked = isinstance(outcome, Refused) and outcome.retry_after is not None
        most = max(policy.max_delay, policy.max_retry_after) if asked else policy.max_delay
        assert 0 <= decision.delay <= most
        if policy.jitter == "equal":
            assert decision.delay >= policy.initial / 2
        lasted = healthy_for is not None and healthy_for >= policy.healthy_after
        assert decision.failures == (0 if lasted else failures + 1)
        after = policy.decide(outcome, failures + 1, healthy_for, random)
        assert isinstance(after, Reconnect)
        assert after.delay >= decision.delay


class TestValues:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"initial": 0}, "initial=0"),
            ({"initial": -1}, "initial=-1"),
            ({"initial": math.nan}, "initial=nan"),
            ({"factor": 0.5}, "factor=0.5"),
            ({"factor": math.inf}, "factor=inf"),
            ({"initial": 5, "max_delay": 4}, "max_delay=4"),
            ({"healthy_after": -1}, "healthy_after=-1"),
            ({"max_retry_after": -1}, "max_retry_after=-1"),
            ({"max_attempts": 0}, "max_attempts=0"),
            ({"jitter": "some"}, "jitter='some'"),
            ({"close_codes": [4000, 5000]}, r"close_codes: \[5000\]"),
            ({"statuses": {99}}, r"statuses: \[99\]"),
        ],
    )
    def test_nonsense(self, arguments: dict[str, Any], words: str) -> None:
        """What makes no sense is refused when the policy is made, by name and value."""
        with pytest.raises(ValueError, match=words):
            ReconnectPolicy(**arguments)

    @pytest.mark.parametrize("argument", ["errors", "fatal_errors"])
    def test_what_is_no_exception(self, argument: str) -> None:
        """errors and fatal_errors take classes of exceptions."""
        with pytest.raises(TypeError, match=f"{argument}: 'x'"):
            ReconnectPolicy(**{argument: ("x",)})  # type: ignore[arg-type]

    def test_a_value(self) -> None:
        """Policies that say the same are equal, and can be keys."""
        one, other = ReconnectPolicy(close_codes=[4000]), ReconnectPolicy(close_codes={4000})
        assert one == other
        assert hash(one) == hash(other)
        assert one != ReconnectPolicy()
