"""Calling actions: the methods that a client, a receiver and a bot have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Final, TypeAlias, cast

from ...message.unset import UNSET, Unset
from ...session import ClientSession
from ..actions import ActionRequest
from ..bots import BotSelf
from ..convert import to_plain
from ..segments import Segment
from .answers import answered
from .files import FRAGMENT, DownloadBy, DownloadedFile, FileSource, Perform, download, upload

META_ACTIONS: Final = frozenset(
    ("get_latest_events", "get_supported_actions", "get_status", "get_version")
)
"""Those that are about the implementation, and have no ``self``."""

Message: TypeAlias = str | Segment | Iterable[Segment]


Limit: TypeAlias = float | Unset | None
"""Seconds; None for no limit, ``UNSET`` for the one that the client was made with."""


class ActionCaller(ABC):
    """What carries actions to an implementation.

    Every method raises what ``perform()`` does.
    """

    __slots__ = ()

    @abstractmethod
    async def perform(self, request: ActionRequest, *, timeout: Limit = UNSET) -> object:
        """Send *request* and return the ``data`` of the answer, plain; its ``echo`` is not used.

        Args:
            timeout: seconds until the answer, waiting for a connection included; None for no limit.

        Raises:
            OneBotError: the action failed; each retcode has its subclass.
            CallTimeoutError: no answer came within the limit.
            DisconnectedError: the connection ended before the answer came.
            NotConnectedError: there is no connection, and will be none.
            TokenRefusedError: the implementation refused the access token.
            InvalidAnswerError: what came is no answer.
            ClientError: the request failed in another way.
            TypeError, ValueError: the parameters cannot be encoded.
        """

    # `self` is the name of the bot here, as in the specification.
    async def call(
        caller: "ActionCaller",
        action: str,
        /,
        self: BotSelf | None = None,
        *,
        timeout: Limit = UNSET,
        **params: object,
    ) -> Any:
        """Call *action* with *params*, and return the ``data`` of the answer, plain.

        For a parameter that is called ``timeout``, use ``perform()``; one with a prefix is given as ``**{"qq.name":
        value}``.

        Args:
            self: the bot that shall act; needed where one connection has several. If only one is known, it is filled
                in.
            timeout: seconds until the answer; None for no limit; by default the client's, 30 s.
        """
        return await caller.perform(ActionRequest(action, params, _identity(self)), timeout=timeout)

    async def send_message(
        caller: "ActionCaller",
        detail_type: str,
        message: Message,
        /,
        self: BotSelf | None = None,
        *,
        timeout: Limit = UNSET,
        **params: object,
    ) -> str:
        """Send a message, by the action of that name; return its ``message_id``.

        Args:
            detail_type: ``"private"`` with ``user_id=``, ``"group"`` with ``group_id=``, ``"channel"`` with
                ``guild_id=`` and ``channel_id=``, or a platform's own.
            message: a text, a segment, or several segments.
            self: see ``call()``.
            timeout: see ``call()``.
        """
        params |= {"detail_type": detail_type, "message": segments_of(message)}
        request = ActionRequest("send_message", params, _identity(self))
        data = await caller.perform(request, timeout=timeout)
        return cast(str, answered(data, "message_id", str, "send_message"))

    async def upload_file(
        caller: "ActionCaller",
        source: FileSource,
        /,
        self: BotSelf | None = None,
        *,
        name: str | None = None,
        size: int | None = None,
        fragment_size: int = FRAGMENT,
        timeout: Limit = UNSET,
    ) -> str:
        """Upload a file and return its ``file_id``: in one piece if it fits in a fragment, else in fragments.

        At most one fragment is in memory. The implementation gets the SHA-256 of the whole file.

        Args:
            source: a path, bytes, a file that is open for reading, or an async iterable of bytes.
            self: see ``call()``.
            name: of the file; that of the path by default.
            size: bytes in all; needed for an async iterable.
            fragment_size: bytes of a fragment; base64 makes them a third longer, and peers take 4 MiB.
            timeout: seconds for each action.

        Raises:
            ValueError: *name* or *size* is missing, or the source is not as long as *size*.
            OSError: the file cannot be read.
        """
        perform = _bound(caller, self, timeout)
        return await upload(perform, source, name=name, size=size, fragment_size=fragment_size)

    async def download_file(
        caller: "ActionCaller",
        file_id: str,
        path: str | PathLike[str],
        /,
        self: BotSelf | None = None,
        *,
        by: DownloadBy = "fragments",
        fragment_size: int = FRAGMENT,
        max_size: int | None = None,
        session: ClientSession | None = None,
        timeout: Limit = UNSET,
    ) -> DownloadedFile:
        """Get a file into *path*, which appears only when the file is complete and its SHA-256 is right.

        Args:
            file_id: of the file.
            path: where it is written; an existing file is replaced.
            self: see ``call()``.
            by: ``"fragments"`` (``get_file_fragmented``), ``"data"`` (``get_file``, in one piece in memory), or
                ``"url"``: the implementation names a URL, from which the file is read piece by piece, without the
                access token.
            fragment_size: bytes that are asked for at a time.
            max_size: bytes after which to give up; None for any number.
            session: what requests the URL; by default one for this download alone. Give one with an
                ``AddressPolicy`` if the implementation is not to be trusted with the addresses it names.
            timeout: seconds for each action. A download from a URL may take any time, and be silent for 60 s.

        Raises:
            FileDigestError: what came is not the file, or is longer than *max_size*; nothing is written.
            OSError: *path* cannot be written.
        """
        perform = _bound(caller, self, timeout)
        return await download(
            perform,
            file_id,
            path,
            by=by,
            fragment_size=fragment_size,
            max_size=max_size,
            session=session,
        )


def _identity(bot: BotSelf | None) -> BotSelf | None:
    if bot is not None and not isinstance(cast(object, bot), BotSelf):
        raise TypeError(f"self={bot!r}; give a Bot or a BotSelf")
    return bot


def _bound(caller: ActionCaller, bot: BotSelf | None, timeout: Limit) -> Perform:
    """Return a function that performs actions for *bot*."""
    identity = _identity(bot)

    async def perform(action: str, params: Mapping[str, object]) -> object:
        return await caller.perform(ActionRequest(action, dict(params), identity), timeout=timeout)

    return perform


def segments_of(message: Message) -> list[object]:
    """Return *message* as a list of segments, plain."""
    if isinstance(message, str):
        return [Segment("text", {"text": message}).to_dict()]
    if isinstance(message, Segment):
        return [message.to_dict()]
    return [to_plain(segment) for segment in message]
