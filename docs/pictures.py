"""Make pictures of the built pages in headless Chromium, on a desk and on a phone, light and dark.

    python docs/pictures.py [--out DIR] [PAGE ...]        pages as in: reference/session

It fails, and names what sticks out, when a page is wider than its window; and when a search does not find first the
page that it should. ``make docs`` comes before; on Debian and Ubuntu ``apt-get install chromium``.
"""

import argparse
import asyncio
import base64
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioclient

BUILT = Path(__file__).parent / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome")
WINDOWS = {1280: 900, 390: 844}
SCHEMES = ("light", "dark")
TALLEST = 6000  # of a picture, in pixels
SEARCHES = {
    "timeout": "reference/timeouts",
    "proxy": "reference/proxies",
    "cookies": "reference/cookies",
    "websocket": "reference/websocket",
    "auth": "reference/authentication",
    "session": "reference/session",
}
# What is wider than the window, and not within something that scrolls or is hidden beside it.
WIDER = """(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = (each) => {
        for (; each; each = each.parentElement) {
            const style = getComputedStyle(each);
            const whole = each === document.body || each === document.documentElement;
            if (!whole && style.overflowX !== "visible") return true;
            if (style.position === "fixed") return true;
        }
        return false;
    };
    const found = [...document.querySelectorAll("body *")].filter(
        (each) => each.getBoundingClientRect().right > width + 1 && !scrolls(each));
    return ["page " + document.documentElement.scrollWidth + " px",
        ...found.slice(-5).map((each) => each.tagName + "." + each.className + " " + each.textContent.slice(0, 60))];
})()"""
# Tables that a reader would have to push sideways.
PUSHED = """[...document.querySelectorAll(".table-wrapper")].filter(
    (each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent.trim().slice(0, 60))"""
FIRST_FOUND = """(() => {
    const link = document.querySelector("#search-results ul.search li a, ul.search li a");
    return link && link.getAttribute("href");
})()"""


class Tab:
    """One page of the browser, by its DevTools protocol."""

    def __init__(self, ws: aioclient.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._number = 0
        self._session: str | None = None

    async def open(self) -> None:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        await self.call("Page.enable")

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._ws.send_json(message)
        while True:
            answer = await self._ws.receive_json()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    async def run(self, script: str) -> Any:
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    async def go(self, url: str, width: int, scheme: str) -> None:
        """Show a page in a window of *width*, and wait until it is there."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=WINDOWS[width],
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=media)
        await self.call("Page.navigate", url=url)
        await self.wait('document.readyState === "complete" && location.href !== "about:blank"')

    async def wait(self, condition: str) -> None:
        async with asyncio.timeout(20):
            while not await self.run(condition):  # noqa: ASYNC110 - the browser tells nobody
                await asyncio.sleep(0.05)

    async def picture(self, path: Path, width: int) -> None:
        height = await self.run("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}
        taken = await self.call(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        path.write_bytes(base64.b64decode(taken["data"]))  # noqa: ASYNC240 - nothing else runs


@asynccontextmanager
async def browser() -> AsyncIterator[Tab]:
    """Run Chromium with a profile of its own."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise SystemExit("no Chromium: on Debian and Ubuntu, apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stderr is not None  # noqa: S101
            address = ""
            async for line in process.stderr:
                _, found, address = line.decode(errors="replace").partition("listening on ")
                if found:
                    break
            async with (
                aioclient.ClientSession(timeout=None) as session,
                session.ws_connect(address.strip(), max_msg_size=0) as ws,
            ):
                tab = Tab(ws)
                await tab.open()
                yield tab
        finally:
            process.terminate()
            await process.wait()


async def look(pages: Iterable[str], out: Path, *, search: bool) -> list[str]:
    """Make the pictures in *out*; return what is wrong."""
    wrong: list[str] = []
    async with browser() as tab:
        for page in pages:
            for width in WINDOWS:
                for scheme in SCHEMES:
                    await tab.go((BUILT / f"{page}.html").as_uri(), width, scheme)
                    name = f"{page.replace('/', '-')}-{width}-{scheme}.png"
                    await tab.picture(out / name, width)
                wrong += [f"{page} at {width} px: {each}" for each in await tab.run(WIDER)]
                wrong += [f"{page} at {width} px: table {each}" for each in await tab.run(PUSHED)]
        for word, page in SEARCHES.items() if search else ():
            await tab.go(f"{(BUILT / 'search.html').as_uri()}?q={word}", 1280, "light")
            await tab.wait('document.querySelector("ul.search li a") !== null')
            first = (await tab.run(FIRST_FOUND)).partition("#")[0].partition("?")[0]
            if first != f"{page}.html":
                wrong.append(f"searching {json.dumps(word)} finds {first}, not {page}.html")
    return wrong


def main() -> int:
    """Make the pictures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", help="default: all")
    parser.add_argument("--out", type=Path, default=BUILT.parent / "pictures")
    options = parser.parse_args()
    found = sorted(
        path.relative_to(BUILT).with_suffix("").as_posix()
        for path in BUILT.rglob("*.html")
        if not {"_static", "_modules"} & set(path.parts) and path.stem not in ("genindex", "search")
    )
    if not found:
        raise SystemExit(f"no pages in {BUILT}: run `make docs` first")
    options.out.mkdir(parents=True, exist_ok=True)
    wrong = asyncio.run(look(options.pages or found, options.out, search=not options.pages))
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    sys.stdout.write(f"{options.out}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
