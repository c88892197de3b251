"""A library of Zotero, read page by page from a real HTTP server."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.runtime.state import Runtime
from api.services import import_jobs, pending_papers
from api.services.import_jobs import MOST_TRIES, Report
from api.store import shelf
from api.store.papers import paper_ids_of
from api.store.tables import User
from api.store.tables_shelf import LibraryImport
from tests.api.services.shelf_world import add_papers, add_reader, paper
from tests.sources_server import Answer, SourcesServer
from workers.importing import import_libraries

KEY = "aB3dE5gH7jK9mN1pQ3rS5tU7"
OWNER = {"userID": 42, "access": {"user": {"library": True}}}


def item(key: str, **data: object) -> dict[str, object]:
    return {"key": key, "data": {"key": key, "itemType": "preprint", "dateAdded": "2024-05-01T10:00:00Z", **data}}


def page(*items: dict[str, object], total: int | None = None, **headers: str) -> Answer:
    counted = {"Total-Results": str(len(items) if total is None else total), **headers}
    return Answer(json.dumps(items).encode(), headers=counted)


def request(asking: Runtime, user_id: int, *, group: str = "") -> int:
    with asking.db.write() as session:
        return import_jobs.request_zotero(session, user_id, key=KEY, group=group, now=datetime.now(UTC))


def report(asking: Runtime, user_id: int, import_id: int) -> Report:
    with asking.db.read() as session:
        return import_jobs.read_report(session, user_id, import_id)


def make_due(asking: Runtime) -> None:
    with asking.db.write() as session:
        session.execute(sa.update(LibraryImport).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))


ITEMS = (
    item(
        "A",
        title="Looms",
        creators=[
            {"creatorType": "editor", "name": "An Editor"},
            {"creatorType": "author", "firstName": "Ada", "lastName": "Lovelace"},
        ],
        url="https://arxiv.org/abs/2401.00001",
        tags=[{"tag": "engines"}, {"tag": "to read"}],
    ),
    item("B", itemType="note", parentItem="A", note="<p>Read &amp; compare</p><p>Second <b>line</b></p>"),
    item("C", title="Not here", extra="arXiv:2401.00002 [cs]"),
    item("D", title="A book", itemType="book", DOI="10.1000/book"),
    item("E", itemType="note", note="<p>alone</p>"),
    item("F", itemType="annotation", annotationText="x"),
    item("G", title=""),
)


def test_a_library_is_saved_with_tags_and_notes_and_every_item_is_accounted_for(
    asking: Runtime,
    arxiv: SourcesServer,
) -> None:
    user_id = add_reader(asking.db)
    add_papers(asking.db, paper("2401.00001", "Looms"))
    arxiv.script("/keys/current", Answer(json.dumps(OWNER).encode()))
    arxiv.script("/users/42/items", page(*ITEMS))
    import_id = request(asking, user_id)
    assert import_libraries() == 1
    done = report(asking, user_id, import_id)
    assert done.state == "done"
    assert sorted((one.fate, one.shown) for one in done.outcomes) == [
        ("fetching", "Not here"),
        ("pending", "A book"),
        ("saved", "Looms"),
        ("unreadable", ""),
        ("unreadable", ""),
        ("unreadable", "alone"),
    ]
    with asking.db.read() as session:
        paper_id = paper_ids_of(session, ["2401.00001"])["2401.00001"]
        [saved] = shelf.load_shelf(session, user_id, tag_key=None, after=None, limit=10)
        assert saved.saved_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
        assert saved.note == "Read & compare\nSecond line"
        assert shelf.load_tags(session, user_id, [paper_id])[paper_id] == ("engines", "to read")
        assert len(pending_papers.list_pending(session, user_id, limit=10)[0]) == 2
        assert session.scalar(sa.select(LibraryImport.secret)) is None


def test_zotero_is_asked_as_its_rules_want(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/keys/current", Answer(json.dumps(OWNER).encode()))
    pages = [
        [item(f"K{number}", title=f"Paper {number}") for number in range(start, start + 100)] for start in (0, 100)
    ]
    arxiv.script("/users/42/items", page(*pages[0], total=200, Backoff="0"), query={"start": "0"})
    arxiv.script(
        "/users/42/items",
        Answer(status=503, headers={"Retry-After": "0"}),
        page(*pages[1], total=200),
        query={"start": "100"},
    )
    import_id = request(asking, user_id)
    assert import_libraries() == 1
    assert len(report(asking, user_id, import_id).outcomes) == 200
    assert [one.query.get("start") for one in arxiv.asked("/users/42/items")] == ["0", "100", "100"]
    for one in arxiv.seen:
        assert one.headers["zotero-api-key"] == KEY
        assert one.headers["zotero-api-version"] == "3"
        assert one.headers["user-agent"].startswith("paperfeed/")
        assert KEY not in one.path + str(one.query)


def test_a_group_is_read_by_its_number(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/groups/77/items", page(ITEMS[0]))
    request(asking, user_id, group="77")
    assert import_libraries() == 1
    assert arxiv.asked("/keys/current") == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=403), "does not know this key"),
        (Answer(status=404), "no such key"),
        (Answer(json.dumps({"userID": 1, "access": {}}).encode()), "does not open your Zotero library"),
    ],
)
def test_a_key_that_does_not_fit_ends_the_import_in_words(
    asking: Runtime,
    arxiv: SourcesServer,
    answer: Answer,
    words: str,
) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/keys/current", answer)
    import_id = request(asking, user_id)
    assert import_libraries() == 0
    failed = report(asking, user_id, import_id)
    assert failed.state == "failed"
    assert words in (failed.problem or "")
    make_due(asking)
    assert import_libraries() == 0
    assert len(arxiv.seen) == 1


def test_a_failure_is_tried_again_later_and_not_for_ever(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/keys/current", Answer(status=500))
    import_id = request(asking, user_id)
    for tried in range(1, MOST_TRIES + 1):
        assert import_libraries() == 0
        assert import_libraries() == 0  # not due yet
        assert len(arxiv.seen) == tried
        words = "Zotero could not be reached, or its answer could not be read"
        assert (report(asking, user_id, import_id).problem or "").endswith(words)
        make_due(asking)
    assert report(asking, user_id, import_id).state == "failed"
    assert import_libraries() == 0


def test_a_worker_that_dies_leaves_the_import_to_the_next(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/keys/current", Answer(json.dumps(OWNER).encode()))
    arxiv.script("/users/42/items", page(ITEMS[2]))
    import_id = request(asking, user_id)
    now = datetime.now(UTC)
    with asking.db.write() as session:
        dead = import_jobs.take_job(session, now=now, lasts=timedelta(minutes=1))
        assert dead is not None
        assert import_jobs.take_job(session, now=now, lasts=timedelta(minutes=1)) is None
    make_due(asking)
    assert import_libraries() == 1
    with asking.db.write() as session:
        assert not import_jobs.finish_job(session, dead, outcomes=[], now=now)
    assert len(report(asking, user_id, import_id).outcomes) == 1


def test_an_import_over_which_every_worker_dies_ends_and_its_key_goes(asking: Runtime) -> None:
    user_id = add_reader(asking.db)
    import_id = request(asking, user_id)
    for _ in range(MOST_TRIES):
        make_due(asking)
        with asking.db.write() as session:
            assert import_jobs.take_job(session, now=datetime.now(UTC), lasts=timedelta(minutes=1)) is not None
    make_due(asking)
    with asking.db.write() as session:
        assert import_jobs.take_job(session, now=datetime.now(UTC), lasts=timedelta(minutes=1)) is None
    told = report(asking, user_id, import_id)
    assert (told.state, "each of them broke off" in (told.problem or "")) == ("failed", True)
    with asking.db.read() as session:
        assert session.scalar(sa.select(LibraryImport.secret)) is None


def test_items_that_did_not_come_are_told(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/keys/current", Answer(json.dumps(OWNER).encode()))
    arxiv.script("/users/42/items", page(total=3), query={"start": "1"})
    arxiv.script("/users/42/items", page(ITEMS[2], total=3), query={"start": "0"})
    import_id = request(asking, user_id)
    import_libraries()
    assert "2 items did not come" in report(asking, user_id, import_id).outcomes[-1].reason


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'[5, {"data": []}, {"key": 7, "data": {"tags": 5, "creators": {}}}]']
)
def test_an_answer_of_another_shape_harms_nothing(asking: Runtime, arxiv: SourcesServer, body: bytes) -> None:
    user_id = add_reader(asking.db)
    arxiv.script("/keys/current", Answer(json.dumps(OWNER).encode()))
    arxiv.script("/users/42/items", Answer(body, headers={"Total-Results": "3"}), page(total=3))
    import_id = request(asking, user_id)
    import_libraries()
    assert report(asking, user_id, import_id).state in {"waiting", "done"}


def test_the_import_of_an_erased_reader_is_gone(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    request(asking, user_id)
    with asking.db.write() as session:
        session.execute(sa.delete(User).where(User.user_id == user_id))
    assert import_libraries() == 0
    assert arxiv.seen == []
