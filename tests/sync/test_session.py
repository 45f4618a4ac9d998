"""The blocking session: what requests' tutorial and its users rely on."""

import io
import pickle
import ssl
import threading
from datetime import timedelta
from typing import Any

import pytest

import aioclient
import aioclient.sync
from aioclient.sync import PreparedRequest, Request, Response, Session
from aioclient.sync.portal import PORTAL
from tests.servers.certificates import Certificates

from .conftest import Server, sent


@pytest.mark.rows("S004-01")
def test_a_cookie_of_a_redirect_is_kept(server: Server, session: Session) -> None:
    response = session.get(f"{server.url}/set_cookie?sessioncookie=123456789")
    assert [each.status_code for each in response.history] == [302]
    assert session.get(f"{server.url}/echo").json()["cookies"] == {"sessioncookie": "123456789"}
    assert dict(session.cookies) == {"sessioncookie": "123456789"}


@pytest.mark.rows("S004-02")
def test_headers_of_session_and_call(server: Server, session: Session) -> None:
    session.headers.update({"x-test": "true"})
    first = sent(session.get(f"{server.url}/echo", headers={"x-test2": "true"}))["headers"]
    second = sent(session.get(f"{server.url}/echo"))["headers"]
    assert (first["x-test"], first["x-test2"]) == ("true", "true")
    assert second["x-test"] == "true"
    assert "x-test2" not in second
    assert session.headers["X-TEST"] == "true"
    without = sent(session.get(f"{server.url}/echo", headers={"X-Test": None}))["headers"]
    assert "x-test" not in without


@pytest.mark.rows("S004-03")
def test_default_headers_are_shown_and_can_be_dropped(server: Server, session: Session) -> None:
    assert {"Accept", "Accept-Encoding", "User-Agent"} == set(session.headers)
    assert session.headers["Accept"] == "*/*"
    del session.headers["User-Agent"]
    headers = sent(session.get(f"{server.url}/echo"))["headers"]
    assert "User-Agent" not in headers
    assert headers["Accept"] == "*/*"
    assert headers["Host"] == server.url.removeprefix("http://")


@pytest.mark.rows("S004-04")
def test_the_response_without_await(server: Server, session: Session) -> None:
    response = session.get(f"{server.url}/echo", params={"a": 1})
    assert response.status_code == 200
    assert response.ok
    assert bool(response)
    assert response.reason == "OK"
    assert response.url == f"{server.url}/echo?a=1"
    assert response.json()["query"] == [["a", "1"]]
    assert response.text == response.content.decode()
    assert response.elapsed >= timedelta(0)
    assert response.headers["content-type"].startswith("application/json")
    assert response.request.method == "GET"
    assert repr(response) == "<Response [200]>"


@pytest.mark.rows("S004-05")
def test_parameters_of_a_call_are_not_kept(server: Server, session: Session) -> None:
    first = sent(session.get(f"{server.url}/echo", cookies={"a": "1"}, params={"b": "2"}))
    second = sent(session.get(f"{server.url}/echo"))
    assert first["cookies"] == {"a": "1"}
    assert (second["cookies"], second["query"]) == ({}, [])
    assert dict(session.cookies) == {}


