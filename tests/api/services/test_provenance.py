"""Whom the catalogue believes about what."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services.provenance import DELETED, TRUST, Known, best_of
from api.sources.records import PaperRecord

DAY = datetime(2024, 1, 5, tzinfo=UTC)
MOMENT = datetime(2024, 1, 5, 17, 59, tzinfo=UTC)
SOURCES = ("file", "arxiv", "semanticscholar", "openalex", "huggingface", "elsewhere")


def said(*records: PaperRecord) -> Known:
    known = Known(records[0], {})
    for record in records[1:]:
        known = best_of(known, record)
    return known


def paper(source: str, title: str = "T", **values: object) -> PaperRecord:
    return replace(PaperRecord(title, source, external_id="2401.01234"), **values)  # type: ignore[arg-type]


def test_every_field_of_a_record_has_its_order_of_trust() -> None:
    names = {field.name for field in fields(PaperRecord)} - {"external_id", "source"}
    assert set(TRUST) == names | {DELETED}
    assert all(order[0] == "file" for order in TRUST.values())


@pytest.mark.parametrize("is_arxiv_first", [True, False])
def test_arxiv_is_believed_about_the_text_and_hugging_face_about_votes_in_any_order(is_arxiv_first: bool) -> None:
    arxiv = paper("arxiv", "From arXiv", summary="A.", upvotes=1)
    daily = paper("huggingface", "From the list", summary="H.", upvotes=9)
    known = said(arxiv, daily) if is_arxiv_first else said(daily, arxiv)
    assert (known.record.title, known.record.summary, known.record.upvotes) == ("From arXiv", "A.", 9)
    assert (known.giver("title"), known.giver("upvotes")) == ("arxiv", "huggingface")


def test_citations_come_from_those_who_count_them() -> None:
    known = said(paper("arxiv"), paper("openalex", citations=3, references=8), paper("semanticscholar", citations=5))
    assert (known.record.citations, known.record.references) == (5, 8)
    assert known.givers == {"citations": "semanticscholar", "references": "openalex"}
    assert best_of(known, paper("openalex", citations=99)).record.citations == 5


def test_the_word_of_an_operator_stands() -> None:
    known = said(paper("arxiv", version=1), paper("file", "By hand"), paper("arxiv", "Version two", version=2))
    assert (known.record.title, known.record.version) == ("By hand", 2)


def test_a_source_nobody_knows_is_believed_only_where_all_others_are_silent() -> None:
    known = said(paper("huggingface", "Known"), paper("elsewhere", "Unknown", citations=4))
    assert (known.record.title, known.record.citations) == ("Known", 4)


def test_an_older_version_replaces_nothing_of_a_newer_one() -> None:
    newer = paper("arxiv", "Second", summary="New.", version=2, revised_at=MOMENT, is_withdrawn=True)
    older = paper("arxiv", "First", summary="Old.", version=1, doi="10.1000/1", is_withdrawn=False)
    known = said(newer, older)
    assert (known.record.title, known.record.summary, known.record.version) == ("Second", "New.", 2)
    assert (known.record.is_withdrawn, known.record.doi) == (True, "10.1000/1")


def test_without_numbers_the_day_of_the_revision_tells_which_text_is_older() -> None:
    newer = paper("arxiv", "Second", revised_at=MOMENT)
    assert said(newer, paper("arxiv", "First", revised_at=DAY.replace(year=2023))).record.title == "Second"
    assert said(newer, paper("arxiv", "Third", revised_at=DAY.replace(year=2025))).record.title == "Third"


def test_a_later_text_without_a_number_does_not_keep_the_number_of_the_earlier_one() -> None:
    known = said(
        paper("arxiv", "First", version=1, revised_at=DAY), paper("arxiv", "Third", revised_at=DAY.replace(year=2025))
    )
    assert (known.record.title, known.record.version) == ("Third", None)
    again = best_of(known, paper("arxiv", "First", version=1, revised_at=DAY))
    assert again.record.title == "Third"


def test_a_source_that_knows_only_the_day_does_not_blur_the_hour() -> None:
    known = said(
        paper("arxiv", published_at=MOMENT, revised_at=MOMENT), paper("arxiv", published_at=DAY, revised_at=DAY)
    )
    assert (known.record.published_at, known.record.revised_at) == (MOMENT, MOMENT)
    assert said(paper("arxiv", published_at=DAY), paper("arxiv", published_at=MOMENT)).record.published_at == MOMENT


def test_a_count_of_zero_is_a_word_but_gives_way_to_any() -> None:
    assert said(paper("huggingface", upvotes=7), paper("huggingface", upvotes=0)).record.upvotes == 0
    assert said(paper("file", upvotes=0), paper("huggingface", upvotes=7)).record.upvotes == 7


@given(st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=8))
def test_what_is_said_again_changes_nothing(facts: list[tuple[str, str, int]]) -> None:
    records = [paper(source, title, citations=count) for source, title, count in facts]
    known = said(*records)
    assert best_of(known, records[-1]) == known


@given(st.permutations([paper(source, source, citations=at) for at, source in enumerate(SOURCES)]))
def test_the_order_in_which_sources_speak_does_not_matter(records: list[PaperRecord]) -> None:
    known = said(*records)
    assert (known.record.title, known.record.citations) == ("file", 0)
    assert (known.giver("title"), known.giver("citations")) == ("file", "file")
