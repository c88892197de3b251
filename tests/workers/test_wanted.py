"""Papers that readers want, asked for by their ids from a real HTTP server, and saved when they come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api import queue
from api.runtime.state import Runtime
from api.services import pending_papers
from api.services.bibliography import Reference
from api.store.pending import PendingReaders
from api.store.servers import read_queue_lengths
from api.store.tables import LibraryItem, Paper
from api.store.tables_shelf import PaperFetch
from tests.api.services.shelf_world import add_reader
from tests.api.sources.documents import atom_entry, atom_error, atom_feed
from tests.sources_server import Answer, SourcesServer
from workers import processes
from workers.wanted import fetch_wanted, settle_wanted

PATH = "/api/query"
IDS = ("2401.00001", "2401.00002", "hep-th/9901001")


def want(asking: Runtime, *ids: str, user_id: int | None = None) -> None:
    with asking.db.write() as session:
        pending_papers.want_papers(session, ids, user_id, now=datetime.now(UTC))


def states(asking: Runtime) -> dict[str, tuple[str, str | None]]:
    with asking.db.read() as session:
        query = sa.select(PaperFetch.external_id, PaperFetch.state, PaperFetch.problem)
        return {name: (state, problem) for name, state, problem in session.execute(query)}


def papers(asking: Runtime) -> set[str]:
    with asking.db.read() as session:
        return set(session.scalars(sa.select(Paper.external_id)))


def test_wanted_papers_are_asked_for_together_by_their_ids_and_saved(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    want(asking, *IDS, user_id=user_id)
    arxiv.script(PATH, Answer(atom_feed(*(atom_entry(f"{one}v2") for one in IDS))))
    assert fetch_wanted() == 3
    [asked] = arxiv.asked(PATH)
    assert set(asked.query["id_list"].split(",")) == set(IDS)
    assert asked.query["max_results"] == "3"
    assert papers(asking) == set(IDS)
    assert states(asking) == {}
    with asking.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(LibraryItem).where(LibraryItem.is_saved)) == 3
    assert fetch_wanted() == 0
    assert len(arxiv.seen) == 1


def test_whoever_gets_a_paper_gets_a_new_list(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    want(asking, IDS[0], user_id=user_id)
    arxiv.script(PATH, Answer(atom_feed(atom_entry(f"{IDS[0]}v1"))))
    fetch_wanted()
    pending = PendingReaders(asking.settings.resolved_broker_url)
    assert list(pending.take(10)) == [user_id]
    pending.close()
    with asking.db.read() as session:
        paper_id = session.scalars(sa.select(Paper.paper_id)).one()
    assert paper_id in asking.feeds.read_hidden(user_id)


def test_what_arxiv_does_not_have_is_missing_and_not_asked_for_again(asking: Runtime, arxiv: SourcesServer) -> None:
    want(asking, *IDS)
    arxiv.script(PATH, Answer(atom_feed(atom_entry(f"{IDS[0]}v1"))))
    assert fetch_wanted() == 1
    missing = ("missing", "arXiv has no paper of this id")
    assert states(asking) == dict.fromkeys(IDS[1:], missing)
    assert fetch_wanted() == 0
    assert len(arxiv.seen) == 1


def test_one_id_that_arxiv_refuses_costs_no_other(asking: Runtime, arxiv: SourcesServer) -> None:
    bad = "9999.99999"
    want(asking, *IDS, bad)
    refused = Answer(atom_error(f"incorrect id format for {bad}"), status=400)
    for one in IDS:
        arxiv.script(PATH, Answer(atom_feed(atom_entry(f"{one}v1"))), query={"id_list": one})
    arxiv.script(
        PATH, Answer(atom_feed(*(atom_entry(f"{one}v1") for one in IDS[:2]))), query={"id_list": ",".join(IDS[:2])}
    )
    arxiv.script(PATH, refused)
    assert fetch_wanted() == 3
    assert states(asking) == {bad: ("missing", f"arXiv says: incorrect id format for {bad}")}


@pytest.mark.parametrize(
    "answer",
    [Answer(status=500), Answer(b"<html>sorry</html>"), Answer(b"", cut_at=0, headers={"Content-Length": "10"})],
    ids=["error", "page", "broken"],
)
def test_a_failure_puts_papers_off_and_says_why(asking: Runtime, arxiv: SourcesServer, answer: Answer) -> None:
    want(asking, *IDS)
    arxiv.script(PATH, answer)
    assert fetch_wanted() == 0
    found = states(asking)
    assert {state for state, _ in found.values()} == {"waiting"}
    assert all(problem for _, problem in found.values())
    with asking.db.read() as session:
        now = datetime.now(UTC)
        assert not pending_papers.look(session, now=now)[1]
        assert pending_papers.look(session, now=now + timedelta(hours=1))[1]


def test_half_an_answer_says_nothing_about_the_papers_that_are_not_in_it(asking: Runtime, arxiv: SourcesServer) -> None:
    want(asking, *IDS)
    whole = atom_feed(*(atom_entry(f"{one}v1") for one in IDS))
    arxiv.script(PATH, Answer(whole[: whole.rindex(b"<entry>") + 20]))
    assert fetch_wanted() == 2
    assert states(asking) == {IDS[2]: ("waiting", "arXiv's answer broke off in the middle")}


def test_what_is_due_is_handed_to_the_queue_of_sources_once(asking: Runtime) -> None:
    want(asking, *IDS)
    settle_wanted()
    settle_wanted()
    lengths = read_queue_lengths(asking.settings.resolved_broker_url, (queue.SOURCES_QUEUE,))
    assert lengths == {queue.SOURCES_QUEUE: 1}


def test_an_installation_without_arxiv_asks_nobody(
    asking: Runtime, arxiv: SourcesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    want(asking, *IDS)
    settings = asking.settings.model_copy(update={"sources": "huggingface"})
    monkeypatch.setattr(processes, "_runtime", replace(asking, settings=settings))
    settle_wanted()
    assert fetch_wanted() == 0
    assert arxiv.seen == []
    assert {state for state, _ in states(asking).values()} == {"waiting"}


def test_what_another_source_brings_is_saved_without_a_question(asking: Runtime, arxiv: SourcesServer) -> None:
    user_id = add_reader(asking.db)
    with asking.db.write() as session:
        wanted = [Reference("Ladders That Lean"), Reference(paper_id=IDS[0])]
        pending_papers.keep_references(session, user_id, wanted, now=datetime.now(UTC))
    arxiv.script(PATH, Answer(atom_feed(atom_entry(f"{IDS[0]}v1"))))
    assert fetch_wanted() == 1
    with asking.db.read() as session:
        assert pending_papers.list_pending(session, user_id, limit=10)[0] == []


def test_a_second_worker_asks_nothing_while_one_does(asking: Runtime, arxiv: SourcesServer) -> None:
    want(asking, *IDS)
    assert asking.feeds.claim("wanted", seconds=30)
    assert fetch_wanted() == 0
    assert arxiv.seen == []
