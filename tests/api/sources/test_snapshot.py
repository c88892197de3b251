"""Lines of arXiv's metadata snapshot, field by field."""

from datetime import UTC, datetime

import orjson
import pytest

from api.sources.records import PaperRecord, RejectedLine
from api.sources.snapshot import parse_line

LINE: dict[str, object] = {
    "id": "2401.01234",
    "title": "Ladders for Everyone",
    "comments": "12 pages",
    "journal-ref": "Climbing\n Letters 3 (2025) 7",
    "doi": "10.1000/ABC.7 10.1000/other",
    "abstract": "We climb.",
    "categories": "cs.RO",
    "versions": [
        {"version": "v1", "created": "Tue, 2 Jan 2024 03:04:05 GMT"},
        {"version": "v12", "created": "Thu, 29 Feb 2024 23:59:59 GMT"},
    ],
    "update_date": "2024-03-01",
    "authors_parsed": [["Bee", "Ann", ""], ["Dee", "Cy", "Jr."], ["Team", "", ""]],
}


def read(**changes: object) -> PaperRecord:
    found = parse_line(1, orjson.dumps(LINE | changes))
    assert isinstance(found, PaperRecord), found
    return found


def test_a_line_tells_its_version_its_days_and_where_it_was_published() -> None:
    record = read()
    assert (record.version, record.doi, record.journal_ref) == (12, "10.1000/abc.7", "Climbing Letters 3 (2025) 7")
    assert record.published_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert record.revised_at == datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    assert record.authors == ("Ann Bee", "Cy Dee Jr.", "Team")
    assert record.is_withdrawn is False


@pytest.mark.parametrize(
    "changes",
    [
        {"comments": "This paper has been withdrawn by the author due to an error in Lemma 2"},
        {"comments": "Withdrawn"},
        {"abstract": "  This paper has been withdrawn by the authors.\n"},
    ],
)
def test_a_withdrawn_paper_is_told_by_its_comments_or_in_place_of_its_abstract(changes: dict[str, object]) -> None:
    assert read(**changes).is_withdrawn is True


def test_a_paper_about_withdrawals_is_not_withdrawn() -> None:
    assert (
        read(abstract="Money that is withdrawn from banks is studied. This paper has been long.").is_withdrawn is False
    )


@pytest.mark.parametrize("created", ["2024-01-02", "Tue, 2 Jan 2024 04:04:05 +0100"])
def test_days_in_other_forms_are_read_too(created: str) -> None:
    published = read(versions=[{"version": "v1", "created": created}]).published_at
    assert published is not None
    assert published.date() == datetime(2024, 1, 2, tzinfo=UTC).date()


@pytest.mark.parametrize("created", ["Tue, 31 Feb 2024 03:04:05 GMT", "Tue, 2 Foo 2024 03:04:05 GMT", 7])
def test_a_day_that_is_none_rejects_the_line(created: object) -> None:
    found = parse_line(9, orjson.dumps(LINE | {"versions": [{"version": "v1", "created": created}]}))
    assert isinstance(found, RejectedLine)
    assert (found.line, "versions.created is not a date" in found.reason) == (9, True)


@pytest.mark.parametrize("versions", [None, [], "v1", [1, 2]])
def test_without_versions_the_day_of_the_last_change_has_to_do(versions: object) -> None:
    record = read(versions=versions)
    assert (record.published_at, record.version) == (datetime(2024, 3, 1, tzinfo=UTC), None)


@pytest.mark.parametrize("version", ["v", "2", "vx", "v" + "9" * 40, None, 3])
def test_odd_names_of_versions_are_no_numbers_or_harmless(version: object) -> None:
    assert read(versions=[{"version": version, "created": "2024-01-02"}]).version in {None, 2}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"title": "T"}', "the id is missing"),
        (b'{"id": "2401.00001"}', "the title is missing"),
        (b'{"id": "2401.00001", "title": "T", "authors_parsed": ["A"]}', "authors_parsed is not a list of lists"),
        (b'{"id": "2401.00001", "title": "T", "authors_parsed": [[1, 2]]}', "author is not text"),
    ],
)
def test_a_line_that_is_no_paper_says_why(line: bytes, reason: str) -> None:
    found = parse_line(3, line)
    assert isinstance(found, RejectedLine)
    assert reason in found.reason
