"""Pages of a search: none repeats a paper, and a cursor is for its own search."""

import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Paper, PaperCategory
from tests.api.routes.search.index import ask, ids, write


def test_pages_never_repeat_a_paper_while_the_index_changes(
    found: TestClient, database: Database, runtime: Runtime
) -> None:
    page = ask(found, "", limit=2)
    seen = ids(page)
    assert page["counts"] is not None
    number = 10
    while page["next"]:
        write(database, runtime, {number: (f"A newer one {number}", "x")})
        page = ask(found, "", limit=2, cursor=page["next"])
        assert page["counts"] is None
        assert page["total"] == 5
        seen += ids(page)
        number += 1
    assert seen == [5, 4, 3, 2, 1]


def test_a_paper_removed_meanwhile_leaves_no_gap(found: TestClient, database: Database, runtime: Runtime) -> None:
    page = ask(found, "", limit=2)
    with database.write() as session:
        session.execute(sa.delete(PaperCategory).where(PaperCategory.paper_id == 3))
        session.execute(sa.delete(Paper).where(Paper.paper_id == 3))
    runtime.papers.forget([3])
    following = ask(found, "", limit=2, cursor=page["next"])
    assert ids(following) == [2, 1]
    assert [item["rank"] for item in following["items"]] == [3, 4]
    assert following["next"] is None


def test_a_cursor_is_for_its_own_search(found: TestClient) -> None:
    cursor = ask(found, "", limit=2)["next"]
    for params in ({"q": "attention"}, {"q": "", "sort": "oldest"}, {"q": "", "categories": "cs.CL"}):
        answer = found.get("/v1/search", params={**params, "cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-cursor"
    assert found.get("/v1/search", params={"cursor": cursor[:8] + "AAAA" + cursor[12:]}).status_code == 422


def test_a_personal_cursor_is_nobody_elses(found: TestClient, as_ada: dict[str, str]) -> None:
    params: dict[str, str] = {"q": "", "limit": "1", "personal": "true"}
    cursor = found.get("/v1/search", params=params, headers=as_ada).json()["next"]
    assert found.get("/v1/search", params={**params, "cursor": cursor}, headers=as_ada).status_code == 200
    assert found.get("/v1/search", params={"q": "", "limit": 1, "cursor": cursor}).status_code == 422
