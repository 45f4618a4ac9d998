"""Credentials for proxies: Basic at once, a digest once a challenge is known."""

from collections import OrderedDict
from secrets import token_hex
from typing import Final

from multidict import CIMultiDictProxy

from ...message.digest import Challenge, answer, strongest
from ...message.headers import PROXY_AUTHORIZATION
from ...message.proxy import Proxy

_REMEMBERED: Final = 256  # proxies; a forgotten one is asked for its challenge again


class _State:
    """The challenge of one proxy, and how many answers were made."""

    __slots__ = ("challenge", "count")

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        self.count = 0


class Logins:
    """The challenges of proxies with digest credentials.

    A challenge is used only for the same proxy with the same credentials: the key is the whole proxy value. A new
    challenge replaces the previous one, whatever its realm.
    """

    __slots__ = ("_states",)

    def __init__(self) -> None:
        self._states: OrderedDict[Proxy, _State] = OrderedDict()

    def fields(self, proxy: Proxy, method: str, target: str) -> list[tuple[str, str]]:
        """Return the fields for *proxy* in a request for *target*."""
        fields = proxy.fields()
        login = proxy.auth
        if login is None or not login.digest:
            return fields
        state = self._states.get(proxy)
        if state is not None:
            state.count += 1
            value = answer(
                state.challenge,
                login.login,
                login.password,
                method,
                target,
                state.count,
                token_hex(16),
            )
            fields.append((PROXY_AUTHORIZATION, value))
        return fields

    def learn(self, proxy: Proxy, headers: "CIMultiDictProxy[str]") -> bool:
        """Store the challenge of a 407 response; return whether it can be answered."""
        if proxy.auth is None or not proxy.auth.digest:
            return False
        challenge = strongest(headers.getall("Proxy-Authenticate", ()))
        if challenge is None:
            return False
        self._states[proxy] = _State(challenge)
        self._states.move_to_end(proxy)
        if len(self._states) > _REMEMBERED:
            self._states.popitem(last=False)
        return True
