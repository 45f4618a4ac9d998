"""The four transports of OneBot: who connects to whom, and how actions and events pass."""

from typing import NamedTuple

from svg import WIDTH, Drawing

from aioclient import onebot

SIDE = 20  # of the two boxes from the border
BOX = 96
LEFT, RIGHT = SIDE + BOX, WIDTH - SIDE - BOX
HEAD, ROW = 38, 98


class Row(NamedTuple):
    """A transport: the classes of both sides, how an action passes, and how an event does."""

    title: str
    implementation: str
    application: str
    action: str
    event: str


ROWS = (
    Row("HTTP", "HTTP", "OneBotClient", "a request each", "in the answer to a poll"),
    Row("webhook", "HTTPWebhook", "WebhookReceiver", "in the answer", "a request each"),
    Row("WebSocket", "WebSocket", "OneBotClient", "a message each", "a message each"),
    Row(
        "reverse WebSocket",
        "WebSocketReverse",
        "WebSocketReceiver",
        "a message each",
        "a message each",
    ),
)


def connecting() -> list[str]:
    """Return the classes of the implementation's connections."""
    bases = {onebot.Connection, onebot.ServerConnection, onebot.ClientConnection}
    return [
        name
        for name in onebot.__all__
        if isinstance(found := getattr(onebot, name), type)
        and issubclass(found, onebot.Connection)
        and found not in bases
    ]


def transports() -> Drawing:
    """Draw a row for each transport between the two sides."""
    drawing = Drawing("The four transports of OneBot", HEAD + ROW * len(ROWS))
    for x, title, words in (
        (SIDE, "implementation", "the platform"),
        (RIGHT, "application", "the bot's logic"),
    ):
        drawing.box(x, 0, BOX, HEAD + ROW * len(ROWS))
        drawing.text(x + BOX / 2, 18, title, "name", "middle")
        drawing.text(x + BOX / 2, 32, words, "small", "middle")
    for number, row in enumerate(ROWS):
        top = HEAD + ROW * number
        if number:
            drawing.line((SIDE, top), (WIDTH - SIDE, top), kind="line rule")
        drawing.text(WIDTH / 2, top + 18, row.title, "name", "middle")
        listens = issubclass(getattr(onebot, row.implementation), onebot.ServerConnection)
        _arrow(drawing, top + 42, "connects", to_the_right=not listens)
        _arrow(drawing, top + 64, f"actions: {row.action}", to_the_right=False)
        _arrow(drawing, top + 86, f"events: {row.event}", to_the_right=True)
        for x, name in ((SIDE, row.implementation), (RIGHT, row.application)):
            for line, part in enumerate(_parts(name)):
                drawing.text(x + BOX / 2, top + 44 + 14 * line, part, "code", "middle")
    return drawing


def _arrow(drawing: Drawing, y: float, text: str, *, to_the_right: bool) -> None:
    ends = ((LEFT + 8, y), (RIGHT - 8, y))
    drawing.arrow(*(ends if to_the_right else reversed(ends)))
    drawing.text(WIDTH / 2, y - 5, text, "small", "middle")


def _parts(name: str) -> list[str]:
    """Return a long name in two lines."""
    for end in ("Reverse", "Receiver", "Webhook"):
        if name.endswith(end) and name != end:
            return [name.removesuffix(end), end]
    return [name]
