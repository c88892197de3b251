"""arXiv's OAI-PMH: set by set, part by part, whatever becomes of a token."""

from datetime import UTC, datetime, timedelta

import pytest

from api.sources import arxiv_oai
from api.sources.arxiv_oai import Options
from api.sources.records import Deletion, PaperRecord
from api.sources.steps import SourceFailed, Stepper
from tests.api.sources.documents import oai_answer, oai_deleted, oai_error, oai_list, oai_record
from tests.api.sources.walking import NOW, walk
from tests.sources_server import Answer, SourcesServer

PATH = "/oai"
STEPPER: Stepper[Options] = arxiv_oai
FIRST = {"resumptionToken": None}  # a request for the beginning of a list


def options(source: SourcesServer, *sets: str) -> Options:
    return Options(f"{source.url}{PATH}", sets)


def test_a_record_is_a_paper_with_all_that_arxiv_knows(source: SourcesServer) -> None:
    extra = "<journal-ref>J. Ladders 3</journal-ref><doi>10.1234/ABC.5</doi>"
    source.script(PATH, Answer(oai_list(oai_record(updated="2026-11-21", suffix="<suffix>Jr.</suffix>", extra=extra))))
    assert walk(STEPPER, options(source)).papers == [
        PaperRecord(
            title="Ladders That Lean",
            source="arxiv",
            external_id="2611.01234",
            summary="We let ladders lean on ladders & measure which of them hold, for all $a < b$.",
            authors=("Ann Bee", "Cyrille Dée Jr."),
            categories=("cs.RO", "cs.AI"),
            published_at=datetime(2026, 11, 19, tzinfo=UTC),
            revised_at=datetime(2026, 11, 21, tzinfo=UTC),
            is_withdrawn=False,
            doi="10.1234/abc.5",
            journal_ref="J. Ladders 3",
        )
    ]


def test_a_harvest_begins_a_few_days_back_and_then_where_the_last_one_began(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record())))
    harvest = walk(STEPPER, options(source, "cs"))
    walk(STEPPER, options(source, "cs"), cursor=harvest.cursor, now=NOW + timedelta(days=7))
    assert [dict(request.query) for request in source.seen] == [
        {"verb": "ListRecords", "metadataPrefix": "arXiv", "from": begin, "set": "cs"}
        for begin in ("2026-11-20", "2026-11-22")
    ]
    assert harvest.cursor == {"from": {"cs": "2026-11-22"}}


def test_each_set_has_a_beginning_of_its_own(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record())))
    harvest = walk(STEPPER, options(source, "cs", "math"), cursor={"from": {"cs": "2026-11-10"}})
    asked = [(request.query["set"], request.query["from"]) for request in source.seen]
    assert asked == [("cs", "2026-11-10"), ("math", "2026-11-20")]
    assert harvest.last.is_done
    assert harvest.cursor == {"from": {"cs": "2026-11-22", "math": "2026-11-22"}}


def test_a_list_is_followed_to_its_end_by_its_tokens(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record("2611.00001"), token="a&b|1")), query=FIRST)
    source.script(PATH, Answer(oai_list(oai_record("2611.00002"))), query={"resumptionToken": "a&b|1"})
    harvest = walk(STEPPER, options(source, "cs"))
    assert harvest.ids == ["2611.00001", "2611.00002"]
    assert dict(source.seen[1].query) == {"verb": "ListRecords", "resumptionToken": "a&b|1"}
    assert harvest.last.is_done


def test_an_interrupted_harvest_goes_on_with_its_token(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record("2611.00001"), token="t1")), query=FIRST)
    source.script(PATH, Answer(oai_list(oai_record("2611.00002"))), query={"resumptionToken": "t1"})
    broken_off = walk(STEPPER, options(source, "cs"), most=1)
    rest = walk(STEPPER, options(source, "cs"), cursor=broken_off.cursor, now=NOW + timedelta(days=2))
    assert rest.ids == ["2611.00002"]
    assert rest.cursor == {"from": {"cs": "2026-11-22"}}  # of the day on which the harvest began


@pytest.mark.parametrize("status", [200, 400])
def test_an_expired_token_begins_the_set_again_where_it_began(source: SourcesServer, status: int) -> None:
    source.script(PATH, Answer(oai_list(oai_record("2611.00001"), token="t2")), query=FIRST)
    source.script(PATH, Answer(oai_error("badResumptionToken"), status=status), query={"resumptionToken": "t1"})
    source.script(PATH, Answer(oai_list(oai_record("2611.00002"))), query={"resumptionToken": "t2"})
    expired = {"from": {"cs": "2026-11-18"}, "run": {"began": "2026-11-22", "set": "cs", "done": [], "token": "t1"}}
    harvest = walk(STEPPER, options(source, "cs"), cursor=expired)
    assert source.seen[1].query["from"] == "2026-11-18"
    assert harvest.ids == ["2611.00001", "2611.00002"]
    assert "expired" in harvest.problems[0]
    assert harvest.last.is_done


