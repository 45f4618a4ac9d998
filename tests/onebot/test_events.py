"""Events, as they are made, sent and read."""

import pytest

from aioclient import onebot
from aioclient.onebot import Encoding


@pytest.mark.parametrize("encoding", Encoding)
def test_an_event_is_the_same_at_its_peer(encoding: Encoding) -> None:
    """An event that was encoded and decoded is equal to itself."""
    event = onebot.GroupMessageEvent(
        self=onebot.Bot("qq", "1"),
        group_id="7",
        user_id="42",
        message=[onebot.text("hi"), onebot.location(1.5, 2.0, "here", "it is")],
        extra={"qq.nickname": "Ann"},
    )
    assert onebot.parse_event(onebot.decode(onebot.encode(event, encoding), encoding)) == event
