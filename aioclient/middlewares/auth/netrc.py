"""Credentials from a netrc file, for the host of each hop.

The rules:

* The entry is looked up by the canonical host of the request, again for each attempt and each hop: what was found for
  one host is not used for the next.
* Explicit credentials take precedence: ``auth=``, user and password of the URL, an ``Authorization`` field.
* If a URL names a user, only that user's password is used.
* A proxy without its own login is looked up by its host as well, if it is an HTTP proxy.
* A hop from https to http gets no credentials: a redirect must not cause a password to be sent unencrypted.
* An entry names a host and no port. The caller may use any port. After a redirect, credentials are sent only to the
  port that the caller used and to the default port of the scheme: on another port there may be anybody's service.
* The file is read in a thread, and checked again after a second at the earliest.
"""

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ...chain import Handler
from ...exceptions import NetrcError
from ...message.headers import AUTHORIZATION
from ...message.request import Request
from ...response.client_response import ClientResponse
from ...threads import SETTINGS
from ...warning import NetrcWarning, warn_caller
from .basic import BasicAuth, LoginOfUrl
from .netrc_file import Entry, find_entry, parse_netrc
from .step import send_with

LOOK_AGAIN: Final = 1.0  # seconds; each check needs a thread
_DEFAULT_PORTS: Final = (80, 443)  # without TLS, and with it
MAX_SIZE: Final = 1024 * 1024  # bytes; the largest files in use have a few thousand


class Netrc:
    """A netrc file, for ``ClientSession(netrc=...)``.

    Args:
        path: the file, which must exist; None for the file that ``$NETRC`` names, else ``~/.netrc``, if it exists.
        use_default: whether the ``default`` entry is used for each host that has no entry. It is off by default: with
            it, every host that is called gets a password.
    """

    __slots__ = ("path", "use_default")

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, use_default: bool = False
    ) -> None:
        self.path: Path | None = None if path is None else Path(path)
        self.use_default: bool = use_default

    def find(self) -> Path | None:
        """Return the file's path; None if there is no path to look at."""
        if self.path is not None:
            return self.path
        if named := os.environ.get("NETRC"):
            return Path(named)
        try:
            home = Path.home()
        except RuntimeError:
            return None
        names = (".netrc", "_netrc") if os.name == "nt" else (".netrc",)
        return next((home / name for name in names if (home / name).exists()), None)

    def __repr__(self) -> str:
        return f"<Netrc {self.path or 'of the environment'}>"


NetrcLike = bool | str | os.PathLike[str] | Netrc


def coerce_netrc(netrc: NetrcLike | None, trust_env: bool) -> Netrc | None:
    """Return the netrc file that ``netrc=`` and ``trust_env=`` select; None for no file.

    Raises:
        TypeError: *netrc* is not a path, a bool, None or a ``Netrc``.
    """
    if netrc is None:
        netrc = trust_env
    if isinstance(netrc, bool):
        return Netrc() if netrc else None
    if isinstance(netrc, Netrc):
        return netrc
    if isinstance(netrc, (str, os.PathLike)):
        return Netrc(netrc)
    raise TypeError(
        f"netrc must be a bool, a path or an aioclient.Netrc, found {type(netrc).__name__}"
    )


class _Look(NamedTuple):
    """The result of checking the file."""

    stamp: tuple[object, ...]
    entries: Sequence[Entry] = ()
    problem: str | None = None
    remark: str | None = None


