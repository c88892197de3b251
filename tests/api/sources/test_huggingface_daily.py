"""Hugging Face daily papers: the newest list, then day by day back."""

import pytest

from api.sources import huggingface_daily
from api.sources.huggingface_daily import Options
from api.sources.records import Json
from api.sources.steps import SourceFailed, Stepper
from tests.api.sources.documents import WEB_PAGE, as_json, daily_item
from tests.api.sources.walking import NOW, walk
from tests.sources_server import Answer, SourcesServer

PATH = "/api/daily_papers"
STEPPER: Stepper[Options] = huggingface_daily
NEWEST = {"date": None}
EMPTY = Answer(b"[]")


def options(source: SourcesServer, days: int = 2) -> Options:
    return Options(source.url, days)


def days_asked(source: SourcesServer) -> list[tuple[str | None, str | None]]:
    return [(request.query.get("date"), request.query.get("p")) for request in source.seen]


def test_the_newest_list_comes_first_then_the_days_before(source: SourcesServer) -> None:
    source.script(PATH, Answer(as_json([daily_item("2611.00001")])))
    walked = walk(STEPPER, options(source))
    assert days_asked(source) == [(None, None), ("2026-11-22", None), ("2026-11-21", None)]
    assert {request.query["limit"] for request in source.seen} == {"100"}
    assert (walked.last.is_done, walked.cursor) == (True, {"done": "2026-11-23"})


def test_the_pages_of_a_day_are_followed_by_their_link(source: SourcesServer) -> None:
    link = {"Link": '<http://elsewhere.example/api/daily_papers?p=1>; rel="next"'}
    source.script(PATH, EMPTY)
    source.script(PATH, Answer(as_json([daily_item("2611.00001")]), headers=link), query={"date": "2026-11-22"})
    source.script(PATH, Answer(as_json([daily_item("2611.00002")])), query={"date": "2026-11-22", "p": "1"})
    walked = walk(STEPPER, options(source))
    assert days_asked(source) == [(None, None), ("2026-11-22", None), ("2026-11-22", "1"), ("2026-11-21", None)]
    assert walked.ids == ["2611.00001", "2611.00002"]


def test_a_link_without_end_is_followed_so_far_and_no_further(source: SourcesServer) -> None:
    link = {"Link": '<x?p=1>; rel="next"'}
    source.script(PATH, Answer(as_json([daily_item()]), headers=link))
    walked = walk(STEPPER, options(source, days=1))
    assert len(source.seen) == 1 + huggingface_daily.MOST_PAGES  # of the newest list only the first page
    assert walked.last.is_done


def test_days_missed_are_read_and_votes_of_the_last_ones_again(source: SourcesServer) -> None:
    source.script(PATH, EMPTY)
    walk(STEPPER, options(source), cursor={"done": "2026-11-18"})
    assert [day for day, _ in days_asked(source)][1:] == [f"2026-11-{day}" for day in range(22, 17, -1)]


def test_a_silence_of_years_is_read_back_so_far_and_no_further(source: SourcesServer) -> None:
    source.script(PATH, EMPTY)
    walked = walk(STEPPER, options(source), cursor={"done": "1999-01-01"}, most=1)
    run = walked.last.cursor["run"]
    assert isinstance(run, dict)
    assert len(run["days"]) == huggingface_daily.MOST_DAYS


def test_an_interrupted_run_goes_on_with_its_day_and_page(source: SourcesServer) -> None:
    link = {"Link": '<x?p=1>; rel="next"'}
    source.script(PATH, EMPTY)
    source.script(PATH, Answer(as_json([daily_item()]), headers=link), query={"date": "2026-11-22", "p": None})
    broken_off = walk(STEPPER, options(source), most=2)
    source.seen.clear()
    rest = walk(STEPPER, options(source), cursor=broken_off.cursor)
    assert days_asked(source) == [("2026-11-22", "1"), ("2026-11-21", None)]
    assert rest.cursor == {"done": "2026-11-23"}


def test_a_day_that_has_not_changed_is_not_sent_again(source: SourcesServer) -> None:
    source.script(PATH, Answer(as_json([daily_item()]), etag='"1"'))
    validators: dict[str, str] = {}
    first = walk(STEPPER, options(source), validators=validators)
    again = walk(STEPPER, options(source), cursor=first.cursor, validators=validators)
    assert (len(first.papers), again.papers, again.last.is_done) == (3, [], True)


