"""Words to vectors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain import Csr, Floats
from recommender.text import PAIR_WEIGHT, Sizes, TfidfEncoder, normalise

TEXTS = ["graph neural networks", "protein folding", "folding graphs", "neural protein network", ""]


SIZES = Sizes(directions=4, vector=3, grams=4, max_terms=100)


def fit() -> tuple[TfidfEncoder, Csr, Floats]:
    found = TfidfEncoder.fit(TEXTS, sizes=SIZES, seed=0)
    assert found is not None
    return found


def fitted() -> TfidfEncoder:
    return fit()[0]


def test_words_have_length_one_and_pairs_their_weight() -> None:
    encoder, features, _ = fit()
    rows = features.toarray()[:4]
    singles = len(encoder.singles)
    assert np.linalg.norm(rows[:, :singles], axis=1).tolist() == pytest.approx([1.0] * 4)
    assert np.square(rows[:, singles:]).sum(axis=1).tolist() == pytest.approx([PAIR_WEIGHT] * 4)


def test_words_of_different_texts_make_no_pair() -> None:
    _, features, _ = fit()
    known = fitted().features(["graph neural", "networks protein", "networks"])
    assert features.shape == (5, known.shape[1])
    assert np.diff(known.indptr).tolist() == [3, 2, 1]


def test_texts_of_the_fit_get_the_same_parts_afterwards() -> None:
    encoder, features, blocks = fit()
    again, parts = encoder.project(TEXTS)
    assert np.array_equal(again.toarray(), features.toarray())
    assert np.allclose(parts, blocks, atol=1e-6)


def test_the_directions_carry_the_energy_of_the_largest_singular_values() -> None:
    encoder, features, _ = fit()
    exact = np.linalg.svd(features.toarray(), compute_uv=False)[: encoder.directions]
    assert np.linalg.norm(features @ encoder.components, axis=0) == pytest.approx(exact, rel=1e-3)
    assert np.allclose(encoder.components.T @ encoder.components, np.eye(encoder.directions), atol=1e-4)


def test_there_are_no_more_directions_than_the_texts_have() -> None:
    found = TfidfEncoder.fit(["graph network"] * 3, sizes=SIZES, seed=0)
    assert found is not None
    assert found[0].directions == 1
    assert found[2].shape == (3, found[0].width)


def test_the_most_frequent_terms_are_kept_where_there_are_too_many() -> None:
    found = TfidfEncoder.fit([*TEXTS, "folding network"], sizes=replace(SIZES, max_terms=2), seed=0)
    assert found is not None
    assert found[0].singles.in_column_order == ["folding", "network"]


def test_the_same_words_in_another_form_are_the_same_vector() -> None:
    one, other = fitted().encode(["graph networks", "Graphs network"])
    assert np.allclose(one, other)
    assert np.linalg.norm(one) == pytest.approx(1.0)


def test_an_encoder_rebuilt_from_its_arrays_encodes_alike() -> None:
    again = TfidfEncoder.from_arrays(fitted().to_arrays())
    asked = ["protein networks", "graph", "unheard"]
    assert np.array_equal(again.encode(asked), fitted().encode(asked))
    assert again.pairs.in_column_order == fitted().pairs.in_column_order
    assert np.array_equal(again.project(asked)[1], fitted().project(asked)[1])


@pytest.mark.parametrize("texts", [[], ["", ""], ["a b c"], ["word"], ["word", "word"]])
def test_texts_without_two_usable_terms_give_no_encoder(texts: list[str]) -> None:
    assert TfidfEncoder.fit(texts, sizes=SIZES, seed=0) is None


@given(st.lists(st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3), max_size=6))
def test_normalised_rows_have_length_one_or_zero(rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32).reshape(-1, 3)
    for before, after in zip(vectors, normalise(vectors), strict=True):
        expected = 1.0 if np.linalg.norm(before) > 0 else 0.0
        assert np.linalg.norm(after) == pytest.approx(expected, abs=1e-4)
