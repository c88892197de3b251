"""Metrics against trec_eval, the program the field has measured rankings with for decades."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from recommender.metrics import hit_rate, hits_of, mrr, ndcg_at_k, recall_at_k
from recommender.sparse import from_lists, row_sizes

PAPERS = 40
LENGTH = 25
READERS = 12


def measured_by_trec_eval(lists: list[list[int]], truth: list[list[int]], *, k: int) -> dict[str, list[float]]:
    """recall, NDCG, MRR and hit rate of the first k, reader by reader."""
    relevant = {f"r{at}": {f"p{paper}": 1 for paper in papers} for at, papers in enumerate(truth)}
    # trec_eval has no cut for the reciprocal rank, so it sees k papers only.
    run = {
        f"r{at}": {f"p{paper}": float(LENGTH - place) for place, paper in enumerate(papers[:k])}
        for at, papers in enumerate(lists)
    }
    measures = {f"recall.{k}", f"ndcg_cut.{k}", "recip_rank", f"success.{k}"}
    found = pytrec_eval.RelevanceEvaluator(relevant, measures).evaluate(run)
    return {
        name: [found[f"r{at}"][key] for at in range(len(lists))]
        for name, key in (
            ("recall", f"recall_{k}"),
            ("ndcg", f"ndcg_cut_{k}"),
            ("mrr", "recip_rank"),
            ("hit_rate", f"success_{k}"),
        )
    }


@given(st.integers(0, 10_000), st.integers(1, LENGTH))
def test_recall_ndcg_mrr_and_hit_rate_agree_with_trec_eval(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    lists = [random.permutation(PAPERS)[:LENGTH].tolist() for _ in range(READERS)]
    truth = [random.permutation(PAPERS)[: random.integers(1, PAPERS)].tolist() for _ in range(READERS)]
    theirs = measured_by_trec_eval(lists, truth, k=k)
    held_out = from_lists([np.sort(papers) for papers in truth], None, PAPERS)
    hits, counts = hits_of(np.array(lists, dtype=np.int32), held_out), row_sizes(held_out)
    assert recall_at_k(hits, counts, k=k) == pytest.approx(theirs["recall"])
    assert ndcg_at_k(hits, counts, k=k) == pytest.approx(theirs["ndcg"])
    assert mrr(hits, k=k) == pytest.approx(theirs["mrr"])
    assert hit_rate(hits, k=k) == pytest.approx(theirs["hit_rate"])


def test_a_list_shorter_than_k_is_measured_as_trec_eval_does() -> None:
    theirs = measured_by_trec_eval([[3, 7]], [[7, 8, 9]], k=20)
    lists = np.full((1, 20), -1, dtype=np.int32)
    lists[0, :2] = [3, 7]
    held_out = from_lists([np.array([7, 8, 9])], None, PAPERS)
    hits, counts = hits_of(lists, held_out), row_sizes(held_out)
    assert ndcg_at_k(hits, counts, k=20) == pytest.approx(theirs["ndcg"])
    assert recall_at_k(hits, counts, k=20) == pytest.approx(theirs["recall"])
