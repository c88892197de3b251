"""A browser that signs in by mail, for tests of what follows."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient
from httpx2 import Response

from api.routes.signing import COOKIE, PURPOSE
from api.runtime.state import Runtime
from api.services.sessions import Lifetime, begin_session
from api.store.engine import Database
from api.store.tables_accounts import Account
from api.store.tables_mails import QueuedMail
from tests.api.routes.site.pages import csrf_of
from tests.mail_world import mails_in

ADA = "ada@papers.test"
ORIGIN = {"Origin": "http://testserver"}
HTML = {"Accept": "text/html"}
_LINK = re.compile(r"https?://[^/\s]+(/sign-in/[A-Za-z0-9_-]+)")


def send(browser: TestClient, path: str, *, page: str | None = None, **fields: str) -> Response:
    """Load a page, the one with the form unless told, and send a form of it without following its redirect."""
    csrf = csrf_of(browser.get(page or path, headers=HTML).text)
    headers = {**ORIGIN, **HTML}
    return browser.post(path, data={"csrf": csrf, **fields}, headers=headers, follow_redirects=False)


def ask(browser: TestClient, mail: str, *, next_path: str = "/") -> Response:
    """Ask for a link to sign in."""
    return send(browser, "/sign-in", mail=mail, next=next_path)


def link_in(letter: QueuedMail) -> str:
    """Return the path of the link in a mail."""
    found = _LINK.search(letter.text)
    assert found is not None, letter.text
    return found[1]


def ask_link(browser: TestClient, database: Database, mail: str, *, next_path: str = "/") -> str:
    """Ask for a link and return its path, as its mail says it."""
    assert ask(browser, mail, next_path=next_path).status_code == 303
    return link_in(mails_in(database)[-1])


def sign_in(browser: TestClient, database: Database, mail: str, *, next_path: str = "/") -> Response:
    """Ask for a link and press the button of its page."""
    answer = send(browser, ask_link(browser, database, mail, next_path=next_path))
    assert answer.status_code == 303, answer.text
    return answer


def is_signed_in(browser: TestClient) -> bool:
    """True when pages say so."""
    return "Sign out" in browser.get("/settings", headers=HTML).text


def given(answer: Response, name: str) -> str:
    """Return a cookie that an answer gives, with its attributes."""
    [found] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}=")]
    return found


def post_save(browser: TestClient, paper_id: str, **headers: str) -> Response:
    """Send a save as the script of a page does."""
    event = {
        "id": str(uuid.uuid4()),
        "kind": "save",
        "paper_id": paper_id,
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    return browser.post("/v1/events", content=json.dumps({"events": [event]}), headers={**ORIGIN, **headers})


def save(browser: TestClient, paper_id: str) -> None:
    """Save a paper, which must succeed."""
    answer = post_save(browser, paper_id)
    assert answer.status_code == 202, answer.text
    assert answer.json()["results"][0]["status"] == "accepted"


def begin_session_of(user_id: int, database: Database, runtime: Runtime) -> dict[str, str]:
    """Give a reader an account and a session, and return the cookies of the browser that is signed in by it."""
    now = datetime.now(UTC)
    with database.write() as session:
        account = Account(user_id=user_id, mail=ADA, display_name="Ada", created_at=now)
        session.add(account)
        session.flush()
        lifetime = Lifetime(timedelta(days=1), timedelta(days=1))
        begun = begin_session(
            session, account.account_id, method="mail", device="a browser", lifetime=lifetime, now=now
        )
    return {COOKIE: runtime.keys.seal(PURPOSE, begun.secret)}
