"""Pairs of names and values, the accepted form of headers, cookies and parameters."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

_START_OF_LINE = re.compile(r"[\w\-.]*").match


def checked_pairs(argument: str, pairs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each of *pairs*, which were given as *argument*.

    Raises:
        TypeError: one of them is not a pair; the text does not repeat its value, which may be a secret.
    """
    for number, pair in enumerate(pairs):
        if isinstance(pair, (tuple, list)) and len(pair) == 2:
            yield pair[0], pair[1]
            continue
        where = f"{argument}[{number}]"
        if isinstance(pair, str):
            name = getattr(_START_OF_LINE(pair), "group", str)()[:40]
            raise TypeError(
                f"{where} must be a pair, found the str '{name}…'; "
                f'write a mapping, {argument}={{"{name}": "…"}}, or pairs, {argument}=[("{name}", "…")]'
            )
        size = f" of {len(pair)}" if isinstance(pair, (tuple, list)) else ""
        raise TypeError(f"{where} must be a (name, value) pair, found {type(pair).__name__}{size}")
