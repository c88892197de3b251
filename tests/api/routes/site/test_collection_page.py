"""A collection as a page: public ones for everybody, private ones for their owner, words for everybody else."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.services.collections import create_collection
from api.services.hub_names import library_slug
from tests.api.routes.site.conftest import press
from tests.api.routes.site.pages import main_of

WORDS = "There is no public list at this address"


@pytest.fixture(autouse=True)
def _installation(runtime_of_local: Runtime) -> None:
    """Have papers in it."""


def make(runtime: Runtime, owner: str, *, is_private: bool) -> str:
    """Make a collection; return the address of its page."""
    with runtime.db.write() as session:
        shown, _ = create_collection(
            session,
            owner,
            title="Ladders",
            description=None,
            is_private=is_private,
            theme="blue",
            now=datetime.now(UTC),
        )
        return f"/collections/{owner}/ladders-{shown.facts.public_id}"


def test_a_public_collection_is_shown_to_anybody(local: TestClient, runtime_of_local: Runtime) -> None:
    answer = local.get(make(runtime_of_local, "u1", is_private=False))
    assert answer.status_code == 200
    assert "<h1>Ladders</h1>" in answer.text


def test_a_private_collection_says_who_may_see_it_as_one_that_is_not_there(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    private = make(runtime_of_local, "u1", is_private=True)
    pages = [local.get(path) for path in (private, private[:-1] + ("0" if private[-1] != "0" else "1"))]
    for page in pages:
        assert page.status_code == 404
        assert WORDS in page.text
        assert "Sign in as its owner" in page.text
        assert "Ladders" not in main_of(page.text)
    program = local.get(private, headers={"accept": "*/*"})
    assert program.status_code == 404
    assert "text/html" not in program.headers["content-type"]


def test_a_private_collection_is_shown_to_its_owner(local: TestClient, runtime_of_local: Runtime) -> None:
    private = make(runtime_of_local, "u1", is_private=True)
    assert "<h1>Ladders</h1>" in local.get(f"{private}?reader=u1").text
    assert local.get(f"{private}?reader=u2").status_code == 404


def test_a_library_is_shown_to_its_owner_whom_the_page_of_the_operator_leads_to(
    local: TestClient, runtime_of_local: Runtime
) -> None:
    press(local, "save", "p1000", page="/?reader=newcomer")
    path = f"/collections/{library_slug('newcomer')}"
    page = local.get(path)
    assert page.status_code == 404
    assert f'href="{path}?reader=newcomer"' in page.text
    assert "/papers/p1000" in local.get(f"{path}?reader=newcomer").text
