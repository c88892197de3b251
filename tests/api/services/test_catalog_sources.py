"""One paper from several sources, in several versions, removed and withdrawn: still one row."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
import sqlalchemy as sa

from api.errors import InvalidRequest
from api.services.catalog import IngestCounts, record_papers
from api.sources.records import Deletion, PaperRecord
from api.store.engine import Database
from api.store.papers import latest_paper_ids, paper_ids_of
from api.store.tables import Paper

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DAY = datetime(2024, 1, 3, tzinfo=UTC)

ARXIV = PaperRecord(
    "A Study of Ladders",
    "arxiv",
    external_id="2401.01234",
    summary="We climb.",
    authors=("Ann Bee", "Cy Dee"),
    categories=("cs.RO", "cs.AI"),
    published_at=DAY,
    version=1,
    revised_at=DAY,
    is_withdrawn=False,
    doi="10.1000/Ladders.7",
)
DAILY = PaperRecord(
    "A study of ladders (daily)",
    "huggingface",
    external_id="https://huggingface.co/papers/2401.01234",
    summary="Short.",
    authors=("ann",),
    daily_at=DAY + timedelta(days=2),
    upvotes=7,
    ai_summary="They climb.",
)
GRAPH = PaperRecord(
    "A STUDY OF LADDERS",
    "semanticscholar",
    external_id="10.48550/arXiv.2401.01234",
    citations=12,
    references=30,
    fields=("Computer Science",),
)
GONE = Deletion("oai:arXiv.org:2401.01234", "arxiv")


def record(database: Database, *records: PaperRecord | Deletion, now: datetime = NOW) -> IngestCounts:
    with database.write() as session:
        return record_papers(session, records, now=now)


def papers(database: Database) -> Sequence[Paper]:
    with database.read() as session:
        return session.scalars(sa.select(Paper).order_by(Paper.paper_id)).all()


def only_paper(database: Database) -> Paper:
    (paper,) = papers(database)
    return paper


@pytest.mark.parametrize("in_one_chunk", [True, False])
def test_three_sources_in_any_order_make_one_row_of_the_best_fields(
    sqlite_database: Database, in_one_chunk: bool
) -> None:
    for records in permutations([ARXIV, DAILY, GRAPH]):
        with sqlite_database.write() as session:
            session.execute(sa.delete(Paper))
        for chunk in [records] if in_one_chunk else [[one] for one in records]:
            record(sqlite_database, *chunk)
        paper = only_paper(sqlite_database)
        assert (paper.external_id, paper.title, paper.summary) == ("2401.01234", "A Study of Ladders", "We climb.")
        assert (paper.authors, paper.categories) == (["Ann Bee", "Cy Dee"], ["cs.RO", "cs.AI"])
        assert (paper.upvotes, paper.ai_summary, paper.daily_at) == (7, "They climb.", DAILY.daily_at)
        assert (paper.citations, paper.references_count, paper.fields) == (12, 30, ["Computer Science"])
        said = {name: (paper.provenance or {}).get(name, paper.source) for name in ("title", "upvotes", "citations")}
        assert said == {"title": "arxiv", "upvotes": "huggingface", "citations": "semanticscholar"}
        assert record(sqlite_database, *records) == IngestCounts(unchanged=3)


def test_who_said_what_is_kept_in_the_row(database: Database) -> None:
    record(database, DAILY)
    record(database, ARXIV, GRAPH, now=LATER)
    paper = only_paper(database)
    assert paper.source == "huggingface"
    assert paper.provenance is not None
    assert paper.provenance["title"] == paper.provenance["summary"] == "arxiv"
    assert paper.provenance["citations"] == "semanticscholar"
    assert "upvotes" not in paper.provenance
    assert (paper.created_at, paper.updated_at) == (NOW, LATER)


@pytest.mark.parametrize("name", ["10.48550/arXiv.2401.01234", "https://doi.org/10.48550/ARXIV.2401.01234v2"])
def test_arxivs_own_doi_is_the_arxiv_id(database: Database, name: str) -> None:
    record(database, ARXIV)
    assert record(database, replace(GRAPH, external_id=name)) == IngestCounts(updated=1)
    assert record(database, replace(GRAPH, external_id=None, doi=name, citations=13)) == IngestCounts(updated=1)
    assert (only_paper(database).citations, only_paper(database).doi) == (13, "10.1000/ladders.7")


def test_a_paper_named_by_its_published_doi_is_the_one_with_that_doi(database: Database) -> None:
    record(database, ARXIV)
    published = PaperRecord("Ladders, a Study", "openalex", external_id="10.1000/LADDERS.7", citations=4)
    assert record(database, published) == IngestCounts(updated=1)
    assert only_paper(database).citations == 4
    with database.read() as session:
        assert paper_ids_of(session, ["10.1000/LADDERS.7"]) == {"10.1000/LADDERS.7": only_paper(database).paper_id}


@pytest.mark.parametrize("in_one_chunk", [True, False])
def test_a_paper_that_was_known_by_its_doi_takes_the_arxiv_id(database: Database, in_one_chunk: bool) -> None:
    published = PaperRecord("Ladders, a Study", "openalex", external_id="10.1000/ladders.7", citations=4)
    for chunk in [[published, ARXIV]] if in_one_chunk else [[published], [ARXIV]]:
        record(database, *chunk)
    paper = only_paper(database)
    assert (paper.external_id, paper.title, paper.citations) == ("2401.01234", "A Study of Ladders", 4)
    with database.read() as session:
        assert paper_ids_of(session, ["10.1000/ladders.7"]) == {"10.1000/ladders.7": paper.paper_id}


def test_the_title_is_enough_for_a_record_without_id(database: Database) -> None:
    record(database, ARXIV)
    assert record(database, replace(GRAPH, external_id=None)) == IngestCounts(updated=1)
    assert (only_paper(database).citations, only_paper(database).title) == (12, "A Study of Ladders")


def test_two_papers_with_one_doi_stay_two(database: Database) -> None:
    record(database, ARXIV, replace(ARXIV, external_id="2401.99999", title="Erratum"))
    assert [paper.external_id for paper in papers(database)] == ["2401.01234", "2401.99999"]


@pytest.mark.parametrize("in_one_chunk", [True, False])
def test_a_new_version_replaces_the_text_and_an_old_one_that_comes_later_does_not(
    database: Database, in_one_chunk: bool
) -> None:
    second = replace(ARXIV, title="Ladders, Revisited", version=2, revised_at=DAY + timedelta(days=90))
    for chunk in [[ARXIV, second, ARXIV]] if in_one_chunk else [[ARXIV], [second], [ARXIV]]:
        counts = record(database, *chunk)
    assert counts.unchanged == 1
    paper = only_paper(database)
    assert (paper.title, paper.version, paper.revised_at) == ("Ladders, Revisited", 2, second.revised_at)
    assert paper.published_at == DAY


def test_votes_that_shrink_are_taken_from_the_source_that_counts_them(database: Database) -> None:
    record(database, ARXIV, DAILY, replace(DAILY, upvotes=3))
    assert only_paper(database).upvotes == 3


def test_a_deleted_paper_keeps_its_row_and_leaves_the_lists(database: Database) -> None:
    record(database, ARXIV)
    assert record(database, GONE, now=LATER) == IngestCounts(deleted=1)
    paper = only_paper(database)
    assert (paper.deleted_at, paper.updated_at, paper.title) == (LATER, LATER, ARXIV.title)
    assert record(database, GONE) == IngestCounts(unchanged=1)
    with database.read() as session:
        assert latest_paper_ids(session, limit=9) == []
        assert latest_paper_ids(session, categories=["cs.RO"], limit=9) == []
        assert paper_ids_of(session, ["2401.01234"]) == {"2401.01234": paper.paper_id}


@pytest.mark.parametrize("in_one_chunk", [True, False])
def test_a_later_record_brings_a_deleted_paper_back(database: Database, in_one_chunk: bool) -> None:
    records: list[PaperRecord | Deletion] = [ARXIV, GONE, ARXIV]
    for chunk in [records] if in_one_chunk else [[one] for one in records]:
        counts = record(database, *chunk)
    assert counts.updated == 1
    paper = only_paper(database)
    assert paper.deleted_at is None
    with database.read() as session:
        assert latest_paper_ids(session, categories=["cs.AI"], limit=9) == [(paper.paper_id, DAY)]
        assert latest_paper_ids(session, limit=9) == [(paper.paper_id, DAY)]
    assert "deleted_at" not in (paper.provenance or {})


def test_a_list_that_still_names_a_paper_does_not_bring_it_back_against_its_source(database: Database) -> None:
    record(database, DAILY)
    assert record(database, GONE) == IngestCounts(deleted=1)
    assert record(database, replace(DAILY, upvotes=8)) == IngestCounts(updated=1)
    paper = only_paper(database)
    assert (paper.deleted_at, paper.upvotes) == (NOW, 8)


def test_a_source_removes_only_what_no_better_one_vouches_for(database: Database) -> None:
    record(database, ARXIV)
    assert record(database, Deletion("2401.01234", "huggingface")) == IngestCounts(unchanged=1)
    record(database, PaperRecord("By hand", "file", external_id="2401.01234"))
    assert record(database, GONE) == IngestCounts(unchanged=1)
    assert only_paper(database).deleted_at is None


def test_the_deletion_of_an_unknown_paper_is_nothing(database: Database) -> None:
    assert record(database, GONE) == IngestCounts(unchanged=1)
    assert papers(database) == []
    with pytest.raises(InvalidRequest):
        record(database, Deletion("", "arxiv"))


def test_a_withdrawn_paper_is_marked_since_its_last_version_and_in_no_list(database: Database) -> None:
    withdrawn_at = DAY + timedelta(days=30)
    last = replace(ARXIV, version=2, revised_at=withdrawn_at, is_withdrawn=True)
    record(database, ARXIV)
    assert record(database, last) == IngestCounts(updated=1)
    assert only_paper(database).withdrawn_at == withdrawn_at
    record(database, ARXIV, DAILY, now=LATER)
    assert only_paper(database).withdrawn_at == withdrawn_at
    with database.read() as session:
        assert latest_paper_ids(session, limit=9) == []
        assert latest_paper_ids(session, categories=["cs.AI"], limit=9) == []


def test_a_version_that_is_not_withdrawn_takes_the_mark_away(database: Database) -> None:
    record(database, replace(ARXIV, version=2, is_withdrawn=True))
    record(database, replace(ARXIV, version=3, is_withdrawn=False))
    assert only_paper(database).withdrawn_at is None
    with database.read() as session:
        assert len(latest_paper_ids(session, categories=["cs.AI"], limit=9)) == 1


def test_rows_of_before_there_was_provenance_are_not_written_again(database: Database) -> None:
    record(database, DAILY)
    before = only_paper(database)
    with database.write() as session:
        session.execute(sa.update(Paper).values(provenance=None, fields=None, version=None))
    assert record(database, DAILY, now=LATER) == IngestCounts(unchanged=1)
    assert only_paper(database).content_hash == before.content_hash
