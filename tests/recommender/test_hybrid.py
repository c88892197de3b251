"""The hybrid beyond the shared contract."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.artifact import ArtifactError
from recommender.dataset import Profile, build_dataset, build_profile
from recommender.domain import Interactions, PaperTexts
from recommender.hybrid import Hybrid, HybridConfig
from recommender.sparse import rows_of
from tests.planted import NOW, Planted, plant, topic_words
from tests.recommender.kit import SMALL, WEIGHTS, events_of, topic_share

NOTHING = np.array([], dtype=np.int64)
NO_WEIGHTS = np.array([], dtype=np.float32)


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant()


@pytest.fixture(scope="module")
def model(world: Planted) -> Hybrid:
    return Hybrid.fit(world.dataset(), SMALL, seed=0)


def no_events() -> Interactions:
    return Interactions.saves(NOTHING, NOTHING)


def profile(world: Planted, reader: int) -> Profile:
    return build_profile(events_of(world.interactions, reader), now=NOW, weights=WEIGHTS)


def one_save(paper_id: int) -> Profile:
    return Profile(np.array([paper_id]), np.array([3.0], dtype=np.float32), NOTHING)


def test_a_single_save_already_finds_the_topic(model: Hybrid, world: Planted) -> None:
    for topic in range(4):
        first = int(world.texts.paper_ids[(world.topic_of_paper == topic) & ~world.untouched][0])
        ranked = model.recommend([one_save(first)], k=10)[0]
        assert topic_share(world, ranked.paper_ids, topic) > 0.7


def test_papers_nobody_touched_are_ranked_by_their_words(model: Hybrid, world: Planted) -> None:
    untouched = world.texts.paper_ids[world.untouched]
    ranked = model.recommend([profile(world, 1)], k=3, candidates=untouched)[0]
    assert topic_share(world, ranked.paper_ids, 0) == 1.0


def test_similar_papers_share_the_topic(model: Hybrid, world: Planted) -> None:
    for ranked, paper_id in zip(model.similar(world.texts.paper_ids[:8], k=5), range(1000, 1008), strict=True):
        assert len(ranked) == 5
        assert paper_id not in ranked.paper_ids
        assert topic_share(world, ranked.paper_ids, (paper_id - 1000) % 4) > 0.9


def test_papers_similar_to_an_unknown_one_are_none(model: Hybrid) -> None:
    assert [len(ranked) for ranked in model.similar(np.array([1000, 77]), k=4)] == [4, 0]


def test_an_explanation_names_a_paper_of_the_same_topic(model: Hybrid, world: Planted) -> None:
    mixed = Profile(np.array([1000, 1001, 1002, 1003]), np.full(4, 3.0, dtype=np.float32), NOTHING)
    asked = np.array([1004, 1005, 1006, 1007])
    found = model.explain(mixed, asked)
    assert world.topics(found.because_paper_ids).tolist() == [0, 1, 2, 3]
    assert found.because_term.tolist() == [-1] * 4
    assert np.all((found.strength > 0) & (found.strength <= 1))


def test_an_explanation_names_the_term_that_speaks_for_a_paper(model: Hybrid) -> None:
    terms = (" ".join(topic_words(1)[:4]), " ".join(topic_words(3)[:4]))
    found = model.explain(Profile(NOTHING, NO_WEIGHTS, NOTHING, terms), np.array([1001, 1003]))
    assert found.because_term.tolist() == [0, 1]
    assert found.because_paper_ids.tolist() == [-1, -1]


def test_an_explanation_of_an_unknown_paper_is_empty(model: Hybrid) -> None:
    found = model.explain(one_save(1000), np.array([77]))
    assert (found.because_paper_ids.tolist(), found.strength.tolist()) == ([-1], [0.0])


def test_encoded_texts_have_length_one_or_zero(model: Hybrid) -> None:
    vectors = model.encode(["topic0word1 topic0word2", "nothing known here"])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1.0, 0.0])


def test_without_interactions_words_alone_rank_and_the_model_says_so(world: Planted) -> None:
    model = Hybrid.fit(build_dataset(no_events(), world.texts, now=NOW, weights=WEIGHTS), SMALL, seed=0)
    ranked = model.recommend([one_save(1000)], k=5)[0]
    assert topic_share(world, ranked.paper_ids, 0) == 1.0
    assert any("words alone" in note for note in model.notes)


def test_without_text_signal_alone_ranks_and_the_model_says_so(world: Planted) -> None:
    silent = PaperTexts.empty(world.texts.paper_ids)
    model = Hybrid.fit(build_dataset(world.interactions, silent, now=NOW, weights=WEIGHTS), SMALL, seed=0)
    ranked = model.recommend([profile(world, 1)], k=5)[0]
    assert topic_share(world, ranked.paper_ids, 0) == 1.0
    assert any("interactions alone" in note for note in model.notes)
    assert len(model.recommend([profile(world, 1)], k=1000)[0]) == len(model.papers) - 10
    again = model.extend(PaperTexts(np.array([1]), ["new"], [""], [""], np.array([NOW])))
    assert len(again.papers) == len(model.papers) + 1


def test_without_both_the_newest_come_first() -> None:
    texts = replace(PaperTexts.empty(np.array([1, 2, 3])), published_at=np.array([NOW - 9e6, NOW, np.nan]))
    model = Hybrid.fit(build_dataset(no_events(), texts, now=NOW, weights=WEIGHTS), SMALL, seed=0)
    assert model.recommend([one_save(1)], k=3)[0].paper_ids.tolist() == [2, 3]
    assert model.recommend([one_save(3)], k=3)[0].paper_ids.tolist() == [2, 1]
    assert any("neither" in note for note in model.notes)


def test_three_readers_and_five_papers_work_with_the_defaults() -> None:
    titles = ["deep graph nets", "graph kernels", "protein folding", "folding of rna", "deep protein nets"]
    texts = PaperTexts(np.arange(5), titles, [""] * 5, [""] * 5, np.full(5, np.nan))
    log = Interactions.saves(np.array([1, 1, 2, 3]), np.array([0, 1, 2, 0]))
    model = Hybrid.fit(build_dataset(log, texts, now=NOW, weights=WEIGHTS), HybridConfig(num_threads=1), seed=0)
    ranked = model.recommend([build_profile(events_of(log, 2), now=NOW, weights=WEIGHTS)], k=9)[0]
    assert sorted(ranked.paper_ids.tolist()) == [0, 1, 3, 4]
    assert 3 in ranked.paper_ids[:2]
    assert any("only 3 readers" in note for note in model.notes)


def test_an_empty_world_fits_and_ranks_nothing() -> None:
    nothing = PaperTexts.empty(NOTHING)
    model = Hybrid.fit(build_dataset(no_events(), nothing, now=NOW, weights=WEIGHTS), SMALL, seed=0)
    assert [len(ranked) for ranked in model.recommend([one_save(1)], k=3)] == [0]
    titles = PaperTexts(np.array([1]), ["first"], [""], [""], np.array([NOW]))
    assert len(model.extend(titles).papers) == 1


@pytest.mark.parametrize(("readers", "saves"), [(1, 1), (1, 3), (2, 5)])
def test_words_rank_while_there_is_hardly_a_save(world: Planted, readers: int, saves: int) -> None:
    few = np.concatenate(
        [np.flatnonzero(world.interactions.user_ids == reader)[:saves] for reader in range(1, readers + 1)]
    )
    log = world.interactions.select(few)
    model = Hybrid.fit(build_dataset(log, world.texts, now=NOW, weights=WEIGHTS), SMALL, seed=0)
    paper = int(log.paper_ids[0])
    [topic] = world.topics(log.paper_ids[:1]).tolist()
    [by_save] = model.recommend([one_save(paper)], k=10)
    [by_term] = model.recommend([Profile(NOTHING, NO_WEIGHTS, NOTHING, (" ".join(topic_words(topic)),))], k=10)
    for ranked in (by_save, by_term):
        assert topic_share(world, ranked.paper_ids, topic) > 0.8
        assert np.abs(ranked.scores).max() < 1000


def test_confidence_counts_in_ratios_only(world: Planted) -> None:
    dataset = world.dataset()
    doubled = replace(dataset, user_items=dataset.user_items * np.float32(2))
    one, two = Hybrid.fit(dataset, SMALL, seed=0), Hybrid.fit(doubled, SMALL, seed=0)
    assert two.weight_unit == 2 * one.weight_unit
    assert np.array_equal(one.factors.item_factors, two.factors.item_factors)


def test_excluded_rows_of_a_batch_are_left_out(model: Hybrid, world: Planted) -> None:
    liked = rows_of(world.dataset().user_items, slice(0, 2))
    hidden = rows_of(world.dataset().user_items, slice(2, 4))
    lists = next(model.recommend_users(liked, k=1000, exclude=hidden))
    for row, ranked in enumerate(lists):
        gone = world.dataset().papers.ids(hidden.indices[hidden.indptr[row] : hidden.indptr[row + 1]])
        assert not np.isin(ranked.paper_ids, gone).any()


def test_progress_runs_from_start_to_end(world: Planted) -> None:
    seen: list[tuple[str, float]] = []
    Hybrid.fit(world.dataset(), SMALL, seed=0, progress=lambda stage, done: seen.append((stage, done)))
    shares = [done for _, done in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_missing_file_is_named(model: Hybrid, tmp_path: Path) -> None:
    model.save(tmp_path)
    (tmp_path / "coords.npy").unlink()
    with pytest.raises(ArtifactError, match=r"coords\.npy: the file is missing"):
        Hybrid.load(tmp_path)


def test_a_flipped_bit_is_named(model: Hybrid, tmp_path: Path) -> None:
    model.save(tmp_path)
    path = tmp_path / "item_factors.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"item_factors\.npy: the file is damaged"):
        Hybrid.load(tmp_path, verify=True)


def test_a_truncated_file_is_named_without_reading_it(model: Hybrid, tmp_path: Path) -> None:
    model.save(tmp_path)
    path = tmp_path / "item_factors.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"item_factors\.npy: the file is damaged \(it has"):
        Hybrid.load(tmp_path)


def test_a_file_with_another_array_is_named(model: Hybrid, tmp_path: Path) -> None:
    model.save(tmp_path)
    path = tmp_path / "popularity.npy"
    np.save(path, np.load(path).view(np.int32))  # as many bytes, another meaning
    with pytest.raises(ArtifactError, match=r"popularity\.npy: the file is damaged \(it holds <i4"):
        Hybrid.load(tmp_path)


def test_a_missing_or_broken_manifest_is_named(model: Hybrid, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="manifest is missing"):
        Hybrid.load(tmp_path)
    model.save(tmp_path)
    manifest = tmp_path / "manifest.json"
    stored = json.loads(manifest.read_text())
    assert stored["dataset_fingerprint"] == plant().dataset().fingerprint()
    assert "implicit" in stored["libraries"]
    manifest.write_text("{")
    with pytest.raises(ArtifactError, match="cannot be read"):
        Hybrid.load(tmp_path)
    manifest.write_text(json.dumps({**stored, "config": {"nonsense": 1}}))
    with pytest.raises(ArtifactError, match="nonsense"):
        Hybrid.load(tmp_path)


def test_an_artifact_holds_no_pickle(model: Hybrid, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy", ".json"}
    for path in tmp_path.glob("*.npy"):
        np.load(path, allow_pickle=False)


def test_extending_shares_what_does_not_change(model: Hybrid) -> None:
    wider = model.extend(PaperTexts(np.array([1]), ["topic0word1"], [""], [""], np.array([NOW])))
    assert wider.factors is model.factors
    assert wider.encoder is model.encoder
    assert len(model.papers) == 120
