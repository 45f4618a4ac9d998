"""The arithmetic of Digest authentication (RFC 7616): from a challenge to an answer. No I/O, no randomness.

* Of several challenges the strongest supported one is answered; Basic is never answered here.
* A challenge is parsed in one pass. Parts that do not fit the grammar are skipped, or end the parsing.
* An answer is a valid field value: quotes and backslashes in the given values are escaped.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

MAX_CHALLENGES: Final = 16 * 1024  # characters; real challenges have a few hundred


def _hashes() -> dict[str, Callable[[bytes], "hashlib._Hash"]]:
    """Return the supported hashes: hashlib has SHA-512-256 only where OpenSSL has it."""
    found: dict[str, Callable[[bytes], hashlib._Hash]] = {
        "SHA-256": hashlib.sha256,
        "MD5": hashlib.md5,
    }
    if "sha512_256" in hashlib.algorithms_available:
        found["SHA-512-256"] = partial(hashlib.new, "sha512_256")
    return found


_HASHES: Final = _hashes()
# The smallest is the strongest; among equals the server's first one wins (RFC 7616, section 3.7).
_RANKS: Final = {
    name + session: rank + more
    for name, rank in (("SHA-512-256", 0), ("SHA-256", 0), ("MD5", 2))
    for session, more in (("", 0), ("-SESS", 1))
    if name in _HASHES
}

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SEPARATOR: Final = re.compile(r"[ \t,]*")
_SCHEME: Final = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|$)")
_PARAMETER: Final = re.compile(
    rf'({_TOKEN})[ \t]*=[ \t]*(?:([^\s",]+)|"((?:[^"\\]|\\.)*)")[ \t]*(?=,|$)', re.DOTALL
)
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


AUTH: Final = "auth"
AUTH_INT: Final = "auth-int"


class Challenge(NamedTuple):
    """A Digest challenge of a server or proxy.

    ``algorithm`` is in upper case, ``MD5`` if none was named. ``qop`` is False for servers that predate RFC 2617, whose
    answers have no count.
    """

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str | None = None
    qop: str = AUTH
    stale: bool = False
    userhash: bool = False


def challenges(values: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Return scheme and parameters, with names in lower case, of each challenge in the fields' *values*.

    Parsing stops where the text leaves the grammar (RFC 9110, section 11.6.1). If a name is repeated, its first value
    counts.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        if len(value) > MAX_CHALLENGES:
            continue
        at = 0
        parameters: dict[str, str] | None = None
        while (at := _end(_SEPARATOR.match(value, at), at)) < len(value):
            parameter = None if parameters is None else _PARAMETER.match(value, at)
            if parameter is not None and parameters is not None:
                name, bare, quoted = parameter.groups()
                text = _ESCAPED.sub(r"\1", quoted) if bare is None else bare
                parameters.setdefault(name.lower(), text)
                at = parameter.end()
                continue
            scheme = _SCHEME.match(value, at)
            if scheme is None:
                break
            parameters = {}
            found.append((scheme[1].lower(), parameters))
            at = scheme.end()
            # Instead of parameters there may be one base64 token, as after Negotiate.
            at = _end(_TOKEN68.match(value, at), at)
    return found


def strongest(values: Iterable[str], *, integrity: bool = False) -> Challenge | None:
    """Return the strongest Digest challenge in the fields' *values* that can be answered; None if there is none.

    With *integrity* one that wants the body covered can be, too; where the server leaves the choice, it is not.
    """
    best: tuple[int, Challenge] | None = None
    for scheme, parameters in challenges(values):
        if scheme != "digest" or "realm" not in parameters or not parameters.get("nonce"):
            continue
        algorithm = parameters.get("algorithm")
        folded = "MD5" if algorithm is None else algorithm.upper()
        if folded not in _RANKS:
            continue
        qop = _chosen_qop(parameters.get("qop"), integrity)
        if qop is None:
            continue
        challenge = Challenge(
            parameters["realm"],
            parameters["nonce"],
            parameters.get("opaque"),
            algorithm,
            qop,
            parameters.get("stale", "").lower() == "true",
            parameters.get("userhash", "").lower() == "true",
        )
        rank = _RANKS[folded]
        if best is None or rank < best[0]:
            best = rank, challenge
    return None if best is None else best[1]


def _chosen_qop(offered: str | None, integrity: bool) -> str | None:
    """Return which quality of protection to answer with; None for none of those that are *offered*."""
    if offered is None:
        return ""
    words = [word.strip().lower() for word in offered.split(",")]
    if AUTH in words:
        return AUTH
    return AUTH_INT if integrity and AUTH_INT in words else None


def answer(
    challenge: Challenge,
    login: str,
    password: str,
    method: str,
    uri: str,
    count: int,
    cnonce: str,
    body: bytes = b"",
) -> str:
    """Return the value of the ``Authorization`` or ``Proxy-Authorization`` field.

    Args:
        challenge: the challenge to answer.
        login: sent as UTF-8, as is everything here.
        password: a secret shared with the other side.
        method: of the request.
        uri: its target, exactly as in the request line.
        count: number of requests answered for this nonce, this one included: starts at 1.
        cnonce: random text without quotes, new for each answer.
        body: of the request, where the challenge wants it covered.
    """
    name = (challenge.algorithm or "MD5").upper()
    session = name.endswith("-SESS")
    make = _HASHES[name.removesuffix("-SESS")]

    def digest(text: str) -> str:
        return make(text.encode("utf-8", "surrogateescape")).hexdigest()

    secret = digest(f"{login}:{challenge.realm}:{password}")
    if session:
        secret = digest(f"{secret}:{challenge.nonce}:{cnonce}")
    asked = f"{method}:{uri}"
    if challenge.qop == AUTH_INT:
        asked = f"{asked}:{make(body).hexdigest()}"
    asked = digest(asked)
    number = f"{count:08x}"
    if challenge.qop:
        response = digest(f"{secret}:{challenge.nonce}:{number}:{cnonce}:{challenge.qop}:{asked}")
    else:
        response = digest(f"{secret}:{challenge.nonce}:{asked}")
    user = digest(f"{login}:{challenge.realm}") if challenge.userhash else login
    parts = [
        f"username={_quoted(user)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{response}"',
    ]
    if challenge.algorithm is not None:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        parts.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.qop:
        parts += [f"qop={challenge.qop}", f"nc={number}"]
    if challenge.qop or session:
        parts.append(f"cnonce={_quoted(cnonce)}")
    if challenge.userhash:
        parts.append("userhash=true")
    return f"Digest {', '.join(parts)}"


def answers(field: str, nonce: str) -> bool:
    """Tell whether *field*, which ``answer()`` returned, is for a challenge with *nonce*."""
    return f", nonce={_quoted(nonce)}, " in field  # quotes within other values are escaped


def nonce_in(values: Iterable[str]) -> str | None:
    """Return the nonce that the ``Authentication-Info`` fields' *values* name for the next request; None for none.

    RFC 7616, section 3.5.
    """
    for value in values:
        for _, parameters in challenges([f"Digest {value}"]):
            if parameters.get("nextnonce"):
                return parameters["nextnonce"]
    return None


class Nonces(Generic[K]):
    """The last challenge of each of those that ask for digests, and how many answers it got.

    What is known of one is never used for another, and a new challenge replaces the one before, of whatever realm. Of
    more than *most* the one that is longest unused is forgotten, and asks again.
    """

    __slots__ = ("_most", "_states")

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._states: OrderedDict[K, list[Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def learn(self, key: K, challenge: Challenge) -> None:
        """Answer *challenge* from now on."""
        self._states[key] = [challenge, 0]
        self._states.move_to_end(key)
        if len(self._states) > self._most:
            self._states.popitem(last=False)

    def known(self, key: K) -> Challenge | None:
        """Return the challenge to answer; None before there was one."""
        state = self._states.get(key)
        return None if state is None else state[0]

    def count(self, key: K) -> int:
        """Return the number of the next answer to it."""
        state = self._states[key]
        state[1] += 1
        count: int = state[1]
        return count


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _end(match: "re.Match[str] | None", otherwise: int) -> int:
    return otherwise if match is None else match.end()
