"""Plain JSON objects: what an operator may say of a paper beside its text."""

import orjson
import pytest

from api.sources.detect import parse_stream
from api.sources.records import PaperRecord, RejectedLine


def read(**line: object) -> PaperRecord | RejectedLine:
    (found,) = parse_stream([orjson.dumps({"title": "Ladders", **line})], name="jsonl")
    return found


def test_a_line_may_tell_where_a_paper_was_published_and_who_cites_it() -> None:
    found = read(doi="https://doi.org/10.1000/X", journal_ref="J 1", citations=3, references=9, fields=["Art", "Law"])
    assert isinstance(found, PaperRecord)
    assert (found.doi, found.journal_ref, found.citations, found.references) == ("10.1000/x", "J 1", 3, 9)
    assert found.fields == ("Art", "Law")


@pytest.mark.parametrize("withdrawn", [True, False, None])
def test_a_line_may_say_that_a_paper_is_withdrawn(withdrawn: bool | None) -> None:
    found = read(withdrawn=withdrawn, version=2)
    assert isinstance(found, PaperRecord)
    assert (found.is_withdrawn, found.version) == (withdrawn, 2)


@pytest.mark.parametrize("line", [{"withdrawn": "yes"}, {"version": -1}, {"citations": "many"}, {"doi": 7}])
def test_what_cannot_be_meant_rejects_the_line(line: dict[str, object]) -> None:
    assert isinstance(read(**line), RejectedLine)
