"""Where tokens are kept: in memory, or in a file that processes share."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from ....threads import SETTINGS
from .policy import OAuth2Token, token_from_json

if sys.platform != "win32":
    import fcntl

_VERSION: Final = 1
_MAX_SIZE: Final = 2**20  # bytes; a token has some hundred
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.2  # seconds between two looks at a lock of another process


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens for the next program, or for others that run at the same time.

    *key* is a hash that stands for the token endpoint, the client, the scope and the user; it holds no secret.
    """

    async def load(self, key: str) -> OAuth2Token | None:
        """Return the token that was saved last; None if there is none."""

    async def save(self, key: str, token: OAuth2Token) -> None:
        """Keep *token* in place of the one before; when it returns, the token is safe."""

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return what keeps others from renewing the same token meanwhile."""


class TokenMemory:
    """Tokens in memory: for credentials of one process that share them."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens: dict[str, OAuth2Token] = {}

    async def load(self, key: str) -> OAuth2Token | None:
        """Return the token that was saved last; None if there is none."""
        return self._tokens.get(key)

    async def save(self, key: str, token: OAuth2Token) -> None:
        """Keep *token* in place of the one before."""
        self._tokens[key] = token

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return nothing that waits: one credential renews its token once at a time."""
        return contextlib.nullcontext()

    def __repr__(self) -> str:
        return f"<TokenMemory of {len(self._tokens)} tokens>"


class TokenFile:
    """Tokens in a JSON file that its owner alone can read (mode 0600), and that is replaced as a whole.

    Processes that renew the same token wait for each other, by a lock on a second file of that name with ``.lock``; on
    Windows they do not. What is in the file and no token is as if it were not there.

    Args:
        path: of the file; ``~`` is the user's home. Missing folders are made, for their owner alone.
    """

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path).expanduser()

    async def load(self, key: str) -> OAuth2Token | None:
        """Return the token that was saved last; None if there is none.

        Raises:
            OSError: the file is there and cannot be read.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(SETTINGS, _read, self.path)
        return token_from_json(found.get(key))

    async def save(self, key: str, token: OAuth2Token) -> None:
        """Replace the file by one that has *token* in place of the one before.

        Raises:
            OSError: it cannot be written.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(SETTINGS, _write, self.path, key, token)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Keep other processes from renewing a token of this file."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_name(f"{self.path.name}.lock"), _LOCK_FLAGS, 0o600)
        try:
            wait = _FIRST_WAIT
            while not _locked(descriptor):
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            yield
        finally:
            os.close(descriptor)  # which unlocks it

    def __repr__(self) -> str:
        return f"TokenFile({str(self.path)!r})"


_LOCK_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


def _locked(descriptor: int) -> bool:
    """Lock the file if nobody else has; tell whether it is ours."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SIZE)
    except FileNotFoundError:
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict) or value.get("version") != _VERSION:
        return {}
    tokens = value.get("tokens")
    return tokens if isinstance(tokens, dict) else {}


def _write(path: Path, key: str, token: OAuth2Token) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    tokens = {**_read(path), key: token.as_json()}
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"version": _VERSION, "tokens": tokens}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
