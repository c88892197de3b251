"""A browser's way to the issuer and back."""

from urllib.parse import urlsplit

from fastapi.testclient import TestClient
from httpx2 import Response

from api.routes.signing import COOKIE
from api.store.engine import Database
from api.store.tables_accounts import Account, SiteSession
from tests.api.routes.conftest import count_rows
from tests.api.routes.site.signing_world import HTML
from tests.issuer import IssuerServer


def set_out(browser: TestClient, path: str = "/sign-in/oidc") -> str:
    """Go to the issuer; return the address there."""
    answer = browser.get(path, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def come_back(browser: TestClient, address: str) -> Response:
    """Come back from the issuer."""
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}", headers=HTML, follow_redirects=False)


def round_trip(browser: TestClient, issuer: IssuerServer, path: str = "/sign-in/oidc") -> Response:
    """Sign in there and come back."""
    return come_back(browser, issuer.approve(set_out(browser, path)))


def refused(answer: Response, database: Database, status: int = 403) -> bool:
    """True when an answer says so in words, without a session."""
    return (
        answer.status_code == status
        and "Signing in did not work" in answer.text
        and COOKIE not in answer.headers.get("set-cookie", "")
        and count_rows(database, SiteSession) == count_rows(database, Account) == 0
    )