class NetrcStep:
    """The step that writes credentials into requests, where a netrc file may have them."""

    __slots__ = ("_lock", "_look", "_netrc", "_next_look")

    def __init__(self, netrc: Netrc) -> None:
        self._netrc = netrc
        self._look = _Look(())
        self._next_look = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Authorize *request* anew, with its own credentials or those of the file, then send it.

        Raises:
            NetrcError: the file that the session was given cannot be read.
        """
        request.authorization = None
        if request.options.proxies is not None:
            await self._entries()  # for ``login_of()``, which cannot wait
        auth = request.auth
        if self.applies(request):
            auth = self._found(request, await self._entries()) or auth
        return await (handler(request) if auth is None else send_with(auth, request, handler))

    def applies(self, request: Request) -> bool:
        """Tell whether *request* may get the file's credentials for its host."""
        return (
            (request.auth is None or isinstance(request.auth, LoginOfUrl))
            and AUTHORIZATION not in request.fields
            and (not request.history or _may_follow(request))
        )

    @property
    def identity(self) -> str:
        """The file: its logins are not known before it is read."""
        return repr(self._netrc)

    def known_auth(self, request: Request) -> BasicAuth | None:
        """Return the credentials for *request* from the last time that the file was read."""
        return self._found(request, self._look.entries)

    def _found(self, request: Request, entries: Sequence[Entry]) -> BasicAuth | None:
        login = request.auth.login if isinstance(request.auth, LoginOfUrl) else None
        entry = find_entry(entries, request.origin.host, login, use_default=self._netrc.use_default)
        return None if entry is None else _basic(entry)

    def login_of(self, host: str) -> BasicAuth | None:
        """Return the login for a proxy on *host* from the last time that the file was read."""
        entry = find_entry(self._look.entries, host, use_default=self._netrc.use_default)
        return None if entry is None else _basic(entry)

    async def _entries(self) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_look:
            async with self._lock:
                if loop.time() >= self._next_look:
                    await self._look_again(loop)
        if self._look.problem is not None and self._netrc.path is not None:
            raise NetrcError(self._look.problem)
        return self._look.entries

    async def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        before = self._look
        self._look = look = await loop.run_in_executor(SETTINGS, _read, self._netrc, before)
        self._next_look = loop.time() + LOOK_AGAIN
        if look.stamp == before.stamp:
            return
        if look.remark is not None:
            warn_caller(look.remark, NetrcWarning)
        if look.problem is not None and self._netrc.path is None:
            warn_caller(f"{look.problem}; its credentials are not used", NetrcWarning)


def _may_follow(request: Request) -> bool:
    """Tell whether a request that follows a redirect may carry credentials."""
    origin, history = request.origin, request.history
    if not origin.is_tls and any(hop.url.scheme in ("https", "wss") for hop in history):
        return False
    return origin.port in (_DEFAULT_PORTS[origin.is_tls], history[0].url.port)


def _basic(entry: Entry) -> BasicAuth:
    try:
        return BasicAuth(entry.login, entry.password)
    except ValueError:  # not Latin-1
        return BasicAuth(entry.login, entry.password, "utf-8")


def _read(netrc: Netrc, before: _Look) -> _Look:
    """Check the file, in a thread; return *before* if nothing has changed."""
    path = netrc.find()
    if path is None:
        return _Look((None,))
    stamp: tuple[object, ...] = (path, None)
    try:
        found = os.stat(path)
        stamp = (path, found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
        if stamp == before.stamp:
            return before
        if not stat.S_ISREG(found.st_mode):
            return _Look(stamp, problem=f"the netrc file {path} is not a file")
        with open(path, "rb") as file:
            content = file.read(MAX_SIZE + 1)
    except OSError as error:
        return _Look(
            stamp, problem=f"the netrc file {path} cannot be read: {error.strerror or error}"
        )
    if len(content) > MAX_SIZE:
        return _Look(
            stamp, problem=f"the netrc file {path} has more than the {MAX_SIZE} bytes allowed"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        entries, problems = parse_netrc(text)
    except ValueError as error:
        return _Look(stamp, problem=f"the netrc file {path} cannot be understood: {error}")
    remarks = []
    if problems:
        remarks.append(
            f"the netrc file {path} has {len(problems)} lines that are not used: {problems[0]}"
        )
    if os.name == "posix" and found.st_mode & 0o077 and any(entry.password for entry in entries):
        remarks.append(
            f"the netrc file {path} contains passwords and can be read or changed by others "
            f"(mode {stat.S_IMODE(found.st_mode):04o}): chmod 600 {path}"
        )
    return _Look(stamp, entries, remark="; ".join(remarks) or None)
