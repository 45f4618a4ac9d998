"""When the next request may go: plain values, and what servers say."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

import aioclient
from aioclient.message.rate_limits import Advice, advice
from aioclient.middlewares.rate_limit.policy import Learned, Rule, Slots, limiter_for

RULES = st.builds(
    Rule,
    st.integers(1, 20),
    st.sampled_from([0.5, 1.0, 7.0, 60.0]),
    algorithm=st.sampled_from(["token_bucket", "sliding_window"]),
)
ARRIVALS = st.lists(st.floats(0, 3), min_size=1, max_size=120)


def moments(rule: Rule, arrivals: list[float]) -> list[float]:
    """Return the moments of the permits of requests that come so many seconds after each other."""
    limiter, now, result = limiter_for(rule), 1000.0, []
    for later in arrivals:
        now += later
        at = limiter.next(now)
        assert at >= now
        limiter.take(at)
        result.append(at)
    return result


class TestLimits:
    @given(RULES, ARRIVALS)
    def test_first_come_first_served(self, rule: Rule, arrivals: list[float]) -> None:
        """Nobody's moment is before that of who came earlier."""
        given_ = moments(rule, arrivals)
        assert given_ == sorted(given_)

    @given(RULES, ARRIVALS)
    def test_a_window(self, rule: Rule, arrivals: list[float]) -> None:
        """A sliding window has never more than its rate; a bucket no more than rate and burst."""
        given_ = moments(rule, arrivals)
        most = rule.rate if rule.algorithm == "sliding_window" else rule.rate + rule.at_once
        for first, at in enumerate(given_):
            assert sum(at <= other < at + rule.per - 1e-6 for other in given_[first:]) <= most

    @given(RULES, st.integers(1, 100))
    def test_nothing_is_lost(self, rule: Rule, count: int) -> None:
        """Those who come at once go as early as the limit allows."""
        given_ = moments(rule, [0.0] * count)
        if rule.algorithm == "token_bucket":
            expected = [1000 + max(0, n - rule.at_once + 1) * rule.interval for n in range(count)]
        else:
            expected = [1000 + n // int(rule.rate) * rule.per for n in range(count)]
        assert given_ == pytest.approx(expected)

    @given(RULES, st.floats(0, 100))
    def test_a_block(self, rule: Rule, seconds: float) -> None:
        """No permit is for a moment before the end of a block."""
        limiter = limiter_for(rule)
        limiter.block(1000 + seconds)
        assert limiter.next(1000.0) == 1000 + seconds
        assert limiter.is_fresh(1000 + seconds)

    @given(RULES, st.integers(1, 10))
    def test_shares(self, rule: Rule, processes: int) -> None:
        """The shares of all processes together are no faster than the limit."""
        share = rule.share(processes)
        assert share.rate / share.per * processes <= rule.rate / rule.per * (1 + 1e-9)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"rate": 0}, ValueError),
        ({"rate": -1}, ValueError),
        ({"rate": math.nan}, ValueError),
        ({"rate": "10"}, TypeError),
        ({"per": 0}, ValueError),
        ({"burst": 0}, ValueError),
        ({"burst": 1.5}, TypeError),
        ({"algorithm": "leaky"}, ValueError),
        ({"algorithm": "sliding_window", "rate": 1.5}, ValueError),
        ({"algorithm": "sliding_window", "burst": 3}, ValueError),
        ({"by": "path"}, ValueError),
        ({"max_wait": -1}, ValueError),
        ({"max_wait": "1"}, TypeError),
        ({"store": "redis://127.0.0.1"}, TypeError),
        ({"on_change": 3}, TypeError),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """An argument that makes no sense raises at construction, and its name is in the text."""
    with pytest.raises(error, match=list(arguments)[-1]):
        aioclient.RateLimit(**{"rate": 10, **arguments})


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Advice()),
        ({"RateLimit": '"default";r=50;t=30'}, Advice(50, 30.0)),
        ({"RateLimit": '"a";r=50;t=30, "b";r=0;t=7'}, Advice(0, 7.0)),
        ({"RateLimit": "default;r=5"}, Advice(5, None)),
        ({"RateLimit": "limit=100, remaining=50, reset=30"}, Advice(50, 30.0)),
        ({"RateLimit-Policy": '"b";q=100;w=60'}, Advice(quota=100, window=60.0)),
        ({"RateLimit-Policy": '"b";q=100;w=60,"c";q=1000;w=3600'}, Advice(quota=1000, window=3600)),
        ({"RateLimit-Policy": '"b";q=100'}, Advice()),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "9"}, Advice(3, 9.0)),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "9"}, Advice(3, 9.0)),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "9.7"}, Advice(3, 9.0)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 12:.0f}"}, Advice(0, 12.0)),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{(NOW + 12) * 1000:.0f}"},
            Advice(0, 12.0),
        ),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5"}, Advice(0, 5.0)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "999999999"}, Advice(0, 21600.0)),
        ({"X-RateLimit-Remaining": "many"}, Advice()),
        ({"X-RateLimit-Remaining": "-1"}, Advice()),
        ({"RateLimit": "r"}, Advice()),
    ],
)
def test_what_servers_say(fields: dict[str, str], expected: Advice) -> None:
    """The draft's fields in both of its shapes and those of most servers are read."""
    assert advice(CIMultiDict(fields), NOW) == expected


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_cannot_be_read(field: str, policy: str) -> None:
    """Whatever a server sends, it is read or it is no advice."""
    fields = {"RateLimit": field, "RateLimit-Policy": policy, "X-RateLimit-Reset": field}
    said = advice(CIMultiDict(fields), NOW)
    assert said.reset is None or 0 <= said.reset <= 21600


