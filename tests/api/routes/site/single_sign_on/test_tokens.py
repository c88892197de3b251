"""What an issuer's token must be before anybody believes it."""

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from api.runtime import oidc
from api.services.issuers import RefusedWord, check_token
from api.store.engine import Database
from api.store.tables_accounts import Account
from tests.api.routes.site.single_sign_on.trips import refused, round_trip
from tests.issuer import CLIENT_ID, IssuerServer

STRANGER = RSAKey.generate_key(2048, parameters={"kid": "key-1", "use": "sig"})


def _none(header: dict[str, Any], claims: dict[str, Any]) -> str:
    signed = jwt.encode(header, claims, STRANGER).split(".")
    return ".".join(["eyJhbGciOiJub25lIn0", signed[1], ""])


def _stranger(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode(header, claims, STRANGER)


def _changed(header: dict[str, Any], claims: dict[str, Any]) -> str:
    first = jwt.encode(header, claims, STRANGER).split(".")
    second = jwt.encode(header, claims | {"email": "eve@papers.test"}, STRANGER).split(".")
    return ".".join([first[0], second[1], first[2]])


@pytest.mark.parametrize(
    "sign", [_none, _stranger, _changed, lambda *_: "x.y.z", lambda *_: "", lambda *_: "x" * 40_000]
)
def test_a_token_that_the_issuer_did_not_sign_is_refused(
    browser: TestClient, issuer: IssuerServer, database: Database, sign: Any
) -> None:
    issuer.manners.sign = sign
    assert refused(round_trip(browser, issuer), database)


def test_a_key_on_a_curve_that_nobody_knows_vouches_for_nobody() -> None:
    word = jwt.encode({"alg": "RS256"}, {"sub": "1"}, STRANGER)
    unknown = {"kty": "EC", "crv": "P-0", "x": "AA", "y": "AA"}
    with pytest.raises(RefusedWord):
        check_token(word, [unknown], issuer="https://x", client_id=CLIENT_ID, nonce="n", now=datetime.now(UTC))


def test_the_public_key_is_no_shared_secret(browser: TestClient, issuer: IssuerServer, database: Database) -> None:
    public = issuer.key.as_pem(private=False)

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        parts = [orjson.dumps(header | {"alg": "HS256"}), orjson.dumps(claims)]
        signed = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        mac = urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")
        return (signed + b"." + mac).decode()

    issuer.manners.sign = sign
    assert refused(round_trip(browser, issuer), database)


def test_a_token_that_brings_its_own_key_is_refused(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    issuer.manners.sign = lambda header, claims: jwt.encode(
        header | {"jwk": STRANGER.as_dict(private=False)}, claims, STRANGER
    )
    assert refused(round_trip(browser, issuer), database)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.test"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another client"]},
        {"azp": "another client"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"iat": 9_999_999_999},
        {"nbf": 9_999_999_999},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 5},
        {"sub": ""},
        {"sub": None},
        {"sub": 5},
        {"sub": "x" * 300},
        {"email": 5},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "false"},
    ],
)
def test_a_token_for_others_or_of_another_time_is_refused(
    browser: TestClient, issuer: IssuerServer, database: Database, claims: dict[str, Any]
) -> None:
    issuer.manners.claims = claims
    assert refused(round_trip(browser, issuer), database)


def test_an_address_that_is_none_is_refused(browser: TestClient, issuer: IssuerServer, database: Database) -> None:
    issuer.person.mail = "ada@papers.test\nBcc: eve@papers.test"
    assert refused(round_trip(browser, issuer), database, status=422)


def test_a_new_key_is_looked_up_and_an_invented_one_only_seldom(
    browser: TestClient, issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_trip(browser, issuer)
    issuer.rotate("key-2")
    monkeypatch.setattr(oidc, "KEYS_REST_SECONDS", 0.0)
    assert round_trip(browser, issuer).status_code == 303
    monkeypatch.setattr(oidc, "KEYS_REST_SECONDS", 60.0)
    issuer.manners.header = {"kid": "invented"}
    issuer.asked.clear()
    for _ in range(3):
        assert round_trip(browser, issuer).status_code == 403
    assert [path for _, path in issuer.asked if path.endswith("/keys")] == []


def test_an_elliptic_key_signs_as_well(browser: TestClient, issuer: IssuerServer) -> None:
    issuer.key = ECKey.generate_key("P-256", parameters={"kid": "ec", "use": "sig"})  # type: ignore[assignment] # any key
    issuer.manners.header = {"alg": "ES256"}
    assert round_trip(browser, issuer).status_code == 303


def test_what_the_token_leaves_out_the_issuer_is_asked_for(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    issuer.manners.claims = {"email": None, "email_verified": None}
    issuer.manners.userinfo = {"sub": "subject-1", "email": "grace@papers.test", "email_verified": True}
    assert round_trip(browser, issuer).status_code == 303
    with database.read() as session:
        assert session.scalars(sa.select(Account.mail)).all() == ["grace@papers.test"]


def test_what_it_says_of_somebody_else_does_not_count(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    issuer.manners.claims = {"email": None, "email_verified": None}
    issuer.manners.userinfo = {"sub": "subject-2", "email": "grace@papers.test", "email_verified": True}
    assert refused(round_trip(browser, issuer), database)
    issuer.manners.userinfo = {}
    assert refused(round_trip(browser, issuer), database)
