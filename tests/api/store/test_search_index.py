"""The search index: what is found by which words, in what order, and what filters and counts say."""

from datetime import timedelta
from pathlib import Path

import pytest

from api.store import search_schema
from api.store.search_errors import IndexBusy, IndexMissing, IndexOutdated
from api.store.search_index import Counts, SearchIndex
from api.store.search_query import AllOf, AnyOf, Everything, Filters, Node, Phrase, SearchQuery, Without, Word
from api.store.search_writer import SearchWriter, read_mark
from tests.api.search_world import FIRST_DAY, document, find, write_index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    """Return an index of five papers."""
    papers = [
        document(
            1,
            "Self-supervised Transformers for Graph Learning",
            summary="We learn from graphs.",
            authors=["José García"],
            organization="deepmind",
        ),
        document(
            2,
            "Graph neural networks",
            summary="Transformer attention is all there is.",
            authors=["Ann Lee"],
            categories=["cs.LG", "stat.ML"],
            has_code=True,
            upvotes=7,
        ),
        document(3, "Convex optimisation", summary="Of a grape.", authors=["Bob Graph"], is_withdrawn=True),
        document(4, "The state of the art", summary="Neural graph networks are not what they were."),
        document(5, "Transformations", summary="Nothing else."),
    ]
    return SearchIndex.open(write_index(tmp_path_factory.mktemp("index"), papers))


@pytest.mark.parametrize(
    ("node", "paper_ids"),
    [
        (Word("GRAPHS"), {1, 2, 4}),  # names have no endings
        (Word("graph", "title"), {1, 2}),
        (Word("garcia"), {1}),
        (Word("Garcia", "authors"), {1}),
        (Word("graph", "authors"), {3}),
        (Word("deepmind", "organization"), {1}),
        (Word("self-supervised"), {1}),
        (Word("supervised-self"), set()),
        (Phrase("graph neural"), {2}),
        (Phrase("neural graph networks"), {4}),
        (Phrase("graph neu", is_prefix=True), {2}),
        (Phrase("graph neural", "summary"), set()),
        (AllOf((Word("graph"), Word("attention"))), {2}),
        (AllOf((Word("graph"), Without(Word("neural")))), {1, 3}),
        (AllOf((Without(Word("graph")),)), {5}),
        (AnyOf((Word("convex"), Word("garcia"))), {1, 3}),
        (AnyOf((Word("graph"), Word("neural"), Word("art"), Word("nothing")), share=0.7), {4}),
        (Word("cs", "category"), {1, 2, 3, 4, 5}),
        (Word("stat.ml", "category"), {2}),
        (Word("2401.00002"), {2}),
        (Word("2401.00002", "id"), {2}),
        (Word("2401.0", "id", is_prefix=True), {1, 2, 3, 4, 5}),
        (Everything(), {1, 2, 3, 4, 5}),
        (Word("--"), set()),
        (Word("unheard"), set()),
    ],
)
def test_words_phrases_fields_and_exclusions_find_what_they_say(
    index: SearchIndex, node: Node, paper_ids: set[int]
) -> None:
    found = find(index, node)
    assert set(found.paper_ids) == paper_ids
    assert found.total == len(paper_ids)


def test_a_stop_word_counts_only_when_there_is_nothing_else(index: SearchIndex) -> None:
    assert set(find(index, AllOf((Word("the"), Word("graph")))).paper_ids) == {1, 2, 3, 4}
    assert find(index, AllOf((Word("of"), Word("the")))).paper_ids == (4,)


@pytest.mark.parametrize(
    ("typed", "typos", "meant"),
    [
        ("grpah", 1, {1, 2, 3, 4}),
        ("garph", 1, {1, 2, 3, 4}),
        ("convx", 1, {3}),
        ("convexx", 1, {3}),
        ("atention", 1, {2}),
        ("attenshun", 2, set()),
        ("transfromres", 2, {1, 2, 5}),
        ("optimzaition", 0, set()),
    ],
)
def test_misspelt_words_find_what_was_meant(index: SearchIndex, typed: str, typos: int, meant: set[int]) -> None:
    assert set(find(index, Word(typed, typos=typos)).paper_ids) == meant


def test_a_word_that_papers_have_is_not_taken_for_another(index: SearchIndex) -> None:
    assert find(index, Word("grape", typos=1)).paper_ids == (3,)


def test_an_exact_word_outranks_one_that_only_begins_like_it(tmp_path: Path) -> None:
    papers = [document(1, "Maps", summary="Of a car."), document(2, "Cartography"), document(3, "Carpets")]
    index = SearchIndex.open(write_index(tmp_path, papers))
    found = find(index, Word("car", is_prefix=True))
    assert found.paper_ids[0] == 1
    assert set(found.paper_ids) == {1, 2, 3}
    assert find(index, Word("c", is_prefix=True)).total == 3


def test_the_beginning_of_a_misspelt_word_finds_something(index: SearchIndex) -> None:
    assert set(find(index, Word("trnasfo", is_prefix=True, typos=1)).paper_ids) == {1, 2, 5}


def test_titles_outrank_abstracts(index: SearchIndex) -> None:
    assert find(index, Word("neural")).paper_ids[0] == 2


