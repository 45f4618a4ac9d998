"""Credentials for proxies: Basic at once, a digest once a challenge is known."""

from secrets import token_hex

from multidict import CIMultiDictProxy

from ...message.digest import Nonces, answer, strongest
from ...message.headers import PROXY_AUTHORIZATION
from ...message.proxy import Proxy


class Logins:
    """The challenges of proxies with digest credentials.

    A challenge is used only for the same proxy with the same credentials: the key is the whole proxy value.
    """

    __slots__ = ("_nonces",)

    def __init__(self) -> None:
        self._nonces: Nonces[Proxy] = Nonces()

    def fields(self, proxy: Proxy, method: str, target: str) -> list[tuple[str, str]]:
        """Return the fields for *proxy* in a request for *target*."""
        fields = proxy.fields()
        login = proxy.auth
        if login is None or not login.digest:
            return fields
        challenge = self._nonces.known(proxy)
        if challenge is not None:
            value = answer(
                challenge,
                login.login,
                login.password,
                method,
                target,
                self._nonces.count(proxy),
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
        self._nonces.learn(proxy, challenge)
        return True
