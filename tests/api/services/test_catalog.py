"""The catalogue: several sources, one row."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequest
from api.ids import id_of_title
from api.services.catalog import IngestCounts, normalise_external_id, record_papers
from api.sources.records import Organization, PaperRecord
from api.store.engine import Database
from api.store.papers import paper_ids_of
from api.store.tables import Paper, PaperCategory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

ATOM = PaperRecord(
    title="A Study of Ladders",
    source="arxiv",
    external_id="2401.01234",
    summary="We climb.",
    authors=("Ann Bee", "Cy Dee"),
    categories=("cs.AI", "cs.LG"),
    published_at=datetime(2024, 1, 3, tzinfo=UTC),
)
DAILY = PaperRecord(
    title="A Study of Ladders",
    source="huggingface",
    external_id="2401.01234",
    daily_at=datetime(2024, 1, 5, tzinfo=UTC),
    upvotes=7,
    num_comments=2,
    organization=Organization("climbers", "The Climbers"),
)


def record(database: Database, *records: PaperRecord, now: datetime = NOW, is_demo: bool = False) -> IngestCounts:
    with database.write() as session:
        return record_papers(session, records, now=now, is_demo=is_demo)


def papers(database: Database) -> Sequence[Paper]:
    with database.read() as session:
        return session.scalars(sa.select(Paper).order_by(Paper.paper_id)).all()


def only_paper(database: Database) -> Paper:
    (paper,) = papers(database)
    return paper


def categories(database: Database) -> set[tuple[str, int, datetime]]:
    with database.read() as session:
        columns = (PaperCategory.category, PaperCategory.paper_id, PaperCategory.listed_at)
        return {(row[0], row[1], row[2]) for row in session.execute(sa.select(*columns))}


def test_the_same_records_again_change_nothing(database: Database) -> None:
    assert record(database, ATOM, DAILY) == IngestCounts(inserted=1, updated=1)
    assert record(database, ATOM, now=LATER) == IngestCounts(unchanged=1)
    assert record(database, DAILY, now=LATER) == IngestCounts(unchanged=1)
    assert only_paper(database).updated_at == NOW


def test_a_source_that_lacks_a_field_does_not_blank_it(database: Database) -> None:
    record(database, ATOM)
    record(database, DAILY, now=LATER)
    paper = only_paper(database)
    assert paper.summary == "We climb."
    assert paper.categories == ["cs.AI", "cs.LG"]
    assert paper.authors == ["Ann Bee", "Cy Dee"]
    assert paper.num_authors == 2
    assert paper.published_at == ATOM.published_at
    assert (paper.upvotes, paper.num_comments) == (7, 2)
    assert paper.organization == {"name": "climbers", "fullname": "The Climbers"}
    assert (paper.created_at, paper.updated_at) == (NOW, LATER)


def test_votes_and_comments_take_the_newest_value_also_when_it_is_lower(database: Database) -> None:
    record(database, DAILY)
    later = PaperRecord("A Study of Ladders", "huggingface", external_id="2401.01234", upvotes=5, num_comments=0)
    assert record(database, later) == IngestCounts(updated=1)
    paper = only_paper(database)
    assert (paper.upvotes, paper.num_comments) == (5, 0)


def test_versions_of_one_paper_are_one_row(database: Database) -> None:
    first = PaperRecord("One", "file", external_id="2401.00001v1")
    second = PaperRecord("One, revised", "file", external_id="arXiv:2401.00001v2")
    assert record(database, first, second) == IngestCounts(inserted=1, updated=1)
    paper = only_paper(database)
    assert (paper.external_id, paper.title) == ("2401.00001", "One, revised")


@pytest.mark.parametrize("in_one_chunk", [True, False])
def test_a_paper_without_id_takes_the_real_one_and_keeps_its_number(database: Database, in_one_chunk: bool) -> None:
    anonymous = PaperRecord("A study of  LADDERS!", "file", summary="We climb far.")
    if in_one_chunk:
        assert record(database, anonymous, DAILY) == IngestCounts(inserted=1, updated=1)
    else:
        record(database, anonymous)
        made_up = only_paper(database)
        assert (made_up.external_id, made_up.id_from_title) == (id_of_title("A Study of Ladders"), True)
        assert record(database, DAILY) == IngestCounts(updated=1)
        assert only_paper(database).paper_id == made_up.paper_id
    paper = only_paper(database)
    assert (paper.external_id, paper.id_from_title) == ("2401.01234", False)
    assert (paper.title, paper.summary, paper.source) == ("A Study of Ladders", "We climb far.", "huggingface")


@pytest.mark.parametrize("in_one_chunk", [True, False])
def test_a_record_without_id_lands_on_the_paper_of_its_title(database: Database, in_one_chunk: bool) -> None:
    anonymous = PaperRecord("A study of ladders", "file", num_comments=9)
    if in_one_chunk:
        record(database, ATOM, anonymous)
    else:
        record(database, ATOM)
        record(database, anonymous)
    paper = only_paper(database)
    assert (paper.external_id, paper.num_comments, paper.id_from_title) == ("2401.01234", 9, False)


def test_two_real_papers_of_one_title_stay_two(database: Database) -> None:
    record(database, PaperRecord("Erratum", "file"))
    counts = record(database, *(PaperRecord("Erratum", "file", external_id=name) for name in ("e1", "e2")))
    assert counts == IngestCounts(inserted=1, updated=1)
    assert [paper.external_id for paper in papers(database)] == ["e1", "e2"]


def test_the_made_up_id_still_finds_the_paper_after_it_took_a_real_one(database: Database) -> None:
    made_up = id_of_title("A Study of Ladders")
    record(database, PaperRecord("A Study of Ladders", "file"))
    record(database, ATOM)
    with database.read() as session:
        found = paper_ids_of(session, [made_up, "2401.01234", "nobody"])
    assert found == {made_up: only_paper(database).paper_id, "2401.01234": only_paper(database).paper_id}


def test_categories_keep_in_step_with_the_paper(database: Database) -> None:
    record(database, ATOM)
    number = only_paper(database).paper_id
    published = datetime(2024, 1, 3, tzinfo=UTC)
    assert categories(database) == {("cs.AI", number, published), ("cs.LG", number, published)}
    record(
        database, PaperRecord("A Study of Ladders", "arxiv", external_id="2401.01234", categories=("cs.LG", "cs.RO"))
    )
    assert categories(database) == {("cs.LG", number, published), ("cs.RO", number, published)}
    record(database, DAILY)
    assert categories(database) == {("cs.LG", number, DAILY.daily_at), ("cs.RO", number, DAILY.daily_at)}


def test_a_paper_from_the_future_is_listed_now(database: Database) -> None:
    record(database, PaperRecord("Soon", "file", external_id="x", published_at=datetime(2999, 1, 1, tzinfo=UTC)))
    assert only_paper(database).listed_at == NOW


def test_a_paper_without_dates_keeps_its_place_when_it_changes(database: Database) -> None:
    record(database, PaperRecord("Undated", "file", external_id="x"))
    record(database, PaperRecord("Undated", "file", external_id="x", summary="Now with words."), now=LATER)
    assert only_paper(database).listed_at == NOW


def test_a_real_paper_replaces_the_demonstration_one_with_its_id(database: Database) -> None:
    demo = PaperRecord("Made up", "demonstration", external_id="2401.01234", summary="Nothing.", submitted_by="demo-1")
    record(database, demo, is_demo=True)
    assert record(database, ATOM) == IngestCounts(updated=1)
    paper = only_paper(database)
    assert (paper.is_demo, paper.title, paper.submitted_by, paper.source) == (False, ATOM.title, None, "arxiv")


def test_a_demonstration_paper_never_touches_a_real_one(database: Database) -> None:
    record(database, ATOM, PaperRecord("Untitled", "file"))
    demo = PaperRecord("Made up", "demonstration", external_id="2401.01234")
    other = PaperRecord("Untitled", "demonstration", external_id="2401.99999")
    assert record(database, demo, other, is_demo=True) == IngestCounts(inserted=1, unchanged=1)
    assert [(paper.title, paper.is_demo) for paper in papers(database)] == [
        (ATOM.title, False),
        ("Untitled", False),
        ("Untitled", True),
    ]


def test_numbers_of_removed_papers_are_not_given_again(database: Database) -> None:
    record(database, ATOM)
    removed = only_paper(database).paper_id
    with database.write() as session:
        session.execute(sa.delete(Paper))
    record(database, ATOM)
    assert only_paper(database).paper_id > removed


def test_a_chunk_takes_the_same_number_of_statements_whatever_its_size(sqlite_database: Database) -> None:
    statements: list[str] = []
    sa.event.listen(
        sqlite_database.engine, "before_cursor_execute", lambda *event: statements.append(str(event[2])), named=False
    )
    many = [PaperRecord(f"Paper {n}", "file", external_id=f"p{n}", categories=("a", "b")) for n in range(200)]
    record(sqlite_database, *many)
    assert len([text for text in statements if not text.startswith(("BEGIN", "PRAGMA"))]) <= 4


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2401.01234", "2401.01234"),
        (" 2401.01234v2 ", "2401.01234"),
        ("arXiv:2401.01234v12", "2401.01234"),
        ("ARXIV: 0704.0001v1", "0704.0001"),
        ("hep-th/9901001v1", "hep-th/9901001"),
        ("math.GT/0309136v3", "math.GT/0309136"),
        ("http://arxiv.org/abs/hep-th/9901001v2", "hep-th/9901001"),
        ("https://arxiv.org/pdf/2401.01234v2.pdf", "2401.01234"),
        ("https://www.arxiv.org/abs/2401.01234?context=cs", "2401.01234"),
        ("https://huggingface.co/papers/2401.01234", "2401.01234"),
        ("oai:arXiv.org:2401.01234", "2401.01234"),
        ("https://doi.org/10.48550/arXiv.2401.01234", "2401.01234"),
        ("cul00001v2", "cul00001v2"),
        ("rev2", "rev2"),
        ("https://example.org/papers/1v2", "https://example.org/papers/1v2"),
        ("论文一", "论文一"),
    ],
)
def test_ids_are_brought_to_one_form(text: str, wanted: str) -> None:
    assert normalise_external_id(text) == wanted


@pytest.mark.parametrize("text", ["", "   ", "arXiv:", "x" * 201, "a\x00b", "a\nb", "a\u2028b", "\ud800"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        normalise_external_id(text)


@given(st.text(alphabet="arXiv:v./0123456789-th", max_size=30) | st.text(max_size=40))
def test_an_id_in_its_one_form_stays_as_it_is(text: str) -> None:
    try:
        once = normalise_external_id(text)
    except InvalidRequest:
        return
    assert normalise_external_id(once) == once