@pytest.mark.parametrize(
    ("filters", "paper_ids"),
    [
        (Filters(categories=("stat.ML", "cs.CV")), {2}),
        (Filters(organizations=("DeepMind",)), {1}),
        (Filters(organizations=("the deepmind",)), {1}),
        (Filters(with_code=True), {2}),
        (Filters(with_code=False), {1, 3, 4, 5}),
        (Filters(without_withdrawn=True), {1, 2, 4, 5}),
        (Filters(paper_ids=(1, 5, 99)), {1, 5}),
        (Filters(paper_ids=()), set()),
        (Filters(listed_from=FIRST_DAY + timedelta(days=4)), {4, 5}),
        (Filters(listed_before=FIRST_DAY + timedelta(days=4)), {1, 2, 3}),
        (Filters(listed_from=FIRST_DAY + timedelta(days=2), listed_before=FIRST_DAY + timedelta(days=4)), {2, 3}),
    ],
)
def test_filters_narrow_and_leave_scores_alone(index: SearchIndex, filters: Filters, paper_ids: set[int]) -> None:
    assert set(find(index, Everything(), filters=filters).paper_ids) == paper_ids
    plain = find(index, Word("graph"))
    scores = dict(zip(plain.paper_ids, plain.scores, strict=True))
    narrowed = find(index, Word("graph"), filters=filters)
    assert set(narrowed.paper_ids) == paper_ids & set(plain.paper_ids)
    assert all(scores[paper_id] == score for paper_id, score in zip(narrowed.paper_ids, narrowed.scores, strict=True))


def test_results_can_be_ordered_by_day_and_votes(index: SearchIndex) -> None:
    assert find(index, Word("graph"), order="newest").paper_ids == (4, 3, 2, 1)
    assert find(index, Word("graph"), order="oldest").paper_ids == (1, 2, 3, 4)
    assert find(index, Word("graph"), order="upvotes").paper_ids[0] == 2


def test_counts_say_how_matches_spread(index: SearchIndex) -> None:
    found = index.counts(SearchQuery(Word("graph")))
    assert found == Counts({"cs.AI": 3, "cs.LG": 1, "stat.ML": 1}, {"deepmind": 1}, {2024: 4}, 1)


def test_pages_go_on_where_the_last_one_ended(index: SearchIndex) -> None:
    query = SearchQuery(Word("graph"))
    whole = index.search(query, limit=10).paper_ids
    pages = [index.search(query, limit=2, offset=offset).paper_ids for offset in (0, 2, 4)]
    assert sum(pages, ()) == whole


def test_a_paper_written_again_replaces_itself(tmp_path: Path) -> None:
    path = write_index(tmp_path, [document(1, "Old words"), document(2, "Others")])
    index = SearchIndex.open(path)
    writer = SearchWriter.open(path)
    writer.add([document(1, "New words", updated_us=2)])
    writer.delete([2])
    writer.commit()
    assert find(index, Word("old")).total == 1
    assert index.reload()
    assert not index.reload()
    assert find(index, Word("old")).total == 0
    assert find(index, Word("new")).paper_ids == (1,)
    assert index.num_papers == 1
    assert index.versions(first_id=0, last_id=9) == index.versions_of([1, 2]) == {1: 2}
    assert index.highest_paper_id() == 1


def test_what_was_not_committed_is_lost_with_its_writer(tmp_path: Path) -> None:
    path = write_index(tmp_path, [document(1, "First")])
    writer = SearchWriter.open(path)
    writer.add([document(2, "Second")])
    with pytest.raises(IndexBusy):
        SearchWriter.open(path)
    writer.abandon()
    SearchWriter.open(path).commit()
    assert SearchIndex.open(path).num_papers == 1


def test_how_far_an_index_follows_is_kept_with_it(tmp_path: Path) -> None:
    writer = SearchWriter.open(tmp_path / "index")
    writer.commit()
    writer.note_followed(12)
    assert read_mark(tmp_path / "index")["followed_to_us"] == 12


def test_no_index_and_one_of_another_version_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IndexMissing):
        SearchIndex.open(tmp_path)
    write_index(tmp_path, [document(1, "First")])
    search_schema.schema_fingerprint.cache_clear()
    monkeypatch.setattr(search_schema, "_VERSION", 0)
    try:
        with pytest.raises(IndexOutdated):
            SearchIndex.open(tmp_path)
        with pytest.raises(IndexOutdated):
            SearchWriter.open(tmp_path)
    finally:
        search_schema.schema_fingerprint.cache_clear()


def test_odd_texts_are_no_error(index: SearchIndex) -> None:
    for text in ("", " ", "$\\alpha$", "日本語", "a" * 500, 'un"closed', "\0", "e\u0301", "🦀"):
        for node in (Word(text, typos=2, is_prefix=True), Phrase(text), Phrase(f"{text} {text}", is_prefix=True)):
            find(index, node)


def test_accents_and_other_scripts_are_found(tmp_path: Path) -> None:
    index = SearchIndex.open(write_index(tmp_path, [document(1, "Schrödinger и Пуанкаре")]))
    assert find(index, Word("schrodinger")).total == find(index, Word("ПУАНКАРЕ")).total == 1
