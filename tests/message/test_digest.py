"""Digest authentication as arithmetic (RFC 7616): its examples, challenges of every kind, hostile ones."""

import hashlib
import re

import pytest

from aioclient.message.digest import (
    MAX_CHALLENGES,
    Challenge,
    Nonces,
    answer,
    challenges,
    strongest,
)

# RFC 7616, section 3.9.1.
RFC = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def parameters(field: str) -> dict[str, str]:
    """The parameters of an answer, read by a reader of its own."""
    scheme, _, rest = field.partition(" ")
    assert scheme == "Digest"
    pairs = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^", ]+))', rest)
    return {name: re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in pairs}


class TestAnswers:
    @pytest.mark.parametrize(
        ("algorithm", "response"),
        [
            pytest.param(
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
                id="AUTH-06-SHA-256",
            ),
            pytest.param("MD5", "8ca523f5e9506fed4657c9700eebdbec", id="AUTH-06-MD5"),
        ],
    )
    def test_the_example_of_the_rfc(self, algorithm: str, response: str) -> None:
        """The answers are those of RFC 7616, section 3.9.1."""
        challenge = strongest([RFC.replace("SHA-256", algorithm)])
        assert challenge is not None
        field = answer(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, CNONCE)
        assert parameters(field) == {
            "username": "Mufasa",
            "realm": "http-auth@example.org",
            "uri": "/dir/index.html",
            "algorithm": algorithm,
            "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "nc": "00000001",
            "cnonce": CNONCE,
            "qop": "auth",
            "response": response,
            "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        }

    @pytest.mark.skipif(
        "sha512_256" not in hashlib.algorithms_available, reason="hashlib has no SHA-512-256"
    )
    def test_the_example_with_sha_512_256(self) -> None:
        """The answer is that of RFC 7616, section 3.9.2, as its erratum 4897 corrects it."""
        field = (
            'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, userhash=true, charset=UTF-8, '
            'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
            'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"'
        )
        challenge = strongest([field])
        assert challenge is not None
        cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
        said = parameters(
            answer(challenge, "Jäsøn Doe", "Secret, or not?", "GET", "/doe.json", 1, cnonce)
        )
        assert (
            said["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
        )
        assert (
            said["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
        )
        assert said["algorithm"] == "SHA-512-256"

    @pytest.mark.rows("AUTH-06")
    def test_the_body(self) -> None:
        """auth-int covers the body, and is answered only where that is asked for and nothing else is offered."""
        only = 'Digest realm="r", nonce="n", qop="auth-int"'
        assert strongest([only]) is None
        challenge = strongest([only], integrity=True)
        assert challenge is not None
        assert challenge.qop == "auth-int"
        field = answer(challenge, "u", "p", "POST", "/", 1, "c", b"body")

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        covered = md5(f"POST:/:{md5('body')}")
        said = parameters(field)
        assert said["response"] == md5(f"{md5('u:r:p')}:n:00000001:c:auth-int:{covered}")
        assert said["qop"] == "auth-int"
        both = strongest(['Digest realm="r", nonce="n", qop="auth-int, auth"'], integrity=True)
        assert both is not None
        assert both.qop == "auth"

    def test_nonces(self) -> None:
        """Each key has a challenge and a count of its own; the one that was learned first is forgotten first."""
        nonces: Nonces[str] = Nonces(2)
        for key in "abc":
            nonces.learn(key, Challenge("r", key))
        assert nonces.known("a") is None
        assert [nonces.count("b"), nonces.count("b"), nonces.count("c")] == [1, 2, 1]
        nonces.learn("b", Challenge("r", "new"))
        assert nonces.count("b") == 1

    def test_without_qop(self) -> None:
        """A challenge without qop is answered as RFC 2069 has it: no count, no cnonce."""
        field = answer(Challenge("r", "n", qop=""), "u", "p", "GET", "/", 7, "c")
        assert parameters(field).keys() == {"username", "realm", "nonce", "uri", "response"}
        assert parameters(field)["response"] == "f23121ca97143c6b358da620220c83b4"

    def test_session(self) -> None:
        """With a -sess algorithm nonce and cnonce are part of the secret."""
        plain = Challenge("r", "n", algorithm="SHA-256")
        session = Challenge("r", "n", algorithm="SHA-256-sess")
        one, other = (
            parameters(answer(challenge, "u", "p", "GET", "/", 1, "c"))
            for challenge in (plain, session)
        )
        assert one["response"] != other["response"]
        assert other["algorithm"] == "SHA-256-sess"

    def test_userhash(self) -> None:
        """Where the other side takes it, the login is shown as a digest too."""
        field = answer(
            Challenge("r", "n", algorithm="SHA-256", userhash=True), "u", "p", "GET", "/", 1, "c"
        )
        assert parameters(field)["userhash"] == "true"
        assert 'username="u"' not in field

    @pytest.mark.rows("AUTH-06")
    def test_quotes(self) -> None:
        """Quotes and backslashes, of the realm or of the user, do not end the text they stand in."""
        (challenge,) = [strongest([r'Digest realm="a\"b\\", nonce="n\"", qop="auth", domain=""'])]
        assert challenge is not None
        assert (challenge.realm, challenge.nonce) == ('a"b\\', 'n"')
        field = answer(challenge, 'u"x', "p", "GET", '/"', 1, "c")
        found = parameters(field)
        assert (found["username"], found["realm"], found["nonce"], found["uri"]) == (
            'u"x',
            'a"b\\',
            'n"',
            '/"',
        )


class TestChallenges:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            pytest.param(
                ['Basic realm="x", Digest realm="y", nonce="n"'],
                [("basic", {"realm": "x"}), ("digest", {"realm": "y", "nonce": "n"})],
                id="AUTH-06-two-in-one",
            ),
            pytest.param(
                ["Negotiate abc==, NTLM, Digest nonce=a1==,realm=r"],
                [("negotiate", {}), ("ntlm", {}), ("digest", {"nonce": "a1==", "realm": "r"})],
                id="AUTH-06-token68",
            ),
            pytest.param(
                ["Negotiate", " , NTLM ,"], [("negotiate", {}), ("ntlm", {})], id="AUTH-06-bare"
            ),
            pytest.param(
                ['DIGEST  Realm = "a, b" ,nonce="n",realm="c"'],
                [("digest", {"realm": "a, b", "nonce": "n"})],
                id="AUTH-06-twice",
            ),
            pytest.param(['Digest realm="x'], [("digest", {})], id="AUTH-06-unterminated"),
            pytest.param(["=", '"', "", "é x=y"], [], id="AUTH-06-junk"),
        ],
    )
    def test_reading(self, values: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
        """Several challenges in one field or in many are told apart; what is no challenge is skipped."""
        assert challenges(values) == expected

    @pytest.mark.parametrize(
        ("value", "algorithm"),
        [
            pytest.param(
                'Digest realm="r", nonce="1", algorithm=MD5, Digest realm="r", nonce="2", algorithm=SHA-256',
                "SHA-256",
                id="AUTH-08-strongest",
            ),
            pytest.param(
                'Basic realm="r", Digest realm="r", nonce="1"', None, id="AUTH-08-no-Basic"
            ),
        ],
    )
    def test_the_strongest(self, value: str, algorithm: str | None) -> None:
        """Of what is offered the strongest is answered, and never Basic."""
        challenge = strongest([value])
        assert challenge is not None
        assert challenge.algorithm == algorithm

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param('Basic realm="r"', id="AUTH-08-Basic-alone"),
            pytest.param('Digest realm="r", nonce="n", algorithm=ROT13', id="AUTH-06-algorithm"),
            pytest.param('Digest realm="r", nonce="n", qop="auth-int"', id="AUTH-06-qop"),
            pytest.param('Digest realm="r", nonce=""', id="AUTH-06-no-nonce"),
            pytest.param('Digest nonce="n"', id="AUTH-06-no-realm"),
        ],
    )
    def test_not_to_be_answered(self, value: str) -> None:
        """What cannot be answered is no challenge."""
        assert strongest([value]) is None

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("Digest " + "\xa0" * 60_000, id="AUTH-09-spaces"),
            pytest.param("," * 8_000, id="AUTH-09-commas"),
            pytest.param("Digest " + "a " * 8_000, id="AUTH-09-words"),
            pytest.param("Digest " + 'a="' * 5_000, id="AUTH-09-quotes"),
            pytest.param('Digest a="' + "\\" * 15_000, id="AUTH-09-backslashes"),
            pytest.param("Digest " + "a=" * 7_000, id="AUTH-09-equals"),
            pytest.param("x" * 2**20, id="AUTH-09-long"),
        ],
    )
    def test_hostile(self, value: str) -> None:
        """Reading takes a step for each character, however a challenge is made (a hang would end the test)."""
        assert strongest([value]) is None
        assert strongest([value, 'Digest realm="r", nonce="n"']) == Challenge("r", "n", qop="")
        assert len(challenges([value])) <= MAX_CHALLENGES
