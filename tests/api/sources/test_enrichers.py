"""Semantic Scholar and OpenAlex: what they add to papers that are here."""

import orjson
import pytest

from api.sources import openalex, semanticscholar
from api.sources.records import PaperRecord
from api.sources.steps import SourceFailed, Stepper
from tests.api.sources.documents import WEB_PAGE, as_json, graph_paper, open_answer, open_work
from tests.api.sources.walking import NOW, walk
from tests.sources_server import Answer, SourcesServer

GRAPH: Stepper[semanticscholar.Options] = semanticscholar
OPEN: Stepper[openalex.Options] = openalex
GRAPH_PATH, OPEN_PATH = "/graph/v1/paper/batch", "/works"
TWO = ("2611.00001", "hep-th/9901001")


def graph(source: SourcesServer, *ids: str, size: int = 500) -> semanticscholar.Options:
    return semanticscholar.Options(ids, "graph-key", source.url, size)


def works(source: SourcesServer, *ids: str, size: int = 50) -> openalex.Options:
    return openalex.Options(ids, "open-key", source.url, size)


def test_a_paper_of_the_graph_brings_its_counts_and_fields(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(as_json([graph_paper()])))
    assert walk(GRAPH, graph(source, "2611.01234")).papers == [
        PaperRecord(
            title="Ladders that lean",
            source="semanticscholar",
            external_id="2611.01234",
            authors=("Ann Bee", "Cyrille Dée"),
            doi="10.1234/ladders.7",
            citations=12,
            references=30,
            fields=("Computer Science", "Engineering"),
        )
    ]


def test_a_work_brings_its_counts_fields_and_abstract(source: SourcesServer) -> None:
    source.script(OPEN_PATH, Answer(open_answer(open_work())))
    assert walk(OPEN, works(source, "2611.01234")).papers == [
        PaperRecord(
            title="Ladders That Lean",
            source="openalex",
            external_id="2611.01234",
            summary="We ladders lean on ladders",
            authors=("Ann Bee",),
            citations=10,
            references=28,
            fields=("Engineering", "Computer Science"),
        )
    ]


def test_the_graph_is_asked_for_ids_in_batches_with_the_key(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(as_json([None, None])), Answer(as_json([graph_paper("2611.00003")])))
    walked = walk(GRAPH, graph(source, *TWO, "title:0123", "2611.00003", size=2))
    bodies = [orjson.loads(request.body) for request in source.seen]
    assert bodies == [{"ids": ["ARXIV:2611.00001", "ARXIV:hep-th/9901001"]}, {"ids": ["ARXIV:2611.00003"]}]
    assert {request.headers["x-api-key"] for request in source.seen} == {"graph-key"}
    assert walked.ids == ["2611.00003"]
    assert walked.last.is_done


def test_openalex_is_asked_for_dois_in_batches_with_the_key(source: SourcesServer) -> None:
    source.script(OPEN_PATH, Answer(open_answer(open_work("hep-th/9901001"))), Answer(open_answer()))
    walked = walk(OPEN, works(source, *TWO, "x-1", "2611.00003", size=2))
    filters = [request.query["filter"] for request in source.seen]
    assert filters == ["doi:10.48550/arxiv.2611.00001|10.48550/arxiv.hep-th/9901001", "doi:10.48550/arxiv.2611.00003"]
    assert {request.query["api_key"] for request in source.seen} == {"open-key"}
    assert walked.ids == ["hep-th/9901001"]
    assert walked.last.is_done


def test_without_papers_there_is_nothing_to_ask() -> None:
    assert semanticscholar.first(None, now=NOW, options=semanticscholar.Options(("title:0123",))) is None
    assert openalex.first(None, now=NOW, options=openalex.Options(())) is None


def test_an_interrupted_run_goes_on_with_the_papers_that_are_left(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(as_json([graph_paper(TWO[0])])), Answer(as_json([graph_paper(TWO[1])])))
    broken_off = walk(GRAPH, graph(source, *TWO, size=1), most=1)
    rest = walk(GRAPH, graph(source, *TWO, size=1), cursor=broken_off.cursor)
    assert (broken_off.ids, rest.ids) == ([TWO[0]], [TWO[1]])


def test_keys_stay_out_of_what_is_printed(source: SourcesServer) -> None:
    assert "graph-key" not in repr(graph(source, *TWO))
    assert "open-key" not in repr(works(source, *TWO))
    ask = semanticscholar.first(None, now=NOW, options=graph(source, *TWO))
    assert "graph-key" not in repr(ask)
    source.script(OPEN_PATH, Answer(b'{"error": "Invalid key"}', status=403))
    with pytest.raises(SourceFailed) as caught:
        walk(OPEN, works(source, *TWO))
    assert str(caught.value).endswith("/works answered 403: Invalid key")


