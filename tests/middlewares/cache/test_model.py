"""Random sequences of responses, clocks and requests, against a second model of the RFC: slow, plain, and its own.

The model keeps every response that the origin ever gave, with what is true of it in plain numbers, and looks for each
answer from the cache whether RFC 9111 lets this very response answer this request now. It shares no code with the
cache: it knows what the fields mean because it has written them.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aioclient import Cache, ClientConnectionError, ClientResponse, ClientSession, Request
from aioclient.testing import within

from .origin import Clock, Origin

PATHS = ["/a", "/b"]


@dataclass
class Said:
    """What a response says; seconds, None for nothing."""

    max_age: int | None = None
    s_maxage: int | None = None
    expires: int | None = None
    age: int = 0
    date: int | None = None
    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    while_revalidate: int | None = None
    if_error: int | None = None
    varies: bool = False
    tagged: bool = False
    modified: int | None = None
    immutable: bool = False
    status: int = 200


@dataclass
class Asked:
    """What a request says."""

    path: str = "/a"
    user: str | None = None
    flavour: str | None = None
    no_store: bool = False
    no_cache: bool = False
    max_age: int | None = None
    min_fresh: int | None = None
    max_stale: int | None = None
    fails: bool = False
    method: str = "GET"


@dataclass
class Record:
    """A response that the origin gave; whether it is fresh is unsure after a HEAD of its path."""

    said: Said
    asked: Asked
    at: float
    dead: bool = False
    unsure: bool = False
    refreshed: list[tuple[float, Said]] = field(default_factory=list)


seconds = st.sampled_from([0, 1, 5, 10, 50, 1000])
maybe = st.none() | seconds
said = st.builds(
    Said,
    max_age=maybe,
    s_maxage=maybe,
    expires=st.none() | st.sampled_from([-5, 0, 5, 50]),
    age=st.sampled_from([0, 0, 3, 60]),
    date=st.none() | st.sampled_from([0, -4, 4]),
    no_store=st.sampled_from([False] * 9 + [True]),
    no_cache=st.sampled_from([False] * 5 + [True]),
    private=st.booleans(),
    public=st.booleans(),
    must_revalidate=st.sampled_from([False] * 3 + [True]),
    proxy_revalidate=st.sampled_from([False] * 3 + [True]),
    while_revalidate=maybe,
    if_error=maybe,
    varies=st.booleans(),
    tagged=st.booleans(),
    modified=st.none() | st.sampled_from([-10, -500]),
    immutable=st.booleans(),
    status=st.sampled_from([200] * 6 + [404, 302, 201, 500]),
)
asked = st.builds(
    Asked,
    path=st.sampled_from(PATHS),
    user=st.sampled_from([None, None, "a", "b"]),
    flavour=st.sampled_from([None, "x", "y"]),
    no_store=st.sampled_from([False] * 9 + [True]),
    no_cache=st.sampled_from([False] * 9 + [True]),
    max_age=st.none() | st.none() | seconds,
    min_fresh=st.none() | st.none() | seconds,
    max_stale=st.none() | st.none() | seconds,
    fails=st.sampled_from([False] * 4 + [True]),
    method=st.sampled_from(["GET"] * 12 + ["POST", "HEAD"]),
)
steps = st.lists(st.tuples(seconds, said, asked), min_size=2, max_size=14)


def fields_of(said: Said, clock: Clock, number: int) -> list[tuple[str, str]]:
    """Write a response's fields."""
    words = []
    for name in ("max_age", "s_maxage"):
        if (value := getattr(said, name)) is not None:
            words.append(f"{name.replace('_', '-').replace('s-max-age', 's-maxage')}={value}")
    for name in (
        "no_store",
        "no_cache",
        "private",
        "public",
        "must_revalidate",
        "proxy_revalidate",
        "immutable",
    ):
        if getattr(said, name):
            words.append(name.replace("_", "-"))
    if said.while_revalidate is not None:
        words.append(f'stale-while-revalidate="{said.while_revalidate}"')
    if said.if_error is not None:
        words.append(f"STALE-IF-ERROR={said.if_error}")
    fields = [("Cache-Control", word) for word in reversed(words)]
    if said.expires is not None:
        fields.append(("Expires", clock.date(said.expires)))
    if said.age:
        fields.append(("Age", str(said.age)))
    if said.date is not None:
        fields.append(("Date", clock.date(said.date)))
    if said.varies:
        fields.append(("Vary", "X-Flavour"))
    if said.tagged:
        fields.append(("ETag", f'"{number}"'))
    if said.modified is not None:
        fields.append(("Last-Modified", clock.date(said.modified)))
    return fields


