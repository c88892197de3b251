"""Whole runs of every source against a host that replays documents of real shape, the broken ones included."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from api.services import sources
from api.settings import Settings
from api.store.engine import Database
from api.store.tables import Paper
from api.store.tables_sources import Source
from tests.api.sources import documents
from tests.local_server import Asked
from tests.workers.hosts import Answer, Host, Reply, always, host, in_turn
from workers import polite
from workers.harvest import Harvest, read_source

Read = Callable[[str], Harvest]
PAPER = "2611.01234"
OTHER = "2611.05678"
BOMB = b"<?xml version='1.0'?><!DOCTYPE feed [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><feed>&b;</feed>"


def one_paper(asked: Asked) -> Reply:
    """Answer as each source would that knows one and the same paper."""
    if asked.path == "/api/daily_papers":
        return Reply(documents.as_json([] if "date" in asked.query else [documents.daily_item(PAPER)]))
    if asked.path.startswith("/rss/"):
        return Reply(documents.rss_feed(documents.rss_item(f"{PAPER}v1")))
    if asked.path == "/oai":
        return Reply(documents.oai_list(documents.oai_record(PAPER)))
    if asked.path == "/graph/v1/paper/batch":
        names = [name.partition(":")[2] for name in orjson.loads(asked.body)["ids"]]
        return Reply(documents.as_json([documents.graph_paper(name) for name in names]))
    if asked.path == "/works":
        return Reply(documents.open_answer(documents.open_work(PAPER)))
    return Reply(documents.atom_feed(documents.atom_entry(f"{PAPER}v1"), total=1))


@pytest.fixture
def there() -> Iterator[Host]:
    """Return a host that is every source."""
    with host(one_paper) as found:
        yield found


@pytest.fixture
def read(there: Host, sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return a function that reads a source from that host now."""
    monkeypatch.setattr(polite, "PACE_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(polite, "RETRY_SECONDS", 0.02)
    settings = Settings(
        data_dir=tmp_path,
        huggingface_url=there.url,
        arxiv_url=there.url,
        arxiv_rss_url=there.url,
        arxiv_oai_url=f"{there.url}/oai",
        semanticscholar_url=there.url,
        openalex_url=there.url,
        semanticscholar_key=SecretStr("one"),
        openalex_key=SecretStr("two"),
        huggingface_pause_seconds=0,
        arxiv_pause_seconds=0,
        semanticscholar_pause_seconds=0,
        openalex_pause_seconds=0,
        upvote_days=1,
        arxiv_categories="cs.RO",
        source_megabytes=1,
    )

    def run(name: str) -> Harvest:
        with sqlite_database.write() as session:
            sources.ensure_sources(session, settings, now=datetime.now(UTC))
            sources.request_run(session, name, now=datetime.now(UTC))
        harvest = read_source(settings, sqlite_database, name, seconds=60)
        assert harvest is not None
        return harvest

    return run


def paper_of(database: Database, external_id: str = PAPER) -> Paper:
    with database.read() as session:
        return session.scalars(sa.select(Paper).where(Paper.external_id == external_id)).one()


def test_the_same_paper_from_every_source_is_one_row_with_the_best_of_each(
    read: Read, sqlite_database: Database
) -> None:
    names = ("huggingface", "arxiv-rss", "arxiv", "arxiv-oai", "semanticscholar", "openalex")
    assert [read(name).outcome for name in names] == ["done"] * len(names)
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Paper)) == 1
    paper = paper_of(sqlite_database)
    assert (paper.title, paper.upvotes, paper.citations, paper.authors) == (
        "Ladders That Lean",
        41,
        12,
        ["Ann Bee", "Cyrille Dée"],
    )
    assert paper.provenance
    assert {paper.source, *paper.provenance.values()} >= {"huggingface", "arxiv", "semanticscholar"}
    again = [read(name) for name in names]
    assert sum(harvest.counts["inserted"] + harvest.counts["updated"] for harvest in again) == 0


def test_a_token_that_expired_a_busy_host_and_a_removal_in_one_harvest(
    read: Read, there: Host, sqlite_database: Database
) -> None:
    read("arxiv")
    there.answer = in_turn(
        Reply(status=503, headers={"Retry-After": "0"}),
        Reply(documents.oai_list(documents.oai_record(OTHER), token="t1")),
        Reply(documents.oai_error("badResumptionToken", "The token is too old.")),
        Reply(documents.oai_list(documents.oai_record(OTHER), token="t2")),
        Reply(documents.oai_list(documents.oai_deleted(PAPER))),
    )
    harvest = read("arxiv-oai")
    assert (harvest.outcome, harvest.counts["deleted"], harvest.counts["inserted"]) == ("done", 1, 1)
    assert paper_of(sqlite_database).deleted_at is not None
    assert ["resumptionToken" in asked.query for asked in there.asked[1:]] == [False, False, True, False, True]


def test_a_new_version_replaces_the_text_and_a_withdrawal_is_marked(
    read: Read, there: Host, sqlite_database: Database
) -> None:
    read("arxiv")
    newer = documents.atom_entry(f"{PAPER}v2", title="Ladders That Stand", updated="2026-11-22T10:00:00Z")
    there.answer = always(Reply(documents.atom_feed(newer, total=1)))
    assert read("arxiv").counts["updated"] == 1
    paper = paper_of(sqlite_database)
    assert (paper.title, paper.version, paper.withdrawn_at) == ("Ladders That Stand", 2, None)
    gone = documents.atom_entry(
        f"{PAPER}v3", summary="This paper has been withdrawn by the authors.", updated="2026-11-23T10:00:00Z"
    )
    there.answer = always(Reply(documents.atom_feed(gone, total=1)))
    read("arxiv")
    assert paper_of(sqlite_database).withdrawn_at is not None


@pytest.mark.parametrize(
    "answer",
    [
        always(Reply(b"<feed><entry>")),
        always(Reply(BOMB)),
        always(Reply(documents.atom_error())),
        always(Reply(b"<!DOCTYPE html><html><body>Back soon<br></body></html>")),
        always(Reply(b"")),
        always(Reply(b"\xff\xfe\x00\x00", headers={"Content-Type": "application/atom+xml; charset=utf-7"})),
        always(Reply(gzip.compress(bytes(50 * 2**20)), headers={"Content-Encoding": "gzip"})),
        always(Reply(documents.atom_feed(documents.atom_entry())[:-60], length=10**6)),
        always(Reply(status=503)),
        always(Reply(status=404)),
    ],
    ids=["cut", "bomb", "error feed", "a page", "nothing", "encoding", "gzip bomb", "half", "busy", "gone"],
)
def test_nonsense_is_a_failure_with_a_reason_and_the_papers_stay(
    answer: Answer, read: Read, there: Host, sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("arxiv", "arxiv-rss", "arxiv-oai"):
        there.answer = one_paper
        assert read(name).outcome == "done"
        there.answer = answer
        harvest = read(name)
        assert harvest.outcome == "failed", harvest
        assert harvest.problem
        with sqlite_database.read() as session:
            row = session.get_one(Source, name)
        assert (row.failures, row.failure, row.lease_owner) == (1, harvest.problem, None)
        with sqlite_database.write() as session:  # a host that asked for time would get it
            session.execute(sa.text("DELETE FROM source_paces"))
    assert paper_of(sqlite_database).title == "Ladders That Lean"
    assert [record.message for record in caplog.records if "understood" in record.message] == []
