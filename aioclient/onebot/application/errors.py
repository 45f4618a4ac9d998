"""What goes wrong between an application and an implementation, beside actions that fail."""

from ...exceptions import ClientConnectionError, ClientError, ClientPayloadError, ServerTimeoutError

__all__ = (
    "CallTimeoutError",
    "DisconnectedError",
    "FileDigestError",
    "InvalidAnswerError",
    "NotConnectedError",
    "TokenRefusedError",
)


class TokenRefusedError(ClientError):
    """An implementation refused the access token, or wants one; ``status`` is 401 or 403."""

    def __init__(self, label: str, status: int) -> None:
        super().__init__(label, status)
        self.label = label
        self.status = status

    def __str__(self) -> str:
        return f"{self.label}: refused with {self.status}; give access_token= the implementation's token"


class NotConnectedError(ClientConnectionError):
    """There is no connection for an action; nothing was sent."""


class DisconnectedError(ClientConnectionError):
    """The connection ended before the answer to ``action`` came. Whether it was carried out is not known."""

    def __init__(self, label: str, action: str, reason: str) -> None:
        super().__init__(label, action, reason)
        self.label = label
        self.action = action
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.label}: {self.action}: disconnected before the answer: {self.reason}; "
            "whether the action was carried out is not known"
        )


class CallTimeoutError(ServerTimeoutError):
    """The answer to ``action`` did not come within ``seconds``. It may have been carried out, or may still be."""

    def __init__(self, label: str, action: str, seconds: float, found: str) -> None:
        super().__init__(label, action, seconds, found)
        self.label = label
        self.action = action
        self.seconds = seconds
        self.found = found

    def __str__(self) -> str:
        return f"{self.label}: {self.action}: {self.found} within timeout={self.seconds:g} s"


class InvalidAnswerError(ClientPayloadError):
    """What came as the answer to an action is none; the text says why."""


class FileDigestError(ClientPayloadError):
    """A file is not the one that its SHA-256 is of, or not as long as announced; it was not kept."""
