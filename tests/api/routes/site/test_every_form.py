"""Every form of the site: without the token of its visitor's page, or sent from elsewhere, it changes nothing."""

import re
from typing import Final

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.routes.site import ROUTERS
from api.runtime.state import Runtime
from api.store.every_table import every_table
from tests.api.routes.site.conftest import ORIGIN, hidden_fields, press

ONE_CLICK: Final = "/digest/stop/{token}"  # RFC 8058: mail programs send it without cookie or page; the token is enough
PAPER: Final = "p1000"
FORMS: Final = sorted(
    path
    for router in ROUTERS
    for route in router.routes
    if "POST" in getattr(route, "methods", ()) and (path := getattr(route, "path", "")) != ONE_CLICK
)


def rows(runtime: Runtime) -> dict[str, int]:
    """Return how many rows each table has."""
    with runtime.db.read() as session:
        return {
            table.name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in every_table()
        }


def fill(path: str) -> str:
    """Return an address of a form; a paper is named where one can be."""
    return re.sub(r"\{[a-z_]+(:path)?\}", lambda found: PAPER if found[1] else "1", path)


@pytest.mark.usefixtures("runtime_of_local")
def test_there_are_forms_to_try() -> None:
    assert len(FORMS) > 25
    assert "/act" in FORMS


def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    press(local, "save", PAPER)
    carried = hidden_fields(local.get("/").text)
    fields = {"save": PAPER, "sure": "yes", "ids": "2401.00001", "text": "2401.00001", "mail": "a@papers.test"}
    before = rows(runtime_of_local)
    answers = {}
    for path in FORMS:
        for name, sent, headers in (
            ("no token", {**fields, "csrf": ""}, ORIGIN),
            ("another's token", {**fields, "csrf": carried["csrf"][::-1]}, ORIGIN),
            ("elsewhere", {**fields, **carried}, {"origin": "https://evil.test"}),
        ):
            answer = local.post(fill(path), data=sent, headers=headers, follow_redirects=False)
            answers[path, name] = answer.status_code
    assert {key: status for key, status in answers.items() if status != 403} == {}
    assert rows(runtime_of_local) == before