def lifetime(said: Said, *, shared: bool) -> float:
    """RFC 9111, sections 4.2.1 and 4.2.2, for what the generator writes."""
    made = 0 if said.date is None else said.date
    if shared and said.s_maxage is not None:
        return said.s_maxage
    if said.max_age is not None:
        return said.max_age
    if said.expires is not None:
        return max(0, said.expires - made)
    if said.modified is not None and (said.status in (200, 404) or said.public):
        return max(0.0, (made - said.modified) / 10)
    return 0


def age_at(said: Said, received: float, now: float) -> float:
    """Section 4.2.3; the origin takes no time."""
    apparent = 0 if said.date is None else max(0, -said.date)
    return max(apparent, said.age) + now - received


def why_not(
    record: Record, wanted: Asked, now: float, *, shared: bool, stands_in: bool
) -> str | None:
    """Return why a response may not answer a request without its server; None if it may."""
    received, said = (record.at, record.said)
    if record.refreshed:
        received, said = record.refreshed[-1]
    if record.dead:
        return "it was made invalid"
    if record.asked.path != wanted.path:
        return "it is another resource's"
    if said.no_store or record.asked.no_store:
        return "it was not to be stored"
    if shared:
        if said.private:
            return "it is private"
        unsaid = not (said.public or said.must_revalidate or said.s_maxage is not None)
        if record.asked.user is not None and unsaid:
            return "it was for a login"
    elif record.asked.user != wanted.user:
        return "it is another user's"
    if said.varies and record.asked.flavour != wanted.flavour:
        return "it is another variant"
    if record.unsure:
        return None
    if said.no_cache or wanted.no_cache:
        return "it is to be validated"
    age, life = age_at(said, received, now), lifetime(said, shared=shared)
    stale_for = age - life
    is_fresh = life > age
    strict = said.must_revalidate or (
        shared and (said.proxy_revalidate or said.s_maxage is not None)
    )
    if stands_in:
        if strict or said.if_error is None or not stale_for < said.if_error:
            return "it may not stand in for an error"
        return None
    if wanted.min_fresh is not None and life - age < wanted.min_fresh:
        return "it is not fresh enough"
    excess = 0.0 if wanted.max_age is None else age - wanted.max_age
    allowed = -1 if wanted.max_stale is None else wanted.max_stale
    if excess > 0 and not (said.immutable and is_fresh) and excess > allowed:
        return "it is too old"
    if is_fresh:
        return None
    if strict:
        return "it is stale, and may not be"
    if wanted.max_stale is not None and stale_for <= wanted.max_stale:
        return None
    if said.while_revalidate is not None and stale_for < said.while_revalidate:
        return None
    return "it is stale"


class Model:
    """The origin, and what is known of it."""

    def __init__(self, clock: Clock, *, shared: bool) -> None:
        self.clock = clock
        self.shared = shared
        self.records: list[Record] = []
        self.next = Said()
        self.wanted = Asked()
        self.fails = False

    def answer(self, request: Request, number: int) -> Any:
        if self.fails:
            raise ClientConnectionError("down")
        tag = request.headers.get("If-None-Match", "").strip('"')
        if tag.isdigit() and self.next.tagged and int(tag) % 2 == 0:
            # Every other response has not changed: the new words are about it.
            record = self.records[int(tag)]
            newer = self.laid_over(record)
            record.refreshed.append((self.clock.now, newer))
            return 304, [*fields_of(self.next, self.clock, int(tag))], b""
        record = Record(self.next, self.wanted, self.clock.now)
        self.records.append(record)
        number = len(self.records) - 1
        return self.next.status, fields_of(self.next, self.clock, number), b"%d" % number

    def laid_over(self, record: Record) -> Said:
        """Return what is said after a 304: its fields take the place of those of the same name."""
        older = record.refreshed[-1] if record.refreshed else (record.at, record.said)
        moved = older[0] - self.clock.now  # dates of the older one, seen from now
        said, old = self.next, older[1]
        has_words = any(name == "Cache-Control" for name, _ in fields_of(said, self.clock, 0))
        words = said if has_words else old
        date = 0 if said.date is None else said.date
        return Said(
            max_age=words.max_age,
            s_maxage=words.s_maxage,
            expires=said.expires
            if said.expires is not None
            else (None if old.expires is None else int(old.expires + moved)),
            age=said.age,
            date=date,
            no_store=words.no_store,
            no_cache=words.no_cache,
            private=words.private,
            public=words.public,
            must_revalidate=words.must_revalidate,
            proxy_revalidate=words.proxy_revalidate,
            immutable=words.immutable,
            while_revalidate=words.while_revalidate,
            if_error=words.if_error,
            varies=said.varies or old.varies,
            tagged=True,
            modified=said.modified
            if said.modified is not None
            else (None if old.modified is None else int(old.modified + moved)),
            status=old.status,
        )


