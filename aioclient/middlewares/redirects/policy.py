"""What a redirect takes along, decided without I/O.

===================================  ==============================  =========================================
hop                                  credentials                     a body that the method keeps
===================================  ==============================  =========================================
to the same origin                   go along                        goes along
to another origin                    if ``keep_credentials`` has it  if ``send_body`` has it, else an error
from https to http (``"strip"``)     stay behind                     is an error
from https to http (``"allow"``)     as to any other origin          as to any other origin
from https to http (``"forbid"``)    is an error                     is an error
===================================  ==============================  =========================================
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from typing import Final, Literal, cast, get_args

from yarl import URL

from ...exceptions import shown
from ...message.origin import Origin, origin_of, origins_of

Downgrade = Literal["strip", "allow", "forbid"]


@dataclass(frozen=True, slots=True)
class Redirect:
    """One hop, as ``RedirectPolicy`` decided it; ``dataclasses.replace()`` makes another decision from it.

    Attributes:
        status: of the response that redirects: 301, 302, 303, 307 or 308.
        method: of the request that would follow.
        url: the URL that was answered.
        target: the URL that would follow.
        has_body: whether the request that would follow has a body.
        follow: whether it is followed; if not, the call returns the response that redirects.
        keep_credentials: whether ``auth``, ``signer``, the call's cookies and fields that carry secrets go along. They
            can only if they went to ``url``.
        send_body: whether the body may go along; if not, and there is one, ``CrossOriginBodyError`` is raised.
    """

    status: int
    method: str
    url: URL
    target: URL
    has_body: bool
    follow: bool = True
    keep_credentials: bool = False
    send_body: bool = False

    def __repr__(self) -> str:
        return f"<Redirect {self.status} to {self.method} {shown(self.target)}>"


class RedirectPolicy:
    """What redirects may take along to another origin (scheme, host or port), for ``redirect_policy=``.

    Without a policy, credentials and bodies stay with the origin of the call.

    Args:
        keep_credentials: URLs of origins, such as ``https://files.example.com``, to which credentials may go along.
        send_body: the same for the bodies that 307 and 308 repeat.
        https_to_http: what a redirect from https to http may do: "strip" takes along neither credentials nor a body,
            whatever the lists say; "allow" goes by the lists; "forbid" raises ``UnsafeRedirectError``.
        decide: a plain function that gets each hop as a ``Redirect``, with what was decided so far, and returns it, or
            another one made of it; None for no change. If it changes the target to another origin, that one gets only
            what the lists allow.

    Raises:
        TypeError, ValueError: an argument is not of its kind, or a URL is more than an origin.
    """

    __slots__ = ("decide", "https_to_http", "keep_credentials", "send_body")

    def __init__(
        self,
        *,
        keep_credentials: Iterable[str | URL] = (),
        send_body: Iterable[str | URL] = (),
        https_to_http: Downgrade = "strip",
        decide: Callable[[Redirect], Redirect | None] | None = None,
    ) -> None:
        if https_to_http not in get_args(Downgrade):
            raise ValueError(
                f"https_to_http must be 'strip', 'allow' or 'forbid', found {https_to_http!r}"
            )
        if decide is not None and not callable(decide):
            raise TypeError(f"decide must be callable, found {type(decide).__name__}")
        if iscoroutinefunction(decide):
            raise TypeError("decide must be a plain function, found a coroutine function")
        self.keep_credentials: frozenset[Origin] = origins_of("keep_credentials", keep_credentials)
        self.send_body: frozenset[Origin] = origins_of("send_body", send_body)
        self.https_to_http: Downgrade = https_to_http
        self.decide: Callable[[Redirect], Redirect | None] | None = decide

    def decided(
        self, status: int, method: str, url: URL, target: URL, *, has_body: bool
    ) -> Redirect:
        """Return the decision about one hop.

        Raises:
            TypeError: ``decide`` returned something else, or a target that is not an absolute URL.
            ClientError: it returned a target that cannot be requested.
        """
        origin, after = origin_of(url), origin_of(target)
        keep, send = self._allowed(origin, after)
        redirect = Redirect(
            status, method, url, target, has_body, keep_credentials=keep, send_body=send
        )
        if self.decide is None:
            return redirect
        changed = self.decide(redirect)
        if not isinstance(cast(object, changed), Redirect | None):
            raise TypeError(
                f"decide of a RedirectPolicy must return a Redirect or None, found {type(changed).__name__}"
            )
        if changed is None:
            return redirect
        found: object = changed.target
        if not isinstance(found, URL) or not found.absolute:
            kind = (
                f"the relative {shown(found)}" if isinstance(found, URL) else type(found).__name__
            )
            raise TypeError(
                f"decide of a RedirectPolicy must return a Redirect with an absolute yarl.URL as its target, "
                f"found {kind}"
            )
        new_origin = origin_of(found)
        if new_origin == after:
            return changed
        keep, send = self._allowed(origin, new_origin)
        return replace(
            changed,
            keep_credentials=changed.keep_credentials and keep,
            send_body=changed.send_body and send,
        )

    def _allowed(self, origin: Origin, after: Origin) -> tuple[bool, bool]:
        """Tell whether credentials, and a body, may go from *origin* to *after*."""
        if origin == after:
            return True, True
        if self.https_to_http == "strip" and is_downgrade(origin, after):
            return False, False
        return after in self.keep_credentials, after in self.send_body

    def __repr__(self) -> str:
        return (
            f"<RedirectPolicy keep_credentials={sorted(map(_name, self.keep_credentials))} "
            f"send_body={sorted(map(_name, self.send_body))} https_to_http={self.https_to_http!r}>"
        )


def is_downgrade(origin: Origin, after: Origin) -> bool:
    """Tell whether a redirect gives up TLS."""
    return origin.is_tls and not after.is_tls


def _name(origin: Origin) -> str:
    return f"{origin.scheme}://{origin.host_field}"


DEFAULT: Final = RedirectPolicy()