def test_null_fields_are_fields_that_say_nothing(source: SourcesServer) -> None:
    names = ("summary", "publishedAt", "submittedOnDailyBy", "upvotes", "ai_keywords", "organization", "githubRepo")
    nulls: dict[str, object] = dict.fromkeys(names)
    bare = daily_item(authors=[{"name": None}, {"name": "A. Bee", "hidden": None}])
    bare["paper"] |= nulls
    bare |= {"summary": None, "thumbnail": None, "numComments": None, "submittedBy": None, "organization": None}
    source.script(PATH, Answer(as_json([bare])), query=NEWEST)
    source.script(PATH, EMPTY, query={"date": "2026-11-22"})
    (paper,) = walk(STEPPER, options(source, days=1)).papers
    assert (paper.title, paper.summary, paper.authors, paper.upvotes) == (
        "Ladders That Lean (daily)",
        "",
        ("A. Bee",),
        None,
    )
    assert (paper.organization, paper.keywords, paper.num_comments) == (None, (), None)


def test_an_item_without_a_paper_is_left_out(source: SourcesServer) -> None:
    items = [{"paper": None, "title": "T"}, None, 7, daily_item("2611.00001"), {"paper": {"id": "2611.00002"}}]
    source.script(PATH, Answer(as_json(items)), query=NEWEST)
    walked = walk(STEPPER, options(source, days=0))
    assert walked.ids == ["2611.00001"]
    assert [line.line for line in walked.rejected] == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "Too early"}', "the answer is not a list: Too early"),
        (as_json([{"arxiv": "2611.00001", "name": "T"}]), "none of 1 objects could be read"),
        (WEB_PAGE, "did not answer with JSON"),
        (b"[" * 100_000, "did not answer with JSON"),
        (b'[{"paper": {"id": "2611.0', "did not answer with JSON"),
        (b"\xff\xfe[\0", "did not answer with JSON"),
        (b"", "did not answer with JSON"),
    ],
)
def test_an_answer_of_another_shape_is_a_failure(source: SourcesServer, body: bytes, reason: str) -> None:
    source.script(PATH, Answer(body))
    with pytest.raises(SourceFailed, match=reason):
        walk(STEPPER, options(source))


def test_a_limit_that_is_reached_says_when_to_come_back(source: SourcesServer) -> None:
    headers = {"RateLimit": '"api";r=0;t=212', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    source.script(PATH, Answer(b'{"error": "Too many requests"}', status=429, headers=headers))
    with pytest.raises(SourceFailed, match="answered 429: Too many requests") as caught:
        walk(STEPPER, options(source))
    assert caught.value.retry_after_seconds == 212.0


@pytest.mark.parametrize(("hint", "seconds"), [('"api";r=0;t=30', 30.0), ('"api";r=7;t=30', 0.0), ("nonsense", 0.0)])
def test_the_last_request_of_an_allowance_is_followed_by_a_pause(
    source: SourcesServer, hint: str, seconds: float
) -> None:
    source.script(PATH, Answer(b"[]", headers={"RateLimit": hint}))
    assert walk(STEPPER, options(source)).steps[0].wait_seconds == seconds


def test_a_day_that_is_refused_does_not_hide_those_before_it(source: SourcesServer) -> None:
    source.script(PATH, Answer(as_json([daily_item()])))
    source.script(PATH, Answer(b'{"error": "no such day"}', status=400), query={"date": "2026-11-22"})
    walked = walk(STEPPER, options(source))
    assert [day for day, _ in days_asked(source)] == [None, "2026-11-22", "2026-11-21"]
    assert "has no list of 2026-11-22" in walked.problems[0]
    assert walked.last.is_done


def test_reasons_hold_nothing_that_a_database_refuses(source: SourcesServer) -> None:
    source.script(PATH, Answer(as_json([daily_item("2611.00001"), daily_item(publishedAt="a\0b")])), query=NEWEST)
    (line,) = walk(STEPPER, options(source, days=0)).rejected
    assert line.reason == "publishedAt is not a date: a b"
    source.script(PATH, Answer(b'{"error": "no\\u0000thing"}', status=500), query=NEWEST)
    with pytest.raises(SourceFailed, match="answered 500: no thing"):
        walk(STEPPER, options(source))


def test_a_cursor_of_another_time_begins_anew(source: SourcesServer) -> None:
    cursors: list[Json] = [{"run": {"days": ["yesterday", 7], "page": -1}}, {"done": "soon"}, {"run": []}]
    for cursor in cursors:
        ask = huggingface_daily.first(cursor, now=NOW, options=options(source))
        assert ask is not None
        assert ask.url == f"{source.url}{PATH}?limit=100"
