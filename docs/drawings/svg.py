"""SVG by hand: boxes, arrows and text, whose colours the page's theme gives (``docs/_static/pages.css``).

A drawing is as wide as a phone can show with text that can be read, 460 units.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH = 460
HEAD = 7  # the length of an arrow's head

Point = tuple[float, float]


@dataclass(slots=True)
class Drawing:
    """What was drawn so far."""

    title: str
    height: float
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box") -> None:
        self.parts.append(
            f'<rect class="{kind}" x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" rx="4"/>'
        )

    def text(
        self, x: float, y: float, text: str, kind: str = "", anchor: str = "start", hint: str = ""
    ) -> None:
        title = f"<title>{escape(hint)}</title>" if hint else ""
        classes = f"text {kind}".strip()
        self.parts.append(
            f'<text class="{classes}" x="{n(x)}" y="{n(y)}" text-anchor="{anchor}">{title}{escape(text)}</text>'
        )

    def line(self, *points: Point, kind: str = "line") -> None:
        way = " ".join(f"{n(x)},{n(y)}" for x, y in points)
        self.parts.append(f'<polyline class="{kind}" points="{way}"/>')

    def arrow(self, *points: Point, kind: str = "line") -> None:
        """Draw a line through *points* with a head at the last one."""
        (x0, y0), (x, y) = points[-2:]
        length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1
        dx, dy = (x - x0) / length, (y - y0) / length
        back = (x - HEAD * dx, y - HEAD * dy)
        left = (back[0] - HEAD / 2 * dy, back[1] + HEAD / 2 * dx)
        right = (back[0] + HEAD / 2 * dy, back[1] - HEAD / 2 * dx)
        self.line(*points[:-1], back, kind=kind)
        corners = " ".join(f"{n(a)},{n(b)}" for a, b in ((x, y), left, right))
        self.parts.append(f'<polygon class="head" points="{corners}"/>')

    def __str__(self) -> str:
        lines = "\n".join(self.parts)
        return (
            '<div class="drawing">\n'
            f'<svg viewBox="0 0 {WIDTH} {n(self.height)}" width="{WIDTH}" role="img" '
            f'aria-label="{escape(self.title)}">\n{lines}\n</svg>\n</div>\n'
        )


def n(number: float) -> str:
    """Return a number as short as it goes."""
    return f"{number:.1f}".rstrip("0").rstrip(".")


# State diagrams

BOX = (104, 30)  # wider where a name is longer
LETTER = 8


def states(
    title: str,
    height: float,
    places: Mapping[str, Point],
    arrows: Iterable[tuple[str, str]],
    routes: Mapping[tuple[str, str], tuple[Point, ...]],
    hints: Mapping[str, str],
) -> Drawing:
    """Draw the states at their *places* (centres) and all *arrows*, each by its route or straight."""
    drawing = Drawing(title, height)
    pairs = list(arrows)
    box = (max(BOX[0], LETTER * max(map(len, places))), BOX[1])
    for start, end in pairs:
        route = routes.get((start, end))
        if route is None:
            aside = 10 if (end, start) in pairs else 0
            route = straight(places[start], places[end], box, aside)
        drawing.arrow(*route)
    width, tall = box
    for name, (x, y) in places.items():
        drawing.box(x - width / 2, y - tall / 2, width, tall)
        drawing.text(x, y + 4, name, "name", "middle", hints.get(name, ""))
    return drawing


def straight(start: Point, end: Point, box: Point, aside: float) -> tuple[Point, Point]:
    """Return the line between the borders of two boxes of a size; *aside* of it, for two that go both ways."""
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    x0, y0, x1, y1 = x0 - dy * aside, y0 + dx * aside, x1 - dy * aside, y1 + dx * aside
    from_border = min(
        box[0] / 2 / abs(dx) if abs(dx) > 1e-6 else 1e9,
        box[1] / 2 / abs(dy) if abs(dy) > 1e-6 else 1e9,
    )
    return (
        (x0 + dx * from_border, y0 + dy * from_border),
        (x1 - dx * from_border, y1 - dy * from_border),
    )