class TestLearned:
    def test_what_is_left(self) -> None:
        """No more requests go than the server says are left, until it resets."""
        learned = Learned()
        learned.take(0.0)
        assert learned.learn(Advice(2, 30.0), 0.0, 1, Rule(100)) == 0.0
        for expected in (1.0, 1.0, 30.0):
            at = learned.next(1.0)
            assert at == expected
            learned.take(at)
        assert learned.next(31.0) == 31.0

    def test_those_under_way(self) -> None:
        """Requests that the server had not seen when it answered count."""
        learned = Learned()
        for _ in range(5):
            learned.take(0.0)
        learned.learn(Advice(4, 30.0), 0.0, 1, Rule(100))
        assert learned.next(1.0) == 30.0

    def test_nothing_left(self) -> None:
        """Nothing may go for as long as the server says."""
        assert Learned().learn(Advice(0, 7.0), 0.0, 0, Rule(100)) == 7.0

    def test_a_policy(self) -> None:
        """A policy that is slower than the limit goes before it; a faster one changes nothing."""
        learned = Learned()
        learned.learn(Advice(quota=2, window=10.0), 0.0, 0, Rule(100))
        found = []
        for _ in range(4):
            at = learned.next(0.0)
            learned.take(at)
            found.append(at)
        assert found == [0.0, 0.0, 5.0, 10.0]
        learned.learn(Advice(quota=5000, window=10.0), 0.0, 0, Rule(100))
        assert learned.next(0.0) == 0.0

    @given(st.lists(st.floats(0, 100), max_size=20), st.floats(0, 100), st.floats(0.1, 5))
    def test_a_delay_of_those_who_wait(
        self, waiting: list[float], until: float, interval: float
    ) -> None:
        """After a block they follow one by one, none earlier than before."""
        slots = Slots()
        for moment in waiting:
            slots.add(moment)
        slots.delay(until, interval)
        after = [slots.nth(place) for place in range(len(slots))]
        assert all(new >= max(old, until) for old, new in zip(sorted(waiting), after, strict=True))
        early = [moment for moment, old in zip(after, sorted(waiting), strict=True) if old < until]
        for one, other in itertools.pairwise(early):
            assert other - one >= interval - 1e-9
