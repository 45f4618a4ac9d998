"""HTTP webhook of the implementation side: OneBot 12, connect, communication, "HTTP webhook"."""

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from aiohttp import web

from aioclient import Retry
from aioclient.onebot import Bot
from aioclient.onebot.implementation import HTTPWebhook, OneBotImpl
from aioclient.onebot.implementation import webhook as module
from aioclient.testing import run_virtual
from aioclient.waiting import no_waiting

from ..servers.certificates import Certificates
from .applications import BOT, HOST, MESSAGE, Application, application, make

pytestmark = pytest.mark.both_loops


def numbers(app: Application) -> list[str]:
    """Return the message ids that were posted."""
    return [body["message_id"] for _, body in app.posts if body["type"] == "message"]


async def emit(impl: OneBotImpl, *ids: int) -> None:
    for number in ids:
        await impl.emit({**MESSAGE, "message_id": str(number)})


def answer(value: object, content_type: str = "application/json") -> web.Response:
    encode: Any = (
        msgpack.packb if "msgpack" in content_type.lower() else lambda v: json.dumps(v).encode()
    )
    return web.Response(body=encode(value), headers={"Content-Type": content_type})


class TestHttpWebhook:
    """The chapter "HTTP webhook"."""

    @pytest.mark.rows("S002-14")
    def test_configuration(self) -> None:
        """The timeout is in milliseconds, 5,000 unless it is given; 0 is none; no heartbeat unless it is enabled."""
        hook = HTTPWebhook("http://a/")
        assert (hook.timeout, hook.enable_heartbeat, hook.heartbeat_interval) == (5000, False, 5000)
        assert HTTPWebhook("http://a/", timeout=0).timeout == 0
        with pytest.raises(ValueError, match="timeout=-1; give milliseconds, or 0"):
            HTTPWebhook("http://a/", timeout=-1)
        with pytest.raises(ValueError, match="heartbeat_interval=0; give milliseconds"):
            HTTPWebhook("http://a/", heartbeat_interval=0)

    @pytest.mark.rows("S002-15")
    @pytest.mark.parametrize("token", [None, "", "t"])
    async def test_fields(self, token: str | None) -> None:
        """A post has the specification's fields, and the token if there is one."""
        async with application() as app:
            async with make(HTTPWebhook(app.hook, access_token=token)):
                await app.wait_posts(1)
            headers, _ = app.posts[0]
            assert headers["Content-Type"] == "application/json"
            assert headers["User-Agent"].startswith("OneBot/12 (qq) aioclient/")
            assert headers["X-OneBot-Version"] == "12"
            assert headers["X-Impl"] == "qq"
            assert headers.get("Authorization") == ("Bearer t" if token else None)

    async def test_the_status_comes_first(self) -> None:
        """meta.status_update with all bots is posted after the start, and on update_status()."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook), bots=(BOT, Bot("qq", "2")))
            async with impl:
                await impl.emit({**MESSAGE, "self": BOT.to_dict()})
                impl.bots["qq.2"].online = False
                await impl.update_status()
            first, message, last = [body for _, body in app.posts]
            assert (first["type"], first["detail_type"]) == ("meta", "status_update")
            assert [bot["online"] for bot in first["status"]["bots"]] == [True, True]
            assert message["self"] == BOT.to_dict()
            assert [bot["online"] for bot in last["status"]["bots"]] == [True, False]

    @pytest.mark.rows("S002-16")
    async def test_order(self) -> None:
        """Events are posted one after another, each once, in the order in which they were emitted."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))
            async with impl:
                await emit(impl, *range(50))
            assert numbers(app) == [str(number) for number in range(50)]

    @pytest.mark.rows("S002-16")
    @pytest.mark.parametrize("status", [201, 302, 307, 400, 401, 403, 404])
    async def test_failures(self, status: int, caplog: pytest.LogCaptureFixture) -> None:
        """Any other status is a failure, which is logged; the next event follows, the token goes nowhere else."""
        async with application() as app, application() as other:
            impl = make(HTTPWebhook(app.hook, access_token="s3cret"))
            app.answers = [
                web.Response(status=204),
                web.Response(status=status, headers={"Location": other.hook}),
            ]
            async with impl:
                await emit(impl, 1, 2)
            assert numbers(app) == ["1", "2"]
            assert other.posts == []
        (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
        text = record.getMessage()
        assert record.name == "aioclient.onebot.implementation"
        assert f"{app.hook}: event " in text
        assert f"(message.private) was not delivered: answered with {status}" in text
        assert ("is the access_token right?" in text) == (status in (401, 403))
        assert "s3cret" not in caplog.text

    @pytest.mark.rows("S002-16")
    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "application/json; charset=utf-8",
            "application/msgpack",
            "Application/MsgPack; x=y",
        ],
    )
    async def test_actions(self, content_type: str) -> None:
        """The actions in an answer with 200 are carried out in order, across answers too."""
        ran: list[int] = []
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))

            @impl.action("note")
            async def note(number: int) -> None:
                # The first takes longest.
                for _ in range(5 - number):
                    await asyncio.sleep(0)
                ran.append(number)

            actions = [{"action": "note", "params": {"number": number}} for number in range(5)]
            app.answers = [
                answer(actions[:2], content_type.lower()),
                answer(actions[2:], content_type),
            ]
            async with impl:
                await emit(impl, 1)
            assert ran == [0, 1, 2, 3, 4]

    @pytest.mark.rows("S002-16")
    @pytest.mark.parametrize(
        ("response", "why"),
        [
            (answer({"action": "echo"}), "it is no list of actions, but dict"),
            (answer([], "text/plain"), "its Content-Type is neither"),
            (web.Response(body=b"ok", content_type="text/html"), "its Content-Type is neither"),
            (web.Response(body=b"{", content_type="application/json"), "invalid JSON"),
            (web.Response(body=b"\xc1", content_type="application/msgpack"), "invalid MessagePack"),
            (answer([None, 1, {"action": "none", "params": {}}]), None),
        ],
        ids=["dict", "type", "html", "json", "msgpack", "actions"],
    )
    async def test_bad_answers(
        self, response: web.Response, why: str | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An answer that cannot be used, and an action that fails, is a line in the log; nothing is repeated."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))

            async def give(request: web.Request) -> web.Response:
                return web.Response(body=response.body, content_type=response.content_type)

            app.answers = [give]
            async with impl:
                await emit(impl, 1)
            assert numbers(app) == ["1"]
            assert len(app.posts) == 2
        if why is None:
            assert caplog.text.count("an action of an answer failed: 10001") == 2
            assert caplog.text.count("an action of an answer failed: 10002") == 1
        else:
            assert f"{app.hook}: the answer to an event cannot be used: {why}" in caplog.text

    async def test_an_empty_answer(self, caplog: pytest.LogCaptureFixture) -> None:
        """200 without a body is a success."""
        async with application() as app:
            app.answers = [web.Response()]
            async with make(HTTPWebhook(app.hook)):
                await app.wait_posts(1)
        assert not caplog.records

    async def test_a_large_answer(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer of more than 4 MiB is not read."""
        monkeypatch.setattr(module, "MAX_MESSAGE", 1000)
        async with application() as app:
            app.answers = [answer(["x" * 1000])]
            impl = make(HTTPWebhook(app.hook))
            async with impl:
                await emit(impl, 1)
            assert numbers(app) == ["1"]
        assert "it is larger than 1000 bytes" in caplog.text

    @pytest.mark.rows("S002-16")
    @pytest.mark.parametrize("retry", [None, Retry(2)], ids=["default", "own"])
    async def test_an_answer_in_pieces(self, retry: Retry | None) -> None:
        """An answer is read to its end, however it comes and whatever policy retries, of 3 MiB here."""
        ran: list[str] = []
        async with application() as app:
            impl = make(HTTPWebhook(app.hook, retry=retry))

            @impl.action("note")
            def note(text: str) -> None:
                ran.append(text)

            asked = {"action": "note", "params": {"text": "x" * (3 * 2**20)}}
            body = json.dumps([asked]).encode()

            async def piecemeal(request: web.Request) -> web.StreamResponse:
                response = web.StreamResponse(headers={"Content-Type": "application/json"})
                await response.prepare(request)
                for start in (0, 1, 2**19, 2**20, 2**21):
                    end = {0: 1, 1: 2**19, 2**21: len(body)}.get(start, start * 2)
                    await response.write(body[start:end])
                    for _ in range(20):
                        await asyncio.sleep(0)
                return response

            app.answers = [piecemeal]
            async with impl:
                await emit(impl, 1)
        assert ran == ["x" * (3 * 2**20)]

    @pytest.mark.rows("S002-14")
    @pytest.mark.parametrize("own", [False, True])
    def test_an_answer_without_end(self, own: bool, caplog: pytest.LogCaptureFixture) -> None:
        """The timeout is that of the whole answer: one that comes drop by drop holds up nothing for longer."""

        async def main() -> float:
            async with application() as app:

                async def dripping(request: web.Request) -> web.StreamResponse:
                    response = web.StreamResponse(headers={"Content-Type": "application/json"})
                    await response.prepare(request)
                    with suppress(ConnectionError):
                        while True:
                            await response.write(b" ")
                            await asyncio.sleep(1.0)
                    return response

                app.answers = [dripping]
                retry = Retry(2, methods=["POST"], budget=None) if own else None
                clock = asyncio.get_running_loop().time
                async with make(HTTPWebhook(app.hook, timeout=2500, retry=retry)) as impl:
                    began = clock()
                    await emit(impl, 1)
                    while not numbers(app):
                        await app.wait_posts(len(app.posts) + 1)
                    return clock() - began

        assert run_virtual(main()) == pytest.approx(2.5, abs=1.0)
        assert ("it took longer than timeout=2500 ms" in caplog.text) == own

    @pytest.mark.rows("S002-14")
    def test_the_timeout_of_a_policy_of_ones_own(self) -> None:
        """A policy without a limit for an attempt has that of the connection."""

        async def main() -> float:
            async with application() as app:

                async def never(request: web.Request) -> web.Response:
                    await asyncio.sleep(3600)
                    return web.Response(status=204)

                app.answers = [never]
                clock = asyncio.get_running_loop().time
                hook = HTTPWebhook(app.hook, timeout=2500, retry=Retry(1))
                async with make(hook) as impl:
                    began = clock()
                    await emit(impl, 1)
                    while not numbers(app):
                        await app.wait_posts(len(app.posts) + 1)
                    return clock() - began

        assert run_virtual(main()) == pytest.approx(2.5, abs=0.5)

    def test_a_silent_handshake(self, caplog: pytest.LogCaptureFixture) -> None:
        """So does making the connection, TLS included."""

        async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async def main() -> float:
            silent = await asyncio.start_server(silence, HOST, 0)
            port = silent.sockets[0].getsockname()[1]
            hook = HTTPWebhook(f"https://{HOST}:{port}/", timeout=2500, retry=Retry(1))
            clock = asyncio.get_running_loop().time
            began = clock()
            async with silent, make(hook):
                while "was not delivered" not in caplog.text:
                    await asyncio.sleep(0.1)
                return clock() - began

        assert run_virtual(main()) == pytest.approx(2.5, abs=0.5)

    @pytest.mark.parametrize(("size", "most"), [(100, 100), (2**22, 16)])
    async def test_answers_that_wait(self, size: int, most: int) -> None:
        """The actions of 100 answers, or of 64 MiB, wait; then no more is posted until half of them are done."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))
            release, ran = asyncio.Event(), 0

            @impl.action("wait")
            async def wait() -> None:
                nonlocal ran
                await release.wait()
                ran += 1

            body = json.dumps([{"action": "wait", "params": {}}]).encode().ljust(size)

            async def full(request: web.Request) -> web.Response:
                return web.Response(body=body, content_type="application/json")

            app.answers = [web.Response(status=204), *[full] * (most + 5)]
            async with impl:
                await emit(impl, *range(most + 5))
                # The status, what is carried out, what waits, and one answer that has no room.
                await app.wait_posts(most + 3)
                for _ in range(500):
                    await asyncio.sleep(0)
                assert len(app.posts) == most + 3
                release.set()
            assert ran == most + 5

    async def test_an_action_that_emits(self) -> None:
        """The handler of an action in an answer may emit."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))

            @impl.action("again")
            async def again() -> None:
                await emit(impl, 2)

            app.answers = [web.Response(status=204), answer([{"action": "again", "params": {}}])]
            async with impl:
                await emit(impl, 1)
                await app.wait_posts(3)
            assert numbers(app) == ["1", "2"]

    async def test_tls(self, certificates: Certificates) -> None:
        """ssl_context= is used for the connection."""
        server, client = certificates.server_context(), certificates.client_context()
        posted = asyncio.Event()

        async def hook(request: web.BaseRequest) -> web.Response:
            posted.set()
            return web.Response(status=204)

        runner = web.ServerRunner(web.Server(hook, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "localhost", 0, ssl_context=server)
        await site.start()
        async with make(HTTPWebhook(f"https://localhost:{site.port}/", ssl_context=client)):
            await posted.wait()
        await runner.cleanup()


class TestRetries:
    """Connection errors and answers with 5xx are tried again, with the library's retry policy."""

    @pytest.mark.parametrize("status", [500, 502, 503, 599])
    async def test_5xx(self, status: int) -> None:
        """The same event, with the same id, is posted again, before the next one."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))
            app.answers = [
                web.Response(status=204),
                *(web.Response(status=status) for _ in range(3)),
            ]
            with no_waiting():
                async with impl:
                    await emit(impl, 1, 2)
            assert numbers(app) == ["1", "1", "1", "1", "2"]
            bodies = [body for _, body in app.posts if body["type"] == "message"]
            assert bodies[0] == bodies[1] == bodies[2] == bodies[3]

    async def test_a_restart(self) -> None:
        """An application that is away for a while gets everything when it is back."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))
            with no_waiting():
                async with impl:
                    await app.wait_posts(1)
                    await app.stop()
                    await emit(impl, *range(20))
                    await asyncio.sleep(0)
                    await app.start()
                    while len(numbers(app)) < 20:
                        await app.wait_posts(len(app.posts) + 1)
            assert list(dict.fromkeys(numbers(app))) == [str(number) for number in range(20)]

    async def test_given_up(self, caplog: pytest.LogCaptureFixture) -> None:
        """After ten attempts the event is given up, with a line in the log, and the next one is tried."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))
            app.answers = [web.Response(status=204), *(web.Response(status=500) for _ in range(10))]
            with no_waiting():
                async with impl:
                    await emit(impl, 1, 2)
            assert numbers(app) == ["1"] * 10 + ["2"]
        texts = [r.getMessage() for r in caplog.records if r.name.startswith("aioclient.onebot")]
        assert len(texts) == 2
        assert "status 500 after" in texts[0] and "; trying again" in texts[0]
        assert "was not delivered: answered with 500" in texts[1]

    async def test_no_server(self, caplog: pytest.LogCaptureFixture) -> None:
        """Where nothing listens, each event is given up in its turn."""
        async with application() as app:
            pass
        impl = make(HTTPWebhook(app.hook))
        with no_waiting():
            async with impl:
                await emit(impl, 1)
        assert caplog.text.count("was not delivered: POST http") == 2

    async def test_failures_of_many(self) -> None:
        """Each event has all its attempts, however many were needed before it."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))
            statuses = [204, *[*[503] * 9, 204] * 5]
            app.answers = [web.Response(status=status) for status in statuses]
            with no_waiting():
                async with impl:
                    await emit(impl, *range(5))
            assert numbers(app) == [str(number // 10) for number in range(50)]

    def test_no_heartbeats_while_it_fails(self) -> None:
        """Heartbeats are not queued for an application that is away; they go on when it is back."""

        async def main() -> list[str]:
            async with application() as app:
                impl = make(HTTPWebhook(app.hook, enable_heartbeat=True, heartbeat_interval=1000))
                async with impl:
                    await app.wait_posts(1)
                    app.answers = [web.Response(status=503) for _ in range(5)]
                    await emit(impl, 1)
                    while app.answers:
                        await asyncio.sleep(0.1)
                    await asyncio.sleep(0.1)
                    while len(app.posts) < 12:
                        await asyncio.sleep(0.1)
                return [body["detail_type"] for _, body in app.posts]

        kinds = run_virtual(main())
        assert kinds[:7] == ["status_update", *["private"] * 6]
        # Of those that came due meanwhile at most one.
        assert set(kinds[7:]) == {"heartbeat"}

    async def test_no_cookies(self) -> None:
        """Cookies of the application are not sent back to it."""
        async with application() as app:
            answered = web.Response(status=204)
            answered.set_cookie("a", "b")
            app.answers = [answered]
            impl = make(HTTPWebhook(app.hook))
            async with impl:
                await emit(impl, 1)
            assert len(app.posts) == 2
            assert not [headers for headers, _ in app.posts if "Cookie" in headers]

    async def test_a_policy_of_ones_own(self) -> None:
        """retry= replaces the policy."""
        async with application() as app:
            impl = make(HTTPWebhook(app.hook, retry=Retry(2, methods=["POST"], budget=None)))
            app.answers = [web.Response(status=204), *(web.Response(status=503) for _ in range(2))]
            with no_waiting():
                async with impl:
                    await emit(impl, 1, 2)
            assert numbers(app) == ["1", "1", "2"]

    @pytest.mark.rows("S002-14")
    def test_the_timeout(self) -> None:
        """An answer that does not come within the timeout, in milliseconds, is tried again; 0 waits for ever."""

        async def main(timeout: int) -> tuple[int, float]:
            async with application() as app:
                release = asyncio.Event()

                async def slow(request: web.Request) -> web.Response:
                    await release.wait()
                    return web.Response(status=204)

                app.answers = [slow]
                clock = asyncio.get_running_loop().time
                impl = make(HTTPWebhook(app.hook, timeout=timeout))
                async with impl:
                    await app.wait_posts(1)
                    began = clock()
                    asyncio.get_running_loop().call_later(3600, release.set)
                    await emit(impl, 1)
                    while not numbers(app):
                        await app.wait_posts(len(app.posts) + 1)
                    return len(app.posts), clock() - began

        posts, took = run_virtual(main(2500))
        assert posts == 3
        assert 2.5 <= took <= 4.0
        posts, took = run_virtual(main(0))
        assert (posts, took) == (2, pytest.approx(3600, abs=1))

    def test_heartbeats(self) -> None:
        """Heartbeats are posted if they are enabled, with their interval in milliseconds."""

        async def main() -> list[Any]:
            async with application() as app:
                impl = make(HTTPWebhook(app.hook, enable_heartbeat=True, heartbeat_interval=250))
                async with impl:
                    await asyncio.sleep(1.1)
                return [body for _, body in app.posts]

        first, *beats = run_virtual(main())
        assert first["detail_type"] == "status_update"
        assert [beat["detail_type"] for beat in beats] == ["heartbeat"] * 4
        assert beats[0]["interval"] == 250


class TestQueue:
    """1,000 events wait for each target."""

    async def test_room(self) -> None:
        """While the application answers, emit() waits for room, and nothing is lost."""
        async with application() as app:
            gate = asyncio.Event()

            async def slow(request: web.Request) -> web.Response:
                await gate.wait()
                return web.Response(status=204)

            app.answers = [slow]
            impl = make(HTTPWebhook(app.hook, timeout=0))
            async with impl:
                await app.wait_posts(1)
                await emit(impl, *range(1000))
                one_more = asyncio.create_task(emit(impl, 1000))
                for _ in range(5):
                    await asyncio.sleep(0)
                assert not one_more.done()
                gate.set()
                await one_more
            assert numbers(app) == [str(number) for number in range(1001)]

    def test_the_oldest_is_dropped(self, caplog: pytest.LogCaptureFixture) -> None:
        """When it has failed for a while, the oldest events are dropped, with a line in the log for each."""

        async def main() -> None:
            async with application() as app:
                await app.stop()
                impl = make(HTTPWebhook(app.hook))
                async with impl:
                    await emit(impl, *range(1003))
                    await app.start()
                    # One is delivered, and so there is no more reason to drop.
                    await app.wait_posts(2)
                    await emit(impl, *range(1003, 2200))
                assert numbers(app) == [str(number) for number in range(3, 2200)]

        run_virtual(main())
        dropped = [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()]
        assert [text.partition(": ")[2] for text in dropped] == [
            f"the oldest of 1001 waiting events dropped ({number} so far)" for number in range(1, 4)
        ]

    def test_a_short_failure(self) -> None:
        """Nothing is dropped while an application is away for a few seconds, at full speed."""

        async def main() -> None:
            async with application() as app:
                impl = make(HTTPWebhook(app.hook))
                async with impl:
                    await app.wait_posts(1)
                    await app.stop()
                    asyncio.get_running_loop().call_later(
                        4, lambda: asyncio.ensure_future(app.start())
                    )
                    await emit(impl, *range(3000))
                assert numbers(app) == [str(number) for number in range(3000)]

        run_virtual(main())

    def test_patience(self, caplog: pytest.LogCaptureFixture) -> None:
        """emit() waits ten seconds at most, also for an application that never answers."""

        async def main() -> None:
            async with application() as app:
                never = asyncio.Event()

                async def stuck(request: web.Request) -> web.Response:
                    await never.wait()
                    raise AssertionError

                app.answers = [stuck]
                impl = make(HTTPWebhook(app.hook, timeout=0))
                async with impl:
                    await app.wait_posts(1)
                    await emit(impl, *range(1000))
                    clock = asyncio.get_running_loop().time
                    began = clock()
                    await emit(impl, 1000)
                    assert clock() - began == pytest.approx(10, abs=0.1)
                    await emit(impl, *range(1001, 1100))
                    assert clock() - began == pytest.approx(10, abs=0.1)

        run_virtual(main())
        assert "the oldest of 1001 waiting events dropped (100 so far)" in caplog.text
        assert "1001 events were not delivered within 10 s of the shutdown" in caplog.text

    async def test_several(self) -> None:
        """Each target has a queue of its own: one that fails does not stop another one."""
        async with application() as app, application() as gone:
            pass
        async with application() as app:
            impl = make(HTTPWebhook(gone.hook), HTTPWebhook(app.hook), shutdown_timeout=0.1)
            async with impl:
                await emit(impl, *range(20))
                while len(numbers(app)) < 20:
                    await app.wait_posts(len(app.posts) + 1)
            assert numbers(app) == [str(number) for number in range(20)]


class TestEnd:
    async def test_it_drains(self) -> None:
        """At the end what waits is posted, and the actions of the answers are carried out."""
        ran: list[str] = []
        async with application() as app:
            impl = make(HTTPWebhook(app.hook))

            @impl.action("note")
            async def note() -> None:
                await asyncio.sleep(0)
                ran.append("note")

            app.answers = [answer([{"action": "note", "params": {}}]) for _ in range(30)]
            async with impl:
                await emit(impl, *range(29))
            assert len(app.posts) == 30
        assert ran == ["note"] * 30

    async def test_not_for_ever(self, caplog: pytest.LogCaptureFixture) -> None:
        """What cannot be posted within the limit is dropped, with a line in the log."""
        async with application() as app:
            pass
        impl = make(HTTPWebhook(app.hook), shutdown_timeout=0.01)
        async with impl:
            await emit(impl, *range(5))
        assert "events were not delivered within 0.01 s of the shutdown" in caplog.text

    async def test_on_error(self) -> None:
        """Nothing is left if the host name cannot be looked up, or the URL leads nowhere."""
        impl = make(HTTPWebhook("http://name.invalid/"), shutdown_timeout=0.01)
        async with impl:
            await emit(impl, 1)
            await asyncio.sleep(0)
        assert HOST