def headers_of(wanted: Asked) -> dict[str, str]:
    words = []
    for name in ("max_age", "min_fresh", "max_stale"):
        if (value := getattr(wanted, name)) is not None:
            words.append(f"{name.replace('_', '-')}={value}")
    for name in ("no_store", "no_cache"):
        if getattr(wanted, name):
            words.append(name.replace("_", "-"))
    headers = {"Cache-Control": ", ".join(words)} if words else {}
    if wanted.user is not None:
        headers["Authorization"] = f"Bearer {wanted.user}"
    if wanted.flavour is not None:
        headers["X-Flavour"] = wanted.flavour
    return headers


async def play(story: list[tuple[int, Said, Asked]], *, shared: bool) -> None:
    clock = Clock()
    model = Model(clock, shared=shared)
    origin = Origin(model.answer)
    cache = Cache(clock=clock, shared=shared)
    async with ClientSession("http://a.example/", connector=origin, middlewares=[cache]) as session:
        for wait, next_, wanted in story:
            clock.now += wait
            model.next, model.wanted, model.fails = next_, wanted, wanted.fails
            try:
                async with session.request(
                    wanted.method, wanted.path, headers=headers_of(wanted), allow_redirects=False
                ) as response:
                    body = await response.read()
            except ClientConnectionError:
                assert wanted.fails
                continue
            check(model, wanted, response, body)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            model.fails = False


def check(model: Model, wanted: Asked, response: ClientResponse, body: bytes) -> None:
    status = response.cache_status
    assert status is not None
    if wanted.method == "POST":
        assert not status.hit
        if response.status < 400:
            for record in model.records[:-1]:
                record.dead |= record.asked.path == wanted.path
            model.records[-1].dead = True
        return
    if wanted.method == "HEAD":
        if status.hit:
            assert any(
                why_not(each, wanted, model.clock.now, shared=model.shared, stands_in=wanted.fails)
                is None
                for each in model.records
            )
        elif model.records:
            # It may refresh what is stored, or make it invalid.
            for record in model.records:
                record.unsure |= record.asked.path == wanted.path
        return
    record = model.records[int(body)]
    assert response.status == record.said.status
    if status.hit:
        told = why_not(
            record,
            wanted,
            model.clock.now,
            shared=model.shared,
            stands_in=status.detail is not None,
        )
        assert told is None, (told, record, wanted, status)
    elif status.status == 304:
        assert record.refreshed
        assert record.refreshed[-1][0] == model.clock.now
        assert not record.dead
        assert record.asked.path == wanted.path
        assert model.shared or record.asked.user == wanted.user
    else:
        assert record is model.records[-1]


@pytest.mark.rows("CACHE-01", "CACHE-03", "CACHE-04")
@pytest.mark.parametrize("shared", [False, True])
def test_no_answer_that_the_rules_forbid(shared: bool) -> None:
    """Whatever comes in whatever order, no response answers that the plain model would not let answer."""

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps)
    def story(story: list[tuple[int, Said, Asked]]) -> None:
        runner.run(within(30, play(story, shared=shared)))

    with asyncio.Runner() as runner:
        story()
