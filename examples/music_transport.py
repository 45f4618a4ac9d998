"""A client of the same music service that is handed its transport, and the user of each request.

The client knows no HTTP library: a transport is anything that sends a ``Call``. One of them is this library's engine,
which serves many users over one pool of connections; another one is a list of answers, for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aioclient


@dataclass(frozen=True)
class Call:
    """One function of the service, and who calls it."""

    api: str
    params: Mapping[str, Any]
    credential: aioclient.Credential | None = None


class Transport(Protocol):
    async def send(self, call: Call) -> Mapping[str, Any]: ...


class EngineTransport:
    """Sends by a session; each user has credentials and cookies of their own."""

    def __init__(self, session: aioclient.ClientSession) -> None:
        self._session = session

    async def send(self, call: Call) -> Mapping[str, Any]:
        if call.credential is None:
            return await self._post(self._session, call)
        auth = aioclient.CredentialAuth(call.credential, verify=True)
        async with aioclient.use_session(self._session, auth=auth) as session:
            return await self._post(session, call)

    async def _post(self, session: aioclient.ClientSession, call: Call) -> Mapping[str, Any]:
        body = {"comm": {"version": "1.0"}, call.api: dict(call.params)}
        async with session.post("api", json=body, raise_for_status=True) as response:
            answers: Mapping[str, Any] = await response.json()
            return answers[call.api]  # type: ignore[no-any-return]


class CannedTransport:
    """Answers by itself; ``calls`` are those that it got."""

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        self.calls: list[Call] = []
        self._answers = iter(answers)

    async def send(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        return next(self._answers)


class Client:
    """The client itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def song(self, number: int) -> str:
        answer = await self._transport.send(Call("songs.detail", {"id": number}))
        return str(answer["data"]["name"])

    async def likes(self, credential: aioclient.Credential) -> list[str]:
        answer = await self._transport.send(Call("users.likes", {}, credential))
        return list(answer["data"])
