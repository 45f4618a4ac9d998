"""The response, its body as a stream, and its lease of the connection that carries the body."""

from .client_response import ClientResponse

__all__ = ("ClientResponse",)
