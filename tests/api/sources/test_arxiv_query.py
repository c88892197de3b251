"""The arXiv API: pages newest first, until what is known."""

from datetime import UTC, datetime, timedelta

import pytest

from api.sources import arxiv_query
from api.sources.arxiv_query import Options
from api.sources.records import PaperRecord
from api.sources.steps import SourceFailed, Stepper
from tests.api.sources.documents import BOMB, WEB_PAGE, atom_entry, atom_error, atom_feed
from tests.api.sources.walking import NOW, walk
from tests.sources_server import Answer, SourcesServer

PATH = "/api/query"
STEPPER: Stepper[Options] = arxiv_query


def options(source: SourcesServer, **values: int) -> Options:
    return Options(("cs.RO", "cs.AI"), base_url=source.url, **values)  # type: ignore[arg-type]  # numbers only


def hours_ago(hours: float) -> str:
    return f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def entries(*hours: float, start: int = 0) -> list[str]:
    return [atom_entry(f"2611.{start + at:05}v1", published=hours_ago(ago)) for at, ago in enumerate(hours)]


def test_an_entry_is_a_paper_with_all_that_arxiv_knows(source: SourcesServer) -> None:
    extra = (
        "<arxiv:doi>https://doi.org/10.1234/ABC.5 10.1/x</arxiv:doi><arxiv:journal_ref>J. Ladders 3</arxiv:journal_ref>"
    )
    source.script(PATH, Answer(atom_feed(atom_entry("2611.01234v3", updated="2026-11-21T01:02:03Z", extra=extra))))
    assert walk(STEPPER, options(source)).papers == [
        PaperRecord(
            title="Ladders That Lean",
            source="arxiv",
            external_id="2611.01234",
            summary="We let ladders lean on ladders & measure which of them hold, for all $a < b$.",
            authors=("Ann Bee", "Cyrille Dée"),
            categories=("cs.RO", "cs.AI"),
            published_at=datetime(2026, 11, 19, 10, tzinfo=UTC),
            version=3,
            revised_at=datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC),
            is_withdrawn=False,
            doi="10.1234/abc.5",
            journal_ref="J. Ladders 3",
        )
    ]


def test_the_categories_are_asked_for_newest_first(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(*entries(1))))
    walk(STEPPER, options(source))
    assert dict(source.seen[0].query) == {
        "search_query": "cat:cs.RO OR cat:cs.AI",
        "sortBy": "lastUpdatedDate",
        "sortOrder": "descending",
        "start": "0",
        "max_results": "200",
    }


def test_without_categories_there_is_nothing_to_ask() -> None:
    assert arxiv_query.first(None, now=NOW, options=Options(())) is None


def test_a_run_ends_where_the_last_one_began_and_a_little_before(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(*entries(1, 2), total=900)), query={"start": "0"})
    source.script(PATH, Answer(atom_feed(*entries(3, 9.6, start=2), total=900)), query={"start": "2"})
    source.script(PATH, Answer(atom_feed(*entries(10, 11, start=4), total=900)), query={"start": "4"})
    seen = {"seen": hours_ago(3.5)}
    walked = walk(STEPPER, options(source, page_size=2), cursor=seen)
    assert len(walked.papers) == 4  # what was new, and that which may have been listed out of order
    assert walked.cursor == {"seen": (NOW - timedelta(hours=1)).isoformat()}
    assert walked.last.is_done


def test_the_first_run_takes_so_many_and_no_more(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(*entries(1, 2), total=900)), query={"start": "0"})
    source.script(PATH, Answer(atom_feed(*entries(3, 4, start=2), total=900)), query={"start": "2"})
    walked = walk(STEPPER, options(source, page_size=2, first_papers=4))
    assert len(walked.papers) == 4
    assert walked.last.is_done


def test_an_interrupted_run_goes_on_at_its_page_and_keeps_what_it_saw_first(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(*entries(1, 2), total=4)), query={"start": "0"})
    source.script(PATH, Answer(atom_feed(*entries(3, 4, start=2), total=4)), query={"start": "2"})
    broken_off = walk(STEPPER, options(source, page_size=2), most=1)
    assert not broken_off.last.is_done
    rest = walk(STEPPER, options(source, page_size=2), cursor=broken_off.cursor)
    assert [request.query["start"] for request in source.seen] == ["0", "2"]
    assert rest.ids == ["2611.00002", "2611.00003"]
    assert rest.cursor == {"seen": (NOW - timedelta(hours=1)).isoformat()}


def test_a_gap_that_is_too_wide_is_told_and_left(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(*entries(1, 2), total=900)))
    walked = walk(STEPPER, options(source, page_size=2, most_papers=6), cursor={"seen": hours_ago(500)})
    assert len(source.seen) == 3
    assert walked.last.is_done
    assert "stopped after 6 papers" in walked.problems[0]


def test_a_date_in_the_future_does_not_hide_what_comes(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(atom_entry(published="2940-01-01T00:00:00Z"))))
    assert walk(STEPPER, options(source)).cursor == {"seen": NOW.isoformat()}


def test_an_empty_result_leaves_the_cursor_where_it_was(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(total=0)))
    seen = {"seen": (NOW - timedelta(hours=3)).isoformat()}
    walked = walk(STEPPER, options(source), cursor=seen)
    assert (walked.papers, walked.cursor, walked.last.is_done) == ([], seen, True)


