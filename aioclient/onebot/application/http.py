"""Actions by HTTP, and the events that ``get_latest_events`` fetches."""

import asyncio
import logging
import random
import time
from typing import Final, cast

from aiohttp import hdrs

from ...exceptions import CALL_ERRORS, TotalTimeoutError
from ...message.timeout import ClientTimeout
from ...reconnecting import ReconnectPolicy
from ...reconnecting.outcome import described, outcome_of_error
from ...reconnecting.policy import Stop
from ...response.client_response import ClientResponse
from ...session import ClientSession
from ..actions import ActionRequest, ActionResponse
from ..authorization import authorization
from ..encoding import MAX_MESSAGE, Encoding, decode, encoding_of
from ..errors import OneBotError
from .answers import result_of
from .bots import KnownBots
from .errors import CallTimeoutError, InvalidAnswerError, TokenRefusedError
from .intake import Intake
from .websocket import REFUSALS, encoded

MAX_EVENTS: Final = 64 * 2**20
"""Bytes of an answer to ``get_latest_events``: what is not accepted is lost, because the implementation forgets it."""
BATCH: Final = 100
"""Events that one answer may have."""
SHORTEST_POLL: Final = 1.0
"""Seconds between two requests if the first one brought nothing: some implementations ignore the timeout."""

_log = logging.getLogger("aioclient.onebot.application")


class HttpCalls:
    """Sends actions by HTTP, each in a request of its own.

    Args:
        session: what sends them.
        url: of the implementation.
        label: the same without secrets.
    """

    def __init__(
        self,
        session: ClientSession,
        url: str,
        label: str,
        *,
        access_token: str | None,
        encoding: Encoding,
    ) -> None:
        self.label = label
        self._session = session
        self._url = url
        self._encoding = encoding
        self._headers = {
            hdrs.CONTENT_TYPE: encoding.content_type,
            **authorization(access_token),
        }

    async def perform(self, request: ActionRequest, limit: float | None) -> object:
        """Send *request*, and return the data of its answer; see ``ActionCaller.perform()``."""
        response, _ = await self.ask(request, limit, MAX_MESSAGE)
        return result_of(response, request.action)

    async def ask(
        self, request: ActionRequest, limit: float | None, most: int
    ) -> tuple[ActionResponse, int]:
        """Send *request*; return its answer, of at most *most* bytes, and how many they were."""
        try:
            async with self._session.post(
                self._url,
                data=encoded(request, self._encoding),
                headers=self._headers,
                timeout=ClientTimeout(total=limit),
                allow_redirects=False,  # the token must not travel
                raise_for_status=False,
                max_body_size=most,
            ) as response:
                body = await self._body(response)
                return self._parsed(response, body), len(body)
        except TotalTimeoutError as error:
            raise CallTimeoutError(
                self.label, request.action, cast(float, limit), "no answer came"
            ) from error

    async def _body(self, response: ClientResponse) -> bytes:
        if response.status in REFUSALS:
            raise TokenRefusedError(self.label, response.status)
        await response.check_status()
        if response.status != 200:
            raise InvalidAnswerError(
                f"{self.label}: the answer has status {response.status}, not 200; redirects are not followed"
            )
        return await response.read()

    def _parsed(self, response: ClientResponse, body: bytes) -> ActionResponse:
        content_type = response.headers.get(hdrs.CONTENT_TYPE)
        encoding = self._encoding if content_type is None else encoding_of(content_type)
        if encoding is None:
            raise InvalidAnswerError(
                f"{self.label}: the answer is {content_type!r}, which is not an encoding of OneBot"
            )
        try:
            return ActionResponse.parse(decode(body, encoding))
        except ValueError as error:
            raise InvalidAnswerError(f"{self.label}: {error}") from None


class Polling:
    """Fetches events by one request after another, each of which waits for events at the implementation.

    Args:
        calls: what sends the requests.
        seconds: for which a request waits for events; a whole number.
        limit: seconds for the answer beyond that.
        policy: how long to wait after a failure.
    """

    def __init__(
        self,
        calls: HttpCalls,
        intake: Intake,
        bots: KnownBots,
        *,
        seconds: int,
        limit: float | None,
        policy: ReconnectPolicy,
    ) -> None:
        self._calls = calls
        self._intake = intake
        self._bots = bots
        self._limit = None if limit is None else seconds + limit
        self._policy = policy
        self._seconds = seconds
        self._request = ActionRequest("get_latest_events", {"limit": BATCH, "timeout": seconds})

    async def run(self) -> None:
        """Fetch events while somebody listens.

        Raises:
            TokenRefusedError: the token was refused.
            OneBotError: the implementation refuses the action, as without events over HTTP.
            ClientError, TimeoutError: the policy allows no further attempt.
        """
        stream, failures = self._intake.stream, 0
        while True:
            await stream.wait_until(lambda: stream.is_listened_to)
            await stream.wait_room()
            try:
                await self._poll()
                failures = 0
            except TokenRefusedError:
                raise
            except CALL_ERRORS as error:
                if isinstance(error, OneBotError) and error.retcode // 10_000 == 1:
                    raise
                failures = await self._after_failure(error, failures)

    async def _poll(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        response, size = await self._calls.ask(self._request, self._limit, MAX_EVENTS)
        events = result_of(response, self._request.action)
        if not isinstance(events, list):
            raise InvalidAnswerError(
                f"{self._calls.label}: {self._request.action}: expected list, found {type(events).__name__}"
            )
        for event in events:
            problem = self._intake.take(event, size // len(events), source="", bots=self._bots)
            if problem is not None:
                _log.warning("%s: %s", self._calls.label, problem)
        left = SHORTEST_POLL - (clock() - began)
        if not events and left > 0:
            await asyncio.sleep(left)

    async def _after_failure(self, error: Exception, failures: int) -> int:
        """Wait as the policy says; return the new number of failures in a row."""
        outcome = outcome_of_error(error, time.time())
        decision = self._policy.decide(outcome, failures, None, random.random())
        if isinstance(decision, Stop):
            raise error
        _log.info(
            "%s: no events: %s; asking again in %.3f s",
            self._calls.label,
            described(outcome),
            decision.delay,
        )
        await asyncio.sleep(decision.delay)
        return decision.failures
