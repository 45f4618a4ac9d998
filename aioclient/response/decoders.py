"""What stands where a decoder does: for a body that is read raw, and for a coding that cannot be undone."""

from typing import Final

from ..exceptions import ContentDecodingError
from ..message.codings import Decoder, make_decoder


class Undecoded:
    """Stands where the decoder of a body was that is read raw."""

    __slots__ = ()

    pending = True

    def decode(self, data: bytes, max_length: int) -> bytes:
        """Refuse."""
        raise RuntimeError(
            "the body is being read undecoded, by read_raw() or iter_raw(); what is left of it cannot be decoded"
        )

    def finish(self) -> None:
        """Never reached: something is pending."""


RAW: Final = Undecoded()


class Refusing:
    """A decoder for a coding that cannot be undone: whoever wants it undone gets the *error*."""

    __slots__ = ("_error",)

    pending = True

    def __init__(self, error: ContentDecodingError) -> None:
        self._error = error

    def decode(self, data: bytes, max_length: int) -> bytes:
        """Refuse."""
        raise self._error

    def finish(self) -> None:
        """Never reached: something is pending."""


def decoder_for(content_encoding: str, lenient: bool) -> Decoder | None:
    """Return what undoes *content_encoding*, as ``make_decoder()``; what is wrong with it is raised on decoding."""
    try:
        return make_decoder(content_encoding, lenient=lenient)
    except ContentDecodingError as error:
        return Refusing(error)
