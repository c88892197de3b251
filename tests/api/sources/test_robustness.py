"""Whatever a source sends, a stepper gives records with a reason for each that is none, or says that it failed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.sources import arxiv_oai, arxiv_query, arxiv_rss, huggingface_daily, openalex, semanticscholar
from api.sources.records import Deletion, Json, PaperRecord, RejectedLine
from api.sources.steps import Ask, Got, SourceFailed, Step, Stepper
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
from tests.api.sources.walking import NOW

IDS = ("2611.01234", "2611.00002")


@dataclass(frozen=True, slots=True)
class Case:
    """A source with a document that it usually sends."""

    read: Callable[[Got, Json | None], Step]
    first: Callable[[Json | None], Ask | None]
    body: bytes


def case(stepper: Stepper[Any], options: object, body: bytes) -> Case:
    return Case(
        lambda got, cursor: stepper.read(got, cursor, now=NOW, options=options),
        partial(stepper.first, now=NOW, options=options),
        body,
    )


CASES = {
    "arxiv_query": case(
        arxiv_query,
        arxiv_query.Options(("cs.RO",)),
        atom_feed(atom_entry(), atom_entry("2611.00002v3", comment=None), total=500),
    ),
    "arxiv_oai": case(
        arxiv_oai, arxiv_oai.Options(sets=("cs", "math")), oai_list(oai_record(), oai_deleted(), token="t1")
    ),
    "arxiv_rss": case(
        arxiv_rss, arxiv_rss.Options(("cs.RO",)), rss_feed(rss_item(), rss_item("2611.00002v2", announced="replace"))
    ),
    "huggingface_daily": case(
        huggingface_daily, huggingface_daily.Options(), as_json([daily_item(), daily_item("2611.00002")])
    ),
    "semanticscholar": case(
        semanticscholar, semanticscholar.Options(IDS), as_json([graph_paper(), graph_paper("2611.00002")])
    ),
    "openalex": case(openalex, openalex.Options(IDS), open_answer(open_work(), open_work("2611.00002"))),
}
PIECES = [
    *(
        b"<",
        b">",
        b"&",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"-->",
        b"<!DOCTYPE a>",
        b"&#0;",
        b"&#xD800;",
        b"&lt;",
        b"<?a?>",
    ),
    *(
        b"</entry>",
        b"<entry>",
        b"<record>",
        b"</record>",
        b"<item>",
        b'"',
        b"'",
        b"\0",
        b"\xff",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"null",
        b"[]",
        b"{}",
        b"-1",
        b"1e999",
        b"9" * 40,
        b'"\\ud800"',
        b"true",
        b",",
        b":",
        b"v999",
        b"2611.",
        b"\xe2\x80\xa8",
    ),
]
numbers = st.integers(min_value=0)
edits = st.one_of(
    st.tuples(st.just("cut"), numbers, st.just(b"")),
    st.tuples(st.just("drop"), numbers, st.just(b"")),
    st.tuples(st.just("put"), numbers, st.one_of(st.sampled_from(PIECES), st.binary(max_size=6))),
    st.tuples(st.just("twice"), numbers, st.just(b"")),
)


def mutated(body: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    """Return a document after accidents: cut off, with parts dropped, doubled, or something put in."""
    for kind, number, piece in changes:
        at = number % (len(body) + 1)
        until = at + number % 60
        match kind:
            case "cut":
                body = body[:at]
            case "drop":
                body = body[:at] + body[until:]
            case "put":
                body = body[:at] + piece + body[at + number % 9 :]
            case _:
                body = body[:until] + body[at:]
    return body


def checked(name: str, got: Got, cursor: Json | None = None) -> Step | None:
    """Return what the stepper makes of an answer, None if it says that it failed; assert that both can be stored."""
    step: Step | None = None
    try:
        step = CASES[name].read(got, cursor)
        reason = step.problem or ""
    except SourceFailed as failed:
        reason = str(failed)
    assert len(reason.encode()) < 4_000
    assert "\0" not in reason
    if step is None:
        return None
    for record in step.records:
        assert isinstance(record, PaperRecord | Deletion | RejectedLine)
        assert not isinstance(record, RejectedLine) or "\0" not in record.reason
        if isinstance(record, PaperRecord):
            assert record.title
            assert record.external_id
            assert "\0" not in record.title + record.summary
            (record.title + record.summary + "".join(record.authors)).encode()
    as_json(step.cursor)
    assert CASES[name].first(step.cursor) is None or step.then is None or step.then == CASES[name].first(step.cursor)
    assert not (step.is_done and step.then)
    assert step.is_done or step.then or step.problem
    return step


def answered(body: bytes, status: int = 200, **headers: str) -> Got:
    return Got(status, headers, body, "http://example.org/x")


@pytest.mark.parametrize("name", CASES)
def test_the_usual_document_is_understood(name: str) -> None:
    step = checked(name, answered(CASES[name].body))
    assert step is not None
    assert any(isinstance(record, PaperRecord) for record in step.records)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=30, deadline=None)
@given(changes=st.lists(edits, min_size=1, max_size=4))
def test_a_document_after_an_accident_gives_records_or_a_reason(
    name: str, changes: list[tuple[str, int, bytes]]
) -> None:
    checked(name, answered(mutated(CASES[name].body, changes)))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=500, deadline=None)
@given(changes=st.lists(edits, min_size=1, max_size=8))
def test_a_document_after_many_accidents_gives_records_or_a_reason(
    name: str, changes: list[tuple[str, int, bytes]]
) -> None:
    checked(name, answered(mutated(CASES[name].body, changes)))


@pytest.mark.parametrize("name", CASES)
def test_a_document_cut_anywhere_never_gives_a_paper_that_is_not_in_it(name: str) -> None:
    body = CASES[name].body
    whole = checked(name, answered(body))
    assert whole is not None
    for at in range(0, len(body) - 1, 37):
        step = checked(name, answered(body[:at]))
        papers = [] if step is None else [item for item in step.records if isinstance(item, PaperRecord | Deletion)]
        assert all(paper in whole.records for paper in papers)
        assert step is None or not step.is_done or at > len(body) - 20


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(body=st.binary(max_size=200), status=st.sampled_from([200, 204, 206, 301, 304, 400, 403, 404, 429, 500, 503]))
def test_any_bytes_with_any_status_give_records_or_a_reason(name: str, body: bytes, status: int) -> None:
    checked(name, answered(body, status))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("huggingface_daily", lambda values: as_json([daily_item(**values), daily_item() | values])),
        ("semanticscholar", lambda values: as_json([graph_paper(**values), graph_paper("2611.00002")])),
        ("openalex", lambda values: open_answer(open_work(**values), open_work("2611.00002"))),
    ],
)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_fields_of_another_type_reject_their_paper_alone(
    name: str, build: Callable[[dict[str, object]], bytes], data: st.DataObject
) -> None:
    paper = {
        "huggingface_daily": daily_item()["paper"] | daily_item(),
        "semanticscholar": graph_paper(),
        "openalex": open_work(),
    }[name]
    names = st.sampled_from(sorted(set(paper) - {"arxiv_id"}))
    checked(name, answered(build(data.draw(st.dictionaries(names, values, max_size=3)))))


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(
    cursor=st.dictionaries(
        st.sampled_from(["run", "seen", "done", "from", "at"]),
        st.one_of(values, st.dictionaries(st.sampled_from(["days", "page", "began", "set", "token", "start"]), values)),
    )
)
def test_a_cursor_that_is_not_ours_does_no_harm(name: str, cursor: Json) -> None:
    CASES[name].first(cursor)
    checked(name, answered(CASES[name].body), cursor)


@pytest.mark.parametrize("name", CASES)
@given(
    headers=st.dictionaries(st.sampled_from(["retry-after", "ratelimit", "link", "content-type", "Date"]), st.text())
)
def test_headers_of_any_kind_do_no_harm(name: str, headers: dict[str, str]) -> None:
    for status in (200, 503):
        checked(name, Got(status, headers, CASES[name].body, "http://example.org/x"))
