"""Every slice asks about what its name says."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.domain import EventKind, Interactions, PaperTexts
from recommender.protocols import hide
from recommender.slices import (
    MEANINGS,
    NothingToMeasureError,
    Protocol,
    Slice,
    Wanted,
    plan_given,
    plan_split,
    slices_named,
)
from recommender.sparse import row_sizes
from recommender.splits import Likings
from tests.planted import Planted, plant
from tests.recommender.kit import WEIGHTS, log_of

NONE = float("nan")


@pytest.fixture(scope="module")
def world() -> Planted:
    return plant(readers=100, papers=200, saves_per_reader=20)


def planned(world: Planted, wanted: Wanted | None = None, *, seed: int = 0) -> Protocol:
    hidden = hide(world.interactions, kind="auto", weights=WEIGHTS, seed=seed)
    return plan_split(hidden, world.texts, weights=WEIGHTS, wanted=wanted or Wanted(seed=seed))


def named(protocol: Protocol) -> dict[str, Slice]:
    return {part.name: part for trial in protocol.trials for part in trial.slices}


def entries(matrix: object) -> set[tuple[int, int]]:
    rows, columns = matrix.nonzero()  # type: ignore[attr-defined]
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def test_a_split_per_reader_has_all_slices_in_order(world: Planted) -> None:
    assert list(named(planned(world))) == list(MEANINGS)


def test_warm_and_cold_papers_part_the_answers_of_all(world: Planted) -> None:
    protocol = planned(world)
    parts, papers = named(protocol), protocol.trials[0].dataset.papers
    history = np.bincount(protocol.trials[0].dataset.user_items.indices, minlength=len(papers)) > 0
    warm, cold, everything = (parts[name] for name in ("warm", "cold-paper", "all"))
    assert history[warm.answers.indices].all()
    assert not history[cold.answers.indices].any()
    assert warm.pairs + cold.pairs == everything.pairs
    assert warm.candidates is not None
    assert papers.rows(warm.candidates).tolist() == np.flatnonzero(history).tolist()
    assert (warm.papers, cold.papers, everything.papers) == (history.sum(), (~history).sum(), len(papers))
    assert everything.candidates is None


def test_no_answer_is_in_the_question(world: Planted) -> None:
    for part in named(planned(world)).values():
        known = entries(part.questions) | entries(part.left_out)
        assert not known & entries(part.answers)
        assert (row_sizes(part.answers) > 0).all()
        assert (row_sizes(part.questions) > 0).all()


def test_cold_readers_are_asked_the_same_with_more_and_more_saves(world: Planted) -> None:
    protocol = planned(world)
    parts = [named(protocol)[f"cold-reader-{saves}"] for saves in (1, 2, 5)]
    for part, saves in zip(parts, (1, 2, 5), strict=True):
        assert (row_sizes(part.questions) == saves).all()
        assert entries(part.answers) == entries(parts[0].answers)
        assert entries(part.left_out) == entries(parts[0].left_out) >= entries(parts[-1].questions)
        assert (protocol.trials[0].dataset.users.rows(part.reader_ids) == -1).all()
    assert entries(parts[0].questions) < entries(parts[1].questions) < entries(parts[2].questions)


def test_a_limit_asks_some_of_the_same_readers(world: Planted) -> None:
    whole, few = named(planned(world)), named(planned(world, Wanted(readers=10)))
    for name, part in few.items():
        assert len(part.reader_ids) == 10
        assert set(part.reader_ids.tolist()) <= set(whole[name].reader_ids.tolist())


def test_the_slices_asked_for_are_measured_on_the_same_split(world: Planted) -> None:
    whole = planned(world)
    few = planned(world, Wanted(slices=("warm", "all")))
    assert list(named(few)) == ["warm", "all"]
    for name, part in named(few).items():
        assert few.trials[0].fingerprint(part) == whole.trials[0].fingerprint(named(whole)[name])


def test_a_fingerprint_follows_the_data_but_not_sentence_vectors(world: Planted) -> None:
    vectors = np.ones((len(world.texts), 3), dtype=np.float16)
    encoded = replace(world, texts=replace(world.texts, vectors=vectors))
    one, with_vectors, other = planned(world), planned(encoded), planned(world, seed=1)
    fingerprints = [p.trials[0].fingerprint(named(p)["warm"]) for p in (one, with_vectors, other)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
    assert with_vectors.trials[0].dataset.texts.vectors is not None


def test_a_fixed_protocol_finds_what_it_was_given(world: Planted) -> None:
    hidden = hide(world.interactions, kind="per-reader", weights=WEIGHTS, seed=0)
    protocol = plan_given(hidden.train, world.texts, hidden.held_out, weights=WEIGHTS, wanted=Wanted())
    assert protocol.kind == "given"
    ordinary, without_readers = protocol.trials
    assert len(ordinary.dataset.users) > len(without_readers.dataset.users)
    assert [part.name for part in ordinary.slices] == ["warm", "cold-paper", "all"]
    assert named(protocol)["all"].pairs == len(hidden.held_out)


def test_only_candidates_are_ranked_and_found(world: Planted) -> None:
    hidden = hide(world.interactions, kind="per-reader", weights=WEIGHTS, seed=0)
    chosen = world.texts.paper_ids[:50]
    wanted = Wanted(candidates=chosen)
    protocol = plan_given(hidden.train, world.texts, hidden.held_out, weights=WEIGHTS, wanted=wanted)
    papers = protocol.trials[0].dataset.papers
    for part in named(protocol).values():
        assert part.candidates is not None
        assert set(part.candidates.tolist()) <= set(chosen.tolist())
        assert set(papers.ids(part.answers.indices).tolist()) <= set(chosen.tolist())


def test_what_is_known_or_dismissed_cannot_be_found() -> None:
    log = log_of(
        *((user, paper, EventKind.SAVE, NONE, NONE) for user in range(1, 7) for paper in (1, 2)),
        *((user, 3, EventKind.DISMISS, NONE, NONE) for user in range(1, 7)),
    )
    pairs = [(user, paper) for user in range(1, 7) for paper in (2, 3, 4)]
    users, papers = (np.array(column) for column in zip(*pairs, strict=True))
    held_out = Likings(users, papers, np.full(len(users), np.nan))
    texts = PaperTexts.empty(np.arange(1, 9))
    protocol = plan_given(log, texts, held_out, weights=WEIGHTS, wanted=Wanted(slices=("all",)))
    part = named(protocol)["all"]
    assert protocol.trials[0].dataset.papers.ids(part.answers.indices).tolist() == [4] * 6
    assert part.left_out.nnz == 6


def test_papers_nobody_can_rank_are_left_out_with_a_word(world: Planted) -> None:
    hidden = hide(world.interactions, kind="per-reader", weights=WEIGHTS, seed=0)
    held_out = hidden.held_out
    strange = Likings(held_out.user_ids, np.where(np.arange(len(held_out)) < 7, 1, held_out.paper_ids), held_out.times)
    protocol = plan_given(hidden.train, world.texts, strange, weights=WEIGHTS, wanted=Wanted(slices=("all",)))
    assert "7 held-out likings are of papers nobody can rank: no text, no history" in protocol.notes


def test_too_few_readers_are_an_error_that_counts_them() -> None:
    with pytest.raises(NothingToMeasureError, match=r"at least 5 are needed: .*all \(2\)"):
        planned(plant(readers=3))


def test_nothing_held_out_is_an_error(world: Planted) -> None:
    nothing = Likings(world.interactions.user_ids[:0], world.interactions.paper_ids[:0], np.empty(0))
    log: Interactions = world.interactions
    with pytest.raises(NothingToMeasureError, match=r"needed: warm \(0\)"):
        plan_given(log, world.texts, nothing, weights=WEIGHTS, wanted=Wanted(slices=("warm",)))


def test_slices_are_named_in_any_order() -> None:
    assert slices_named(["all", "cold-reader", "warm"]) == (
        "warm",
        "cold-reader-1",
        "cold-reader-2",
        "cold-reader-5",
        "all",
    )
    with pytest.raises(ValueError, match="unknown slice 'hot'"):
        slices_named(["hot"])
