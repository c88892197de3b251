"""What is counted in a text."""

import numpy as np
import pytest

from recommender.terms import Counted, Terms, fit_grams, fit_idf, gram_counts, pairs_of, stem, stems_of, tfidf, words_of


def test_a_plural_shares_the_stem_of_its_singular() -> None:
    assert {stem(word) for word in ("network", "networks")} == {"network"}
    assert {stem(word) for word in ("theory", "theories")} == {"theory"}
    assert [stem(word) for word in ("gas", "class", "virus")] == ["gas", "class", "virus"]


def test_words_are_read_in_lower_case_without_accents() -> None:
    assert words_of(["The Théories of N networks", ""]) == [["the", "theories", "of", "networks"], []]


def test_pairs_are_of_neighbouring_words_in_the_singular() -> None:
    assert pairs_of(stems_of([["graph", "neural", "networks"], ["alone"]])) == [["graph neural", "neural network"], []]


def test_rare_terms_are_left_out_and_the_rest_counted() -> None:
    found, counts = Terms.fit([["b", "a", "b"], ["a", "c"]], least=2)
    assert found.in_column_order == ["a"]
    assert counts.toarray().tolist() == [[1], [1]]


def test_nothing_to_count_gives_no_terms() -> None:
    several: list[Counted] = [[], [[]], [["once"], ["never"]]]
    for texts in several:
        found, counts = Terms.fit(texts, least=2)
        assert (len(found), counts.shape) == (0, (len(texts), 0))
        assert found.counts([["once"]]).shape == (1, 0)


def test_a_table_counts_the_texts_it_was_fitted_on_alike() -> None:
    texts = [["é", "b", "b"], [], ["c", "é"]]
    found, counts = Terms.fit(texts, least=1)
    again = Terms(found.joined, found.ends)
    assert np.array_equal(again.counts(texts).toarray(), counts.toarray())
    assert again.counts([["unheard"]]).nnz == 0


def test_letter_groups_stay_within_a_word_and_its_borders() -> None:
    short, _ = fit_grams([["ab"]], least=1)
    assert sorted(short.in_column_order) == [" ab", " ab ", "ab "]
    longer, counts = fit_grams([["abc", "ab"], ["abc", "abc"]], least=2)
    assert sorted(longer.in_column_order) == [" ab", " abc", " abc ", "abc", "abc ", "bc "]
    assert counts.toarray()[1].tolist() == [2] * 6
    assert np.array_equal(gram_counts(longer, [["abc", "ab"]]).toarray(), counts.toarray()[:1])


def test_rows_of_tfidf_have_length_one_or_zero_and_rare_terms_weigh_more() -> None:
    _, counts = Terms.fit([["a", "b"], ["a"], []], least=1)
    rows = tfidf(counts, fit_idf(counts)).toarray()
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1, 1, 0])
    assert rows[0, 1] > rows[0, 0]
