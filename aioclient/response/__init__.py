"""What comes in: the response, its body as a stream, and its hold on what carries it."""

from .client_response import ClientResponse

__all__ = ("ClientResponse",)
