"""Words to vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.text import TfidfEncoder, normalise, stem, terms_of

TEXTS = ["graph neural networks", "protein folding", "folding graphs", "neural protein network", ""]


def fitted() -> TfidfEncoder:
    found = TfidfEncoder.fit(TEXTS, dim=3, max_terms=100, seed=0)
    assert found is not None
    return found[0]


def test_forms_of_a_word_share_their_stem() -> None:
    assert {stem(word) for word in ("network", "networks", "networking", "networked")} == {"network"}
    assert stem("gas") == "gas"


def test_terms_are_stems_and_their_pairs_without_stop_words_or_accents() -> None:
    assert terms_of("The Théories of Networks") == ["theor", "network", "theor network"]


def test_the_same_words_in_another_form_are_the_same_vector() -> None:
    one, other = fitted().encode(["graph networks", "Graphs network"])
    assert np.allclose(one, other)
    assert np.linalg.norm(one) == pytest.approx(1.0)


def test_an_encoder_rebuilt_from_its_arrays_encodes_alike() -> None:
    again = TfidfEncoder.from_arrays(fitted().to_arrays())
    asked = ["protein networks", "graph", "unheard"]
    assert np.array_equal(again.encode(asked), fitted().encode(asked))
    assert again.vocabulary == fitted().vocabulary


@pytest.mark.parametrize("texts", [[], ["", ""], ["the of and"], ["word"]])
def test_texts_without_two_usable_terms_give_no_encoder(texts: list[str]) -> None:
    assert TfidfEncoder.fit(texts, dim=3, max_terms=100, seed=0) is None


@given(st.lists(st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3), max_size=6))
def test_normalised_rows_have_length_one_or_zero(rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32).reshape(-1, 3)
    for before, after in zip(vectors, normalise(vectors), strict=True):
        expected = 1.0 if np.linalg.norm(before) > 0 else 0.0
        assert np.linalg.norm(after) == pytest.approx(expected, abs=1e-4)
