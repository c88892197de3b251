"""arXiv's RSS: what is announced, and what is not."""

import pytest

from api.sources import arxiv_rss
from api.sources.arxiv_rss import Options
from api.sources.records import PaperRecord
from api.sources.steps import SourceFailed, Stepper
from tests.api.sources.documents import WEB_PAGE, rss_feed, rss_item
from tests.api.sources.walking import walk
from tests.sources_server import Answer, SourcesServer

PATH = "/rss/cs.RO+cs.AI"
STEPPER: Stepper[Options] = arxiv_rss


def options(source: SourcesServer) -> Options:
    return Options(("cs.RO", "cs.AI"), base_url=source.url)


def test_an_item_is_a_paper_without_what_is_written_around_its_abstract(source: SourcesServer) -> None:
    source.script(PATH, Answer(rss_feed(rss_item(title="When $a<b$ and $x<img$ hold"))))
    assert walk(STEPPER, options(source)).papers == [
        PaperRecord(
            title="When $a<b$ and $x<img$ hold",
            source="arxiv",
            external_id="2611.01234",
            summary="We let ladders lean on ladders & measure which of them hold, for all $a < b$.",
            authors=("Ann Bee", "Cyrille Dée"),
            categories=("cs.RO", "cs.AI"),
            version=1,
        )
    ]


def test_replacements_are_dropped_and_papers_listed_in_further_categories_kept(source: SourcesServer) -> None:
    kinds = {"new": "2611.00001v1", "cross": "2611.00002v2", "replace": "2611.00003v2", "replace-cross": "2611.00004v3"}
    source.script(PATH, Answer(rss_feed(*(rss_item(name, announced=kind) for kind, name in kinds.items()))))
    walked = walk(STEPPER, options(source))
    assert [(paper.external_id, paper.version) for paper in walked.papers] == [("2611.00001", 1), ("2611.00002", 2)]
    assert walked.rejected == []


def test_a_feed_of_replacements_alone_is_no_failure(source: SourcesServer) -> None:
    source.script(PATH, Answer(rss_feed(rss_item(announced="replace"))))
    assert walk(STEPPER, options(source)).last.is_done


def test_the_empty_feed_of_a_weekend_is_no_failure(source: SourcesServer) -> None:
    source.script(PATH, Answer(rss_feed()))
    walked = walk(STEPPER, options(source))
    assert (walked.papers, walked.problems, walked.last.is_done) == ([], [], True)


def test_a_feed_that_has_not_changed_is_not_sent_again(source: SourcesServer) -> None:
    source.script(PATH, Answer(rss_feed(rss_item()), etag='"monday"'))
    validators: dict[str, str] = {}
    assert len(walk(STEPPER, options(source), validators=validators).papers) == 1
    again = walk(STEPPER, options(source), validators=validators)
    assert source.seen[1].headers["if-none-match"] == '"monday"'
    assert (again.papers, again.last.is_done) == ([], True)


def test_half_a_feed_keeps_its_whole_items_and_says_so(source: SourcesServer) -> None:
    whole = rss_feed(rss_item("2611.00001v1"), rss_item("2611.00002v1"))
    source.script(PATH, Answer(whole[: whole.rindex(b"<pubDate>")]))
    walked = walk(STEPPER, options(source))
    assert walked.ids == ["2611.00001"]
    assert (walked.last.is_done, len(walked.problems)) == (False, 1)


def test_an_item_without_an_arxiv_id_is_left_out(source: SourcesServer) -> None:
    strange = rss_item().replace("oai:arXiv.org:2611.01234v1", "https://example.org/blog/7")
    source.script(PATH, Answer(rss_feed(strange, rss_item("2611.00002v1"))))
    walked = walk(STEPPER, options(source))
    assert walked.ids == ["2611.00002"]
    assert "is no arXiv id" in walked.rejected[0].reason


def test_an_abstract_that_tells_of_a_withdrawal_is_believed(source: SourcesServer) -> None:
    source.script(PATH, Answer(rss_feed(rss_item(abstract="This paper has been withdrawn by the author."))))
    assert walk(STEPPER, options(source)).papers[0].is_withdrawn is True


@pytest.mark.parametrize("answer", [Answer(WEB_PAGE), Answer(b""), Answer(b"\0" * 100), Answer(b"{}")])
def test_what_is_no_feed_is_a_failure(source: SourcesServer, answer: Answer) -> None:
    source.script(PATH, answer)
    with pytest.raises(SourceFailed, match="did not answer with <rss>"):
        walk(STEPPER, options(source))


def test_a_gateway_that_is_down_is_a_failure(source: SourcesServer) -> None:
    source.script(PATH, Answer(WEB_PAGE, status=502))
    with pytest.raises(SourceFailed, match="answered 502"):
        walk(STEPPER, options(source))
