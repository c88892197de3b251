"""An issuer that lies, fails, is slow or away."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.runtime import oidc
from api.settings import Settings
from api.store.engine import Database
from tests.api.routes.site.signing_world import HTML
from tests.api.routes.site.single_sign_on.trips import come_back, refused, round_trip, set_out
from tests.issuer import IssuerServer


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.test"},
        {"issuer": None},
        {"token_endpoint": "http://evil.test/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"token_endpoint": "http://[bad"},
    ],
)
def test_an_issuer_that_leads_elsewhere_is_not_believed(
    browser: TestClient, issuer: IssuerServer, metadata: dict[str, Any]
) -> None:
    issuer.manners.metadata = metadata
    answer = browser.get("/sign-in/oidc", headers=HTML, follow_redirects=False)
    assert answer.status_code == 503
    assert "Signing in did not work" in answer.text


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"x" * 600_000, b'"text"'])
def test_an_issuer_that_answers_nonsense_is_said_to_be_away(
    browser: TestClient, issuer: IssuerServer, body: bytes
) -> None:
    issuer.manners.body = body
    assert browser.get("/sign-in/oidc", headers=HTML, follow_redirects=False).status_code == 503
    assert "Mail me a link" in browser.get("/sign-in", headers=HTML).text


def test_a_slow_or_absent_issuer_keeps_nobody_waiting(
    with_issuer: Settings, issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "ANSWER_SECONDS", 0.2)
    issuer.manners.seconds = 1.0
    with TestClient(create_app(with_issuer)) as browser:
        started = time.monotonic()
        assert browser.get("/sign-in/oidc", headers=HTML, follow_redirects=False).status_code == 503
        assert time.monotonic() - started < 0.9
    nobody = with_issuer.model_copy(update={"oidc_issuer": "http://127.0.0.1:9"})
    with TestClient(create_app(nobody)) as browser:
        assert browser.get("/sign-in/oidc", headers=HTML, follow_redirects=False).status_code == 503


def test_an_issuer_that_fails_at_the_last_step_signs_nobody_in(
    browser: TestClient, issuer: IssuerServer, database: Database
) -> None:
    issuer.manners.token_status = 500
    assert refused(round_trip(browser, issuer), database, status=503)


@pytest.mark.parametrize(("named", "status"), [(None, 403), ("https://evil.test", 403), ("own", 303)])
def test_an_issuer_that_names_itself_is_taken_at_its_name(
    browser: TestClient, issuer: IssuerServer, named: str | None, status: int
) -> None:
    issuer.manners.metadata = {"authorization_response_iss_parameter_supported": True}
    back = issuer.approve(set_out(browser))
    if named is not None:
        back = f"{back}&{urlencode({'iss': issuer.url if named == 'own' else named})}"
    assert come_back(browser, back).status_code == status
