"""The error for arguments that do not exist."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

# Names in requests and httpx, and their names here.
_OTHER_CLIENTS_NAMES: Final = {
    "body": "data",
    "cert": "ssl",
    "content": "data",
    "files": "data",
    "follow_redirects": "allow_redirects",
    "form": "data",
    "verify": "ssl",
}


def unknown_arguments(
    where: str, names: Iterable[str], known: Iterable[str], hint: str = ""
) -> TypeError:
    """Return the error for unknown arguments of *where*, with a hint at the *known* ones that may be meant."""
    among = tuple(known)
    meant = set()
    for name in names:
        if name not in _OTHER_CLIENTS_NAMES:
            meant.update(get_close_matches(name, among, 1))
        elif _OTHER_CLIENTS_NAMES[name] in among:
            meant.add(_OTHER_CLIENTS_NAMES[name])
    if not hint and meant:
        hint = f"did you mean {' or '.join(sorted(meant))}?"
    return TypeError(f"unknown arguments {sorted(names)} of {where}{f'; {hint}' if hint else ''}")
