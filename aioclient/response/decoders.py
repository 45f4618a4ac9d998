"""Decoders that refuse: for a body that is read raw, and for a coding that cannot be decoded."""

from typing import Final

from ..exceptions import ContentDecodingError
from ..message.codings import Decoder, make_decoder


class Undecoded:
    """Replaces the decoder of a body that is read raw."""

    __slots__ = ()

    pending = True

    def decode(self, data: bytes, max_length: int) -> bytes:
        """Raise."""
        raise RuntimeError(
            "the body is being read undecoded, by read_raw() or iter_raw(); what is left of it cannot be decoded"
        )

    def finish(self) -> None:
        """Never called: something is pending."""


RAW: Final = Undecoded()


class Refusing:
    """The decoder for an unsupported coding: decoding raises the *error*."""

    __slots__ = ("_error",)

    pending = True

    def __init__(self, error: ContentDecodingError) -> None:
        self._error = error

    def decode(self, data: bytes, max_length: int) -> bytes:
        """Raise."""
        raise self._error

    def finish(self) -> None:
        """Never called: something is pending."""


def decoder_for(content_encoding: str, lenient: bool) -> Decoder | None:
    """Return the decoder for *content_encoding*, as ``make_decoder()``, but raise its errors only on decoding."""
    try:
        return make_decoder(content_encoding, lenient=lenient)
    except ContentDecodingError as error:
        return Refusing(error)