@pytest.mark.rows("S004-06")
@pytest.mark.parametrize("verb", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_calls_without_a_session(server: Server, verb: str) -> None:
    response: Response = getattr(aioclient.sync, verb)(f"{server.url}/echo")
    assert response.status_code == 200
    if verb != "head":
        assert response.json()["method"] == verb.upper()


def test_one_call_that_streams_closes_its_session(server: Server) -> None:
    before = set(PORTAL.members)
    with aioclient.sync.get(f"{server.url}/lines", stream=True) as response:
        assert list(response.iter_lines()) == [b"one", b"two", "dréi".encode()]
        (life,) = PORTAL.members - before
    assert life not in PORTAL.members


class TestMerging:
    def test_params(self, server: Server, session: Session) -> None:
        session.params = {"k": "1", "gone": "2"}
        got = sent(session.get(f"{server.url}/echo?q=0", params={"n": 3, "gone": None}))
        assert got["query"] == [["q", "0"], ["k", "1"], ["n", "3"]]
        got = sent(session.get(f"{server.url}/echo", params=[("n", 3), ("n", 4)]))
        assert got["query"] == [["n", "3"], ["n", "4"]]

    def test_params_of_all_kinds(self, server: Server, session: Session) -> None:
        got = sent(session.get(f"{server.url}/echo", params={"a": True, "b": [1, "x"], "c": None}))
        assert got["query"] == [["a", "True"], ["b", "1"], ["b", "x"]]
        assert sent(session.get(f"{server.url}/echo", params=b"a=%20"))["query"] == [["a", " "]]

    def test_auth_of_the_call_beats_the_session_s(self, server: Server, session: Session) -> None:
        session.auth = ("a", "b")
        assert sent(session.get(f"{server.url}/echo"))["headers"]["Authorization"] == "Basic YTpi"
        got = sent(session.get(f"{server.url}/echo", auth=("c", "d")))["headers"]
        assert got["Authorization"] == "Basic Yzpk"
        got = sent(session.get(f"{server.url}/echo", auth=aioclient.NO_AUTH))["headers"]
        assert "Authorization" not in got

    def test_auth_in_the_url(self, server: Server, session: Session) -> None:
        url = f"{server.url}/echo".replace("://", "://u:p@")
        response = session.get(url)
        assert sent(response)["headers"]["Authorization"] == "Basic dTpw"
        assert "u:p" not in response.url

    def test_auth_that_is_a_function(self, server: Server, session: Session) -> None:
        def token(request: Any) -> Any:
            request.headers["Authorization"] = "Bearer t"
            return request

        got = sent(session.get(f"{server.url}/echo", auth=token))
        assert got["headers"]["Authorization"] == "Bearer t"

    def test_a_cookie_header_wins(self, server: Server, session: Session) -> None:
        session.cookies.set("a", "jar", domain="localhost")
        got = sent(session.get(f"{server.url}/echo", headers={"Cookie": "a=mine"}))
        assert got["cookies"] == {"a": "mine"}

    def test_max_redirects(self, server: Server, session: Session) -> None:
        session.max_redirects = 2
        loop = f"{server.url}/moved?status=302&to=/moved%3Fstatus%3D302%26to%3D/echo"
        assert session.get(loop).status_code == 200
        session.max_redirects = 1
        with pytest.raises(aioclient.TooManyRedirects):
            session.get(loop)

    def test_timeout_of_session_and_call(self, server: Server, session: Session) -> None:
        session.timeout = 1e-9
        with pytest.raises(TimeoutError):
            session.get(f"{server.url}/never")
        assert session.get(f"{server.url}/echo", timeout=(5, 5)).ok
        assert session.get(f"{server.url}/echo", timeout=None).ok

    def test_base_url(self, server: Server) -> None:
        with Session(server.url + "/v1/") as session:
            assert session.get("things").json()["path"] == "/v1/things"
            assert str(session.base_url) == server.url + "/v1/"


class TestBodies:
    @pytest.mark.parametrize(
        ("data", "kind", "body"),
        [
            (b"raw", "application/octet-stream", "raw"),
            ("text", "text/plain; charset=utf-8", "text"),
            ({"a": "1", "b": ["2", "3"]}, "application/x-www-form-urlencoded", "a=1&b=2&b=3"),
            ([("a", "1"), ("a", "2")], "application/x-www-form-urlencoded", "a=1&a=2"),
            (io.BytesIO(b"file"), "application/octet-stream", "file"),
        ],
        ids=["bytes", "text", "mapping", "pairs", "file"],
    )
    def test_data(self, server: Server, session: Session, data: Any, kind: str, body: str) -> None:
        got = sent(session.post(f"{server.url}/echo", data))
        assert (got["headers"]["Content-Type"], got["body"]) == (kind, body)

    def test_json(self, server: Server, session: Session) -> None:
        got = sent(session.post(f"{server.url}/echo", json={"a": [1]}))
        assert (got["headers"]["Content-Type"], got["body"]) == ("application/json", '{"a": [1]}')

    def test_an_iterator_runs_in_the_calling_thread(self, server: Server, session: Session) -> None:
        seen = []

        def pieces() -> Any:
            for piece in (b"ab", b"", b"cd"):
                seen.append(threading.current_thread())
                yield piece

        assert sent(session.post(f"{server.url}/echo", data=pieces()))["body"] == "abcd"
        assert set(seen) == {threading.current_thread()}

    def test_what_an_iterator_raises(self, server: Server, session: Session) -> None:
        def pieces() -> Any:
            yield b"ab"
            raise LookupError("no more")

        with pytest.raises((LookupError, aioclient.ClientError)) as caught:
            session.post(f"{server.url}/echo", data=pieces())
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert any(isinstance(each, LookupError) for each in chain)
        assert session.get(f"{server.url}/echo").ok

    def test_an_iterable_is_sent_again_after_a_redirect(
        self, server: Server, session: Session
    ) -> None:
        threads = []

        class Pieces:
            def __iter__(self) -> Any:
                threads.append(threading.current_thread())
                return iter([b"a", b"b"])

        got = sent(session.post(f"{server.url}/moved?status=307&to=/echo", data=Pieces()))
        assert (got["method"], got["body"]) == ("POST", "ab")
        assert threads == [threading.current_thread()] * 2

    def test_an_iterator_may_use_the_session(self, server: Server, session: Session) -> None:
        def pieces() -> Any:
            yield session.get(f"{server.url}/echo?a=b").content
            with pytest.raises(aioclient.TotalTimeoutError):
                session.get(f"{server.url}/never", timeout=1e-6)
            yield b"end"

        body = sent(session.post(f"{server.url}/echo", data=pieces()))["body"]
        assert body.startswith("{")
        assert body.endswith("end")

    def test_an_iterator_is_not_sent_again_empty(self, server: Server, session: Session) -> None:
        with pytest.raises(aioclient.BodyConsumedError):
            session.post(f"{server.url}/moved?status=307&to=/echo", data=iter([b"a", b"b"]))

    def test_files(self, server: Server, session: Session, tmp_path: Any) -> None:
        path = tmp_path / "a.csv"
        path.write_text("1,2")
        with path.open("rb") as file:
            parts = session.post(
                f"{server.url}/form",
                data={"k": "v"},
                files={
                    "file": file,
                    "named": ("n.txt", b"hi", "text/plain"),
                    "plain": io.BytesIO(b"x"),
                },
            ).json()
        assert parts["k"] == "v"
        assert parts["file"][0::2] == ["a.csv", "1,2"]
        assert parts["named"] == ["n.txt", "text/plain", "hi"]
        assert parts["plain"][2] == "x"

    def test_files_opened_as_text(self, server: Server, session: Session, tmp_path: Any) -> None:
        """They are sent with their length, which not every server can do without."""
        path = tmp_path / "a.txt"
        path.write_bytes("zwölf\n".encode())
        with path.open(encoding="utf-8") as file:
            got = sent(session.post(f"{server.url}/echo", files={"f": file, "none": None}))
        assert "Content-Length" in got["headers"]
        assert 'filename="a.txt"' in got["body"]
        assert "zwölf\n".encode().decode("latin-1") in got["body"]
        assert "none" not in got["body"]

    def test_names_in_bytes(self, server: Server, session: Session) -> None:
        got = session.post(f"{server.url}/form", files={b"f": b"1"}, data={b"g": "2"}).json()
        assert (got["f"][2], got["g"]) == ("1", "2")

    def test_a_part_without_a_file_name(self, server: Server, session: Session) -> None:
        parts = {"a": (None, "1"), "b": (None, b"2")}
        assert session.post(f"{server.url}/form", files=parts).json() == {"a": "1", "b": "2"}
        got = sent(session.post(f"{server.url}/echo", files={"a": (None, b"\xff")}))
        assert "\r\n\r\n\xff\r\n" in got["body"]
        assert "filename" not in got["body"]

    def test_files_that_are_none(self, session: Session) -> None:
        with pytest.raises(TypeError, match="must be an open file, str or bytes, found int"):
            session.post("http://a.test/", files={"f": 1})
        with pytest.raises(TypeError, match="a tuple of 1"):
            session.post("http://a.test/", files={"f": ("n",)})
        with pytest.raises(ValueError, match="one form"):
            session.post("http://a.test/", data=b"x", files={"f": b"x"})


class TestResponses:
    def test_the_body_in_pieces(self, server: Server, session: Session) -> None:
        response = session.get(f"{server.url}/lines")
        assert b"".join(response.iter_content(2)) == response.content
        assert [len(piece) for piece in response.iter_content(4)] == [4, 4, 4, 2]
        assert list(response) == [response.content]
        with pytest.raises(ValueError, match="chunk_size=0"):
            response.iter_content(0)
        with pytest.raises(TypeError, match="chunk_size must be an int"):
            response.iter_content("4")  # type: ignore[arg-type]

    @pytest.mark.parametrize("size", [1, 2, 3, 512, None])
    def test_lines_whatever_the_pieces(
        self, server: Server, session: Session, size: int | None
    ) -> None:
        with session.get(f"{server.url}/lines", stream=True) as response:
            lines = list(response.iter_lines(size, decode_unicode=True))
        assert lines == ["one", "two", "dréi"]
        with session.get(f"{server.url}/lines", stream=True) as response:
            lines = list(response.iter_lines(size, delimiter=b"o"))
        assert lines == [b"", b"ne\r\ntw", "\ndréi".encode()]

    def test_an_encoding_of_one_s_own(self, server: Server, session: Session) -> None:
        response = session.post(f"{server.url}/lines")
        assert response.encoding == "utf-8"
        response.encoding = "latin-1"
        assert "drÃ©i" in response.text
        assert response.apparent_encoding == "utf-8"

    def test_raw_is_undecoded(self, server: Server, session: Session) -> None:
        import gzip

        with session.get(f"{server.url}/zipped", stream=True) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert gzip.GzipFile(fileobj=response.raw).read() == b'{"a": 1}'
        with session.get(f"{server.url}/zipped", stream=True) as response:
            assert response.raw.read(2) == b"\x1f\x8b"
            assert response.raw.read(0) == b""
            assert len(response.raw.read()) > 10
            assert response.raw.read() == b""
        with session.get(f"{server.url}/zipped", stream=True) as response:
            assert b"".join(response.raw.stream(3))[:2] == b"\x1f\x8b"
        with session.get(f"{server.url}/zipped", stream=True) as response:
            assert response.raw.read(decode_content=True) == b'{"a": 1}'

    def test_closing_raw_gives_up_the_rest(self, server: Server, session: Session) -> None:
        response = session.get(f"{server.url}/endless", stream=True)
        with response.raw as raw:
            assert raw.read(10) == b"x" * 10
        assert raw.closed
        assert response.response.closed
        assert "in_use=0" in repr(session)

    def test_leaving_a_stream_frees_its_connection(self, server: Server, session: Session) -> None:
        for _ in range(3):
            with session.get(f"{server.url}/endless", stream=True) as response:
                assert next(response.iter_content(10)) == b"x" * 10
        assert "in_use=0" in repr(session)

    def test_raise_for_status(self, server: Server, session: Session) -> None:
        response = session.get(f"{server.url}/status?code=404")
        assert not response
        with pytest.raises(aioclient.StatusError) as caught:
            response.raise_for_status()
        assert caught.value.status == 404
        assert caught.value.body == b'{"why": "so"}'
        session.get(f"{server.url}/echo").raise_for_status()

    def test_json_that_is_none(self, server: Server, session: Session) -> None:
        with pytest.raises(aioclient.InvalidJSONError):
            session.get(f"{server.url}/lines").json()
        response = session.get(f"{server.url}/zipped")
        assert response.json(parse_int=str) == {"a": "1"}
        assert response.json(type=dict[str, int]) == {"a": 1}

    def test_a_history_is_one(self, server: Server, session: Session) -> None:
        """A response that has come is the same object, however it is reached."""
        response = session.get(f"{server.url}/moved?status=302&to=/moved?status=307%26to=/echo")
        first, second = response.history
        assert (first.status_code, second.status_code) == (302, 307)
        assert response.history == [first, second]
        assert (first.history, second.history) == ([], [first])

    def test_a_redirect_not_followed(self, server: Server, session: Session) -> None:
        response = session.post(
            f"{server.url}/moved?status=303&to=/echo?x=1", json=[1], allow_redirects=False
        )
        assert response.is_redirect
        assert not response.is_permanent_redirect
        following = response.next
        assert following is not None
        assert (following.method, following.url) == ("GET", f"{server.url}/echo?x=1")
        assert sent(session.send(following))["query"] == [["x", "1"]]
        assert session.get(f"{server.url}/echo").next is None

    def test_what_else_a_response_tells(self, server: Server, session: Session) -> None:
        response = session.get(f"{server.url}/echo")
        assert response.content_type == "application/json"  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            response.nonsense  # type: ignore[attr-defined]  # noqa: B018


class TestHooks:
    def test_session_s_and_then_the_call_s(self, server: Server) -> None:
        order = []

        def first(response: Response, **settings: Any) -> None:
            order.append(("session", settings["verify"], settings["stream"]))

        async def second(response: Response, **settings: Any) -> Response:
            order.append(("call", settings["timeout"], settings["cert"]))
            return Response(response.response)

        with Session(hooks={"response": first}) as session:
            plain = session.get(f"{server.url}/echo")
            other = session.get(f"{server.url}/echo", hooks={"response": [second]}, timeout=9)
        assert order == [("session", True, False), ("session", True, False), ("call", 9, None)]
        assert plain is not other

    def test_a_hook_marks_its_response(self, server: Server, session: Session) -> None:
        def mark(response: Any, **settings: Any) -> None:
            response.hook_called = True

        response = session.get(f"{server.url}/echo", hooks={"response": mark})
        assert response.hook_called  # type: ignore[attr-defined]

    def test_what_a_hook_raises(self, server: Server, session: Session) -> None:
        """Nothing is left of the response, which nobody gets."""

        def fail(response: Response, **settings: Any) -> None:
            raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            session.get(f"{server.url}/endless", stream=True, hooks={"response": fail})
        assert "in_use=0" in repr(session)

    def test_hooks_that_are_none(self, session: Session) -> None:
        with pytest.raises(ValueError, match="knows the event 'response' only"):
            Session(hooks={"request": print})
        with pytest.raises(TypeError, match="must be functions"):
            Session(hooks={"response": [1]})  # type: ignore[list-item]


class TestPrepared:
    def test_with_what_the_session_has(self, server: Server, session: Session) -> None:
        session.headers["x"] = "1"
        session.params = {"p": "2"}
        session.auth = ("u", "p")
        session.cookies.set("c", "3", domain="localhost")
        request = Request("post", f"{server.url}/echo?q=0", json={"a": 1}, headers={"y": "4"})
        prepared = session.prepare_request(request)
        assert (prepared.method, prepared.url) == ("POST", f"{server.url}/echo?q=0&p=2")
        assert prepared.headers["Authorization"] == "Basic dTpw"
        assert prepared.headers["Cookie"] == "c=3"
        assert prepared.body == b'{"a": 1}'
        prepared.headers["z"] = "5"
        del prepared.headers["x"]
        got = sent(session.send(prepared))
        assert "x" not in got["headers"]
        assert (got["headers"]["y"], got["headers"]["z"]) == ("4", "5")
        assert got["headers"]["Authorization"] == "Basic dTpw"
        assert got["query"] == [["q", "0"], ["p", "2"]]
        assert (got["body"], got["cookies"]) == ('{"a": 1}', {"c": "3"})

    def test_with_nothing_of_a_session(self, server: Server, session: Session) -> None:
        session.headers["x"] = "1"
        session.auth = ("u", "p")
        prepared = Request("GET", f"{server.url}/echo", cookies={"a": "b"}).prepare()
        assert dict(prepared.headers) == {"Cookie": "a=b"}
        got = sent(session.send(prepared))["headers"]
        assert set(got) == {"Host", "Cookie"}

    def test_auth_comes_last(self, server: Server, session: Session) -> None:
        def sign(prepared: PreparedRequest) -> PreparedRequest:
            prepared.headers["Signature"] = (
                f"{len(prepared.body)}-{prepared.headers['Content-Type']}"
            )
            return prepared

        prepared = session.prepare_request(
            Request("PUT", f"{server.url}/echo", data="abc", auth=sign)
        )
        assert prepared.headers["Signature"] == "3-text/plain; charset=utf-8"

    def test_copies_and_hooks(self, server: Server, session: Session) -> None:
        seen: list[int] = []
        request = Request(
            "GET",
            f"{server.url}/echo",
            hooks={"response": lambda response, **_: seen.append(response.status_code)},
        )
        prepared = session.prepare_request(request)
        other = prepared.copy()
        other.headers["a"] = "b"
        assert "a" not in prepared.headers
        session.send(other)
        assert seen == [200]
        other.hooks["response"].clear()
        session.send(other)
        assert seen == [200]
        assert prepared.hooks == request.hooks
        session.send(prepared)
        assert seen == [200, 200]

    def test_a_request_that_is_not_prepared(self, session: Session) -> None:
        with pytest.raises(ValueError, match="prepare_request"):
            session.send(Request("GET", "http://a.test/"))  # type: ignore[arg-type]


class TestTLS:
    @pytest.fixture
    def secure(self, certificates: Certificates) -> Any:
        server = Server(certificates.server_context())
        yield server
        server.close()

    def test_verify(self, secure: Server, certificates: Certificates) -> None:
        with Session(verify=str(certificates.ca_file)) as session:
            assert session.get(f"{secure.url}/echo").ok
        with Session(verify=certificates.ca_file) as session:
            assert session.get(f"{secure.url}/echo").ok
        with Session(verify=certificates.client_context()) as session:
            assert session.get(f"{secure.url}/echo").ok
        with Session() as session:
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                session.get(f"{secure.url}/echo")
            assert session.get(f"{secure.url}/echo", verify=False).ok
            session.verify = False
            assert session.get(f"{secure.url}/echo").ok

    def test_cert(self, certificates: Certificates, tmp_path: Any) -> None:
        context = certificates.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        certificates.authority.configure_trust(context)
        own = certificates.authority.issue_cert("client.test")
        both = tmp_path / "both.pem"
        own.private_key_and_cert_chain_pem.write_to_path(both)
        key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
        own.private_key_pem.write_to_path(key)
        own.cert_chain_pems[0].write_to_path(chain)
        server = Server(context)
        try:
            for cert in (str(both), (str(chain), str(key)), (chain, key)):
                for verify in (str(certificates.ca_file), False):
                    with Session(verify=verify, cert=cert) as session:
                        assert session.get(f"{server.url}/echo").ok
        finally:
            server.close()

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_authorities_of_the_environment(
        self,
        secure: Server,
        certificates: Certificates,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        """With trust_env=True, as requests; what verify= says counts more."""
        url = f"{secure.url}/echo"
        for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(each, "")
        with Session(trust_env=True) as session:
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                session.get(url)
            monkeypatch.setenv(name, str(certificates.ca_file))
            assert session.get(url).ok
            monkeypatch.setenv(name, "/missing")
            assert session.get(url, verify=False).ok
            with pytest.raises(FileNotFoundError, match="/missing"):
                session.get(url)
            with pytest.raises(FileNotFoundError, match="/missing"):
                session.ws_connect(url)
        with Session() as session, pytest.raises(aioclient.ClientConnectorCertificateError):
            session.get(url)

    def test_files_that_are_missing(self, session: Session) -> None:
        with pytest.raises(FileNotFoundError, match=r"verify= must be the path .* '/missing'"):
            session.get("https://a.test/", verify="/missing")
        with pytest.raises(FileNotFoundError, match=r"cert= must be the path .* '/missing'"):
            session.get("https://a.test/", cert=(__file__, "/missing"))

    def test_settings_that_are_none(self, session: Session) -> None:
        with pytest.raises(TypeError, match="verify must be"):
            session.get("https://a.test/", verify=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cert must be"):
            session.get("https://a.test/", cert=("a",))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="load the certificate into the context"):
            session.get("https://a.test/", verify=ssl.create_default_context(), cert="a.pem")


def test_a_session_is_not_pickled(session: Session) -> None:
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(session)


def test_a_closed_session(server: Server) -> None:
    session = Session()
    session.get(f"{server.url}/echo")
    session.close()
    session.close()
    assert session.closed
    assert repr(session) == "<Session closed>"
    with pytest.raises(RuntimeError, match="Session is closed"):
        session.get(f"{server.url}/echo")


async def test_not_for_async_with() -> None:
    with Session() as session, pytest.raises(TypeError, match="use 'with'"):
        async with session:
            pass


def test_arguments_of_the_asynchronous_session(server: Server) -> None:
    seen = []

    async def note(request: Any, handler: Any) -> Any:
        seen.append(request.method)
        return await handler(request)

    with (
        Session(middlewares=[note], max_body_size=10) as session,
        pytest.raises(aioclient.BodyTooLargeError),
    ):
        session.get(f"{server.url}/echo")
    assert seen == ["GET"]
    with pytest.raises(TypeError, match="nonsense"):
        Session(nonsense=1)  # type: ignore[call-arg]


def test_a_blocking_call_by_the_loop_s_own_thread(server: Server, session: Session) -> None:
    async def wrong(request: Any, handler: Any) -> Any:
        session.get(f"{server.url}/echo")

    with (
        Session(middlewares=[wrong]) as other,
        pytest.raises(RuntimeError, match="would wait for itself"),
    ):
        other.get(f"{server.url}/echo")
