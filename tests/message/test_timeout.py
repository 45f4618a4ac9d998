"""Timeouts: which spellings there are, and what each means."""

import dataclasses
import math
from typing import Any

import aiohttp
import pytest

from aioclient.message.timeout import DEFAULT_TIMEOUT, ClientTimeout, coerce_timeout

NO_LIMIT = ClientTimeout()


class TestClientTimeout:
    def test_fields_stand_in_the_order_that_aiohttp_has(self) -> None:
        """Positional arguments mean what they mean to `aiohttp.ClientTimeout`."""
        ours = ClientTimeout(1, 2, 3, 4, 6)
        theirs = aiohttp.ClientTimeout(1, 2, 3, 4, 6)
        for name in ("total", "connect", "sock_read", "sock_connect", "ceil_threshold"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert ours.pool is None

    def test_defaults_are_those_of_aiohttp(self) -> None:
        """300 s for the call, 30 s for a connection."""
        assert (DEFAULT_TIMEOUT.total, DEFAULT_TIMEOUT.sock_connect) == (300, 30)
        assert (DEFAULT_TIMEOUT.connect, DEFAULT_TIMEOUT.sock_read) == (None, None)

    @pytest.mark.parametrize("none", [None, 0, 0.0, math.inf, 10**400])
    def test_no_limit_is_none(self, none: float | None) -> None:
        """Every spelling of "no limit" is the same value."""
        assert ClientTimeout(none, none, none, none, pool=none) == NO_LIMIT

    @pytest.mark.parametrize("name", ["total", "connect", "sock_read", "sock_connect", "pool"])
    @pytest.mark.parametrize("wrong", [-1, -0.5, math.nan, -math.inf])
    def test_refuses_what_is_no_duration(self, name: str, wrong: float) -> None:
        """Negative numbers and NaN raise when the value is made, with the field's name."""
        with pytest.raises(ValueError, match=rf"^timeout\.{name}="):
            ClientTimeout(**{name: wrong})

    @pytest.mark.parametrize("wrong", ["5", True, [1], b"1"])
    def test_refuses_what_is_no_number(self, wrong: Any) -> None:
        """Text and booleans are no seconds."""
        with pytest.raises(TypeError, match=r"^timeout\.connect is "):
            ClientTimeout(connect=wrong)

    def test_is_a_value(self) -> None:
        """It can be compared, hashed and changed into another, but not in place."""
        timeout = ClientTimeout(total=5, pool=1)
        assert hash(timeout) == hash(ClientTimeout(total=5, pool=1))
        assert dataclasses.replace(timeout, total=0) == ClientTimeout(pool=1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            timeout.total = 6  # type: ignore[misc]


class TestCoerceTimeout:
    @pytest.mark.parametrize(
        ("value", "timeout"),
        [
            (5, ClientTimeout(total=5)),
            (0.25, ClientTimeout(total=0.25)),
            (None, NO_LIMIT),
            (0, NO_LIMIT),
            (math.inf, NO_LIMIT),
            ((3, 7), ClientTimeout(connect=3, sock_read=7)),
            ((3.05, None), ClientTimeout(connect=3.05)),
            ((None, None), NO_LIMIT),
            (
                aiohttp.ClientTimeout(total=9, connect=1, sock_read=2, sock_connect=0),
                ClientTimeout(total=9, connect=1, sock_read=2),
            ),
            (ClientTimeout(pool=2), ClientTimeout(pool=2)),
        ],
    )
    def test_accepts(self, value: object, timeout: ClientTimeout) -> None:
        """A number is the total, a pair is connect and read, a `ClientTimeout` is itself."""
        assert coerce_timeout(value) == timeout

    @pytest.mark.parametrize("value", [True, False, "5", [1, 2], {"total": 5}, 1j, (1, "2")])
    def test_refuses_other_types(self, value: object) -> None:
        """What is no spelling of a timeout raises and says what is one."""
        with pytest.raises(TypeError, match="seconds"):
            coerce_timeout(value)

    @pytest.mark.parametrize(
        "value",
        [-1, math.nan, (1,), (1, 2, 3), (), (-1, 2), aiohttp.ClientTimeout(total=-1)],
    )
    def test_refuses_wrong_numbers(self, value: object) -> None:
        """Negative limits, NaN and tuples that are no pairs raise."""
        with pytest.raises(ValueError, match="seconds"):
            coerce_timeout(value)


def test_it_equals_aiohttps() -> None:
    """Equal limits are equal, whoever's class they are of, and serve as one key."""
    ours = ClientTimeout(total=300, sock_connect=30)
    theirs = aiohttp.ClientTimeout(total=300, sock_connect=30)
    assert ours == theirs
    assert theirs == ours
    assert {ours: 1}[theirs] == 1  # type: ignore[index]
    assert ours == ClientTimeout(total=300, sock_connect=30)
    assert ours != aiohttp.ClientTimeout(total=300)
    assert ours != ClientTimeout(total=300, sock_connect=30, pool=1)
    assert ClientTimeout(pool=1) != aiohttp.ClientTimeout()
    assert ours != 300
