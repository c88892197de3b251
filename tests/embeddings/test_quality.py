"""Ranking quality with a real sentence encoder, on real readers' saves (validation part)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.runtime.encoders import EncoderProcess
from api.sentences import sentence_text
from recommender.dataset import Dataset
from recommender.hybrid import Hybrid, HybridConfig
from tests.benchmarks.quality import SEED, measure, read_dataset, read_slices
from tests.shared import shared_data

# NDCG@20 that the defaults reach with all-MiniLM-L6-v2, less half a percent for other machines' arithmetic.
LEAST_NDCG = {"warm": 0.246, "cold": 0.240, "all": 0.206}

pytestmark = [pytest.mark.embeddings, pytest.mark.quality, pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def folder() -> Path:
    return shared_data("citeulike")


@pytest.fixture(scope="module")
def dataset(folder: Path, minilm: EncoderProcess) -> Dataset:
    """Return the training part with every paper's vector, made here."""
    bare = read_dataset(folder)
    texts = bare.texts
    sentences = [sentence_text(title, summary) for title, summary in zip(texts.titles, texts.summaries, strict=True)]
    vectors = minilm.encode(sentences)
    assert np.linalg.norm(vectors.astype(np.float32), axis=1).min() > 0.99
    return replace(bare, texts=replace(texts, vectors=vectors))


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Hybrid:
    return Hybrid.fit(dataset, HybridConfig(), seed=SEED)


@pytest.mark.parametrize("name", list(LEAST_NDCG))
def test_the_defaults_reach_the_measured_figures(name: str, folder: Path, dataset: Dataset, model: Hybrid) -> None:
    part = next(part for part in read_slices(folder, dataset) if part.name == name)
    assert measure(model, dataset, part).ndcg >= LEAST_NDCG[name]