def test_an_empty_page_in_the_middle_is_a_failure_to_try_again(source: SourcesServer) -> None:
    source.script(PATH, Answer(atom_feed(total=900)))
    with pytest.raises(SourceFailed, match="empty although there are more"):
        walk(STEPPER, options(source))


@pytest.mark.parametrize("status", [200, 400])
def test_an_error_of_arxiv_says_why(source: SourcesServer, status: int) -> None:
    source.script(PATH, Answer(atom_error(), status=status))
    with pytest.raises(SourceFailed, match="incorrect id format for 26x1"):
        walk(STEPPER, options(source))


def test_a_busy_source_says_when_to_come_back(source: SourcesServer) -> None:
    source.script(PATH, Answer(b"Rate exceeded.", status=503, headers={"Retry-After": "17"}))
    with pytest.raises(SourceFailed, match="answered 503") as caught:
        walk(STEPPER, options(source))
    assert caught.value.retry_after_seconds == 17.0


def test_a_date_to_come_back_is_counted_on_the_clock_of_the_source(source: SourcesServer) -> None:
    headers = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Fri, 31 Dec 1999 23:58:59 GMT"}
    source.script(PATH, Answer(status=429, headers=headers))
    with pytest.raises(SourceFailed) as caught:
        walk(STEPPER, options(source))
    assert caught.value.retry_after_seconds == 60.0


def test_a_web_page_is_no_feed(source: SourcesServer) -> None:
    source.script(PATH, Answer(WEB_PAGE, headers={"Content-Type": "text/html"}))
    with pytest.raises(SourceFailed, match="did not answer with <feed> but with: '<!DOCTYPE html>"):
        walk(STEPPER, options(source))


def test_an_entity_bomb_is_refused(source: SourcesServer) -> None:
    feed = atom_feed(atom_entry(title="T")).decode().replace("<title>T<", "<title>&f;<")
    source.script(PATH, Answer((BOMB + feed.partition("\n")[2]).encode()))
    with pytest.raises(SourceFailed, match="did not answer with <feed>"):
        walk(STEPPER, options(source))


def test_half_a_page_gives_its_whole_entries_and_is_asked_for_again(source: SourcesServer) -> None:
    whole = atom_feed(*entries(1, 2, 3), total=3)
    half = whole[: whole.rindex(b"<published>")]
    source.script(PATH, Answer(half), Answer(whole))
    walked = walk(STEPPER, options(source), cursor={"seen": hours_ago(30)})
    assert walked.ids == ["2611.00000", "2611.00001"]
    assert [line.line for line in walked.rejected] == [3]
    assert (walked.last.is_done, walked.last.then, walked.cursor) == (False, None, {"seen": hours_ago(30)})
    assert "half a page" in walked.problems[0]
    again = walk(STEPPER, options(source), cursor=walked.cursor)
    assert len(again.papers) == 3
    assert again.last.is_done


def test_one_broken_entry_does_not_hold_up_the_others(source: SourcesServer) -> None:
    good, other = entries(1, 2)
    broken = atom_entry("2611.00009v1").replace("<summary>", "<summary>&nbsp; x<y ")
    source.script(PATH, Answer(atom_feed(good, broken, other)))
    walked = walk(STEPPER, options(source))
    assert walked.ids == ["2611.00000", "2611.00001"]
    assert [line.line for line in walked.rejected] == [2]
    assert walked.last.is_done


def test_a_feed_in_which_nothing_is_understood_is_a_failure(source: SourcesServer) -> None:
    feed = atom_feed(*entries(1, 2)).replace(b"<title>", b"<heading>").replace(b"</title>", b"</heading>")
    source.script(PATH, Answer(feed))
    with pytest.raises(SourceFailed, match="none of 2 entries could be read, the first: the title is missing"):
        walk(STEPPER, options(source))


@pytest.mark.parametrize(
    ("fields", "is_withdrawn"),
    [
        ({"comment": "This paper has been withdrawn by the author due to an error in Lemma 2"}, True),
        ({"comment": "Withdrawn; see arXiv:2611.00001"}, True),
        ({"comment": None, "summary": "This submission was withdrawn by arXiv administrators"}, True),
        ({"summary": "[This article has been temporarily withdrawn.]"}, True),
        ({"comment": "Troops were withdrawn in 1991"}, False),
        (
            {"summary": "When troops are withdrawn, ladders stay. " * 5 + "This paper was withdrawn from a shelf."},
            False,
        ),
        ({"comment": None}, False),
    ],
)
def test_a_withdrawn_paper_is_known_by_its_comment_or_abstract(
    source: SourcesServer, fields: dict[str, str], is_withdrawn: bool
) -> None:
    source.script(PATH, Answer(atom_feed(atom_entry(**fields))))
    assert walk(STEPPER, options(source)).papers[0].is_withdrawn is is_withdrawn


def test_a_new_version_comes_with_its_number_and_its_date(source: SourcesServer) -> None:
    source.script(
        PATH,
        Answer(atom_feed(atom_entry("2611.01234v1"))),
        Answer(atom_feed(atom_entry("2611.01234v2", updated="2026-11-23T03:00:00Z", title="Ladders That Hold"))),
    )
    first = walk(STEPPER, options(source))
    second = walk(STEPPER, options(source), cursor=first.cursor)
    assert [(paper.version, paper.title) for paper in (*first.papers, *second.papers)] == [
        (1, "Ladders That Lean"),
        (2, "Ladders That Hold"),
    ]
    assert second.papers[0].published_at == first.papers[0].published_at
