"""The states of many keys: bounded, and cheap to keep."""

from aioclient.message.scopes import MANY, States


def test_those_that_are_as_new_are_dropped() -> None:
    """There are never more than MANY, unless more than half as many are in use."""
    states: States[int, bool] = States()
    for number in range(5 * MANY):
        states.add(number, number % 16 == 0, lambda in_use: not in_use)
        assert len(states) <= MANY
    assert all(states[number] for number in range(0, 5 * MANY, 16))


def test_many_in_use() -> None:
    """A new key does not take a look at all others: a crawler has thousands of origins in use."""
    looks = 0

    def is_fresh(state: int) -> bool:
        nonlocal looks
        looks += 1
        return False

    states: States[int, int] = States()
    count = 20 * MANY
    for number in range(count):
        states.add(number, number, is_fresh)
    assert len(states) == count
    assert looks < 2 * count
