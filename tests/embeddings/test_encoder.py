"""A real sentence encoder: what it says, what it loses, how it fails."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from api.runtime import encoders
from api.runtime.encoders import EncoderError, EncoderProcess, open_encoder
from tests.embeddings.conftest import MINILM

pytestmark = pytest.mark.embeddings

TEXTS = [
    "Attention is all you need. A network for translation based solely on attention.",
    "Neural machine translation with transformers",
    "The mating behaviour of fruit flies",
    "Courtship in Drosophila melanogaster",
    "Page rank: bringing order to the web",
]


def test_like_texts_have_like_vectors(minilm: EncoderProcess) -> None:
    vectors = minilm.encode(TEXTS).astype(np.float32)
    assert (minilm.name, minilm.dim, vectors.shape) == (MINILM, 384, (5, 384))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
    likeness = vectors @ vectors.T - np.eye(5, dtype=np.float32)
    assert likeness[:4].argmax(axis=1).tolist() == [1, 0, 3, 2]
    assert likeness[2, 3] > 0.5
    assert likeness[0, 3] < 0.25


def test_half_precision_loses_next_to_nothing(minilm: EncoderProcess) -> None:
    from sentence_transformers import SentenceTransformer

    from api.runtime.encoder_child import folder_of

    exact = SentenceTransformer(folder_of(MINILM), device="cpu").encode(TEXTS, normalize_embeddings=True)
    made = minilm.encode(TEXTS).astype(np.float32)
    assert np.abs(made @ made.T - exact @ exact.T).max() < 1e-3


def test_order_batches_and_progress_change_nothing(minilm: EncoderProcess) -> None:
    texts = [f"{'word ' * (at % 7 * 40)}topic {at}" for at in range(60)]
    heard: list[int] = []
    together = minilm.encode(texts, progress=heard.append).astype(np.float32)
    backwards = minilm.encode(texts[::-1])[::-1].astype(np.float32)
    assert heard[-1] == 60
    assert heard == sorted(heard)
    assert len(minilm.encode([])) == 0
    assert np.abs(together - backwards).max() < 2e-3
    assert len(minilm.encode(["x" * 100_000, "", "\n", "\u0000\ud83d\ude00".encode("utf-8", "replace").decode()])) == 4


def test_a_missing_model_is_an_error_at_once_that_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # whoever asked would say so
    started = time.monotonic()
    with pytest.raises(EncoderError, match=r"no such model on this machine; download it with `paperfeed embed"):
        open_encoder("allenai/specter2_base")
    assert time.monotonic() - started < 120


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=f"cannot be loaded from {tmp_path}"):
        open_encoder(str(tmp_path))


def test_a_model_in_a_folder_is_known_by_its_folder() -> None:
    from api.runtime.encoder_child import folder_of

    with open_encoder(folder_of(MINILM), threads=1, batch=1) as opened:
        assert opened.name == folder_of(MINILM)
        assert opened.encode(TEXTS[:2]).shape == (2, 384)


def test_a_killed_encoder_is_an_error_that_speaks_of_memory() -> None:
    with open_encoder(MINILM) as opened:
        os.kill(opened._child.pid, signal.SIGKILL)
        with pytest.raises(EncoderError, match="want of memory"):
            opened.encode(TEXTS)


def test_an_encoder_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_encoder(MINILM) as opened:
        monkeypatch.setattr(encoders, "BATCH_SECONDS", 0.5)
        os.kill(opened._child.pid, signal.SIGSTOP)
        for texts in (TEXTS, ["word " * 20_000] * 32):  # the second is more than a pipe holds
            with pytest.raises(EncoderError, match="does not answer"):
                opened.encode(texts)
    assert not psutil.pid_exists(opened._child.pid)