def test_tokens_that_never_hold_end_the_run_and_the_next_one_begins_anew(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record(), token="t")), query=FIRST)
    source.script(PATH, Answer(oai_error("badResumptionToken")), query={"resumptionToken": "t"})
    harvest = walk(STEPPER, options(source, "cs"))
    assert (harvest.last.is_done, harvest.last.then) == (False, None)
    assert len(source.seen) == 8  # once, and three times again
    ask = arxiv_oai.first(harvest.cursor, now=NOW, options=options(source, "cs"))
    assert ask is not None
    assert "resumptionToken" not in ask.url


def test_a_token_that_leads_to_itself_is_not_followed_for_ever(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record(), token="same")))
    harvest = walk(STEPPER, options(source, "cs"))
    assert (harvest.last.is_done, harvest.last.then) == (False, None)
    assert harvest.papers


def test_a_deleted_record_is_a_deletion(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_deleted("hep-th/9901001"), oai_record())))
    harvest = walk(STEPPER, options(source))
    assert harvest.deletions == [Deletion("hep-th/9901001", "arxiv")]
    assert harvest.ids == ["2611.01234"]


def test_a_withdrawn_paper_is_one(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record(comments="This paper has been withdrawn by the authors"))))
    assert walk(STEPPER, options(source)).papers[0].is_withdrawn is True


def test_nothing_new_is_no_failure(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_error("noRecordsMatch", "nothing since then")))
    harvest = walk(STEPPER, options(source, "cs"))
    assert (harvest.papers, harvest.problems, harvest.last.is_done) == ([], [], True)


def test_an_error_of_the_protocol_says_why(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_error("badArgument", "no such set: xy")))
    with pytest.raises(SourceFailed, match="badArgument: no such set: xy"):
        walk(STEPPER, options(source, "xy"))


def test_a_busy_source_says_when_to_come_back(source: SourcesServer) -> None:
    source.script(PATH, Answer(status=503, headers={"Retry-After": "60"}))
    with pytest.raises(SourceFailed) as caught:
        walk(STEPPER, options(source))
    assert caught.value.retry_after_seconds == 60.0


def test_half_a_page_keeps_what_is_whole_and_moves_nothing(source: SourcesServer) -> None:
    whole = oai_list(oai_record("2611.00001"), oai_record("2611.00002"), oai_record("2611.00003"), token="t")
    source.script(PATH, Answer(whole[: whole.rindex(b"<abstract>")]))
    harvest = walk(STEPPER, options(source, "cs"))
    assert harvest.ids == ["2611.00001", "2611.00002"]
    assert "half a page" in harvest.problems[0]
    ask = arxiv_oai.first(harvest.cursor, now=NOW, options=options(source, "cs"))
    assert ask is not None
    assert "from=2026-11-20" in ask.url


def test_a_broken_record_does_not_hold_up_the_list(source: SourcesServer) -> None:
    broken = oai_record("2611.00009").replace("</title>", "")
    first = oai_list(oai_record("2611.00001"), broken, oai_record("2611.00002"), token="t&1")
    source.script(PATH, Answer(first), query=FIRST)
    source.script(PATH, Answer(oai_list(oai_record("2611.00003"))), query={"resumptionToken": "t&1"})
    harvest = walk(STEPPER, options(source, "cs"))
    assert harvest.ids == ["2611.00001", "2611.00002", "2611.00003"]
    assert [line.line for line in harvest.rejected] == [2]
    assert harvest.last.is_done


def test_records_without_metadata_and_with_strange_ids_are_left_out(source: SourcesServer) -> None:
    empty = "<record><header><identifier>oai:arXiv.org:2611.00008</identifier></header></record>"
    source.script(PATH, Answer(oai_list(empty, oai_deleted("elsewhere"), oai_record())))
    harvest = walk(STEPPER, options(source))
    assert harvest.ids == ["2611.01234"]
    assert [line.reason for line in harvest.rejected] == [
        "the record has no arXiv metadata",
        "'elsewhere' is no arXiv id",
    ]


def test_an_answer_without_a_list_is_the_end_of_an_empty_one(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_answer("<ListRecords/>")))
    assert walk(STEPPER, options(source)).last.is_done


def test_a_set_that_is_no_longer_wanted_is_not_gone_on_with(source: SourcesServer) -> None:
    source.script(PATH, Answer(oai_list(oai_record())))
    kept = {"run": {"began": "2026-11-20", "set": "econ", "token": "t"}}
    walk(STEPPER, options(source, "cs"), cursor=kept)
    assert source.seen[0].query["set"] == "cs"
