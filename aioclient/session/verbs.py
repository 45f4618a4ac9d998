"""One method for each verb."""

from typing import Unpack

from yarl import URL

from .arguments import RequestArguments
from .pending import RequestContextManager


class Verbs:
    """The verbs of a session; each is a call with its own method."""

    __slots__ = ()

    def _call(
        self, method: str, url: str | URL, arguments: RequestArguments
    ) -> RequestContextManager:
        """Return the call as what can be awaited or entered."""
        raise NotImplementedError

    def get(self, url: str | URL, **arguments: Unpack[RequestArguments]) -> RequestContextManager:
        """Send a GET request; see ``request()``."""
        return self._call("GET", url, arguments)

    def options(
        self, url: str | URL, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send an OPTIONS request; see ``request()``."""
        return self._call("OPTIONS", url, arguments)

    def head(self, url: str | URL, **arguments: Unpack[RequestArguments]) -> RequestContextManager:
        """Send a HEAD request, which follows no redirects unless told to; see ``request()``."""
        arguments.setdefault("allow_redirects", False)
        return self._call("HEAD", url, arguments)

    def post(self, url: str | URL, **arguments: Unpack[RequestArguments]) -> RequestContextManager:
        """Send a POST request; see ``request()``."""
        return self._call("POST", url, arguments)

    def put(self, url: str | URL, **arguments: Unpack[RequestArguments]) -> RequestContextManager:
        """Send a PUT request; see ``request()``."""
        return self._call("PUT", url, arguments)

    def patch(self, url: str | URL, **arguments: Unpack[RequestArguments]) -> RequestContextManager:
        """Send a PATCH request; see ``request()``."""
        return self._call("PATCH", url, arguments)

    def delete(
        self, url: str | URL, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a DELETE request; see ``request()``."""
        return self._call("DELETE", url, arguments)
