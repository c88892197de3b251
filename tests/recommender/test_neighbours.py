"""Readers like this one, against their definition."""

import numpy as np

from recommender.domain import Csr, Floats
from recommender.neighbours import FEW, NEAREST, SHARPNESS, Neighbours
from recommender.sparse import as_csr, rows_of
from tests.planted import plant


def by_definition(history: Csr) -> Floats:
    """Scores of the readers of the fit, everything dense."""
    has = (history.toarray() > 0).astype(np.float64)
    weighted = has * np.log(1 + len(has) / (1 + has.sum(axis=0)))
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True)
    alike = weighted @ weighted.T
    alike[alike > 0.9999] = 0
    border = np.sort(alike, axis=1)[:, -min(NEAREST, len(alike)), None]
    return np.asarray(np.where(alike >= border, alike, 0) ** SHARPNESS @ has, dtype=np.float32)


def test_scores_are_the_summed_similarity_of_the_nearest_readers() -> None:
    history = plant(readers=130, papers=90).dataset().user_items
    assert np.allclose(Neighbours.fit(history).scores(history), by_definition(history), atol=1e-3)


def test_a_reader_is_no_neighbour_of_themselves() -> None:
    history = plant().dataset().user_items
    alone = rows_of(history, slice(0, 1))
    assert not Neighbours.fit(alone).scores(alone).any()


def test_only_what_a_reader_has_counts_not_how_much() -> None:
    history = plant().dataset().user_items
    assert np.array_equal(
        Neighbours.fit(history).scores(history), Neighbours.fit(as_csr(history * 3)).scores(as_csr(history * 2))
    )


def test_rebuilt_from_its_arrays_it_answers_alike() -> None:
    history = plant().dataset().user_items
    fitted = Neighbours.fit(history)
    assert np.array_equal(Neighbours.from_arrays(fitted.to_arrays()).scores(history), fitted.scores(history))


def test_a_few_readers_get_what_they_get_among_many() -> None:
    history = plant(readers=130, papers=90).dataset().user_items
    fitted = Neighbours.fit(history)
    few = fitted.scores(rows_of(history, slice(0, FEW)))
    assert np.allclose(few, fitted.scores(history)[:FEW], atol=1e-5)