def test_ids_of_which_the_graph_knows_none_are_no_failure(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(b'{"error": "No valid paper ids given"}', status=400))
    walked = walk(GRAPH, graph(source, *TWO))
    assert (walked.papers, walked.last.is_done) == ([], True)


def test_another_refusal_of_the_graph_is_a_failure(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(b'{"error": "Unrecognized or unsupported fields: [tldr]"}', status=400))
    with pytest.raises(SourceFailed, match="Unrecognized or unsupported fields"):
        walk(GRAPH, graph(source, *TWO))


def test_a_paper_that_is_another_one_is_left_out(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(as_json([graph_paper("2611.99999"), graph_paper(TWO[1])])))
    walked = walk(GRAPH, graph(source, *TWO))
    assert walked.ids == [TWO[1]]
    assert walked.rejected[0].reason == "asked for 2611.00001, got 2611.99999"


def test_a_graph_that_answers_fewer_papers_than_asked_for_is_not_believed(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(as_json([graph_paper(TWO[1])])))
    with pytest.raises(SourceFailed, match="1 objects to 2 ids"):
        walk(GRAPH, graph(source, *TWO))


def test_null_fields_of_both_say_nothing(source: SourcesServer) -> None:
    bare = dict.fromkeys(graph_paper()) | {"title": "T"}
    source.script(GRAPH_PATH, Answer(as_json([bare])))
    work = dict.fromkeys(open_work()) | {"title": "T", "doi": "10.48550/arXiv.2611.01234", "locations": [None, {}]}
    source.script(OPEN_PATH, Answer(open_answer(work)))
    assert walk(GRAPH, graph(source, "2611.01234")).papers == [PaperRecord("T", "semanticscholar", "2611.01234")]
    assert walk(OPEN, works(source, "2611.01234")).papers == [PaperRecord("T", "openalex", "2611.01234")]


def test_a_work_that_was_published_is_known_by_where_its_preprint_lies(source: SourcesServer) -> None:
    published = open_work(doi="https://doi.org/10.1234/LADDERS", cited_by_count=50)
    source.script(OPEN_PATH, Answer(open_answer(open_work(), published)))
    (paper,) = walk(OPEN, works(source, "2611.01234")).papers  # two works, one paper: the one that is cited
    assert (paper.doi, paper.citations) == ("10.1234/ladders", 50)


def test_a_work_that_nobody_asked_for_is_left_out(source: SourcesServer) -> None:
    source.script(OPEN_PATH, Answer(open_answer(open_work("2611.99999"))))
    walked = walk(OPEN, works(source, "2611.01234"))
    assert (walked.papers, [line.line for line in walked.rejected]) == ([], [1])


@pytest.mark.parametrize(
    "index",
    [{"a": [10**12], "b": [-5]}, {"a": ["0", None, True]}, {"a": 3}, ["a"], {"a": list(range(30_000))}],
)
def test_an_index_of_an_abstract_takes_no_more_memory_than_its_words(source: SourcesServer, index: object) -> None:
    source.script(OPEN_PATH, Answer(open_answer(open_work(abstract_inverted_index=index))))
    (paper,) = walk(OPEN, works(source, "2611.01234")).papers
    assert paper.summary in {"", "b a"}


@pytest.mark.parametrize("body", [b'{"results": {}}', b'{"message": "slow down"}', WEB_PAGE, b'"x"', b"[1"])
def test_an_answer_of_another_shape_is_a_failure(source: SourcesServer, body: bytes) -> None:
    source.script(GRAPH_PATH, Answer(body))
    source.script(OPEN_PATH, Answer(body))
    with pytest.raises(SourceFailed):
        walk(GRAPH, graph(source, *TWO))
    with pytest.raises(SourceFailed):
        walk(OPEN, works(source, *TWO))


def test_a_limit_that_is_reached_says_when_to_come_back(source: SourcesServer) -> None:
    source.script(GRAPH_PATH, Answer(b'{"message": "Too Many Requests"}', status=429, headers={"retry-after": "9"}))
    with pytest.raises(SourceFailed, match="Too Many Requests") as caught:
        walk(GRAPH, graph(source, *TWO))
    assert caught.value.retry_after_seconds == 9.0
