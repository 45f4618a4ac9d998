"""One decision of a cache, from the fields to the answer, made by the code itself."""

from itertools import pairwise

from multidict import CIMultiDict, CIMultiDictProxy
from svg import WIDTH, Drawing

from aioclient.middlewares.cache import Entry
from aioclient.middlewares.cache.directives import request_directives, response_directives
from aioclient.middlewares.cache.freshness import age_of, freshness_of
from aioclient.middlewares.cache.reuse import Use, use_of
from aioclient.middlewares.cache.settings import CacheSettings

STORED = {"Cache-Control": "max-age=60, stale-while-revalidate=30", "Age": "5", "ETag": '"a1"'}
LATER = 70  # seconds after it came
ANSWERS = {
    Use.FRESH: "it answers",
    Use.STALE: "it answers, since the request takes it",
    Use.BEHIND: "it answers at once, and is validated behind",
    Use.ASK: "the server is asked first",
    Use.ASK_ON_REQUEST: "the server is asked first",
}
LEFT, RIGHT, LONGEST = 20, WIDTH - 20, 120


def caching() -> Drawing:
    """Draw what becomes of a stored response when a request comes for it."""
    fields = CIMultiDictProxy(CIMultiDict(STORED))
    entry = Entry("", "", "", 200, "OK", (1, 1), fields, (), 0.0, 0.0)
    settings = CacheSettings()
    said = response_directives(fields)
    freshness = freshness_of(entry, said, settings)
    age = age_of(entry, freshness, LATER)

    def use_at(seconds: float) -> Use:
        asked = request_directives(CIMultiDict())
        return use_of(said, freshness, seconds, asked, settings)

    drawing = Drawing("From the fields of a stored response to the answer", 262)
    drawing.text(LEFT, 20, "what the server sent", "name")
    for row, (name, value) in enumerate(STORED.items()):
        drawing.text(LEFT + 10, 40 + 18 * row, f"{name}: {value}", "code")
    drawing.text(LEFT, 108, f"{LATER} s later a request comes for it", "name")
    steps = (
        f"lifetime {freshness.lifetime:.0f} s  (max-age)",
        f"age {freshness.initial_age:.0f} + {LATER} = {age:.0f} s  (Age, and the time since)",
        f"left {freshness.lifetime - age:.0f} s: {use_at(age).value}",
    )
    for row, text in enumerate(steps):
        drawing.text(LEFT + 10, 128 + 18 * row, text, "small")

    def x(seconds: float) -> float:
        return LEFT + (RIGHT - LEFT) * seconds / LONGEST

    changes = [0, *(n for n in range(1, LONGEST) if use_at(n) is not use_at(n - 1)), LONGEST]
    kinds = {Use.FRESH: "bar", Use.BEHIND: "bar again"}
    names = {Use.FRESH: "fresh", Use.BEHIND: "revalidating", Use.ASK: "stale"}
    for start, end in pairwise(changes):
        use = use_at(start)
        drawing.box(x(start), 184, x(end) - x(start), 24, kinds.get(use, "box"))
        drawing.text(
            (x(start) + x(end)) / 2,
            200,
            names[use],
            "inside" if use in kinds else "small",
            "middle",
        )
        drawing.text(x(start), 222, f"{start} s", "small", "start" if not start else "middle")
    drawing.arrow((x(age), 232), (x(age), 210))
    drawing.text(x(age), 248, f"age {age:.0f} s: {ANSWERS[use_at(age)]}", "small", "middle")
    return drawing
