"""Bodies of blocking code: an iterator runs in the thread of the call that sends it, files become multipart."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial
from io import BytesIO, TextIOBase
from typing import Any, Final

from aiohttp import BytesPayload, FormData

from .portal import Errands

_END: Final = object()


class CallersIterable:
    """The chunks of a blocking iterable, each taken by the thread that waits for the call.

    So database cursors, locks and context variables stay in their thread, and a slow source blocks no other call.
    """

    __slots__ = ("_errands", "_source")

    def __init__(self, source: Iterable[bytes], errands: Errands) -> None:
        self._source = source
        self._errands = errands

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _pieces(self._source, self._errands)


async def _pieces(source: Iterable[bytes], errands: Errands) -> AsyncIterator[bytes]:
    iterator = await errands.ask(partial(iter, source))

    def following() -> Any:
        return next(iterator, _END)

    while (piece := await errands.ask(following)) is not _END:
        yield piece


def is_iterated(data: object) -> bool:
    """Tell whether *data* is an iterable whose ``__next__`` is code of the caller's, and not form fields or a file."""
    return (
        hasattr(data, "__iter__")
        and not isinstance(data, str | bytes | bytearray | memoryview | Mapping | list | tuple)
        and not hasattr(data, "read")
        and type(data).__module__.partition(".")[0] != "aiohttp"
    )


def body_of(data: Any, files: Any) -> tuple[Any, Errands | None]:
    """Return what an asynchronous session sends for *data* and *files*, and what the caller has to run meanwhile."""
    if files:
        return multipart(data, files), None
    if not is_iterated(data):
        return data, None
    errands = Errands()
    if isinstance(data, Iterator):  # it can be sent only once, so its replacement can be, too
        return _pieces(data, errands), errands
    return CallersIterable(data, errands), errands


def multipart(data: Any, files: Any) -> FormData:
    """Return a form of *data*, fields, and *files*: (name, file), or (name, (file name, file, type, headers)).

    Raises:
        ValueError: *data* is no mapping or pairs, with which files could be sent.
        TypeError: a value of *files* is not valid.
    """
    if isinstance(data, str | bytes):
        raise ValueError(
            "data must be a mapping or pairs where files are given: they are sent as one form"
        )
    form = FormData(default_to_multipart=True)
    fields = () if data is None else data.items() if isinstance(data, Mapping) else data
    for name, value in fields:
        for item in value if isinstance(value, list | tuple) else (value,):
            if item is not None:
                form.add_field(_name(name), item if isinstance(item, str | bytes) else str(item))
    for name, given in files.items() if isinstance(files, Mapping) else files:
        if given is not None:
            _add_file(form, _name(name), given)
    return form


def _name(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _add_file(form: FormData, name: str, given: Any) -> None:
    filename: str | None = name
    kind = None
    if isinstance(given, tuple):
        if not 2 <= len(given) <= 3:
            raise TypeError(
                f"files[{name!r}] must be a file, or (file name, file[, content type]), found a tuple of {len(given)}"
            )
        filename, content = given[:2]
        kind = given[2] if len(given) == 3 else None
    else:
        content = given
        path = getattr(content, "name", None)
        if isinstance(path, str) and path[:1] + path[-1:] != "<>":
            filename = path.replace("\\", "/").rpartition("/")[2]
    if isinstance(content, TextIOBase):  # its length is not known before it is encoded
        content = BytesIO(content.read().encode())
    if not hasattr(content, "read") and not isinstance(
        content, str | bytes | bytearray | memoryview
    ):
        raise TypeError(
            f"files[{name!r}] must be an open file, str or bytes, found {type(content).__name__}"
        )
    if filename is None and isinstance(content, bytes | bytearray | memoryview):
        content = _field(bytes(content))
    form.add_field(name, content, filename=filename, content_type=kind)


def _field(value: bytes) -> str | BytesPayload:
    """Return *value* as what a form does not take for a file."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return BytesPayload(value)
