"""The same paper from every source, over HTTP and into SQL: one row, the best of each, and who said what."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
import sqlalchemy as sa

from api.services.catalog import record_papers
from api.sources import arxiv_oai, arxiv_query, arxiv_rss, huggingface_daily, openalex, semanticscholar
from api.sources.records import RejectedLine
from api.store.engine import Database
from api.store.tables import Paper
from tests.api.sources.documents import (
    as_json,
    atom_entry,
    atom_feed,
    daily_item,
    graph_paper,
    oai_deleted,
    oai_list,
    oai_record,
    open_answer,
    open_work,
    rss_feed,
    rss_item,
)
from tests.api.sources.walking import NOW, Walked, walk
from tests.sources_server import Answer, SourcesServer

ID = "2611.01234"
EXTRA = "<arxiv:journal_ref>J. Ladders 3</arxiv:journal_ref>"


def store(database: Database, walked: Walked, *, now: datetime = NOW) -> None:
    for step in walked.steps:
        records = [item for item in step.records if not isinstance(item, RejectedLine)]
        with database.write() as session:
            record_papers(session, records, now=now)


def only_paper(database: Database) -> Paper:
    with database.read() as session:
        (paper,) = session.scalars(sa.select(Paper)).all()
        session.expunge(paper)
    return paper


def from_arxiv(source: SourcesServer, entry: str | None = None) -> Walked:
    source.script("/api/query", Answer(atom_feed(entry or atom_entry(f"{ID}v2", extra=EXTRA))))
    return walk(arxiv_query, arxiv_query.Options(("cs.RO",), source.url))


def from_oai(source: SourcesServer, *records: str) -> Walked:
    source.script("/oai", Answer(oai_list(*records)))
    return walk(arxiv_oai, arxiv_oai.Options(f"{source.url}/oai"))


def from_rss(source: SourcesServer, *items: str) -> Walked:
    source.script("/rss/cs.RO", Answer(rss_feed(*items)))
    return walk(arxiv_rss, arxiv_rss.Options(("cs.RO",), source.url))


def from_daily(source: SourcesServer) -> Walked:
    source.script("/api/daily_papers", Answer(as_json([daily_item()])))
    return walk(huggingface_daily, huggingface_daily.Options(source.url, 0))


def from_graph(source: SourcesServer) -> Walked:
    source.script("/graph/v1/paper/batch", Answer(as_json([graph_paper(title="LADDERS THAT LEAN")])))
    return walk(semanticscholar, semanticscholar.Options((ID,), base_url=source.url))


def from_openalex(source: SourcesServer) -> Walked:
    source.script("/works", Answer(open_answer(open_work())))
    return walk(openalex, openalex.Options((ID,), base_url=source.url))


@pytest.mark.parametrize("order", list(permutations([from_arxiv, from_daily, from_graph])))
def test_three_sources_make_one_row_of_the_best_of_each_in_any_order(
    database: Database, source: SourcesServer, order: tuple[object, ...]
) -> None:
    for read in order:
        assert callable(read)
        store(database, read(source))
    paper = only_paper(database)
    assert (paper.external_id, paper.title) == (ID, "Ladders That Lean")
    assert paper.summary.startswith("We let ladders lean")
    assert paper.authors == ["Ann Bee", "Cyrille Dée"]
    assert paper.published_at == datetime(2026, 11, 19, 10, tzinfo=UTC)
    assert (paper.version, paper.journal_ref, paper.doi) == (2, "J. Ladders 3", "10.1234/ladders.7")
    assert (paper.upvotes, paper.github_stars, paper.submitted_by) == (41, 7, "climber")
    assert (paper.citations, paper.references_count, paper.fields) == (12, 30, ["Computer Science", "Engineering"])
    said = {name: (paper.provenance or {}).get(name, paper.source) for name in ("title", "upvotes", "citations", "doi")}
    assert said == {
        "title": "arxiv",
        "upvotes": "huggingface",
        "citations": "semanticscholar",
        "doi": "semanticscholar",
    }


def test_all_six_again_change_nothing(database: Database, source: SourcesServer) -> None:
    reads = [from_arxiv, from_daily, from_graph, from_openalex]
    for read in reads:
        store(database, read(source))
    store(database, from_rss(source, rss_item(f"{ID}v2", announced="cross")))
    store(database, from_oai(source, oai_record(updated="2026-11-19")))
    before = only_paper(database)
    for read in reads:
        store(database, read(source), now=NOW + timedelta(hours=1))
    store(database, from_rss(source, rss_item(f"{ID}v2", announced="cross")), now=NOW + timedelta(hours=1))
    store(database, from_oai(source, oai_record(updated="2026-11-19")), now=NOW + timedelta(hours=1))
    after = only_paper(database)
    columns = [column.key for column in sa.inspect(Paper).column_attrs]
    assert {name: getattr(after, name) for name in columns} == {name: getattr(before, name) for name in columns}


def test_an_older_version_from_a_slower_feed_takes_nothing_back(database: Database, source: SourcesServer) -> None:
    store(database, from_arxiv(source, atom_entry(f"{ID}v2", title="Ladders That Hold")))
    store(database, from_rss(source, rss_item(f"{ID}v1", title="Ladders That Lean")))
    paper = only_paper(database)
    assert (paper.title, paper.version) == ("Ladders That Hold", 2)


def test_a_new_version_replaces_the_text(database: Database, source: SourcesServer) -> None:
    store(database, from_arxiv(source, atom_entry(f"{ID}v1")))
    store(
        database, from_arxiv(source, atom_entry(f"{ID}v2", title="Ladders That Hold", updated="2026-11-22T00:00:00Z"))
    )
    paper = only_paper(database)
    assert (paper.title, paper.version) == ("Ladders That Hold", 2)
    assert paper.revised_at == datetime(2026, 11, 22, tzinfo=UTC)


def test_a_withdrawn_paper_is_marked_and_a_reinstated_one_is_not(database: Database, source: SourcesServer) -> None:
    store(database, from_arxiv(source, atom_entry(f"{ID}v1")))
    withdrawn = oai_record(updated="2026-11-22", comments="This paper has been withdrawn by the authors")
    store(database, from_oai(source, withdrawn))
    assert only_paper(database).withdrawn_at is not None
    store(database, from_oai(source, oai_record(updated="2026-11-23")))
    assert only_paper(database).withdrawn_at is None


def test_a_deleted_record_keeps_its_row_and_comes_back_with_its_paper(
    database: Database, source: SourcesServer
) -> None:
    store(database, from_daily(source))
    store(database, from_oai(source, oai_deleted(ID)))
    assert only_paper(database).deleted_at is not None
    store(database, from_arxiv(source, atom_entry(f"{ID}v3")))
    assert only_paper(database).deleted_at is None
