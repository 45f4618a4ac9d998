"""Checks of numbers that users give."""


def check_number(name: str, value: object) -> None:
    """Refuse a *value* that is not a number.

    Raises:
        TypeError: it is not; a bool is not one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, found {type(value).__name__}")


def check_count(name: str, value: object, least: int) -> None:
    """Refuse a *value* that is not an integer of at least *least*.

    Raises:
        TypeError, ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, found {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name}={value}; give {least} or more")
